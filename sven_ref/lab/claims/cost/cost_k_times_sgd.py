"""Does a step cost k times a step of SGD?

Products with J or Jᵀ are what an SGD step is made of: two passes, three multiplications by P a sample, of which one
product is the half. By solver:

    svds, randomized   products in proportion to Lanczos steps or sketch columns: they grow with k
    gram, tsqr         one product, Jᵀw, whatever k is; and B²S + O(B³), or the QR of Jᵀ

So "k times SGD" can be true of the first two alone. Counted: products a step, by `StepInfo`. Timed: each step beside an
SGD step in the same round, the ratio of these two neighbours, and the median over rounds; ratios, as wall times on a
shared machine are noisy.

Put to the test on 784-64-64-10, P = 55,050, cross-entropy on random inputs and labels, B = 64, k = 4 … 32.
"""

from __future__ import annotations

from itertools import product
from time import perf_counter
from typing import Any

import numpy as np

from ....errors import ConvergenceError
from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...optimizers.first_order import SGD
from ...plots import CYCLE, GREY
from ..claim import Claim, Effort, Verdict
from ..small_problems import over

CLAIM = Claim(
    title="A step costs k times SGD's",
    statement="A Sven step costs about k times a step of SGD.",
    where="arXiv 2604.01279, abstract",
    conditions="784-64-64-10, P = 55,050, B = 64, cross-entropy, float32, one BLAS thread where it is set so.",
    settles=("criticism 17", "claim 4"),
)
SIZES, B, KS, SOLVERS = (784, 64, 64, 10), 64, (4, 8, 16, 32), ("gram", "svds", "tsqr", "randomized")


def compute(effort: Effort) -> dict[str, Any]:
    """Products and the median ratio to SGD, by solver and k, draw and seed."""
    values, counts = over(one, effort, effort.choose(5, 2), effort.choose(KS, (4, 32)), draws=3, seeds=2)
    return counts | {"values": values, "ks": effort.choose(KS, (4, 32))}


def one(draw: int, seed: int, rounds: int, ks: tuple[int, ...]) -> dict[str, Any]:
    """solver -> [products, ratio] for each k, None where the solver refuses."""
    rng, net = np.random.default_rng(draw), MLP(SIZES, "gelu")
    batch = rng.standard_normal((B, SIZES[0])).astype(np.float32), rng.integers(0, 10, B)
    problem, theta, sgd = Problem(net, "cross_entropy"), net.init(seed, np.float32), SGD(lr=0.1)
    ratios: dict[tuple[str, int], list[float]] = {}
    products: dict[tuple[str, int], int] = {}
    refused = set()
    for turn in range(rounds + 1):
        for solver, k in product(SOLVERS, ks):
            if (solver, k) in refused or (solver == "tsqr" and turn > 2):
                continue
            first = perf_counter()
            sgd.step(problem, theta, batch)
            start = perf_counter()
            try:
                _, info = step(problem, theta, batch, lr=0.1, k=k, rtol=1e-3, solver=solver, rng=turn)
            except ConvergenceError:  # says that its spectrum decays too slowly: shown as a dash
                refused.add((solver, k))
                continue
            end = perf_counter()
            products[solver, k] = info.n_jvp + info.n_vjp
            if turn:  # the first round warms up
                ratios.setdefault((solver, k), []).append((end - start) / (start - first))
    return {
        s: [None if (s, k) in refused else [products[s, k], float(np.median(ratios[s, k]))] for k in ks]
        for s in SOLVERS
    }


def medians(data: dict[str, Any], solver: str, i: int) -> list[float | None]:
    """Over draws and seeds, of products (i = 0) or ratios (1), by k; None where refused."""
    runs = [v[solver] for row in data["values"] for v in row]
    columns = [[p[i] for p in column if p is not None] for column in zip(*runs, strict=True)]
    return [float(np.median(c)) if c else None for c in columns]


def growth(values: list[float | None]) -> float:
    """The last over the first that there are."""
    known = [v for v in values if v is not None]
    return known[-1] / known[0]


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the products of every solver grow by more than a half from the smallest k to the largest and the
    ratio to SGD at the largest k lies within a factor of 2 of k; holds if, where that is so of some; does not hold
    where it is so of none."""
    ks = data["ks"]
    like_k = []
    for solver in SOLVERS:
        last = medians(data, solver, 1)[-1]
        like_k.append(growth(medians(data, solver, 0)) > 1.5 and last is not None and ks[-1] / 2 < last < ks[-1] * 2)
    word = "holds" if all(like_k) else "holds if" if any(like_k) else "does not hold"
    named = ", ".join(s for s, yes in zip(SOLVERS, like_k, strict=True) if yes)
    gram, svds = (medians(data, s, 1) for s in ("gram", "svds"))
    counted = medians(data, "svds", 0)
    return Verdict(
        word,
        (f"the triplets come from {named}: " if word == "holds if" else "")
        + f"gram makes 1 product at every k and takes {gram[0]:.1f} to {gram[-1]:.1f} SGD steps for k = {ks[0]} to "
        f"{ks[-1]}; svds makes {counted[0]:.0f} to {counted[-1]:.0f} products, {svds[0]:.0f} to {svds[-1]:.0f} SGD "
        f"steps.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Products and ratios."""
    rows = []
    for i, k in enumerate(data["ks"]):
        row = {"k": str(k)}
        for solver in SOLVERS:
            made, ratio = medians(data, solver, 0)[i], medians(data, solver, 1)[i]
            row[f"{solver}: products"] = "refused" if made is None else f"{made:.0f}"
            row[f"{solver}: SGD steps"] = "—" if ratio is None else f"{ratio:.2g}"
        rows.append(row)
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Ratios against k."""
    ks = data["ks"]
    for solver, colour in zip(SOLVERS, CYCLE, strict=False):
        points = [(k, v) for k, v in zip(ks, medians(data, solver, 1), strict=True) if v is not None]
        axes.loglog(*zip(*points, strict=True), "o-", color=colour, ms=4, label=solver)
    axes.loglog(ks, ks, color=GREY, ls="--", label="k")
    axes.set(xlabel="k", ylabel="time of a step, in SGD steps")
    axes.legend()
