"""The same Jacobian for a feed-forward net with one residual per sample, held as its factors.

With x̃_l = [x_l, 1] (B × (in+1)) and the signal g_l = ∂(Σ R)/∂z_l (B × out), sample α contributes to layer l the outer
product x̃_{l,α} ⊗ g_{l,α}. Layer l of θ *is* the matrix Ṽ_l = [V_l; v_b] ((in+1) × out), so J is a row-wise Khatri–Rao
product and its factors are all there is to store:

    J v  = Σ_l rowsum( g_l ∘ (x̃_l Ṽ_l) )        summed over the m samples of a micro-batch
    Jᵀ u = [ x̃_lᵀ (u ∘ g_l) ]_l                  u repeated over the m samples of a micro-batch

Every g_l comes from one backward pass, by differentiating with respect to zero shifts of the z_l. Products with J are
one matrix product per layer then, with no forward or backward pass at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.tracer import getval

from . import flat
from .jacobian import ProductLinearOperator, check_residuals, linearise
from .mlp import MLP


class LayeredLinearOperator(ProductLinearOperator):
    """J of shape (M, P) from its factors: `inputs` x̃_l of shape (B, in+1), `signals` g_l of shape (B, out)."""

    def __init__(self, inputs: list[Any], signals: list[Any], value: Any) -> None:
        self.inputs, self.signals = inputs, signals
        self.shapes = [(x.shape[1], g.shape[1]) for x, g in zip(inputs, signals, strict=True)]
        shape = (len(value), flat.size(self.shapes))
        super().__init__(shape, value.dtype, self._jvp, self._vjp, blocks=True, value=value)
        self.m = len(inputs[0]) // len(value)

    def _jvp(self, V: Any) -> Any:
        directions, start, per_sample = V.reshape(len(V), -1), 0, 0.0
        for x, g in zip(self.inputs, self.signals, strict=True):
            layer = directions[start : start + x.shape[1] * g.shape[1]]
            z = (x @ layer.reshape(x.shape[1], -1)).reshape(*g.shape, -1)  # x̃_l Ṽ_l, (B, out, n)
            per_sample = per_sample + np.einsum("ao,aon->an", g, z)
            start += len(layer)
        return np.sum(np.reshape(per_sample, (-1, self.m, *V.shape[1:])), axis=1)

    def _vjp(self, U: Any) -> Any:
        weights = np.repeat(U.reshape(len(U), 1, -1), self.m, axis=0)  # (B, 1, n)
        layers = zip(self.inputs, self.signals, strict=True)
        blocks = [x.T @ (g[:, :, None] * weights).reshape(len(x), -1) for x, g in layers]
        return np.concatenate([block.reshape(-1, *U.shape[1:]) for block in blocks])


def layered_jacobian(net: MLP, theta: Any, x: Any, residuals_of: Callable[[Any], Any], m: int) -> LayeredLinearOperator:
    """J at θ for R = residuals_of(net(θ, x)), whose entry for group α depends on samples αm … αm + m − 1 alone.

    One forward and one backward pass. `residuals_of` maps outputs (B, C) to R of shape (B/m,).
    """
    inputs: list[Any] = []

    def shifted(shifts: Any) -> Any:
        outputs, layer_inputs = net.forward(theta, x, flat.unravel(shifts, shapes))
        inputs.extend(layer_inputs)
        return residuals_of(outputs)

    shapes = [(len(x), n_out) for n_out in net.sizes[1:]]
    vjp, R = linearise(shifted, np.zeros(flat.size(shapes), theta.dtype))
    R = check_residuals(R)
    signals = flat.unravel(vjp(np.ones_like(R)), shapes)
    ones = np.ones((len(x), 1), theta.dtype)
    return LayeredLinearOperator([np.hstack([getval(a), ones]) for a in inputs], signals, R.astype(theta.dtype))
