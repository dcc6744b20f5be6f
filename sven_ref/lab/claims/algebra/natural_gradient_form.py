"""Where the natural-gradient form comes from: at κ = 1 Sven's step is −(η/2) F⁻¹ ∇L with F = JᵀJ.

    L = Σ R²          ∇L = 2 JᵀR
    J⁺ = (JᵀJ)⁻¹Jᵀ    where J has full column rank (so P ≤ M) and nothing is cut
    J⁺R = (JᵀJ)⁻¹JᵀR = ½ (JᵀJ)⁻¹ ∇L

F = JᵀJ is the Fisher matrix of Gaussian outputs of unit variance. The half is that of L = Σ R²; η/2 is the natural
gradient's rate. Where P > M, F is singular and the form does not exist; J⁺R does, and is its limit (see the claim on
damping).

Put to the test on a narrow network (P = 33, M = 120): ∇L by reverse-mode differentiation of L, which knows no J; F by
the oracle, a sum of outer products; and, at each θ of
four steps, Sven's step against the oracle's natural gradient. That solves with F, whose condition number is cond(J)²:
two right results may differ by P ε cond(J)².
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd import grad

from .... import natural_gradient, oracle
from ....errors import RankError
from ....step import step
from ...plots import dots
from ..claim import Claim, Effort, Verdict
from ..small_problems import NARROW, ROUNDING, apart, instance, least, over, worst

CLAIM = Claim(
    title="Natural gradient is recovered at κ = 1 with fewer parameters than conditions",
    statement="In the under-parametrized limit Sven is natural gradient, −(η/2)(JᵀJ)⁻¹∇L.",
    where="arXiv 2604.01279, abstract; a reviewer asked for the derivation",
    conditions="κ = 1; P = 33, M = 120, J of full column rank; and P = 673, M = 32.",
    settles=("criticism 4", "claim 2"),
    exact=True,
)
EPS = float(np.finfo(float).eps)
P, M, RATE, STEPS = 33, 120, 0.05, 4


def compute(effort: Effort) -> dict[str, Any]:
    """Relative errors by draw and seed; whether F is refused as singular where P > M."""
    values, counts = over(one, effort)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, float]:
    """One narrow network, and one wide."""
    p = instance(draw, seed, NARROW, M)
    gradient = M * grad(p.problem.loss_function(p.batch))(p.theta)  # of the sum
    delta = p.theta - step(p.problem, p.theta, p.batch, lr=1.0, rtol=0.0, solver="dense")[0]
    form = np.linalg.solve(oracle.fisher(p.J), gradient) / 2
    theta, within, conditions = p.theta, 0, []
    for _ in range(STEPS):
        R, J = oracle.residuals_and_jacobian(p.problem.model, theta, *p.batch, kappa=1, rows="signed")
        new, _ = step(p.problem, theta, p.batch, lr=RATE, rtol=0.0, solver="dense")
        conditions.append(float(np.linalg.cond(J)))
        error = apart(theta - new, RATE / 2 * oracle.natural_gradient(J, R))
        within += error < P * EPS * conditions[-1] ** 2
        theta = new
    wide = instance(draw, seed)
    try:
        natural_gradient.natural_gradient(wide.J, 2 * wide.J.T @ wide.R)
        refused = 0
    except RankError:  # what is counted: with P > M there is no natural gradient
        refused = 1
    return {
        "form": apart(delta, form),
        "within": int(within),
        "condition": max(conditions),
        "refused": refused,
    }


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if κ = 1 and J has full column rank: at the start the steps agree to √ε, on the way to
    P ε cond(J)²; and F is singular for P > M in every run. Does not hold otherwise."""
    v = data["values"]
    holds = worst(v, "form") < ROUNDING and least(v, "within") == STEPS and all(x["refused"] for row in v for x in row)
    return Verdict(
        "holds if" if holds else "does not hold",
        f"κ = 1, P ≤ M and J has full column rank: the first step agrees to {worst(v, 'form'):.0e}, all "
        f"{STEPS} to P ε cond(J)², cond(J) up to {worst(v, 'condition'):.1g}; with P > M, JᵀJ is singular and only "
        f"the limit exists.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Largest values."""
    v = data["values"]
    names = {"form": "J⁺R against ½ F⁻¹ ∇L, relative", "condition": "cond J at the θ of four steps"}
    rows = [{"quantity": text, "largest": f"{worst(v, name):.2g}"} for name, text in names.items()]
    refused = [x["refused"] for row in v for x in row]
    return [*rows, {"quantity": "F refused as singular, P > M", "largest": f"{sum(refused)}/{len(refused)} runs"}]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Errors."""
    flat = [v for row in data["values"] for v in row]
    groups = {"J⁺R against ½F⁻¹∇L": [v["form"] for v in flat], "ε cond(J)²": [EPS * v["condition"] ** 2 for v in flat]}
    dots(axes, groups, "relative distance")
    axes.set_ylim(1e-17, 1)
