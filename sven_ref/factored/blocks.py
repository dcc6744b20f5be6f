"""What blocks of J give without a product: J, its columns or its rows, a part at a time.

J Jᵀ = Σ_S J[:, S] J[:, S]ᵀ          JᵀJ = Σ_S J[S]ᵀ J[S]          ‖J_α‖² = Σ_S ‖J[α, S]‖²
"""

from __future__ import annotations

import numpy as np

from ..aliases import Matrix, Vector
from ..operators import ProductLinearOperator

BLOCK = 1 << 20  # numbers in a block


class BlocksLinearOperator(ProductLinearOperator):
    """A J whose `column_blocks` and `row_blocks` are made of its factors, in float64."""

    factored = True

    @property
    def width(self) -> int:
        """How many multiplications one entry of J Jᵀ takes."""
        return int(self.shape[1])

    def gram_cost(self) -> float:
        """How many multiplications the smaller of `gram` and `normal_matrix` takes."""
        M, P = self.shape
        return 2.0 * min(M, P) * M * (self.width if M <= P else P)

    @np.errstate(all="ignore")
    def gram(self, c: float = 1.0) -> Matrix:
        """J Jᵀ/c² of shape (M, M), summed in float64 over blocks of columns."""
        G = np.zeros((self.shape[0],) * 2)
        for block in self.column_blocks():
            block = block / np.float64(c)
            G += block @ block.T
        return G

    @np.errstate(all="ignore")
    def normal_matrix(self, c: float = 1.0) -> Matrix:
        """JᵀJ/c² of shape (P, P), summed in float64 over blocks of rows."""
        G = np.zeros((self.shape[1],) * 2)
        for block in self.row_blocks():
            block = block / np.float64(c)
            G += block.T @ block
        return G

    @np.errstate(all="ignore")
    def row_norms(self) -> Vector:
        """‖J_α‖ of shape (M,) in float64."""
        c = self.scale() or 1.0
        return np.sqrt(sum(((block / np.float64(c)) ** 2).sum(axis=1) for block in self.column_blocks())) * c
