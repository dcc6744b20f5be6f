"""Names of types, by which an annotation says what a value is.

NumPy's types know no shapes: `Array`, `Vector` and `Matrix` are one type with three names, which are for the reader.
Where functions run on autograd's tape, its boxes stand for arrays and bear their names. Every room may know this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import sparray, spmatrix

__all__ = [
    "Array", "ArrayLike", "Dtype", "DtypeLike", "Function", "Indices", "Matrix", "MatrixLike", "Operator", "Product",
    "Rng", "Shape", "Vector",
]  # fmt: skip

Shape = tuple[int, ...]
Dtype = np.dtype[Any]  # of floats: float32 or float64, where nothing else is said
DtypeLike = DTypeLike  # what `numpy.dtype` takes

Array = NDArray[Any]  # of real numbers, whatever its shape: outputs, labels, a vector or a block of columns
Vector = Array  # (P,) or (M,): θ, R, v, u
Matrix = Array  # (M, P), (M, n), (P, n), …
Indices = NDArray[np.integer[Any]]  # places in θ, rows, exponents

Rng = int | Sequence[int] | np.random.Generator | None  # what `numpy.random.default_rng` takes

Product = Callable[[Array], Array]  # v -> J v or u -> Jᵀu, of a vector or of a block
Function = Callable[[Vector], Vector]  # of θ, written in `autograd.numpy`


class Operator(Protocol):
    """Anything with a shape and both products, of SciPy or another library."""

    @property
    def shape(self) -> Shape:
        """(M, P)."""

    def matvec(self, x: Any, /) -> Any:
        """J v of shape (M,)."""

    def rmatvec(self, x: Any, /) -> Any:
        """Jᵀu of shape (P,)."""


MatrixLike = ArrayLike | Operator | sparray | spmatrix  # what `foreign.as_product_operator` takes
