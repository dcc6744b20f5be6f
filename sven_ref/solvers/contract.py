"""What a solver of `solvers` returns, and the floor it states.

    solver(J, k, rng) -> Triplets     J of shape (M, P), 1 ≤ k ≤ n = min(M, P)

J / c = U diag(s) Vᵀ with s descending and c a power of two, near σ_1 or near a bound of J's entries, so that squaring
neither overflows nor underflows (SPEC 3.8) and the division is exact. At least min(k + 1, n) values come back, one more
than may be kept, so that the gap at the cut is known. A solver returns U, Vt or both; what it left out, `TruncatedPinv`
makes by products. A solver also states its floor, the σ/σ_1 below which it can't tell a singular
value from zero:

    entries   4ε_J                       J is known no better, whatever its sums are made in
    unsquared 4ε√max(M, P)               dense, tsqr, randomized; what is below is zero to working precision
    squared   (2ε√n)^½, n = min(M, P)    svds, gram; what is below may be anything: refused where it might be kept

with ε that of the dtype that sums are made in, and ε_J that of J, where its sums are made in a wider one: factors in
float32 come from a network that rounds. A floor is the larger of the first and its solver's own (SPEC 3.7).
Where a row of J is a sum over m samples, of rows that cancel, both are larger by as much as those are above σ_1.

An SVD is backward stable, and the rounding errors of its sums over max(M, P) terms add up like a random walk. A matrix
of n × n numbers that are squared, JJᵀ or ARPACK's, carries errors of about ε σ_1² each, and a symmetric matrix of
independent errors e has norm 2e√n (Wigner). So the eigenvalue σ² = 0 comes out at up to 2ε√n σ_1², whatever the length
of the sums: BLAS adds in blocks (`pinv.check_attained` is for where it does not). `tests/measure_floors.py` measures:
the largest noise over 4,000 matrices of known rank, n from 2 to 2,000, was 0.72 of the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..aliases import DtypeLike, Matrix, Vector
from ..operators import ProductLinearOperator

DENSE = 1 << 26  # numbers of a dense J, at most


@dataclass(frozen=True)
class Triplets:
    """The triplets that a solver found, of J/c, and how finely.

    Attributes
    ----------
    U : array of shape (M, r), or None where Vt alone is known
    s : array of shape (r,)
        σ/c, descending.
    Vt : array of shape (r, P), or None where U alone is known
    c : float
        A power of two.
    solver : str
        Who found them.
    floor : float
        The σ/σ_1 below which this solver can't tell a singular value from zero (SPEC 3.7).
    squared : bool
        Whether J was squared, so that what is below the floor may be anything.
    sums : dtype
        What a squared matrix was summed in.

    Examples
    --------
    >>> t = sr.solvers.gram(sr.as_product_operator(np.diag([4.0, 2.0])), k=1)
    >>> t.Vt is None, t.squared
    (True, True)
    """

    U: Matrix | None
    s: Vector
    Vt: Matrix | None
    c: float
    solver: str
    floor: float
    squared: bool
    sums: DtypeLike = np.float64


def resolution(J: ProductLinearOperator, dtype: DtypeLike, sigma_1: float) -> float:
    """The floor of a solver that does not square J, its sums made in `dtype`."""
    eps = float(np.finfo(dtype).eps)
    return 4 * max(eps * math.sqrt(max(J.shape)), J.eps) * cancellation(J, sigma_1)


def squared_resolution(J: ProductLinearOperator, dtype: DtypeLike, sigma_1: float) -> float:
    """The floor of a solver that squares J, its sums made in `dtype`."""
    eps = float(np.finfo(dtype).eps)
    return max(math.sqrt(2 * eps * math.sqrt(min(J.shape))), 4 * J.eps) * cancellation(J, sigma_1)


def cancellation(J: ProductLinearOperator, sigma_1: float) -> float:
    """How many times larger than σ_1 the rows are that J's are sums of, 1 at least: rounding is that of the larger."""
    return max(1.0, J.summed_size() / sigma_1) if sigma_1 > 0 else 1.0


def zero_triplets(J: ProductLinearOperator, solver: str) -> Triplets:
    """The triplets of J = 0: none is ever kept."""
    M, P = J.shape
    return Triplets(np.zeros((M, 1), J.dtype), np.zeros(1, J.dtype), np.zeros((1, P), J.dtype), 1.0, solver, 0.0, False)


def svd(A: Matrix) -> tuple[Matrix, Vector, Matrix]:
    """U, s, Vᵀ of a matrix, thin."""
    try:
        return np.linalg.svd(A, full_matrices=False)
    except np.linalg.LinAlgError:  # divide and conquer failed: QR iteration is slower and safe
        return scipy.linalg.svd(A, full_matrices=False, lapack_driver="gesvd")
