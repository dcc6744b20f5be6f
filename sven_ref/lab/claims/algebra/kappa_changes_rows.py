"""κ cancels in the loss and not in the update.

    R_α = ℓ_α^{κ/2}    so that    Σ_α R_α^{2/κ} = Σ_α ℓ_α    for every κ > 0
    J_α = (κ/2) ℓ_α^{κ/2−1} ∇ℓ_α

κ weighs the rows: at κ = 2 that of a sample is ∇ℓ, at κ = 1 it is ∇ℓ/(2√ℓ), at κ = 3 it is (3/2)√ℓ ∇ℓ. Singular vectors
depend on the weights, so what a cut at k keeps does too.

Put to the test on the polynomial network (B = 32): the loss from R at κ against that from ℓ; and the cosine between the
update at κ and at κ = 2, both with k = 8. Rescaling by any factor would leave a cosine of 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....step import step
from ...plots import dots
from ..claim import Claim, Effort, Verdict
from ..small_problems import ROUNDING, instance, least, over, worst

CLAIM = Claim(
    title="κ changes the rows and the update, not the loss",
    statement="The loss is the same for every κ; the rows of J, their singular vectors and the truncated update are "
    "not.",
    where="a reviewer's objection to equation 9",
    conditions="κ = 1, 1.5, 3 against 2; B = 32, P = 673, k = 8.",
    settles=("criticism 2",),
    exact=True,
)
KAPPAS = (1.0, 1.5, 3.0)
SAME = 0.99  # a cosine below is another direction


def compute(effort: Effort) -> dict[str, Any]:
    """Errors of the loss, and cosines, by draw and seed."""
    values, counts = over(one, effort)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, float]:
    """One network."""
    p = instance(draw, seed, kappa=2)
    total = float(np.sum(p.problem.losses(p.theta, p.batch)))
    reference = p.theta - step(p.problem, p.theta, p.batch, lr=1.0, k=8, rtol=0.0, solver="dense")[0]
    result = {"loss": 0.0}
    for kappa in KAPPAS:
        q = instance(draw, seed, kappa=kappa)
        result["loss"] = max(result["loss"], abs(float(np.sum(np.abs(q.R) ** (2 / kappa))) / total - 1))
        delta = q.theta - step(q.problem, q.theta, q.batch, lr=1.0, k=8, rtol=0.0, solver="dense")[0]
        result[f"{kappa:g}"] = float(delta @ reference / np.linalg.norm(delta) / np.linalg.norm(reference))
    return result


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the losses agree to √ε and, in every run, the update of each κ has a cosine below 0.99 with κ =
    2's."""
    v = data["values"]
    cosines = [least(v, f"{k:g}") for k in KAPPAS] + [worst(v, f"{k:g}") for k in KAPPAS]
    holds = worst(v, "loss") < ROUNDING and max(cosines) < SAME
    return Verdict(
        "holds" if holds else "does not hold",
        f"Σ R^(2/κ) is the same to {worst(v, 'loss'):.0e}; the update at k = 8 has a cosine of {min(cosines):.2f} to "
        f"{max(cosines):.2f} with that of κ = 2.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Cosines by κ."""
    v = data["values"]
    return [
        {"κ": f"{k:g}", "least cosine": f"{least(v, f'{k:g}'):.3f}", "largest cosine": f"{worst(v, f'{k:g}'):.3f}"}
        for k in KAPPAS
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Cosines by κ."""
    flat = [v for row in data["values"] for v in row]
    groups = {f"κ = {k:g}": [v[f"{k:g}"] for v in flat] for k in KAPPAS}
    dots(axes, groups, "cosine with the update of κ = 2", logarithmic=False)
    axes.set_ylim(top=1)
