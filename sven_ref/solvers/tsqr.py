"""QR block by block, and the SVD of the triangle that is left; nothing is squared.

    Jᵀ = Q T  (M ≤ P)          J = Q T  (P < M)          T = W S Zᵀ of shape n × n

Q is never made: Jᵀ = Q T gives J = Tᵀ Qᵀ, so that J's left vectors are T's right ones; and J = Q T shares its right
vectors with T.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from ..aliases import Matrix, Rng
from ..arguments import check_finite
from ..operators import ProductLinearOperator
from .contract import Triplets, resolution, svd, zero_triplets
from .dense import dense


def tsqr(J: ProductLinearOperator, k: int, rng: Rng = 0) -> Triplets:
    """All min(M, P) triplets of J from its factors, in float64; an operator without factors takes `dense`.

    Blocks are made one at a time, for left vectors after the factors are compressed.

    Parameters
    ----------
    J : ProductLinearOperator of shape (M, P)
    k : int, 1 ≤ k ≤ min(M, P)
        How many triplets may be kept.
    rng : seed or Generator
        For the dot-test that `dense` makes.

    Returns
    -------
    Triplets

    Examples
    --------
    >>> problem = sr.Problem(sr.MLP((1, 1), "identity"))
    >>> R, J = problem.linearise([2.0, 1.0], (np.array([[3.0], [4.0]]), np.zeros((2, 1))))
    >>> t = sr.solvers.tsqr(J, k=1)
    >>> t.solver, len(t.s)
    ('tsqr', 2)
    """
    if not J.factored:
        return dense(J, k, rng)
    M, P = J.shape
    c = J.scale(rng)
    if c == 0:
        return zero_triplets(J, "tsqr")
    T: Matrix = np.zeros((min(M, P), 0))  # transposed: LAPACK factors the columns of its memory
    for block in J.compressed().column_blocks() if M <= P else (B.T for B in J.row_blocks()):
        stacked = np.hstack([T, block / c]).T
        triangle = scipy.linalg.lapack.dgeqrf(stacked, lwork=64 * len(T), overwrite_a=True)[0]  # lwork: blocked code
        T = np.tril(triangle[: len(T)].T)
    check_finite("triangle of J", T)
    _, s, Wt = svd(T.T)
    U, Vt = (Wt.T, None) if M <= P else (None, Wt)
    return Triplets(U, s, Vt, c, "tsqr", resolution(J, np.float64, float(s[0]) * c), squared=False)
