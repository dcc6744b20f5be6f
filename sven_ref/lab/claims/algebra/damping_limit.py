"""A damped step tends to Sven's as the damping goes to 0, and is biased until then.

    δ_μ = (JᵀJ + μI)⁻¹JᵀR = Σ_i σ_i/(σ_i² + μ) v_i u_iᵀR    →    J⁺R    as μ → 0

With P > M, JᵀJ is singular: any method that inverts an estimate of it, K-FAC too, must damp. Component i keeps the part
σ_i²/(σ_i² + μ) of its length, so that the bias ‖δ_μ − δ₊‖/‖δ₊‖ is at most μ/(σ_M² + μ), proportional to μ once
μ ≪ σ_M²; and it is not the same in all directions. The pseudoinverse is the limit, without the parameter.

Put to the test on the polynomial network (M = 32, P = 673, κ = 1) with the primal and the dual form and the oracle's
singular values, for μ/σ_1² = 10⁻¹⁴ … 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import natural_gradient, oracle
from ....errors import RankError
from ....step import step
from ...plots import BLUE, GREY
from ..claim import Claim, Effort, Verdict
from ..small_problems import apart, instance, over

CLAIM = Claim(
    title="Damping has the pseudoinverse as its limit",
    statement="The damped step, which a method that inverts the Fisher matrix needs for P > M, tends to Sven's as μ "
    "→ 0.",
    where="the answer to a reviewer who asked for K-FAC",
    conditions="κ = 1; M = 32, P = 673, μ/σ_1² from 1e-14 to 1.",
    settles=("criticism 5",),
    exact=True,
)
MUS = tuple(10.0**-i for i in range(14, -1, -1))


def compute(effort: Effort) -> dict[str, Any]:
    """Bias against μ, by draw and seed; None where a form is refused as singular to working precision."""
    values, counts = over(one, effort)
    return counts | {"values": values, "mu": MUS}


def one(draw: int, seed: int) -> dict[str, Any]:
    """One network: the bias of the oracle's damped step, its bound, and the largest distance of the dual form from
    it."""
    p = instance(draw, seed)
    delta = p.theta - step(p.problem, p.theta, p.batch, lr=1.0, rtol=0.0, solver="dense")[0]
    s = np.linalg.svd(p.J, compute_uv=False)
    bias, bound, dual = [], [], 0.0
    for mu in MUS:
        damped = oracle.damped(p.J, p.R, mu * s[0] ** 2)
        bias.append(apart(damped, delta))
        bound.append(float(mu * s[0] ** 2 / (s[-1] ** 2 + mu * s[0] ** 2)))
        dual = max(dual, apart(natural_gradient.damped_dual(p.J, p.R, mu * s[0] ** 2), damped) if mu >= 1e-8 else 0.0)
    try:
        natural_gradient.damped_primal(p.J, p.R, 1e-14 * s[0] ** 2)
        refused = 0
    except RankError:  # what is counted: the P × P matrix is singular to working precision
        refused = 1
    return {"bias": bias, "bound": bound, "dual": dual, "condition": float(s[0] / s[-1]), "refused": refused}


def biases(data: dict[str, Any]) -> Any:
    """(runs, μ)."""
    return np.array([v["bias"] for row in data["values"] for v in row])


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where every bias stays below its bound μ/(σ_M² + μ) (and 1e-9 for rounding) and the one at the smallest μ
    is below 1e-6; does not hold otherwise."""
    bias, bound = biases(data), np.array([v["bound"] for row in data["values"] for v in row])
    holds = bool((bias <= bound + 1e-9).all() and bias[:, 0].max() < 1e-6)
    at = [bias[:, MUS.index(mu)] for mu in (1e-8, 1e-4, 1e-2)]
    refused = [v["refused"] for row in data["values"] for v in row]
    return Verdict(
        "holds" if holds else "does not hold",
        f"bias {bias[:, 0].max():.0e} at μ = 1e-14 σ_1² and in proportion to μ; at 1e-8, 1e-4 and 1e-2 its median is "
        f"{', '.join(f'{np.median(b):.2g}' for b in at)}; the P × P form is refused as singular at μ = 1e-14 σ_1² in "
        f"{sum(refused)}/{len(refused)} runs.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Bias against μ."""
    bias = biases(data)
    return [
        {"μ/σ_1²": f"{mu:.0e}", "median bias": f"{np.median(b):.2g}", "largest": f"{b.max():.2g}"}
        for mu, b in zip(MUS, bias.T, strict=True)
        if round(np.log10(mu)) % 2 == 0
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Bias against μ, each run a line."""
    for b in biases(data):
        axes.loglog(MUS, b, color=BLUE, lw=1, alpha=0.5)
    reference = np.array(MUS) * np.median(biases(data)[:, 3] / MUS[3])
    axes.loglog(MUS, np.minimum(reference, 2), color=GREY, ls="--", label="∝ μ")
    axes.set(xlabel="damping μ/σ₁²", ylabel="bias ‖δ_μ − J⁺R‖/‖J⁺R‖")
    axes.legend()
