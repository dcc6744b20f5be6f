"""The solvers against each other: accuracy at condition 1e6, full batches, memory, cost against M, P, k and depth.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_WAIT_POLICY=passive \
        python -m pytest -s tests/benchmarks/bench_solvers.py --benchmark-json=solvers.json
"""

import os
import tracemalloc
from time import perf_counter

import mpmath
import numpy as np
import pytest
import scipy.optimize
import threadpoolctl
from paired import interleave, machine, summary

import sven_ref as sr
from sven_ref.errors import SvenError
from sven_ref.lab.tasks import TASKS
from sven_ref.solvers import plan

THREADS = 2


@pytest.fixture(autouse=True)
def threads():
    with threadpoolctl.threadpool_limits(THREADS):
        yield


def median_seconds(step, rounds=5):
    return float(np.median(interleave({"": step}, rounds, warmup=1)[""]))


def case(sizes, B, dtype=np.float32, seed=0, loss="cross_entropy"):
    rng, net = np.random.default_rng(seed), sr.MLP(sizes)
    x = rng.standard_normal((B, sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], B) if loss != "squared_error" else np.sin(3 * x[:, :1]).astype(dtype)
    return sr.Problem(net, loss), net.init(rng, dtype), (x, y)


def peak(step):
    """Megabytes that a step allocates at its worst moment."""
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def report(benchmark, gates=None, **results):
    benchmark.extra_info.update(results=results, gates=gates or {}, machine=machine())
    for name, value in results.items():
        gate = f"   gate {gates[name]}" if gates and name in gates else ""
        print(f"\n  {name}: {value:.4g}{gate}" if isinstance(value, float) else f"\n  {name}: {value}", end="")


def test_condition_1e6(benchmark):
    """The MNIST net, M = 128, P = 27,562, two samples 6e-6 apart: condition 1e6, nothing cut, against 50 digits."""
    problem, theta, (x, y) = case((784, 32, 32, 32, 10), 128, np.float64)
    x[1], y[1] = x[0] + 6e-6 * np.random.default_rng(1).standard_normal(784), y[0]
    R, J = problem.linearise(theta, (x, y))
    with mpmath.workdps(50):  # w = (JJᵀ)⁻¹R and Jᵀw from the factors: products of numbers, nothing of the package
        factors = [(mpmath.matrix(x.tolist()), mpmath.matrix(g.tolist())) for x, g, _ in J.layers]
        G = mpmath.zeros(128)
        for x, g in factors:
            xx, gg = x * x.T, g * g.T
            for a in range(128):
                for b in range(128):
                    G[a, b] += xx[a, b] * gg[a, b]
        w = mpmath.lu_solve(G, mpmath.matrix(R.tolist()))
        parts = []
        for x, g in factors:
            wg = mpmath.matrix([[w[a] * g[a, o] for o in range(g.cols)] for a in range(128)])
            parts += [float(v) for v in x.T * wg]
    exact = np.array(parts)

    errors = {}
    for solver in ("tsqr", "gram", "dense"):
        delta = sr.truncated_pinv(J, rtol=0, solver=solver) @ R
        errors[solver] = float(np.linalg.norm(delta - exact) / np.linalg.norm(exact))
    steps = {s: lambda s=s: sr.truncated_pinv(J, 126, 0, solver=s) @ R for s in ("tsqr", "svds", "gram", "dense")}
    seconds = {}
    benchmark.pedantic(lambda: seconds.update(interleave(steps, 5, warmup=1)), rounds=1)
    table = summary(seconds, "tsqr")
    report(
        benchmark,
        {"svds / tsqr": "≥ 3", "error of tsqr": "≤ 1e-9", "error of gram": "> 1e-6"},
        **{f"error of {s}": e for s, e in errors.items()},
        **{f"ms of {s}": row["ms"] for s, row in table.items()},
        **{"svds / tsqr": 1 / table["svds"]["ratio"][1]},
        condition=float(np.linalg.cond(J @ np.eye(theta.size))),
    )


def test_full_batch_toy(benchmark):
    """M = 10,000, P = 593, k = 16: `auto` against the M × M eigendecomposition, once; and SciPy's trust region."""
    problem, theta, batch = case((1, 16, 16, 16, 1), 10_000, loss="squared_error")
    _, info = sr.step(problem, theta, batch, lr=0.1, k=16, solver="auto")
    ours = []
    benchmark.pedantic(
        lambda: ours.append(median_seconds(lambda: sr.step(problem, theta, batch, lr=0.1, k=16, solver="auto"))),
        rounds=1,
    )
    J = problem.jacobian(theta, batch)
    start = perf_counter()
    np.linalg.eigh(J.gram())
    eigh = perf_counter() - start

    precise, batch64 = theta.astype(np.float64), tuple(a.astype(np.float64) for a in batch)
    residual = sr.Problem(problem.model, kappa=1)
    start = perf_counter()
    fit = scipy.optimize.least_squares(
        lambda t: residual.residuals(t, batch64), precise, jac=lambda t: residual.jacobian(t, batch64),
        method="trf", tr_solver="lsmr", max_nfev=10,
    )  # fmt: skip
    trf = (perf_counter() - start) / fit.nfev
    report(
        benchmark,
        {"eigh / auto": "≥ 100"},
        solver=info.solver,
        **{"s of auto": ours[0], "s of eigh": eigh, "eigh / auto": eigh / ours[0], "s an evaluation of trf, lsmr": trf},
    )


def test_full_batch_mnist(benchmark):
    """M = 10,000, P = 27,562, k = 64 within 1 GiB, where J is 2.2 GB; the images if SVEN_REF_DATA is set."""
    problem, theta, batch = case((784, 32, 32, 32, 10), 10_000)
    if images := os.environ.get("SVEN_REF_DATA"):
        batch = TASKS["mnist-ce"](n_train=10_000).train
    run = lambda: sr.step(problem, theta, batch, lr=0.1, k=64, solver="auto")[1]  # noqa: E731
    start = perf_counter()
    info = benchmark.pedantic(run, rounds=1)
    seconds = perf_counter() - start
    report(
        benchmark,
        {"peak MB": "≤ 1074"},
        solver=info.solver,
        data="MNIST" if images else "random",
        s=seconds,
        **{"peak MB": peak(run)},
    )


def test_memory_of_a_step(benchmark):
    """P = 1,015,210, B = 128: at most three times the parameters plus the activations."""
    problem, theta, batch = case((3072, 300, 300, 10), 128)
    sr.step(problem, theta, batch, lr=0.1, k=64, solver="auto")
    run = lambda: sr.step(problem, theta, batch, lr=0.1, k=64, solver="auto")  # noqa: E731
    megabytes = peak(lambda: benchmark.pedantic(run, rounds=1))
    activations = batch[0].nbytes + 4 * 128 * 2 * sum(problem.model.sizes[1:])
    bound = 3 * theta.nbytes + activations
    report(
        benchmark,
        {"peak MB": f"≤ {bound / 1e6:.1f}"},
        **{"peak MB": megabytes, "J would be, MB": 128 * theta.nbytes / 1e6},
    )


SWEEPS = {  # what varies, and the net and batch and k at each value
    "k": [((784, 32, 32, 32, 10), 256, k) for k in (4, 8, 16, 32, 64, 128, 250)],
    "B": [((784, 32, 32, 32, 10), B, 16) for B in (32, 64, 128, 256, 512, 1024, 2048)],
    "P": [((784, w, w, w, 10), 128, 16) for w in (8, 32, 128, 512)],
    "depth": [((32, *[32] * d, 10), 128, 16) for d in (2, 4, 8, 16, 32)],
}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_cost(sweep, benchmark):
    """Seconds, megabytes and products of a step for each solver; the exponent is fitted to the last three points."""
    rows = []

    def run():
        for sizes, B, k in SWEEPS[sweep]:
            problem, theta, batch = case(sizes, B)
            J = problem.jacobian(theta, batch)
            value = {"k": k, "B": B, "P": theta.size, "depth": len(sizes) - 1}[sweep]
            row = {"value": value, "auto": plan(J, k)[0]}
            for solver in ("gram", "svds", "tsqr"):
                if solver == "tsqr" and B > 1024:
                    row[solver] = {"error": "left out: minutes"}
                    continue
                try:
                    _, info = sr.step(problem, theta, batch, lr=0.1, k=k, rtol=1e-3, solver=solver)
                except SvenError as error:
                    row[solver] = {"error": type(error).__name__}
                    continue
                seconds = median_seconds(
                    lambda p=problem, t=theta, b=batch, k=k, s=solver: sr.step(
                        p, t, b, lr=0.1, k=k, rtol=1e-3, solver=s
                    ),
                    3,
                )
                memory = peak(
                    lambda p=problem, t=theta, b=batch, k=k, s=solver: sr.step(p, t, b, lr=0.1, k=k, solver=s)
                )
                row[solver] = {"s": seconds, "MB": memory, "products": info.n_jvp + info.n_vjp, "by": info.solver}
            rows.append(row)

    benchmark.pedantic(run, rounds=1)
    exponents = {}
    for solver in ("gram", "svds", "tsqr"):
        points = [(r["value"], r[solver]["s"]) for r in rows if r[solver].get("by") == solver][-3:]
        if len(points) == 3:
            logs = np.log(points)
            exponents[solver] = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    benchmark.extra_info.update(sweep=sweep, rows=rows, exponents=exponents, machine=machine())
    print(f"\n  exponents against {sweep}: " + ", ".join(f"{s} {e:.2f}" for s, e in exponents.items()))
    for row in rows:
        cells = [
            f"{s} {1e3 * row[s]['s']:.2f} ms ({row[s]['products']})" if "s" in row[s] else f"{s} —" for s in exponents
        ]
        print(f"    {row['value']:>8}  auto: {row['auto']:5} ", "   ".join(cells))
