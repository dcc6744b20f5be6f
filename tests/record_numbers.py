"""What every combination of solver, dtype, rows and subset computes, to hold a change of the code's structure against.

    python tests/record_numbers.py write FILE.npz        before the change
    python tests/record_numbers.py compare FILE.npz      after it: the same bits, or how far apart

An entry is θ', the σ, R and the rank of two steps. `--shards` adds steps over 1, 2 and 3 shards (extra dask).
"""

import argparse
import sys

import autograd.numpy as anp
import numpy as np

import sven_ref as sr
from sven_ref.errors import SvenError

SOLVERS = (*sr.SOLVERS, "auto")
PROBLEMS = {  # sizes, activation, loss, kappa, rows, micro_batch
    "toy": ((1, 16, 16, 16, 1), "gelu", "squared_error", 2, None, 1),
    "toy kappa 1": ((1, 16, 16, 16, 1), "gelu", "squared_error", 1, None, 1),
    "toy kappa 1.4": ((1, 16, 16, 1), "tanh", "squared_error", 1.4, "signed", 1),
    "unsigned": ((2, 8, 1), "sine", "squared_error", 1, "unsigned", 1),
    "micro-batch": ((3, 8, 4), "relu", "squared_error", 2, None, 4),
    "per output": ((3, 6, 2), "tanh", "squared_error", 1, "per_output", 1),
    "labels": ((5, 8, 3), "gelu", "label_regression", 2, None, 1),
    "cross-entropy": ((5, 8, 3), "gelu", "cross_entropy", 2, None, 1),
    "deep": ((4, 5, 5, 5, 5, 2), "tanh", "squared_error", 2, None, 2),
    "tall": ((1, 2, 1), "tanh", "squared_error", 1, None, 1),
}
CUTS = {"k": {"k": 5, "rtol": 1e-3}, "rtol": {"rtol": 1e-2}, "none": {"rtol": 1e-4}, "atol": {"atol": 0.1, "k": 12}}
SUBSETS = {"all": {}, "half": {"param_fraction": 0.5}, "rows": {"param_fraction": 0.5, "mask": "rows"}}


def batch_of(problem, B, rng):
    net = problem.model
    x = rng.standard_normal((B, net.sizes[0]))
    labels = problem.loss in ("label_regression", "cross_entropy")
    y = rng.integers(0, net.sizes[-1], B) if labels else rng.standard_normal((B, net.sizes[-1]))
    return x, y


def two_steps(problem, theta, batches, **options):
    """The numbers of two steps, or the name of the error."""
    try:
        numbers = []
        for batch in batches:
            theta, info = sr.step(problem, theta, batch, lr=0.1, rng=7, **options)
            numbers += [theta, info.spectrum, info.residuals, np.array([info.rank, info.n_jvp, info.n_vjp])]
        return [*numbers, np.array(info.solver)]
    except SvenError as error:  # a refusal is a result
        return [np.array(type(error).__name__)]


def record(shards=False):
    """{name: arrays} of all combinations."""
    entries = {}
    for name, (sizes, activation, loss, kappa, rows, m) in PROBLEMS.items():
        net = sr.MLP(sizes, activation)
        problem = sr.Problem(net, loss, kappa=kappa, rows=rows, micro_batch=m)
        general = sr.Problem(lambda theta, x, net=net: net(theta, x), loss, kappa=kappa, rows=rows, micro_batch=m)
        batches = [batch_of(problem, 24, np.random.default_rng(i)) for i in range(2)]
        for dtype in (np.float32, np.float64):
            theta = net.init(3, dtype)
            for solver in SOLVERS:
                for cut, options in CUTS.items():
                    for subset, chosen in SUBSETS.items():
                        key = f"{name} | {np.dtype(dtype)} | {solver} | {cut} | {subset}"
                        entries[key] = two_steps(problem, theta, batches, solver=solver, **options, **chosen)
                entries[f"{name} | {np.dtype(dtype)} | {solver} | general"] = two_steps(
                    general, theta, batches, solver=solver, **CUTS["k"]
                )
    A = np.random.default_rng(0).standard_normal((6, 9))
    conditions = sr.Conditions(lambda theta, _: anp.sin(anp.dot(A, theta)) - 0.2)
    for solver in SOLVERS:
        for cut, options in CUTS.items():
            entries[f"conditions | {solver} | {cut}"] = two_steps(
                conditions, np.ones(9), [None, None], solver=solver, **options
            )
    return entries | (sharded() if shards else {})


def sharded():
    from sven_ref.sharded import ShardedProblem, connect

    entries = {}
    with connect(workers=2) as client:
        for name in ("toy", "labels", "micro-batch", "per output"):
            sizes, activation, loss, kappa, rows, m = PROBLEMS[name]
            net = sr.MLP(sizes, activation)
            problem = sr.Problem(net, loss, kappa=kappa, rows=rows, micro_batch=m)
            batches = [batch_of(problem, 24, np.random.default_rng(i)) for i in range(2)]
            for n in (1, 2, 3):
                over = ShardedProblem(problem, client, n_shards=n)
                for dtype in (np.float32, np.float64):
                    for solver in SOLVERS:
                        key = f"{name} | {np.dtype(dtype)} | {solver} | {n} shards"
                        entries[key] = two_steps(over, net.init(3, dtype), batches, solver=solver, **CUTS["k"])
    return entries


def compare(before, after):
    """Print what differs; whether all bits are the same."""
    apart = {}
    for key in sorted({*before, *after}):
        a, b = before.get(key), after.get(key)
        if a is None or b is None or [(x.shape, x.dtype.kind) for x in a] != [(x.shape, x.dtype.kind) for x in b]:
            apart[key] = f"{'absent' if a is None else a[-1]} -> {'absent' if b is None else b[-1]}"
        elif any(x.tobytes() != y.tobytes() for x, y in zip(a, b, strict=True)):
            numbers = [(x, y) for x, y in zip(a, b, strict=True) if x.dtype.kind == "f"]
            worst = max(float(np.abs(x - y).max() / max(np.abs(x).max(), 1e-300)) for x, y in numbers)
            apart[key] = f"{worst:.1e}, {a[-1]} -> {b[-1]}, {a[3]} -> {b[3]}"
    for key, how in apart.items():
        print(f"{key}: {how}")
    print(f"{len(apart)} of {len(after)} entries differ")
    return not apart


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "compare"])
    parser.add_argument("file")
    parser.add_argument("--shards", action="store_true")
    options = parser.parse_args()
    found = record(options.shards)
    if options.what == "write":
        np.savez(options.file, **{f"{key}#{i}": a for key, arrays in found.items() for i, a in enumerate(arrays)})
        print(f"{len(found)} entries")
        sys.exit()
    kept = {}
    with np.load(options.file) as arrays:
        for name in arrays.files:
            key, _, i = name.rpartition("#")
            kept.setdefault(key, {})[int(i)] = arrays[name]
    before = {key: [parts[i] for i in sorted(parts)] for key, parts in kept.items()}
    sys.exit(not compare(before, found))
