"""Vectors near 1 and back: nothing is lost in a product, and what leaves the range of its dtype is refused (SPEC 3.8).

    x = 2^e x̂,  max |x̂| in [½, 1)          f(x) = 2^e f(x̂)  for a linear f

Powers of two change no digit. Each column of a block has an exponent of its own.
"""

from __future__ import annotations

import math

import numpy as np

from .aliases import Array, ArrayLike, DtypeLike, Indices
from .arguments import as_array, check_finite


def near_one(name: str, X: ArrayLike) -> tuple[Array, Indices]:
    """X, finite and in float32 or float64, with each column over a power of two; and the exponents of these."""
    X = as_array(name, X)
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    check_finite(name, X)
    exponents = np.frexp(np.abs(X).max(axis=0))[1]
    return np.ldexp(X, -exponents), exponents


def in_between(y: Array, exponents: Indices, moderate: bool) -> tuple[Array, Indices | None]:
    """y 2^exponents and zeros, or y and the exponents: few numbers y, between two products, are scaled if any are.

    They are where `moderate`, and all that comes out is far from the ends of the range.
    """
    reach = np.frexp(np.abs(y).max(axis=0, initial=0))[1] + exponents
    if moderate and np.abs(reach).max() < np.finfo(y.dtype).maxexp // 4:
        return np.ldexp(y, exponents), None
    return y, exponents


def true_size(name: str, X: Array, exponents: Indices | None, dtype: DtypeLike | None = None) -> Array:
    """X 2^exponents in a dtype, or a `NonFiniteError` where that leaves its range."""
    X = np.asarray(X if exponents is None else np.ldexp(X, exponents), dtype)
    check_finite(name, X)
    return X


def power_of_two(x: float) -> float:
    """The largest power of two ≤ x (1 for x = 0): dividing by it is exact."""
    return math.ldexp(1.0, math.frexp(x)[1] - 1) if x > 0 else 1.0


def norm(x: ArrayLike) -> float:
    """‖x‖ with no overflow or underflow of its squares."""
    x = np.asarray(x)
    with np.errstate(over="ignore", under="ignore"):
        plain = float(np.linalg.norm(x))
    if np.finfo(np.result_type(x, np.float32)).tiny ** 0.25 < plain < math.inf:
        return plain
    size = float(np.abs(x).max())
    return size * float(np.linalg.norm(x / size)) if 0 < size < math.inf else size
