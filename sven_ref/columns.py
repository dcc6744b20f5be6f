"""J[:, S] for scattered columns S of a layered Jacobian, which are no factors any more.

    (J[:, S])_{α,(i,o)} = x̃_{α,i} g_{α,o}        (i, o) the place in its layer of a parameter in S

Products scatter v over θ or gather Jᵀu from it; what needs entries picks them from the factors, a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .operators import ProductLinearOperator, restrict

BLOCK = 1 << 20  # numbers in a block of J


class ColumnsLinearOperator(ProductLinearOperator):
    """J[:, columns] of a layered J: products by scattering and gathering, blocks by picking entries of the factors."""

    tested = True  # as the layered J is

    def __init__(self, J: Any, columns: Any) -> None:
        part = restrict(J, columns)
        super().__init__(part.shape, J.dtype, part.jvp, part.vjp, blocks=True, value=J.value)
        self.J, self.columns = J, columns

    def scale(self) -> float:
        """A power of two near the largest entry of J."""
        return self.J.scale()

    @np.errstate(all="ignore")
    def gram(self, c: float = 1.0) -> Any:
        """J Jᵀ/c² of shape (M, M), summed in float64 over blocks of columns."""
        G = np.zeros((self.shape[0],) * 2)
        for block in self.column_blocks():
            block = block / np.float64(c)
            G += block @ block.T
        return G

    @np.errstate(all="ignore")
    def row_norms(self) -> Any:
        """‖J_α‖ of shape (M,) in float64."""
        c = self.scale()
        return np.sqrt(sum(((block / np.float64(c)) ** 2).sum(axis=1) for block in self.column_blocks())) * c

    def column_blocks(self) -> Iterator[Any]:
        """J[:, S] for consecutive parts S of `columns`."""
        start = 0
        for x, g in zip(self.J.inputs, self.J.signals, strict=True):
            stop = start + x.shape[1] * g.shape[1]
            local = self.columns[(self.columns >= start) & (self.columns < stop)] - start
            n = max(1, BLOCK // len(x))
            for part in (local[i : i + n] for i in range(0, len(local), n)):
                yield self.J._pool(np.multiply(x[:, part // g.shape[1]], g[:, part % g.shape[1]], dtype=np.float64))
            start = stop

    def row_blocks(self) -> Iterator[Any]:
        """J[S, columns] for consecutive sets of rows S."""
        for block in self.J.row_blocks():
            yield block[:, self.columns]

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with the whole J's."""
        return restrict(self.J.float64(), self.columns)
