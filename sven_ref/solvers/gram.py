"""Eigenvectors of the smaller Gram matrix.

    J Jᵀ = U S² Uᵀ  (M ≤ P)          JᵀJ = V S² Vᵀ  (P < M)

JJᵀ is what the literature on wide networks calls the empirical neural tangent kernel, of the residuals. From factors it
costs no product with J and is summed in float64; else it takes a product pair for each column.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from ..aliases import Rng
from ..arguments import check_finite
from ..operators import ProductLinearOperator
from .contract import Triplets, squared_resolution, zero_triplets

LARGE = 512  # rows of a matrix of which a part of the eigenvectors costs less than all,
FEW = 8  # where they are an eighth at most: 190 ms for 360 at n = 1024, k = 16 (tests/benchmarks/bench_eigenvectors.py)


def gram(J: ProductLinearOperator, k: int, rng: Rng = 0) -> Triplets:
    """All min(M, P) triplets of J by an eigendecomposition in float64; k + 1 where they are few of a large matrix.

    Examples
    --------
    >>> t = sr.solvers.gram(sr.as_product_operator(np.diag([4.0, 2.0, 1.0])), k=2)
    >>> t.c * t.s
    array([4., 2., 1.])
    """
    M, P = J.shape
    c = J.scale(rng)
    if c == 0:
        return zero_triplets(J, "gram")
    G = J.gram(c) if M <= P else J.normal_matrix(c)
    check_finite("J Jᵀ" if M <= P else "JᵀJ", G)
    n = len(G)
    if n >= LARGE and FEW * (k + 1) <= n:
        eigenvalues, W = scipy.linalg.eigh(G, subset_by_index=(n - k - 1, n - 1), check_finite=False)
    else:
        eigenvalues, W = np.linalg.eigh(G)
    s = np.sqrt(np.maximum(eigenvalues[::-1], 0))
    W = W[:, ::-1]
    U, Vt = (W, None) if M <= P else (None, W.T)
    floor = squared_resolution(J, J.gram_dtype, float(s[0]) * c)
    return Triplets(U, s, Vt, c, "gram", floor, squared=True, sums=J.gram_dtype)
