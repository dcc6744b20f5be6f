"""LAPACK on the matrix itself.

J = U S Vᵀ          holds M × P numbers
"""

from __future__ import annotations

import numpy as np

from ..aliases import Rng
from ..operators import ProductLinearOperator
from ..scaling import power_of_two
from .contract import Triplets, resolution, svd

LONG = 1 << 12  # rows that LAPACK's LQ, which adds term by term, does not get: Lε for equal terms would pass the floor


def dense(J: ProductLinearOperator, k: int, rng: Rng = 0) -> Triplets:
    """All min(M, P) triplets of J, made by the fewer products: rows Jᵀe_α or columns Je_i.

    Parameters
    ----------
    J : ProductLinearOperator of shape (M, P)
    k : int, 1 ≤ k ≤ min(M, P)
        How many triplets may be kept.
    rng : seed or Generator
        For the dot-test of an operator that was not made here.

    Returns
    -------
    Triplets

    Examples
    --------
    >>> t = sr.solvers.dense(sr.as_product_operator(np.diag([4.0, 2.0, 1.0])), k=2)
    >>> t.c * t.s
    array([4., 2., 1.])
    """
    M, P = J.shape
    if not J.exact:
        J.scale(rng)  # for its dot-test: what follows uses one of the two products alone
    A = J.to_dense()
    c = power_of_two(float(np.abs(A).max()))
    A = A / A.dtype.type(c)
    if max(M, LONG) < P:
        V, s, Ut = svd(A.T)
        U = Ut.T
        Vt = V.T
    else:
        U, s, Vt = svd(A)
    return Triplets(U, s, Vt, c, "dense", resolution(J, J.dtype, float(s[0]) * c), squared=False)
