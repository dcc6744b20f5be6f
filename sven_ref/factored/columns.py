"""J[:, S] for scattered columns S of a layered Jacobian, which are no factors any more.

    (J[:, S])_{α,(i,o)} = x̃_{α,i} g_{α,o}        (i, o) the place in its layer of a parameter in S

Products scatter v over θ or gather Jᵀu from it; what needs entries picks them from the factors, a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..aliases import Matrix, Rng
from ..operators import ProductLinearOperator, Restricted
from . import blocks
from .blocks import BlocksLinearOperator


class ColumnsLinearOperator(Restricted, BlocksLinearOperator):
    """J[:, columns] of a layered J: products by scattering and gathering, blocks by picking entries of the factors."""

    def scale(self, rng: Rng = 0) -> float:
        """That of the whole J."""
        return self.J.scale()

    def summed_size(self) -> float:
        """That of the whole J."""
        return self.J.summed_size()

    def column_blocks(self) -> Iterator[Matrix]:
        """J[:, S] for consecutive parts S of `columns`."""
        J: Any = self.J
        for x, g, at in J.layers:
            local = self.columns[(self.columns >= at.start) & (self.columns < at.stop)] - at.start
            n = max(1, blocks.BLOCK // len(g))
            for part in (local[i : i + n] for i in range(0, len(local), n)):
                i, o = np.divmod(part, g.shape[1])
                yield J.pooled(np.multiply(J.spread(x[:, i]), g[:, o], dtype=np.float64))

    def row_blocks(self) -> Iterator[Matrix]:
        """J[S, columns] for consecutive sets of rows S."""
        for block in self.J.row_blocks():
            yield block[:, self.columns]

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with the whole J's."""
        return Restricted(self.J.float64(), self.columns)
