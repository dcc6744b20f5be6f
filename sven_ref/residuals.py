"""What a step, a solver and the relatives ask for at (θ, batch): R and J, the losses, their mean and its gradient.

    R of shape (M,)      J = ∂R/∂θ of shape (M, P)      ℓ of shape (B,)      L = mean ℓ      ∇L of shape (P,)

`problem.Problem` and `problem.Conditions` are the two ways to have them here, `sharded.ShardedProblem` a third. One of
your own subclasses `Residuals` and says what `residual_function` and `describe` are.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from .aliases import Array, ArrayLike, Function, Vector
from .arguments import check_finite, check_theta
from .jacobian import linearise
from .one_matrix import real_part, warn_independent
from .operators import ProductLinearOperator
from .tape import check_residuals, described, evaluate, vjp_and_value


class Residuals:
    """R and J at (θ, batch), and L, its losses and its gradient, by autograd of `residual_function`."""

    model: Any = None
    kappa = 1.0  # ℓ = R²

    def residual_function(self, batch: Any) -> Function:
        """θ -> R of shape (M,), in `autograd.numpy`: `jacobian` of it is J by its definition."""
        raise NotImplementedError

    def describe(self) -> str:
        """What messages call the functions that R is made by."""
        raise NotImplementedError

    @np.errstate(all="ignore")
    def residuals(self, theta: ArrayLike, batch: Any) -> Vector:
        """R of shape (M,) at θ."""
        theta = check_theta(theta)
        fun = self.residual_function(batch)
        return check_residuals(evaluate(fun, theta), fun)

    @np.errstate(all="ignore")
    def linearise(self, theta: ArrayLike, batch: Any) -> tuple[Vector, ProductLinearOperator]:
        """R of shape (M,) at θ and J of shape (M, P), a LinearOperator, from one pass."""
        return linearise(self.residual_function(batch), theta)

    def jacobian(self, theta: ArrayLike, batch: Any) -> ProductLinearOperator:
        """J of shape (M, P) at θ, a LinearOperator: nothing of that size exists."""
        R, J = self.linearise(theta, batch)
        J.residuals = R  # for the old name, `J.value`
        return J

    @np.errstate(all="ignore")
    def losses(self, theta: ArrayLike, batch: Any) -> Vector:
        """ℓ of shape (B,) at θ: R², one a condition."""
        losses = self.residuals(theta, batch) ** 2
        check_finite("losses", losses)
        return losses

    @np.errstate(all="ignore")
    def loss_and_gradient(self, theta: ArrayLike, batch: Any) -> tuple[float, Vector]:
        """L, the mean of ℓ over the batch, and ∇L of shape (P,) in θ's dtype; both finite or a `NonFiniteError`."""
        theta = check_theta(theta)
        loss_of = self.loss_function(batch)
        vjp, loss, on_tape = vjp_and_value(loss_of, theta)
        return self._loss_and_gradient(theta, loss, vjp(np.ones_like(loss)), on_tape)

    def loss_function(self, batch: Any) -> Function:
        """θ -> L, in `autograd.numpy`."""
        residuals = self.residual_function(batch)

        def loss(theta: Vector) -> Array:
            return anp.mean(residuals(theta) ** 2)

        return described(loss, self.describe)

    def _loss_and_gradient(self, theta: Vector, loss: Array, gradient: Vector, on_tape: bool) -> tuple[float, Vector]:
        if not on_tape:
            warn_independent(self.describe())
        gradient = real_part(gradient).astype(theta.dtype, copy=False)
        check_finite("gradient", gradient)
        return float(loss), gradient
