"""The gradient of the batch mean, and the protocol of the optimizers that need nothing else.

    L(θ) = (1/B) Σ_α ℓ_α,    g = ∇L(θ)

`theta, info = opt.step(problem, theta, batch)`; a step that raises changes nothing. The state of a run lies in the
fields of the optimizer's dataclass: numbers, arrays and lists of these.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...arguments import check_finite, check_theta
from ...residuals import Residuals


class GradientInfo(NamedTuple):
    """`loss`: the batch mean before the update; `gradient_norm`: ‖g‖."""

    loss: float
    gradient_norm: float


def norm(g: Any) -> float:
    """‖g‖."""
    return math.sqrt(np.vdot(g, g))


class FirstOrder:
    """What moves by g alone. A subclass is a dataclass with `update(theta, g, loss) -> (θ', its new state)`."""

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """θ' of shape (P,), and the fields that change, by name."""
        raise NotImplementedError

    @np.errstate(all="ignore")  # what is not finite is refused by checks
    def step(self, problem: Residuals, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo), in θ's dtype."""
        theta = check_theta(theta, next((a.size for a in vars(self).values() if isinstance(a, np.ndarray)), None))
        loss, g = problem.loss_and_gradient(theta, batch)
        new, state = self.update(theta, g, loss)
        check_finite("updated theta", new)
        vars(self).update(state)
        return new, GradientInfo(loss, norm(g))
