"""ARPACK's Lanczos method on the smaller of JJᵀ and JᵀJ, by products alone.

    J Jᵀ U = U S²  (M ≤ P)          JᵀJ W = W S²,  J W = U S Zᵀ,  V = W Z  (P < M)

This is what `scipy.sparse.linalg.svds` does, but for two things. Where M ≤ P the left vectors are all that is kept: the
P × k right vectors, and the SVD of them with which SciPy's ends, are never made. And every random number is drawn from
the caller's seed: SciPy's `svds` does not hand its generator on to ARPACK, which draws when a Krylov space is
exhausted, so that the same seed gives other bits where J has a low rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.sparse.linalg
from scipy.sparse.linalg import LinearOperator

from ..aliases import Matrix, Rng, Vector
from ..operators import ProductLinearOperator, Scaled
from .contract import DENSE, Triplets, squared_resolution, svd, zero_triplets
from .tsqr import tsqr

FIRST = 16  # triplets that are asked for where k is left open


def svds(J: ProductLinearOperator, k: int, rng: Rng = 0, restarts: int | None = None) -> Triplets:
    """The k + 1 largest triplets of J by implicitly restarted Lanczos.

    ARPACK can't give all n triplets: k + 1 ≥ n takes `tsqr`, and so does a spectrum on which it does not converge. A
    Krylov space may also miss copies of a repeated σ; `misses_a_copy` looks for them, and what is found missing is for
    `tsqr` too.

    Parameters
    ----------
    J : ProductLinearOperator of shape (M, P)
    k : int, 1 ≤ k ≤ min(M, P)
        How many triplets may be kept.
    rng : seed or Generator
        It draws the start vectors.

    Returns
    -------
    Triplets
        Those of the solver that did the work, which it names.

    Examples
    --------
    >>> t = sr.solvers.svds(sr.as_product_operator(np.diag([8.0, 4.0, 2.0, 1.0])), k=2)
    >>> t.solver, (t.c * t.s).round(6)
    ('svds', array([8., 4., 2.]))
    """
    M, P = J.shape
    if k + 1 >= min(M, P):
        return tsqr(J, k)
    c = J.scale(rng)
    if c == 0:
        return zero_triplets(J, "svds")
    rng = np.random.default_rng(rng)
    try:
        eigenvalues, W = scipy.sparse.linalg.eigsh(J.smaller_gram(c), k=k + 1, rng=rng, maxiter=restarts)
    except scipy.sparse.linalg.ArpackError:  # no convergence: the spectrum does not fall
        return tsqr(J, k)
    order = np.argsort(-eigenvalues)
    W = W[:, order]
    if M <= P:
        U = W
        s = np.sqrt(np.maximum(eigenvalues[order], 0))
        Vt = None
    else:  # Rayleigh–Ritz: the SVD of J W, whose σ have not been squared
        U, s, Zt = svd(Scaled(J, c)._matmat(W))
        Vt = Zt @ W.T
    if misses_a_copy(J.smaller_gram(c), W, float(s[-1]), rng):
        return tsqr(J, k)
    return Triplets(U, s, Vt, c, "svds", squared_resolution(J, J.dtype, float(s[0]) * c), squared=True, sums=J.dtype)


def svds_until(J: ProductLinearOperator, below: Callable[[Triplets], bool], rng: Rng = 0) -> Triplets:
    """The triplets of J for a k that follows from the cut: for 16, 32, …, until the smallest σ found is `below` it.

    Where a third of all n triplets is not enough, all of them are cheaper by `tsqr`, and so they are with factors; a J
    that is too large to be made goes on by products.
    """
    n = min(J.shape)
    most = n // 3 if J.shape[0] * J.shape[1] <= DENSE else n - 2
    k = FIRST
    while k <= most and not J.factored:
        t = svds(J, k, rng, restarts=max(5, n // (k + 1)))  # of ARPACK, which take k + 1 products each or more
        if t.solver != "svds" or below(t):
            return t
        k *= 2
    return tsqr(J, n, rng)


def misses_a_copy(B: LinearOperator, W: Matrix, s: float, rng: Rng) -> bool:
    """Whether an eigenvalue of B above s² = σ²_{k+1} is left once its eigenvectors W are projected out.

    One eigenvalue of (I − WWᵀ) B (I − WWᵀ), from a start vector of its own, to three digits.
    """

    def deflated(u: Vector) -> Vector:
        u = B.matvec(u - W @ (W.T @ u))
        return u - W @ (W.T @ u)

    deflated_B = scipy.sparse.linalg.LinearOperator(B.shape, matvec=deflated, dtype=B.dtype)
    try:
        largest = scipy.sparse.linalg.eigsh(deflated_B, k=1, tol=1e-3, rng=rng, return_eigenvectors=False)[0]
    except scipy.sparse.linalg.ArpackNoConvergence:
        return True  # not known, so not trusted
    except scipy.sparse.linalg.ArpackError:  # nothing is left: ARPACK has no word for a zero operator but an error
        return False
    eps = float(np.finfo(B.dtype).eps)
    return bool(largest > s * s * (1 + 10 * math.sqrt(eps)) + eps)
