"""One step of Sven against its peers: interleaved, paired, from the same weights on the same batch.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_WAIT_POLICY=passive \\
        python -m pytest -s tests/benchmarks/bench_steps.py --benchmark-json=steps.json

A run first asserts that the peers' updates agree with ours. Not part of the ordinary tests; needs the extra `peers`.
"""

import autograd.numpy as anp
import numpy as np
import peers
import pytest
import threadpoolctl
import torch
from autograd import value_and_grad
from paired import interleave, machine, summary

import sven_ref as sr

THREADS = 2
CASES = {  # sizes, B, k, loss, rounds, the gates: ours/theirs at most
    "P = 1,015,210, B = 128": (
        (3072, 300, 300, 10), 128, 64, "cross_entropy", 40,
        {"autograd SGD": 0.85, "torch Adam": 1.0, "torch Gram": 0.6, "torch classic": 1e-3},
    ),
    "MNIST net, P = 27,562, B = 64": (
        (784, 32, 32, 32, 10), 64, 64, "cross_entropy", 200, {"autograd SGD": 1.15, "torch Gram": 0.9},
    ),
    "toy net, P = 593, B = 32": ((1, 16, 16, 16, 1), 32, 32, "squared_error", 400, {"torch Gram": 1.0}),
    "toy net, P = 593, B = 128": ((1, 16, 16, 16, 1), 128, 128, "squared_error", 200, {"torch Gram": 1.1}),
}  # fmt: skip
SLOW = 5  # rounds of the classic pipelines
LR, RTOL = 0.1, 1e-3


def autograd_sgd(problem, theta, batch):
    """θ − η∇L by autograd, θ one flat vector: the same forward pass as Sven's."""
    x, y = batch

    def mean_loss(theta):
        return anp.mean(problem.losses_of(problem.model(theta, x), y))

    loss_and_gradient = value_and_grad(mean_loss)
    return lambda: theta - np.float32(LR) * loss_and_gradient(theta)[1]


@pytest.mark.parametrize("name", CASES)
def test_step(name, benchmark):
    sizes, B, k, loss, rounds, gates = CASES[name]
    rng = np.random.default_rng(0)
    net = sr.MLP(sizes)
    theta = net.init(rng, np.float32)
    x = rng.standard_normal((B, sizes[0])).astype(np.float32)
    y = rng.integers(0, 10, B) if loss == "cross_entropy" else np.sin(3 * x)
    problem, batch = sr.Problem(net, loss, kappa=2), (x, y)
    args = (sizes, theta, x, y, loss, LR, k, RTOL)

    with threadpoolctl.threadpool_limits(THREADS):
        torch.set_num_threads(THREADS)
        steps = {
            "Sven": lambda: sr.step(problem, theta, batch, lr=LR, k=k, rtol=RTOL, solver="auto"),
            "autograd SGD": autograd_sgd(problem, theta, batch),
            "torch Gram": peers.torch_gram(*args),
            "torch SGD": peers.torch_sgd(*args),
            "torch Adam": peers.torch_adam(*args),
            "torch L-BFGS": peers.torch_lbfgs(*args),
        }
        slow = {
            "Sven": steps["Sven"],
            "torch classic": peers.torch_classic(*args),
            "jax classic": peers.jax_classic(*args),
        }

        new, info = steps["Sven"]()
        delta = (theta.astype(float) - new) / LR
        R, exact = sr.Problem(net, loss, kappa=2).linearise(
            theta.astype(float), (x.astype(float), y if loss == "cross_entropy" else y.astype(float))
        )
        reference = sr.truncated_pinv(exact, info.rank, 0, solver="tsqr")
        truth = reference @ R
        theirs = {
            "torch Gram": peers.flatten(steps["torch Gram"]()[1]),
            "torch classic": slow["torch classic"](),
            "jax classic": slow["jax classic"](),
        }
        # J in float32 is 1e-7 off, and δ by σ_1/(σ_q − σ_{q+1}) times as much
        s = info.singular_values
        tol = 100 * 1.2e-7 * s[0] / s[-1] / (1 - info.gap)
        assert tol < 0.1
        size = np.linalg.norm(truth)
        rounding = 1e-6 * np.linalg.norm(theta) / LR  # of reading δ off θ' − θ in float32
        assert np.linalg.norm(delta - truth) <= tol * size + rounding
        for update in theirs.values():
            assert np.linalg.norm(update - truth) <= tol * size

        seconds = {}
        benchmark.pedantic(lambda: seconds.update(interleave(steps, rounds)), rounds=1)
        fast = summary(seconds, "Sven")
        slow_rounds = summary(interleave(slow, 2 if sizes[0] == 3072 else SLOW, warmup=1, untimed=5), "Sven")
        results = fast | {n: v for n, v in slow_rounds.items() if n != "Sven"}
    benchmark.extra_info.update(case=name, results=results, gates=gates, machine=machine(), solver=info.solver)
    print(f"\n{name}: solver {info.solver}, rank {info.rank}")
    for peer, row in results.items():
        gate = (
            f"  gate {gates[peer]:g}: {'met' if row['ratio'][1] <= gates[peer] else 'MISSED'}" if peer in gates else ""
        )
        print(f"  {peer:14} {row['ms']:10.3f} ms   Sven/this {row['ratio'][1]:8.4f}{gate}")
