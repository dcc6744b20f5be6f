"""The largest σ that is zero and does not come out as zero, over the floor that its solver states.

    python tests/measure_floors.py [seconds] [seed] [largest n]

Every J is of exact rank r in its dtype, though none of its sums is exact: r rows of short mantissas, and the others
small integer combinations of them, some shared out as factors. `networks` are float32 nets whose J has a lower rank in
mathematics than in float32: samples twice, and linear nets. One line for each solver, kind of J and size: how many were
tried, and the largest σ_{r+1} over the solver's floor. Above 1 a zero σ would be kept. docs/design.md has the summary.
"""

import sys
import time
from collections import defaultdict

import numpy as np

import sven_ref as sr
from sven_ref.errors import ConvergenceError
from sven_ref.factored.layers import LayeredLinearOperator

BITS = {np.float32: 16, np.float64: 44}  # of the mantissas of the r rows: their combinations have all that fit


def rows(rng, r, L):
    """r rows of L numbers: noise, one sign, one direction far above the others, graded, of many sizes, ±1."""
    noise = rng.standard_normal((r, L))
    kinds = (
        noise,
        np.abs(noise),
        noise + 10,
        noise * np.geomspace(1, 1e-2, r)[:, None],
        noise * np.geomspace(1, 1e-4, r)[:, None],
        np.exp(np.minimum(2 * noise, 6)),
        np.sign(noise),
    )
    return kinds[rng.integers(len(kinds))]


def deficient(rng, n, L, r, dtype):
    """n × L of rank r, exact in `dtype`: rows twice, or sums of up to four rows with factors ±1, ±2."""
    Y = rows(rng, r, L)
    step = 2.0 ** (np.frexp(np.abs(Y).max())[1] - BITS[dtype])
    Y = np.round(Y / step) * step
    A = Y[np.arange(n) % r]
    if rng.random() < 0.8:
        for i in range(r, n):
            chosen = rng.choice(r, min(r, rng.integers(1, 5)), replace=False)
            A[i] = rng.choice([-2, -1, 1, 2], len(chosen)) @ Y[chosen]
    A = rng.permutation(A)
    assert (A.astype(dtype) == A).all()
    return A.astype(dtype)


def drawn(rng, largest):
    """(kind, J, r): n from 2 to `largest`, most of them small, up to 3 million numbers."""
    n = int(2 ** (1 + (np.log2(largest) - 1) * rng.random() ** 1.7))
    L = n + int(2 ** rng.uniform(0, np.log2(max(2, min(6000, 3e6 / n - n)))))
    r = int(rng.choice([n - 1, max(1, n // 2), max(1, n // 8)]))
    dtype = (np.float32, np.float64)[rng.integers(2)]
    A, kind, wide = deficient(rng, n, L, r, dtype), np.dtype(dtype).name, rng.random() < 0.6
    A = np.ascontiguousarray(A if wide else A.T)
    if rng.random() < 0.5:
        return f"{kind} array", sr.as_product_operator(A), r
    x = np.repeat(rng.standard_normal((1, rng.integers(1, 5) if wide else 1)).astype(dtype), len(A), axis=0)
    return f"{kind} factors", LayeredLinearOperator([x], [A]), r


def network(rng):
    """(kind, J, r) of a float32 net: B samples in an order that has some of them twice, or a linear net."""
    n_in, width, depth = rng.integers(1, 20), int(2 ** rng.uniform(1, 8)), int(rng.integers(1, 5))
    linear = rng.random() < 0.5
    activation = "identity" if linear else str(rng.choice(["gelu", "tanh", "relu", "sine"]))
    net = sr.MLP((int(n_in), *[width] * depth, 1), activation)
    B = int(n_in) + 1 if linear else int(2 ** rng.uniform(1, 5))
    x = rng.standard_normal((3 * B if linear else B, n_in))
    x = x if linear else x[rng.permutation(np.arange(2 * B) % B)]
    batch = x.astype(np.float32), np.float32(10) * np.ones((len(x), 1), np.float32)
    return "float32 networks", sr.Problem(net, kappa=1, rows="signed").jacobian(net.init(rng, np.float32), batch), B


def noise(J, r, solver, rng):
    """σ_{r+1} over the solver's floor, and n; None where another solver had to do it."""
    n, k = min(J.shape), r + int(rng.integers(0, 3))
    if r >= n or (solver == "svds" and k + 1 >= n):
        return None
    try:
        t = sr.SOLVERS[solver](J, min(k, n), int(rng.integers(2**32)))
    except ConvergenceError:  # its words for a spectrum that does not fall
        return None
    return float(t.s[r:].max() / t.s[0]) / t.floor if t.solver == solver and len(t.s) > r else None


def main(seconds=60.0, seed=0, largest=2000):
    """Tries matrices for that long and prints the table."""
    rng, end, found = np.random.default_rng(int(seed)), time.monotonic() + float(seconds), defaultdict(list)
    while time.monotonic() < end:
        kind, J, r = network(rng) if rng.random() < 0.1 else drawn(rng, float(largest))
        n = min(J.shape)
        for solver in sr.SOLVERS:
            if solver in ("svds", "gram") or n < 300:
                ratio = noise(J, r, solver, rng)
                if ratio is not None:
                    size = next(edge for edge in (8, 64, 512, 4096) if n <= edge)
                    found[solver, kind, size].append(ratio)
    print(f"{'solver':12}{'J':20}{'n ≤':>6}{'tried':>8}  largest noise / floor")
    for (solver, kind, size), ratios in sorted(found.items()):
        print(f"{solver:12}{kind:20}{size:6}{len(ratios):8}  {max(ratios):.3f}")
    print(f"{sum(map(len, found.values()))} in all, largest {max(map(max, found.values())):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
