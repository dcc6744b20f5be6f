"""The factors of J by the chain rule, from one forward and one backward pass.

    z_l = x_l W_l + b_l,    x_{l+1} = φ(z_l)                        forwards: x̃_l = [x_l, 1] and φ′(z_l)
    g_L = ∂R/∂f,            g_{l−1} = (g_l W_lᵀ) ∘ φ′(z_{l−1})      backwards, f = z_L the outputs

∂R/∂f is autograd's, of whatever maps outputs to residuals. R_α depends on the outputs of its own samples alone, so that
one backward pass from Σ_α R_α gives the signals of all rows; with a row for every output, C of them, one an output.

The definition of J is `jacobian` of the same function of θ, which a test holds this to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..aliases import Array, Matrix, Vector
from ..nets.mlp import MLP
from ..one_matrix import warn_blind, warn_independent
from ..tape import check_residuals, in_dtype, name_of, users_code, vjp_and_value
from .layers import LayeredLinearOperator

COUPLED = 1e3  # ε of a sample's largest signal, by which its signals may differ where it is coupled to none


def factored_jacobian(
    net: MLP, theta: Vector, x: Matrix, residuals_of: Callable[[Array], Vector], m: int, per_output: bool, trusted: bool
) -> tuple[Vector, LayeredLinearOperator | None]:
    """R at θ for R = residuals_of(net(θ, x)), and J; None for J where samples are coupled.

    Parameters
    ----------
    residuals_of : callable
        Outputs (B, C) -> R. The entry of group α depends on samples αm … αm + m − 1 alone, and with `per_output` entry
        αC + c on output c of sample α alone.
    m : int
        How many consecutive samples share a row.
    per_output : bool
        Whether every output has a row.
    trusted : bool
        Whether `residuals_of` is known to keep samples apart; if not, one more product tries it.
    """
    f, inputs, slopes = net.forward_with_slopes(theta, x)
    vjp, R, on_tape = vjp_and_value(residuals_of, f, theta)
    R = check_residuals(R, residuals_of).copy()
    with users_code(residuals_of, theta, of_vjp=True):
        g = vjp(np.ones_like(R))
    if not trusted:
        u = np.random.default_rng(0).standard_normal(R.shape).astype(R.dtype)
        with users_code(residuals_of, theta, of_vjp=True):
            together = vjp(u)
        apart = np.repeat(u, m)[:, None] * g
        eps = max(float(np.finfo(a.dtype).eps) for a in (R, f))
        size = np.maximum(np.abs(together), np.abs(apart)).max(axis=1, keepdims=True)  # each sample's own
        if not np.all(np.abs(together - apart) <= COUPLED * eps * size):
            return R, None
        moving = np.abs(g).reshape(len(R), -1).max(axis=1)  # zero where nothing reaches the outputs
        warn_blind(residuals_of, f, np.random.default_rng(0).standard_normal(f.shape), moving, R)
    if not on_tape:
        warn_independent(name_of(residuals_of))
    if per_output:
        g = (g[:, :, None] * np.eye(g.shape[1], dtype=g.dtype)).reshape(g.size, -1)
    R = R if R.dtype == theta.dtype else in_dtype(R, theta.dtype, residuals_of)
    return R, LayeredLinearOperator(inputs, net.backpropagate(theta, slopes, g), m)
