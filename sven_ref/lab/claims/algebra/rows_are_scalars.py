"""A network of ten outputs has one row of J a sample, the derivative of a scalar.

    R_α = ℓ_α^{κ/2},    J_α = ∂R_α/∂θ = (κ/2) ℓ_α^{κ/2−1} ∇ℓ_α,    J of shape (B, P) whatever the number C of outputs

Where ℓ = Σ_c r_c², rows per output, r_{αc}, are another problem, of shape (B·C, P): Gauss–Newton's (κ = 1). A scalar
row asks that ‖r_α‖ becomes 0 to first order, rows per output that each of its C components does: C conditions in the
place of one, so the shortest step that satisfies them is longer.

Put to the test on the digits (C = 10), label regression and cross-entropy, κ = 1 and 2: shape, and J v against the
central difference (R(θ + hv) − R(θ − hv))/2h of every row, h = ε^{1/3}, whose own error is of the order of ε^{2/3}.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...plots import dots
from ...tasks import TASKS
from ..claim import Claim, Effort, Verdict
from ..small_problems import least, over, worst

CLAIM = Claim(
    title="The rows of J are scalars a sample, also with ten outputs",
    statement="With C outputs J has B rows and not B·C: the row of a sample is the gradient of its residual ℓ^{κ/2}.",
    where="a reviewer's question on §3",
    conditions="Digits, 64-32-32-10, B = 16; label regression and cross-entropy; κ = 1 and 2.",
    settles=("criticism 1",),
    exact=True,
)
B = 16
DIFFERENCES = 1e-6  # of a central difference: ε^{2/3} = 4e-11 times third derivatives over first ones


def compute(effort: Effort) -> dict[str, Any]:
    """Shapes, errors and the comparison with rows per output, by draw and seed."""
    values, counts = over(one, effort, draws=3)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, Any]:
    """One network."""
    error, shapes = 0.0, set()
    for name in ("digits-lr", "digits"):
        task = TASKS[name](draw, dtype=np.float64)
        net, batch = MLP(task.sizes, task.activation), tuple(a[:B] for a in task.train)
        theta, h = net.init(seed), np.finfo(float).eps ** (1 / 3)
        for kappa in (1.0, 2.0):
            problem = Problem(net, task.loss, kappa=kappa)
            J = problem.jacobian(theta, batch)
            shapes.add(J.shape)
            for v in np.random.default_rng(seed).standard_normal((3, theta.size)):
                difference = problem.residuals(theta + h * v, batch) - problem.residuals(theta - h * v, batch)
                scale = np.linalg.norm(J @ v) / np.sqrt(B)
                error = max(error, float(np.abs(J @ v - difference / (2 * h)).max() / scale))
    task = TASKS["digits-lr"](draw, dtype=np.float64)
    batch, steps = tuple(a[:B] for a in task.train), []
    for rows in ("unsigned", "per_output"):
        problem = Problem(net, task.loss, kappa=1, rows=rows)
        new, _ = step(problem, theta, batch, lr=1.0, rtol=0.0, solver="dense")
        steps.append(theta - new)
    scalar, outputs = steps
    cosine = scalar @ outputs / np.linalg.norm(scalar) / np.linalg.norm(outputs)
    return {
        "rows": max(M for M, _ in shapes),
        "error": error,
        "cosine": float(cosine),
        "length": float(np.linalg.norm(outputs) / np.linalg.norm(scalar)),
    }


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where J has B rows for both losses and every row agrees with its difference quotient to 1e-6."""
    v = data["values"]
    word = "holds" if worst(v, "rows") == B and worst(v, "error") < DIFFERENCES else "does not hold"
    return Verdict(
        word,
        f"{worst(v, 'rows')} rows for {B} samples of 10 outputs, each its difference quotient to "
        f"{worst(v, 'error'):.0e}; "
        f"with a row an output the full step is {least(v, 'length'):.1f} to {worst(v, 'length'):.1f} times as long, "
        f"at a "
        f"cosine of {least(v, 'cosine'):.2f} to {worst(v, 'cosine'):.2f}.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Ranges over draws and seeds."""
    names = {
        "rows": "rows of J, B = 16",
        "error": "J v against central differences, relative",
        "cosine": "scalar rows against rows per output: cosine of the full steps",
        "length": "length with rows per output over that with scalar rows",
    }
    v = data["values"]
    return [{"quantity": t, "least": f"{least(v, n):.3g}", "largest": f"{worst(v, n):.3g}"} for n, t in names.items()]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """The two kinds of rows."""
    flat = [v for row in data["values"] for v in row]
    groups = {"length ratio": [v["length"] for v in flat], "cosine": [v["cosine"] for v in flat]}
    dots(axes, groups, "rows per output against scalar rows", logarithmic=False)
