"""On a model linear in θ the residuals decay like (1 − η/κ)^t.

With rows X of full rank and r = Xθ − y, R = sign(r)|r|^κ has J = κ diag(|r|^{κ−1}) X, so J δ = R means X δ = r/κ, and

    r_{t+1} = (1 − η/κ) r_t        L_t = (1 − η/κ)^{2t} L_0

in full batch and without a cut: stable for 0 < η < 2κ, done in one step at η = κ. With a cut at k and κ = 1 only the
part P_k r on the k kept left vectors decays; the rest, (I − P_k) r_0, stays for ever.

Put to the test with X Gaussian, 32 × 41, over κ and η; and with k = 8. |r_0| is drawn from ½ … 1½: for κ ≠ 1 the
condition number of J grows like (max |r|/min |r|)^{|κ−1|}, and with it the error of any computation.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...plots import CYCLE, GREY
from ..claim import Claim, Effort, Verdict
from ..small_problems import ROUNDING, over, worst

CLAIM = Claim(
    title="Exponential decay on linear models",
    statement="The residuals decay by the factor 1 − η/κ a step, all at the same rate.",
    where="arXiv 2604.01279, §3",
    conditions="Model linear in θ, full batch, M = 32, P = 41, |r_0| in ½ … 1½; κ = 1, 1.5, 2, 3; η = κ/4, κ/2, 1.9 "
    "κ and 2.1 κ; k = 8.",
    settles=("claim 3",),
    exact=True,
)
KAPPAS, RATES, STEPS, M, K = (1.0, 1.5, 2.0, 3.0), (0.25, 0.5, 1.9, 2.1), 10, 32, 8


def compute(effort: Effort) -> dict[str, Any]:
    """Errors, and L_t/L_0 of one rate with and without the cut, by draw and seed."""
    values, counts = over(one, effort, draws=4, seeds=2)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, Any]:
    """One X, one r_0."""
    rng = np.random.default_rng(draw)
    net, x, theta_0 = MLP((40, 1), "identity"), rng.standard_normal((M, 40)), rng.standard_normal(41)
    start = np.random.default_rng([draw, seed])
    batch = x, net(theta_0, x) - (start.uniform(0.5, 1.5, M) * start.choice([-1, 1], M))[:, None]

    def residuals(theta: Any) -> Any:
        return (net(theta, batch[0]) - batch[1])[:, 0]

    error, r_0 = 0.0, residuals(theta_0)
    for kappa, rate in product(KAPPAS, RATES):
        problem, theta = Problem(net, kappa=kappa), theta_0
        for t in range(1, STEPS + 1):
            theta, _ = step(problem, theta, batch, lr=rate * kappa, rtol=0.0, solver="dense")
            expected = (1 - rate) ** t * r_0
            error = max(error, float(np.linalg.norm(residuals(theta) - expected) / np.linalg.norm(r_0)))
    X = np.hstack([x, np.ones((M, 1))])
    U = np.linalg.svd(X, full_matrices=False)[0][:, :K]
    dropped = r_0 - U @ (U.T @ r_0)
    theta, problem, truncated = theta_0, Problem(net, kappa=1), [1.0]
    for _ in range(STEPS):
        theta, _ = step(problem, theta, batch, lr=0.25, k=K, rtol=0.0, solver="dense")
        truncated.append(float(np.sum(residuals(theta) ** 2) / np.sum(r_0**2)))
    left = residuals(theta) - 0.75**STEPS * (U @ (U.T @ r_0))
    stays = float(np.linalg.norm(left - dropped) / np.linalg.norm(dropped))
    return {"error": error, "stays": stays, "truncated": truncated, "floor": float(dropped @ dropped / (r_0 @ r_0))}


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if nothing is cut, where residuals follow the law to √ε of ‖r_0‖ over ten steps; does not hold
    otherwise."""
    v = data["values"]
    if max(worst(v, "error"), worst(v, "stays")) > ROUNDING:
        return Verdict("does not hold", f"residuals are off the law by {worst(v, 'error'):.1g}.")
    floors = [x["floor"] for row in v for x in row]
    return Verdict(
        "holds if",
        f"J has full row rank and nothing is cut: r_t = (1 − η/κ)^t r_0 to {worst(v, 'error'):.0e}, 0 < η < 2κ stable; "
        f"with k = {K} of {M} the part of the loss on dropped vectors, {min(floors):.0%} to {max(floors):.0%}, never "
        f"decays.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Errors and floors."""
    v = data["values"]
    floors = [x["floor"] for row in v for x in row]
    return [
        {"quantity": "residuals against the law, no cut, ‖·‖/‖r_0‖", "largest": f"{worst(v, 'error'):.1g}"},
        {"quantity": "k = 8: dropped part against that of r_0", "largest": f"{worst(v, 'stays'):.1g}"},
        {"quantity": "k = 8: L where the decay ends, of L_0", "largest": f"{max(floors):.2g}"},
        {"quantity": "the same, smallest", "largest": f"{min(floors):.2g}"},
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """L_t/L_0 at κ = 1, η = 1/4: the law, and runs with a cut."""
    t = np.arange(STEPS + 1)
    axes.semilogy(t, 0.75 ** (2 * t), color=GREY, ls="--", label="(1 − η/κ)^2t, no cut")
    for i, row in enumerate(data["values"]):
        axes.semilogy(t, row[0]["truncated"], color=CYCLE[i % 6], label="k = 8 of 32" if i == 0 else None)
    axes.set(xlabel="step t", ylabel="L_t / L_0")
    axes.legend()
