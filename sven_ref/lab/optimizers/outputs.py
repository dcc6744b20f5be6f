"""The Jacobian of every output of a network, an operator of shape (B·C, P), and residuals one per output.

Row αC + c is ∂f_c(x_α)/∂θ. An MLP gives its factors (`factored`), any other model a dense J by autograd;
all in float64, of numbers that were computed in θ's dtype.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as np

from ...arguments import as_array
from ...foreign import as_product_operator
from ...jacobian import linearise
from ...losses import SQUARES
from ...nets.mlp import MLP
from ...operators import ProductLinearOperator
from ...problem import Problem
from ...residuals import Residuals


def like(theta: Any, array: Any) -> Any:
    """`array` with floats in θ's dtype."""
    array = as_array("batch", array)
    return array.astype(theta.dtype, copy=False) if array.dtype.kind == "f" else array


def in_float64(J: ProductLinearOperator) -> ProductLinearOperator:
    """J with its products in float64: of its factors, or of itself as an array."""
    return J.float64() if J.factored else as_product_operator(J.to_dense().astype(np.float64))


def output_jacobian(problem: Residuals, theta: Any, batch: Any) -> tuple[ProductLinearOperator, Any]:
    """J and the outputs f of shape (B, C); of `Conditions`, f is R of shape (M, 1)."""
    if not isinstance(problem, Problem):
        R, J = problem.linearise(theta, batch)
        return in_float64(J), R[:, None]
    model, x = problem.model, like(theta, batch[0])
    if type(model) is not MLP:
        f, J = linearise(lambda theta: np.reshape(model(theta, x), (-1,)), theta)
        return in_float64(J), f.reshape(len(x), -1)
    origin = np.zeros((len(x), model.sizes[-1]), theta.dtype)
    f, J = Problem(model, "squared_error", kappa=1, rows="per_output").linearise(theta, (x, origin))
    return in_float64(J), f.reshape(origin.shape)


def losses_of(problem: Residuals, f: Any, batch: Any) -> Any:
    """ℓ of shape (B,) for the outputs of `output_jacobian`."""
    return problem.losses_of(f, like(f, batch[1])) if isinstance(problem, Problem) else f[:, 0] ** 2


def residuals_and_jacobian(problem: Residuals, theta: Any, batch: Any) -> tuple[Any, ProductLinearOperator]:
    """r in float64 and its J: one per output, f − y, where the loss is a square, else √ℓ, one per sample."""
    if not isinstance(problem, Problem) or problem.loss in SQUARES:
        J, f = output_jacobian(problem, theta, batch)
        r = SQUARES[problem.loss](f, like(f, batch[1])) if isinstance(problem, Problem) else f
        return r.astype(np.float64).ravel(), J
    R, J = Problem(problem.model, problem.loss, kappa=1, rows="unsigned").linearise(theta, batch)
    return R.astype(np.float64), in_float64(J)


def dense(J: ProductLinearOperator) -> Any:
    """J as an array, by its blocks of rows."""
    return np.vstack(list(J.row_blocks()))
