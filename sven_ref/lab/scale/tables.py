"""Tables of what one Sven step costs past one machine, on paper and by simulation: `python -m sven_ref.lab.scale`.

On paper: `step_cost`. Simulated are the products that ARPACK takes, which depend on the spectrum and k alone, and the
slowest of N nodes whose times vary.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse.linalg

from .step_cost import SOLVERS, Cost, Machine, cost, operations

ROWS, PARAMETERS = [10.0**e for e in range(2, 7)], [10.0**e for e in range(6, 13)]
POINT = (1e4, 1e9)  # M, P of the tables of one point
LIMIT = 3600.0  # seconds, above which a cell has hours
HELP = {
    "nodes": "how many",
    "flops": "flop/s of a node's products",
    "lapack": "flop/s of eigenvectors in one process",
    "panel": "flop/s of QR and SVD of P × n matrices",
    "memory": "bytes of a node",
    "network": "bytes/s",
    "trip": "seconds of a round trip",
    "hop": "seconds of one more level of tasks",
    "task": "seconds of a task at the client",
    "word": "bytes of a number, 4 or 8",
}


def stopped_by(solver: str, c: Cost, M: float, P: float, m: Machine) -> str:
    """What exceeds a memory: `θ`, vectors of length P on a node; `node`, what else it holds; `client`; or nothing."""
    if c.node > m.memory:
        one_row = cost(solver, 1, P, 1, m, pairs=1)
        return "θ" if one_row.node > m.memory else "node"
    return "client" if c.client > m.memory else ""


def cell(solver: str, M: float, P: float, k: int, pairs: int, m: Machine) -> str:
    """Seconds, hours, or what stops it."""
    c = cost(solver, M, P, k, m, pairs=pairs)
    seconds = c.seconds(m)
    return stopped_by(solver, c, M, P, m) or (f"{seconds:.2g}" if seconds <= LIMIT else f"{seconds / 3600:,.0f} h")


def grid(m: Machine, k: int, pairs: int) -> None:
    """A table for each solver."""
    for solver in SOLVERS:
        print(f"\n**{solver}**: seconds a step, or what stops it\n")
        print("| P \\ M | " + " | ".join(f"{M:.0e}" for M in ROWS) + " |\n|" + "---|" * (len(ROWS) + 1))
        for P in PARAMETERS:
            print(f"| {P:.0e} | " + " | ".join(cell(solver, M, P, k, pairs, m) for M in ROWS) + " |")


def in_full(m: Machine, k: int, pairs: int) -> None:
    """Everything that a step at one point takes, whatever memory there is."""
    M, P = POINT
    print(f"\nAt M = {M:.0e}, P = {P:.0e}:\n")
    print("| | flops | by LAPACK | GB, longest path | GB in all | trips | tasks | GB client | GB node | s |")
    print("|" + "---|" * 10)
    for solver in SOLVERS:
        c = cost(solver, M, P, k, m, pairs=pairs)
        sizes = " | ".join(f"{x / 1e9:.3g}" for x in (c.path, c.moved))
        memory = " | ".join(f"{x / 1e9:.3g}" for x in (c.client, c.node))
        counts = f"{c.trips:.0f} | {c.tasks:.0f}"
        print(f"| {solver} | {c.flops:.2g} | {c.lapack + c.panel:.2g} | {sizes} | {counts} | {memory} | ", end="")
        print(f"{c.seconds(m):.3g} |")


def every_cell(m: Machine, k: int, pairs: int) -> None:
    """All of it for all cells, as CSV."""
    table = csv.writer(sys.stdout)
    table.writerow(["solver", "M", "P", *vars(Cost()), "seconds", "stopped_by"])
    for solver in SOLVERS:
        for P in PARAMETERS:
            for M in ROWS:
                c = cost(solver, M, P, k, m, pairs=pairs)
                numbers = [f"{x:.6g}" for x in (M, P, *vars(c).values(), c.seconds(m))]
                table.writerow([solver, *numbers, stopped_by(solver, c, M, P, m)])


def savings(m: Machine, k: int, pairs: int) -> None:
    """What half of the bytes, micro-batches and subsets change, at one point."""
    M, P = POINT
    print(f"\nAt M = {M:.0e}, P = {P:.0e}, k = {k}:\n")
    print("| | gram: s | svds: s | client GB, gram | node GB, gram |\n|---|---|---|---|---|")
    fine = replace(m, word=8, flops=m.flops / 2)
    for name, rows, params, machine in (
        ("float32, Gram matrix in float64", M, P, m),
        ("float64 throughout", M, P, fine),
        ("micro-batches of 8", M / 8, P, m),
        ("a tenth of the parameters", M, P / 10, m),
    ):
        gram, svds = (cost(solver, M, params, k, machine, pairs=pairs) for solver in ("gram", "svds"))
        if rows < M:  # all samples go forward, back and into every product; fewer rows meet LAPACK and the client
            few = cost("gram", rows, params, k, machine)
            gram = replace(gram, lapack=few.lapack, client=few.client)
        print(
            f"| {name} | {gram.seconds(machine):.3g} | {svds.seconds(machine):.3g} | "
            f"{gram.client / 1e9:.3g} | {gram.node / 1e9:.3g} |"
        )


def by_nodes(m: Machine) -> None:
    """One product J Jᵀu as nodes are added, and what each part of it takes."""
    M, P = POINT
    print(f"\nOne product J Jᵀu at M = {M:.0e}, P = {P:.0e}, seconds:\n")
    print("| N | products | network | levels and tasks | in all | the same at P = 1e+06 |\n|---|---|---|---|---|---|")
    for N in (1, 2, 8, 64, 512):
        machine = replace(m, nodes=N)
        c, small = (operations(M, size, machine)["J J^T u"] for size in (P, 1e6))
        flops, network, whole = c.flops / (N * m.flops), c.path / m.network, c.seconds(machine)
        print(f"| {N} | {flops:.2g} | {network:.2g} | {whole - flops - network:.2g} | {whole:.2g} | ", end="")
        print(f"{small.seconds(machine):.2g} |")


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
    """Mean time of the slowest of N nodes, in units of the median, for log-normal times."""
    return float(np.exp(spread * np.random.default_rng(0).standard_normal((rounds, N))).max(axis=1).mean())


def simulated() -> None:
    """Products of ARPACK, and the slowest of N."""
    print("\nProducts with JJᵀ that ARPACK takes for k + 1 triplets, σ_i = i^−a:\n")
    print("| M | k | a = 0.25 | a = 0.5 | a = 1 | a = 2 |\n|---|---|---|---|---|---|")
    for M, size in ((100, 16), (1000, 16), (1000, 64), (1000, 128), (10_000, 64)):
        print(f"| {M:,} | {size} | " + " | ".join(str(lanczos_pairs(M, size, a)) for a in (0.25, 0.5, 1, 2)) + " |")
    print("\nThe slowest of N nodes, in units of the median:\n\n| N | spread 5 % | 20 % |\n|---|---|---|")
    for N in (1, 2, 8, 64, 1024):
        print(f"| {N} | {straggle(N, 0.05):.2f} | {straggle(N, 0.2):.2f} |")


def main(argv: Sequence[str] | None = None) -> None:
    """Print every table of docs/scale.md that is not a measurement; with --csv all numbers of every cell."""
    parser = argparse.ArgumentParser(
        prog="python -m sven_ref.lab.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, value in vars(Machine()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"{HELP[name]}: {value:g}")
    parser.add_argument("--k", type=int, default=64, help="triplets kept: 64")
    parser.add_argument("--pairs", type=int, default=200, help="products J Jᵀu of svds: 200")
    parser.add_argument("--csv", action="store_true", help="flops, bytes, trips, memory and seconds of every cell")
    options = vars(parser.parse_args(argv))
    for name, value in options.items():
        if name != "csv" and not 0 < value < math.inf:
            parser.error(f"argument --{name}: {value:g}: must be > 0 and finite")
    if options["word"] not in (4, 8):
        parser.error(f"argument --word: {options['word']}: must be 4 or 8")
    k, pairs, as_csv = (options.pop(name) for name in ("k", "pairs", "csv"))
    m = Machine(**options)
    if as_csv:
        every_cell(m, k, pairs)
        return
    print(m)
    grid(m, k, pairs)
    in_full(m, k, pairs)
    savings(m, k, pairs)
    by_nodes(m)
    simulated()
