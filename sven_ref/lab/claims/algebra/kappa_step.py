"""The step of κ is 2/κ times that of κ = 2, exactly where J has full row rank and nothing is cut.

With D = diag(ℓ^{κ/2−1}), R_κ = D ℓ and J_κ = (κ/2) D J_2. Where J has full row rank, δ is the shortest solution of
J_κ δ = R_κ, that is of (κ/2) D J_2 δ = D ℓ; the invertible D cancels, and

    δ_κ = (2/κ) δ_2

With a cut at k, D changes which directions are kept; with P < M, D weighs the equations of a least-squares problem that
can't all be met. Neither cancels.

Put to the test: deviation ‖(κ/2) δ_κ − δ_2‖/‖δ_2‖ on the polynomial network, M = 32, for k = 1 … 32, and on a narrow
one with P = 33 < M = 120; there also from the best multiple of δ_2, min_c ‖δ_κ − c δ_2‖/‖δ_κ‖ = the sine of their
angle.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....step import step
from ...plots import CYCLE
from ..claim import Claim, Effort, Verdict
from ..small_problems import NARROW, ROUNDING, Instance, apart, instance, over

CLAIM = Claim(
    title="The step of κ is 2/κ times that of κ = 2",
    statement="The theory at κ = 1 speaks for the experiments at κ = 2, as their steps differ by the factor 2/κ alone.",
    where="the authors' answer to a reviewer on §3",
    conditions="κ = 1, 1.5, 3 against 2; M = 32, P = 673, k = 1 … 32; and M = 120, P = 33.",
    settles=("criticism 3",),
    exact=True,
)
KAPPAS, KS, M = (1.0, 1.5, 3.0), (1, 2, 4, 8, 12, 16, 20, 24, 28, 30, 31, 32), 32


def compute(effort: Effort) -> dict[str, Any]:
    """Deviations by draw, seed, κ and k."""
    values, counts = over(one, effort)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, Any]:
    """One network of each width: κ -> deviations in the order of KS, and, for P < M, the deviation and the sine."""

    def delta(p: Instance, k: int | None) -> Any:
        return p.theta - step(p.problem, p.theta, p.batch, lr=1.0, k=k, rtol=0.0, solver="dense")[0]

    two, tall = instance(draw, seed, kappa=2), instance(draw, seed, NARROW, 120, kappa=2)
    result: dict[str, Any] = {}
    for kappa in KAPPAS:
        p = instance(draw, seed, kappa=kappa)
        cut = [apart(kappa / 2 * delta(p, k), delta(two, k)) for k in KS]
        a, b = delta(instance(draw, seed, NARROW, 120, kappa=kappa), None), delta(tall, None)
        result[f"{kappa:g}"] = cut
        result[f"{kappa:g}, P < M"] = [apart(kappa / 2 * a, b), apart((a @ b) / (b @ b) * b, a)]
    return result


def collected(data: dict[str, Any], name: str) -> Any:
    """(runs, entries)."""
    return np.array([v[name] for row in data["values"] for v in row])


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if J has full row rank and nothing is cut: there the largest deviation is below √ε, while with a cut at
    M/4 and with P < M the smallest exceeds 1 %; holds where none of them does; does not hold otherwise."""
    whole = max(collected(data, f"{k:g}")[:, -1].max() for k in KAPPAS)
    quarter = np.concatenate([collected(data, f"{k:g}")[:, KS.index(M // 4)] for k in KAPPAS])
    one_less = np.concatenate([collected(data, f"{k:g}")[:, KS.index(M - 1)] for k in KAPPAS])
    sines = np.concatenate([collected(data, f"{k:g}, P < M")[:, 1] for k in KAPPAS])
    if whole > ROUNDING:
        return Verdict("does not hold", f"without a cut the deviation reaches {whole:.1g}.")
    word = "holds if" if min(quarter.min(), sines.min()) > 0.01 else "holds"
    return Verdict(
        word,
        f"J has full row rank and nothing is cut: deviation {whole:.0e}; with k = {M // 4} of {M} it is "
        f"{quarter.min():.0%} to {quarter.max():.0%}, with k = {M - 1} still {one_less.min():.1%} to "
        f"{one_less.max():.0%}, "
        f"and with P < M even the best factor in place of 2/κ leaves {sines.min():.0%} to {sines.max():.0%}.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Medians by κ."""
    rows = []
    for kappa in KAPPAS:
        middle, tall = np.median(collected(data, f"{kappa:g}"), 0), np.median(collected(data, f"{kappa:g}, P < M"), 0)
        row = {"κ": f"{kappa:g}"} | {f"k = {k}": f"{middle[KS.index(k)]:.2g}" for k in (1, 8, 16, 28, 31, 32)}
        rows.append(row | {"P < M": f"{tall[0]:.2g}", "P < M, best factor": f"{tall[1]:.2g}"})
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Deviation against k: medians, and the range as a band."""
    for kappa, colour in zip(KAPPAS, CYCLE, strict=False):
        values = np.maximum(collected(data, f"{kappa:g}"), 1e-16)
        axes.fill_between(KS, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
        axes.semilogy(KS, np.median(values, 0), "o-", color=colour, ms=4, label=f"κ = {kappa:g}")
    axes.set(xlabel="triplets kept, k of M = 32", ylabel="deviation from (2/κ) δ₂, relative")
    axes.legend()
