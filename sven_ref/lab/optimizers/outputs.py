"""The Jacobian of every output of a network, J of shape (B·C, P), by its factors; and residuals one per output.

Row αC + c is ∂f_c(x_α)/∂θ: with x̃_l = [x_l, 1] and the signals g_l = ∂f_c/∂z_l, one per output, layer l of the row is
x̃_{l,α} ⊗ g_{l,αc} (see `layered`). All rows of a sample share its x̃, so that

    J Jᵀ    = Σ_l (x̃_l x̃_lᵀ ⊗ 1_{C×C}) ∘ (g_l g_lᵀ)
    Jᵀ w    = [ x̃_lᵀ Σ_c (w ∘ g_l) ]_l

cost B × B and not B·C × B·C products with the inputs. Any other model's J is dense, by autograd. All in float64, of
factors that were computed in θ's dtype.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as np

from ...jacobian import jacobian
from ...layered import LayeredLinearOperator, layered_jacobian
from ...losses import SQUARES
from ...mlp import MLP
from ...residuals import Problem
from .gradient import like


class Factors:
    """J from x̃_l of shape (B, in+1) and g_l of shape (B·C, out)."""

    def __init__(self, inputs: list[Any], signals: list[Any]) -> None:
        self.layers = [(x.astype(np.float64), g.astype(np.float64)) for x, g in zip(inputs, signals, strict=True)]
        self.B, self.C = len(inputs[0]), len(signals[0]) // len(inputs[0])
        self.shape = (len(signals[0]), sum(x.shape[1] * g.shape[1] for x, g in self.layers))

    def gram(self) -> Any:
        """J Jᵀ of shape (B·C, B·C)."""
        K = np.zeros((self.B, self.C, self.B, self.C))
        for x, g in self.layers:
            K += (x @ x.T)[:, None, :, None] * (g @ g.T).reshape(K.shape)
        return K.reshape(self.shape[0], -1)

    def transposed(self, w: Any) -> Any:
        """Jᵀ w of shape (P,) for w of shape (B·C,)."""
        weighted = [(x, (w[:, None] * g).reshape(self.B, self.C, -1).sum(axis=1)) for x, g in self.layers]
        return np.concatenate([(x.T @ u).ravel() for x, u in weighted])

    def dense(self) -> Any:
        """J of shape (B·C, P)."""
        blocks = [np.repeat(x, self.C, axis=0)[:, :, None] * g[:, None, :] for x, g in self.layers]
        return np.hstack([block.reshape(self.shape[0], -1) for block in blocks])


class Dense:
    """The same of the operator J of any function: the smaller of J I and Jᵀ I, product by product."""

    def __init__(self, J: Any) -> None:
        M, P = J.shape
        self.J = (J @ np.eye(P) if P <= M else (J.H @ np.eye(M)).T).astype(np.float64)
        self.shape = J.shape

    def gram(self) -> Any:
        """J Jᵀ of shape (M, M)."""
        return self.J @ self.J.T

    def transposed(self, w: Any) -> Any:
        """Jᵀ w of shape (P,) for w of shape (M,)."""
        return w @ self.J

    def dense(self) -> Any:
        """J of shape (M, P)."""
        return self.J


def output_jacobian(problem: Problem, theta: Any, batch: Any) -> tuple[Any, Any]:
    """J and the outputs f of shape (B, C); for a problem given by `residuals=`, f is R of shape (M, 1)."""
    if problem.model is None:
        J = jacobian(problem.function(batch), theta)
        return Dense(J), J.value[:, None]
    model, x = problem.model, like(theta, batch[0])
    B = len(x)
    if type(model) is not MLP:
        J = jacobian(lambda theta: np.reshape(model(theta, x), (-1,)), theta)
        return Dense(J), J.value.reshape(B, -1)
    C = model.sizes[-1]
    one = np.tile(np.eye(C, dtype=theta.dtype), (B, 1))
    factors = layered_jacobian(model, theta, np.repeat(x, C, axis=0), lambda f: np.sum(f * one, axis=1), 1, True)
    assert factors is not None  # as for all that is trusted
    return Factors([a[::C] for a in factors.inputs], factors.signals), factors.value.reshape(B, C)


def losses_of(problem: Problem, f: Any, batch: Any) -> Any:
    """ℓ of shape (B,) for the outputs of `output_jacobian`."""
    return f[:, 0] ** 2 if problem.model is None else problem.losses_of(f, like(f, batch[1]))


def residuals_and_jacobian(problem: Problem, theta: Any, batch: Any) -> tuple[Any, Any]:
    """r in float64 and its J: one per output, f − y, where the loss is a square, else √ℓ, one per sample."""
    if problem.model is None or problem.loss in SQUARES:
        J, f = output_jacobian(problem, theta, batch)
        r = f if problem.model is None else SQUARES[problem.loss](f, like(f, batch[1]))
        return r.astype(np.float64).ravel(), J
    J = Problem(problem.model, problem.loss, kappa=1, rows="unsigned").jacobian(theta, batch)
    layered = isinstance(J, LayeredLinearOperator)
    return J.value.astype(np.float64), Factors(J.inputs, J.signals) if layered else Dense(J)
