"""The gradient of the batch mean, and the protocol of the optimizers that need nothing else.

    L(θ) = (1/B) Σ_α ℓ_α,    g = ∇L(θ)

`theta, info = opt.step(problem, theta, batch)`; a step that raises changes nothing. The state of a run lies in the
fields of the optimizer's dataclass: numbers, arrays and lists of these.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import autograd.numpy as np
from autograd.tracer import getval

from ...errors import as_array, check_finite, check_theta
from ...jacobian import warn_independent
from ...residuals import Problem
from ...tape import linearise


class GradientInfo(NamedTuple):
    """`loss`: the batch mean before the update; `gradient_norm`: ‖g‖."""

    loss: float
    gradient_norm: float


def mean_loss(problem: Problem, theta: Any, batch: Any) -> Any:
    """L(θ) in `autograd.numpy`; the mean of R² where the problem was given by `residuals=`."""
    if problem.model is None:
        return np.mean(problem.function(batch)(theta) ** 2)
    x, y = batch
    return np.mean(problem.losses_of(problem.model(theta, like(theta, x)), like(theta, y)))


def like(theta: Any, array: Any) -> Any:
    """`array` with floats in θ's dtype."""
    array = as_array("batch", array)
    return array.astype(getval(theta).dtype, copy=False) if array.dtype.kind == "f" else array


def loss_and_gradient(problem: Problem, theta: Any, batch: Any) -> tuple[float, Any]:
    """L and g of shape (P,) in θ's dtype, both finite or a `NonFiniteError`."""

    def fun(theta: Any) -> Any:
        return mean_loss(problem, theta, batch)

    fun.__qualname__ = problem.describe()
    vjp, loss, on_tape = linearise(fun, theta)
    if not on_tape:
        warn_independent(fun.__qualname__)
    g = vjp(np.ones_like(loss)).astype(theta.dtype, copy=False)
    check_finite("gradient", g)
    return float(loss), g


def norm(g: Any) -> float:
    """‖g‖."""
    return math.sqrt(np.vdot(g, g))


class FirstOrder:
    """What moves by g alone. A subclass is a dataclass with `update(theta, g, loss) -> (θ', its new state)`."""

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """θ' of shape (P,), and the fields that change, by name."""
        raise NotImplementedError

    @np.errstate(all="ignore")  # what is not finite is refused by checks
    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo), in θ's dtype."""
        theta = check_theta(theta, next((a.size for a in vars(self).values() if isinstance(a, np.ndarray)), None))
        loss, g = loss_and_gradient(problem, theta, batch)
        new, state = self.update(theta, g, loss)
        check_finite("updated theta", new)
        vars(self).update(state)
        return new, GradientInfo(loss, norm(g))
