"""J of a feed-forward net, held as its factors.

With x̃_l = [x_l, 1] (B × (in+1)) and the signal g_l = ∂R/∂z_l (a row of length out for each row of J), the row of sample
α has in layer l the outer product x̃_{l,α} ⊗ g_{l,α}. Layer l of θ *is* the matrix Ṽ_l = [V_l; v_b] ((in+1) × out), so J
is a row-wise Khatri–Rao product and its factors are all there is to store:

    J v    = Σ_l rowsum( g_l ∘ (x̃_l Ṽ_l) )
    Jᵀ u   = [ x̃_lᵀ (u ∘ g_l) ]_l
    J Jᵀ   = Σ_l (g_l g_lᵀ) ∘ (x̃_l x̃_lᵀ)

A sample has one row, or C rows, one an output, which share its x̃; then Jᵀ sums over the C first, and x̃ x̃ᵀ is B × B. Or
m consecutive samples share one row, their sum: then J Jᵀ sums m × m blocks, cross terms included. Products with J are
one matrix product a layer, with no forward or backward pass. `signals` makes the factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..aliases import Array, ArrayLike, Matrix, Rng, Vector
from ..arguments import check_columns, check_finite
from ..operators import ProductLinearOperator
from ..scaling import power_of_two
from . import blocks
from .blocks import BlocksLinearOperator
from .columns import ColumnsLinearOperator


class Layer(NamedTuple):
    """x̃ of shape (B, in+1), g of shape (B·C, out), and where the layer lies in θ."""

    x: Matrix
    g: Matrix
    at: slice


class LayeredLinearOperator(BlocksLinearOperator):
    """J of shape (M, P) from its factors: nothing of that size is ever held; J is handed out in blocks.

    Parameters
    ----------
    inputs : sequence of array
        x̃_l of shape (B, in+1), one a layer.
    signals : sequence of array
        g_l of shape (B·C, out), one a layer.
    m : int
        How many consecutive samples share a row, M = B·C/m.
    counts : dict or None
        The counter of the operator that this one is a form of.
    """

    tested = exact = True  # J v and Jᵀu are made of the same factors

    def __init__(
        self, inputs: Sequence[Matrix], signals: Sequence[Matrix], m: int = 1, counts: dict[str, int] | None = None
    ) -> None:
        self.layers = []
        end = 0
        for x, g in zip(inputs, signals, strict=True):
            self.layers.append(Layer(x, g, slice(end, end + x.shape[1] * g.shape[1])))
            end += x.shape[1] * g.shape[1]
        self.B = len(inputs[0])
        self.C = len(signals[0]) // self.B
        self.m = m
        super().__init__((self.B * self.C // m, end), inputs[0].dtype, None, None, blocks=True, counts=counts)

    @classmethod
    def stack(cls, parts: Sequence[LayeredLinearOperator]) -> LayeredLinearOperator:
        """One operator of the rows of several, which have the same layers."""
        inputs = [np.vstack(xs) for xs in zip(*([layer.x for layer in J.layers] for J in parts), strict=True)]
        signals = [np.vstack(gs) for gs in zip(*([layer.g for layer in J.layers] for J in parts), strict=True)]
        return cls(inputs, signals, parts[0].m)

    def factors(self) -> tuple[list[Matrix], list[Matrix]]:
        """The x̃_l and the g_l."""
        return [layer.x for layer in self.layers], [layer.g for layer in self.layers]

    def jvp(self, V: Array) -> Array:
        """J V of a vector or a block."""
        directions = V.reshape(len(V), -1)
        rows: Array | float = 0.0
        for x, g, at in self.layers:
            z = (x @ directions[at].reshape(x.shape[1], -1)).reshape(self.B, g.shape[1], -1)  # x̃_l Ṽ_l
            if self.C == 1:
                rows = rows + np.einsum("ao,aon->an", g, z)
            else:
                rows = rows + (g.reshape(self.B, self.C, -1) @ z).reshape(len(g), -1)
        return self.pooled(np.reshape(rows, (-1, *V.shape[1:])))

    def vjp(self, U: Array) -> Array:
        """Jᵀ U of a vector or a block."""
        weights = np.repeat(U.reshape(len(U), 1, -1), self.m, axis=0)  # (B·C, 1, n)
        product = np.empty((self.shape[1], *U.shape[1:]), self.dtype)
        for x, g, at in self.layers:
            weighted = g[:, :, None] * weights
            if self.C > 1:
                weighted = weighted.reshape(self.B, self.C, *weighted.shape[1:]).sum(axis=1)
            np.matmul(x.T, weighted.reshape(self.B, -1), out=product[at].reshape(x.shape[1], -1))
        return product

    def pooled(self, rows: Array) -> Array:
        """Sums over the m samples of each row of J, (B·C, …) -> (M, …)."""
        return rows if self.m == 1 else rows.reshape(-1, self.m, *rows.shape[1:]).sum(axis=1)

    def spread(self, x: Array) -> Array:
        """The rows of x̃, each as often as its sample has rows, (B, …) -> (B·C, …)."""
        return x if self.C == 1 else np.repeat(x, self.C, axis=0)

    def scale(self, rng: Rng = 0) -> float:
        """A power of two near max |x̃| · max |g|, which no entry of J exceeds; 0 for J = 0."""
        with np.errstate(all="ignore"):  # what is not finite is refused
            bounds = np.array([np.abs(x).max() * np.abs(g).max() for x, g, _ in self.layers])
        check_finite("bounds of J's entries, max |x̃| · max |g| of each layer", bounds)
        return power_of_two(float(bounds.max())) if bounds.any() else 0.0

    @np.errstate(all="ignore")
    def gram(self, c: float = 1.0, other: LayeredLinearOperator | None = None) -> Matrix:
        """J Jᵀ/c² of shape (M, M), or J J_otherᵀ/c², summed in float64: Σ_l (x̃_l x̃_lᵀ) ∘ (g_l g_lᵀ)."""
        other = self if other is None else other
        G: Array = np.zeros(())
        for a, b in zip(self.layers, other.layers, strict=True):
            x = a.x.astype(np.float64)
            g = a.g / np.float64(c)
            y, h = (x, g) if b is a else (b.x.astype(np.float64), b.g / np.float64(c))  # X Xᵀ costs half of X Yᵀ
            inputs = x @ y.T
            signals = g @ h.T
            if self.C > 1:
                inputs = inputs[:, None, :, None]
                signals = signals.reshape(self.B, self.C, other.B, other.C)
            inputs = inputs * signals if self.C > 1 else np.multiply(inputs, signals, out=inputs)
            G = np.add(G, inputs, out=G) if G.ndim else inputs
        G = np.reshape(G, (self.B * self.C, -1))
        return G if self.m == 1 else other.pooled(self.pooled(G).T).T

    def summed_size(self) -> float:
        """The largest Σ_s ‖row_s‖ over the m samples s of a row of J, which may cancel; 0 for m = 1."""
        return 0.0 if self.m == 1 else float(self.pooled(self.sample_norms()).max())

    @np.errstate(all="ignore")
    def sample_norms(self) -> Vector:
        """‖row‖ of shape (B·C,) in float64, before any are summed: ‖x̃‖‖g‖ of each layer."""
        c = self.scale() or 1.0
        squares = np.zeros(self.B * self.C)
        for x, g, _ in self.layers:
            norms = np.square(x, dtype=np.float64).sum(axis=1)
            squares += self.spread(norms) * np.square(g / np.float64(c)).sum(axis=1)
        return np.sqrt(squares) * c

    @property
    def width(self) -> int:
        """How many multiplications one entry of J Jᵀ takes."""
        return sum(x.shape[1] + g.shape[1] for x, g, _ in self.layers)

    def row_norms(self) -> Vector:
        """‖J_α‖ of shape (M,) in float64; of summed rows by blocks, since they may cancel."""
        return self.sample_norms() if self.m == 1 else super().row_norms()

    @np.errstate(all="ignore")
    def compressed(self) -> LayeredLinearOperator:
        """A J with the same σ and left vectors and at most B·B·C columns a layer, in float64.

        x̃ = Tᵀ Qᵀ with T the triangle of x̃ᵀ, so that x̃ ⊙ g = (Tᵀ ⊙ g)(Q ⊗ I)ᵀ: an orthogonal change of columns. The same
        for g.
        """
        inputs, signals = self.factors()
        return LayeredLinearOperator(list(map(triangle, inputs)), list(map(triangle, signals)), self.m)

    def column_blocks(self) -> Iterator[Matrix]:
        """J[:, S] of shape (M, |S|), float64, for consecutive column sets S: `BLOCK` numbers or one input's worth."""
        for x, g, _ in self.layers:
            n = max(1, blocks.BLOCK // g.size)
            for i in range(0, x.shape[1], n):
                block = np.multiply(self.spread(x[:, i : i + n])[:, :, None], g[:, None, :], dtype=np.float64)
                yield self.pooled(block.reshape(len(g), -1))

    def row_blocks(self) -> Iterator[Matrix]:
        """J[S] of shape (|S|, P), float64, for consecutive sets of rows S: `BLOCK` numbers or one row."""
        n = max(1, blocks.BLOCK // (self.shape[1] * self.m)) * self.m
        for a in range(0, self.B * self.C, n):
            samples = np.arange(a, min(a + n, self.B * self.C)) // self.C
            parts = [
                np.multiply(x[samples, :, None], g[a : a + n, None, :], dtype=np.float64).reshape(len(samples), -1)
                for x, g, _ in self.layers
            ]
            yield self.pooled(np.hstack(parts))

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's."""
        inputs, signals = ([a.astype(np.float64) for a in factors] for factors in self.factors())
        return LayeredLinearOperator(inputs, signals, self.m, self.counts)

    def restrict(self, columns: ArrayLike) -> ProductLinearOperator:
        """J[:, columns]: factors again where each layer keeps whole output units, else `ColumnsLinearOperator`."""
        columns = check_columns(columns, self.shape[1])
        inputs = []
        signals = []
        for x, g, at in self.layers:
            local = columns[(at.start <= columns) & (at.stop > columns)] - at.start
            units = np.unique(local % g.shape[1])
            if len(local) != x.shape[1] * len(units):
                return ColumnsLinearOperator(self, columns)
            if len(units):
                inputs.append(x)
                signals.append(g[:, units])
        return LayeredLinearOperator(inputs, signals, self.m, self.counts)


def triangle(a: Matrix) -> Matrix:
    """T in a = Tᵀ Qᵀ in float64, where a has more columns than rows; else a itself."""
    a = a.astype(np.float64)
    if a.shape[1] > len(a):
        T: Any = np.linalg.qr(a.T, mode="r")
        a = T.T
    return a
