"""With fewer parameters than conditions and κ ≠ 1, Sven's fixed points are not those of the loss.

For any κ, JᵀR = ½ ∇ Σ R² = ½ ∇ Σ_α ℓ_α^κ. Where J has full column rank, J⁺R = 0 exactly where JᵀR = 0: at the
stationary points of Σ ℓ^κ, which are those of L = Σ ℓ for κ = 1 alone, unless every ℓ is 0. Large residuals weigh more
for κ > 1.

Put to the test on linear regression y = Xw + e, P = 7 with the intercept, M = 40, e from Student's t with 3 degrees of
freedom: no θ interpolates. Sven runs to its fixed point; there L is compared with its minimum, that of least squares,
and θ with the minimiser of Σ |r|^{2κ}, which SciPy finds as the root of its gradient, from the loss alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import root

from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...plots import dots
from ..claim import Claim, Effort, Verdict
from ..small_problems import over
from ..statistics import mean_interval

CLAIM = Claim(
    title="Natural gradient is recovered at κ = 2 with fewer parameters than conditions",
    statement="Natural gradient is recovered in the under-parametrized limit for the released κ = 2 as well, also "
    "where no θ interpolates the data.",
    where="arXiv 2604.01279, abstract, read with the default κ = 2",
    conditions="Linear regression, P = 7, M = 40, heavy-tailed noise; κ = 1, 1.5, 2, 3; η = ½, 40 steps.",
    settles=("claim 2", "criticism 21"),
    exact=True,
)
KAPPAS, P, M, STEPS = (1.0, 1.5, 2.0, 3.0), 7, 40, 40
REACHED = 1e-8  # relative distance of a fixed point from the minimiser, which SciPy knows to rounding


def compute(effort: Effort) -> dict[str, Any]:
    """By draw, seed and κ: the excess of L over least squares, and the distance from the minimiser of Σ ℓ^κ."""
    values, counts = over(one, effort, draws=6, seeds=2)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, list[float]]:
    """One set of data, one start."""
    rng = np.random.default_rng(draw)
    x = rng.standard_normal((M, P - 1))
    y = x @ rng.standard_normal(P - 1) + 0.5 + rng.standard_t(3, M)
    X, batch = np.hstack([x, np.ones((M, 1))]), (x, y[:, None])
    least = float(np.linalg.lstsq(X, y)[1][0])
    result = {}
    for kappa in KAPPAS:
        problem = Problem(MLP((P - 1, 1), "identity"), kappa=kappa)
        theta = np.random.default_rng([draw, seed]).standard_normal(P)
        for _ in range(STEPS):
            theta, _ = step(problem, theta, batch, lr=0.5, rtol=0.0, solver="dense")

        def slope(w: Any, kappa: float = kappa) -> Any:  # ∇ Σ |r|^{2κ}
            r = X @ w - y
            return X.T @ (2 * kappa * np.sign(r) * np.abs(r) ** (2 * kappa - 1))

        def curvature(w: Any, kappa: float = kappa) -> Any:
            weights = 2 * kappa * (2 * kappa - 1) * np.abs(X @ w - y) ** (2 * kappa - 2)
            return X.T @ (weights[:, None] * X)

        best = root(slope, np.zeros(P), jac=curvature, options={"xtol": 1e-14}).x
        r = X @ theta - y
        gradient = np.linalg.norm(2 * X.T @ r) / np.linalg.norm(2 * X) / np.linalg.norm(r)
        result[f"{kappa:g}"] = [
            float(r @ r / least - 1),
            float(np.linalg.norm(theta - best) / np.linalg.norm(best)),
            float(gradient),
        ]
    return result


def entries(data: dict[str, Any], kappa: float, i: int) -> list[list[float]]:
    """Entry i by draw and seed."""
    return [[v[f"{kappa:g}"][i] for v in row] for row in data["values"]]


def verdict(data: dict[str, Any]) -> Verdict:
    """Does not hold where every run is at the minimiser of Σ ℓ^κ to 1e-8, κ = 1 reaches the least L to 1e-8, and κ = 2
    ends above it, the interval of the mean excess excluding 0; holds where κ = 2 reaches the least L too; else open."""
    distance = max(d for k in KAPPAS for row in entries(data, k, 1) for d in row)
    one_, two = (max(e for row in entries(data, k, 0) for e in row) for k in (1.0, 2.0))
    if distance > REACHED or one_ > 1e-8:
        return Verdict("open", f"not every run reached a fixed point: the largest distance is {distance:.1g}.")
    if two < 1e-8:
        return Verdict("holds", f"κ = 2 reaches the least L to {two:.0e}.")
    excess = {k: mean_interval(entries(data, k, 0)) for k in (2.0, 3.0)}
    return Verdict(
        "does not hold" if excess[2.0].sign > 0 else "open",
        f"κ = 1 reaches least squares to {one_:.0e}; κ = 2 stops {excess[2.0].mean:.1%} [{excess[2.0].low:.1%}, "
        f"{excess[2.0].high:.1%}] above its loss, κ = 3 {excess[3.0].mean:.1%}: at the minimum of Σ ℓ^κ.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By κ."""
    rows = []
    for kappa in KAPPAS:
        excess = mean_interval(entries(data, kappa, 0))
        rows.append(
            {
                "κ": f"{kappa:g}",
                "L above least squares, mean": f"{100 * excess.mean:.2g} %",
                "95 % interval": f"[{100 * excess.low:.2g}, {100 * excess.high:.2g}] %",
                "‖∇L‖, relative, median": f"{np.median(entries(data, kappa, 2)):.1g}",
                "from the minimiser of Σ ℓ^κ, largest": f"{np.max(entries(data, kappa, 1)):.1g}",
            }
        )
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Excess by κ."""
    groups = {f"κ = {k:g}": [100 * row[0] for row in entries(data, k, 0)] for k in KAPPAS}
    dots(axes, groups, "L at the fixed point above its minimum, %", logarithmic=False)
