"""What one Sven step costs past one machine, on paper and by simulation: `python -m sven_ref.lab.scale`.

The net of the model has L = 24 square layers, P = L w², so that its factors are 2Lw numbers a sample. Rows are sharded
over N nodes as `sven_ref.sharded` does it. Per step, with p product pairs and words of 4 bytes:

    J            4MP flops                 θ out to N nodes, R back
    gram         2M²·2Lw + 10M³            factors among the nodes, M² back; then Jᵀw
    svds         p · 4MP                   p times v out, u back, u out, the sum over shards back
    tsqr         4M²·Σ min(w, M)²          factors to one process, which does the work
    randomized   4(k + 10) columns · 2MP   blocks of k + 10 columns, 4 at the client
    dense        8M²P                      M × P numbers at the client

Everything is a lower bound: no overlap is assumed, no imbalance, and full rates.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse.linalg

LAYERS = 24
SOLVERS = ("gram", "svds", "tsqr", "randomized", "dense", "gram, layers sharded")


@dataclass(frozen=True)
class Machine:
    """N nodes: flop/s of products and of LAPACK in float64, memory, bytes/s and seconds a trip, bytes a number."""

    nodes: int = 64
    flops: float = 1e14
    lapack: float = 1e12
    memory: float = 80e9
    network: float = 25e9
    trip: float = 1e-3
    word: int = 4


@dataclass(frozen=True)
class Cost:
    """A step: flops in all and in one process, bytes one after the other, round trips, bytes of memory."""

    flops: float
    serial: float
    bytes: float
    trips: int
    client: float
    worker: float

    def seconds(self, m: Machine) -> float:
        """The sum of its parts."""
        return self.flops / (m.nodes * m.flops) + self.serial / m.lapack + self.bytes / m.network + self.trips * m.trip


def cost(solver: str, M: float, P: float, k: int, pairs: int, m: Machine) -> Cost:
    """The cost of one step."""
    w = math.sqrt(P / LAYERS)
    width, N = 2 * LAYERS * w, m.nodes
    broadcast = math.ceil(math.log2(N)) if N > 1 else 1  # θ and v travel down a tree: its depth, on the longest path
    flops, serial, traffic, trips = 4 * M * P + 2 * M * P, 0.0, (broadcast + 2) * P * m.word, 3
    client, worker = 2 * P * m.word, 2 * P * m.word + M / N * width * m.word
    if solver == "gram":
        flops += 2 * M**2 * width
        serial, traffic = 10 * M**3, traffic + M * width * m.word + 8 * M**2
        client, worker = client + 16 * M**2, worker + M / N * width * m.word + 8 * (M / N) ** 2
    elif solver == "gram, layers sharded":  # node l holds P/N parameters and its layers' factors of all rows
        flops, serial = 6 * M * P + 2 * M**2 * width, 10 * M**3
        traffic, client = 2 * broadcast * 8 * M**2 + 2 * LAYERS * M * w * m.word / N, 16 * M**2
        worker = 2 * P / N * m.word + M * width / N * m.word + 8 * M**2
    elif solver == "svds":
        flops, trips = flops + pairs * 4 * M * P, trips + 2 * pairs
        traffic += pairs * ((broadcast + 1) * P + 2 * M) * m.word
        client += min(M, P) * (2 * k + 1) * m.word
    elif solver == "tsqr":
        serial = 4 * min(M, P) ** 2 * LAYERS * min(w, M) ** 2
        traffic, client = traffic + M * width * m.word, client + 16 * M**2 + 8 * M * width
    elif solver == "randomized":
        n = k + 10
        flops, trips = flops + 4 * n * 2 * M * P, trips + 4
        traffic, client = traffic + 4 * n * (P + M) * m.word, client + 4 * n * (P + M) * m.word
        worker += n * P * m.word
    else:
        serial, traffic, client = 8 * min(M, P) * M * P, traffic + M * P * m.word, client + 2 * M * P * m.word
    return Cost(flops, serial, traffic, trips, client, worker)


def cell(solver: str, M: float, P: float, k: int, pairs: int, m: Machine, limit: float) -> str:
    """Seconds, or why not: `θ` or `factors` exceed a worker, `client` its memory, `h` the hours."""
    c = cost(solver, M, P, k, pairs, m)
    if c.worker > m.memory:
        return "θ" if 2 * P * m.word / (m.nodes if "layers" in solver else 1) > m.memory / 2 else "worker"
    if c.client > m.memory:
        return "client"
    seconds = c.seconds(m)
    return f"{seconds:.2g}" if seconds <= limit else f"{seconds / 3600:,.0f} h"


def grid(m: Machine, k: int, pairs: int, limit: float) -> None:
    """A table for each solver."""
    Ms, Ps = [10.0**e for e in range(2, 7)], [10.0**e for e in range(6, 13)]
    for solver in SOLVERS:
        print(f"\n**{solver}**: seconds a step, or what stops it\n")
        print("| P \\ M | " + " | ".join(f"{M:.0e}" for M in Ms) + " |\n|" + "---|" * (len(Ms) + 1))
        for P in Ps:
            print(f"| {P:.0e} | " + " | ".join(cell(solver, M, P, k, pairs, m, limit) for M in Ms) + " |")


def lanczos_pairs(M: int, k: int, decay: float, rng: Any = 0) -> int:
    """Products with JJᵀ that ARPACK takes for k + 1 triplets of σ_i = i^−decay.

    They depend on the spectrum alone, not on P or on vectors: a diagonal matrix stands for every J with these σ.
    """
    squares, count = np.arange(1.0, M + 1) ** (-2 * decay), 0

    def product(u: Any) -> Any:
        nonlocal count
        count += 1
        return squares * u

    A = scipy.sparse.linalg.LinearOperator((M, M), matvec=product, dtype=np.float64)
    scipy.sparse.linalg.eigsh(A, k=k + 1, rng=np.random.default_rng(rng), return_eigenvectors=False)
    return count


def straggle(N: int, spread: float, rounds: int = 2000) -> float:
    """Mean time of the slowest of N shards, in units of the median, for log-normal times."""
    return float(np.exp(spread * np.random.default_rng(0).standard_normal((rounds, N))).max(axis=1).mean())


def savings(m: Machine, k: int, pairs: int, M: float, P: float) -> None:
    """What half of the bytes, micro-batches and subsets change, at one point."""
    print(f"\nAt M = {M:.0e}, P = {P:.0e}, k = {k}:\n")
    print("| | gram: s | svds: s | client GB, gram | worker GB |\n|---|---|---|---|---|")
    fine = replace(m, word=8, flops=m.flops / 2)
    for name, rows, params, machine in (
        ("float32, Gram matrix in float64", M, P, m),
        ("float64 throughout", M, P, fine),
        ("micro-batches of 8", M / 8, P, m),
        ("a tenth of the parameters", M, P / 10, m),
    ):
        a, b = (cost(s, rows, params, k, pairs, machine) for s in ("gram", "svds"))
        if rows < M:  # all samples still go forward and back, through every product and into every block
            rate, whole = m.nodes * m.flops, [cost(s, M, params, k, pairs, m) for s in ("gram", "svds")]
            times = [part.seconds(m) + (c.flops - part.flops) / rate for part, c in zip((a, b), whole, strict=True)]
            a = replace(a, worker=whole[0].worker)
        else:
            times = [a.seconds(machine), b.seconds(machine)]
        print(f"| {name} | {times[0]:.3g} | {times[1]:.3g} | {a.client / 1e9:.3g} | {a.worker / 1e9:.3g} |")


def main(argv: Sequence[str] | None = None) -> None:
    """Print every table of docs/scale.md that is not a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in vars(Machine()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=200)
    options = vars(parser.parse_args(argv))
    k, pairs = options.pop("k"), options.pop("pairs")
    m = Machine(**options)
    print(m)
    grid(m, k, pairs, 3600)
    savings(m, k, pairs, 1e4, 1e9)
    print("\nProducts with JJᵀ that ARPACK takes for k + 1 triplets, σ_i = i^−a:\n")
    print("| M | k | a = 0.25 | a = 0.5 | a = 1 | a = 2 |\n|---|---|---|---|---|---|")
    for M, size in ((100, 16), (1000, 16), (1000, 64), (1000, 128), (10_000, 64)):
        print(f"| {M:,} | {size} | " + " | ".join(str(lanczos_pairs(M, size, a)) for a in (0.25, 0.5, 1, 2)) + " |")
    print("\nThe slowest of N shards, in units of the median:\n\n| N | spread 5 % | 20 % |\n|---|---|---|")
    for N in (1, 2, 8, 64, 1024):
        print(f"| {N} | {straggle(N, 0.05):.2f} | {straggle(N, 0.2):.2f} |")


if __name__ == "__main__":
    main()
