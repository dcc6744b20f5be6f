"""The same Jacobian for a feed-forward net with one residual per sample, held as its factors.

With x̃_l = [x_l, 1] (B × (in+1)) and the signal g_l = ∂(Σ R)/∂z_l (B × out), sample α contributes to layer l the outer
product x̃_{l,α} ⊗ g_{l,α}. Layer l of θ *is* the matrix Ṽ_l = [V_l; v_b] ((in+1) × out), so J is a row-wise Khatri–Rao
product and its factors are all there is to store:

    J v    = Σ_l rowsum( g_l ∘ (x̃_l Ṽ_l) )
    Jᵀ u   = [ x̃_lᵀ (u ∘ g_l) ]_l
    J Jᵀ   = Σ_l (g_l g_lᵀ) ∘ (x̃_l x̃_lᵀ)

per sample; the row of a micro-batch is the sum over its m samples, so J Jᵀ sums m × m blocks, cross terms included.
Every g_l comes from one backward pass: give each sample biases of its own, and the derivative by b_l is the one by z_l.
Products with J are one matrix product per layer then, with no forward or backward pass at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from autograd.tracer import getval

from . import columns, flat
from .errors import check_columns
from .jacobian import check_residuals, warn_blind, warn_independent
from .mlp import MLP
from .operators import ProductLinearOperator, power_of_two
from .tape import linearise, name_of, users_code


class LayeredLinearOperator(ProductLinearOperator):
    """J of shape (M, P) from its factors: `inputs` x̃_l of shape (B, in+1), `signals` g_l of shape (B, out).

    Nothing of size M × P is ever held; J itself is handed out in blocks of columns or rows.
    """

    tested = True  # J v and Jᵀu are made of the same factors

    def __init__(self, inputs: list[Any], signals: list[Any], value: Any) -> None:
        self.inputs, self.signals, self.m = inputs, signals, len(inputs[0]) // len(value)
        self.shapes = [(x.shape[1], g.shape[1]) for x, g in zip(inputs, signals, strict=True)]
        shape = (len(value), flat.size(self.shapes))
        super().__init__(shape, inputs[0].dtype, None, None, blocks=True, value=value)

    def jvp(self, V: Any) -> Any:
        """J V of a vector or a block."""
        directions, start, per_sample = V.reshape(len(V), -1), 0, 0.0
        for x, g in zip(self.inputs, self.signals, strict=True):
            layer = directions[start : start + x.shape[1] * g.shape[1]]
            z = (x @ layer.reshape(x.shape[1], -1)).reshape(*g.shape, -1)  # x̃_l Ṽ_l, (B, out, n)
            per_sample = per_sample + np.einsum("ao,aon->an", g, z)
            start += len(layer)
        return self._pool(np.reshape(per_sample, (-1, *V.shape[1:])))

    def vjp(self, U: Any) -> Any:
        """Jᵀ U of a vector or a block."""
        weights = np.repeat(U.reshape(len(U), 1, -1), self.m, axis=0)  # (B, 1, n)
        product, start = np.empty((self.shape[1], *U.shape[1:]), self.dtype), 0
        for x, g in zip(self.inputs, self.signals, strict=True):
            layer = product[start : start + x.shape[1] * g.shape[1]]
            np.matmul(x.T, (g[:, :, None] * weights).reshape(len(x), -1), out=layer.reshape(x.shape[1], -1))
            start += len(layer)
        return product

    def _pool(self, A: Any) -> Any:
        """Sums over the m samples of each micro-batch, (B, …) -> (M, …)."""
        return A if self.m == 1 else A.reshape(-1, self.m, *A.shape[1:]).sum(axis=1)

    def scale(self) -> float:
        """A power of two near the largest entry of J."""
        largest = [np.abs(x).max() * np.abs(g).max() for x, g in zip(self.inputs, self.signals, strict=True)]
        return power_of_two(float(max(largest)))

    @np.errstate(all="ignore")
    def gram(self, c: float = 1.0) -> Any:
        """J Jᵀ/c² of shape (M, M), summed in float64 whatever J's dtype."""
        G = np.zeros((len(self.inputs[0]),) * 2)
        for x, g in zip(self.inputs, self.signals, strict=True):
            x, g = x.astype(np.float64), g / np.float64(c)
            G += (x @ x.T) * (g @ g.T)
        return self._pool(self._pool(G).T)

    @np.errstate(all="ignore")
    def row_norms(self) -> Any:
        """‖J_α‖ of shape (M,) in float64."""
        c, squares = self.scale(), np.zeros(self.shape[0])
        for x, g in zip(self.inputs, self.signals, strict=True):
            X, G = (a.astype(np.float64).reshape(self.shape[0], self.m, -1) for a in (x, g / np.float64(c)))
            squares += np.einsum("ast,ast->a", X @ X.mT, G @ G.mT)  # over the pairs of samples of each micro-batch
        return np.sqrt(squares) * c

    @np.errstate(all="ignore")
    def compressed(self) -> LayeredLinearOperator:
        """A J with the same σ and left vectors and at most B² columns a layer, in float64.

        x̃ = Tᵀ Qᵀ with T the triangle of x̃ᵀ, so that x̃ ⊙ g = (Tᵀ ⊙ g)(Q ⊗ I)ᵀ: an orthogonal change of columns. The same
        for g.
        """

        def triangle(a: Any) -> Any:
            a = a.astype(np.float64)
            if a.shape[1] > len(a):
                T: Any = np.linalg.qr(a.T, mode="r")
                a = T.T
            return a

        return LayeredLinearOperator(
            [triangle(x) for x in self.inputs], [triangle(g) for g in self.signals], self.value
        )

    def column_blocks(self) -> Iterator[Any]:
        """J[:, S] of shape (M, |S|), float64, for consecutive column sets S: `BLOCK` numbers or one input's worth."""
        for x, g in zip(self.inputs, self.signals, strict=True):
            n = max(1, columns.BLOCK // g.size)
            for i in range(0, x.shape[1], n):
                block = np.multiply(x[:, i : i + n, None], g[:, None, :], dtype=np.float64)
                yield self._pool(block.reshape(len(x), -1))

    def row_blocks(self) -> Iterator[Any]:
        """J[S] of shape (|S|, P), float64, for consecutive sets of rows S: `BLOCK` numbers or one row."""
        n = max(1, columns.BLOCK // (self.shape[1] * self.m)) * self.m
        for a in range(0, len(self.inputs[0]), n):
            layers = [
                (x[a : a + n, :, None], g[a : a + n, None, :]) for x, g in zip(self.inputs, self.signals, strict=True)
            ]
            blocks = [np.multiply(x, g, dtype=np.float64).reshape(len(x), -1) for x, g in layers]
            yield self._pool(np.hstack(blocks))

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's."""
        inputs, signals = ([a.astype(np.float64) for a in factors] for factors in (self.inputs, self.signals))
        J = LayeredLinearOperator(inputs, signals, self.value)
        J.counts = self.counts
        return J

    def restrict(self, S: Any) -> ProductLinearOperator:
        """J[:, S]: factors again where each layer keeps whole output units, else `ColumnsLinearOperator`."""
        S = check_columns(S, self.shape[1])
        inputs, signals, start = [], [], 0
        for x, g in zip(self.inputs, self.signals, strict=True):
            stop = start + x.shape[1] * g.shape[1]
            local = S[(start <= S) & (stop > S)] - start
            units = np.unique(local % g.shape[1])
            if len(local) != x.shape[1] * len(units):
                return columns.ColumnsLinearOperator(self, S)
            if len(units):
                inputs.append(x)
                signals.append(g[:, units])
            start = stop
        J = LayeredLinearOperator(inputs, signals, self.value)
        J.counts = self.counts
        return J


def layered_jacobian(
    net: MLP, theta: Any, x: Any, residuals_of: Callable[[Any], Any], m: int, trusted: bool
) -> LayeredLinearOperator | None:
    """J at θ for R = residuals_of(net(θ, x)), whose entry for group α depends on samples αm … αm + m − 1 alone.

    One forward and one backward pass. `residuals_of` maps outputs (B, C) to R of shape (B/m,). If it is not `trusted`
    to keep samples apart, one more backward pass tries it, and None comes back where they are coupled.
    """
    inputs: list[Any] = []
    outputs: list[Any] = []

    def of_biases(biases: Any) -> Any:
        f, layer_inputs = net.forward(theta, x, flat.unravel(biases, shapes))
        outputs.append(getval(f))
        inputs.extend(layer_inputs)
        return residuals_of(f)

    shapes = [(len(x), n_out) for n_out in net.sizes[1:]]
    biases = [np.broadcast_to(b, s) for b, s in zip(net.arrays(theta)[1::2], shapes, strict=True)]
    of_biases.__qualname__ = name_of(residuals_of)
    vjp, R, on_tape = linearise(of_biases, flat.ravel(biases), theta)
    R = check_residuals(R, residuals_of).copy()
    with users_code(residuals_of, theta):
        g = vjp(np.ones_like(R))
    signals = flat.unravel(g, shapes)
    if not trusted:
        u = np.random.default_rng(0).standard_normal(R.shape).astype(R.dtype)
        apart = flat.ravel([np.repeat(u, m)[:, None] * signal for signal in signals])
        with users_code(residuals_of, theta):
            together = vjp(u)
        if not np.abs(together - apart).max() <= 1e3 * np.finfo(R.dtype).eps * np.abs(g).max():
            return None
        moving = np.abs(signals[-1]).reshape(len(R), -1).max(axis=1)  # zero where nothing reaches the outputs
        warn_blind(residuals_of, outputs[0], np.random.default_rng(0).standard_normal(outputs[0].shape), moving, R)
    ones = np.ones((len(x), 1), theta.dtype)
    J = LayeredLinearOperator([np.hstack([getval(a), ones]) for a in inputs], signals, R.astype(theta.dtype))
    if not on_tape:
        warn_independent(name_of(residuals_of))
    return J
