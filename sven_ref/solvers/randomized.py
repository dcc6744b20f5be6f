"""Block Krylov from a Gaussian sketch (Halko, Martinsson & Tropp 2011; Musco & Musco 2015).

    Q = orth(J Ω),    QᵀJ = (JᵀQ)ᵀ = W S Vᵀ,    U = Q W          Ω of shape (P, k + oversample)

The triplets (U, S, V) approach those of J as Q grows by their residuals J V − U S.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from ..aliases import Rng
from ..errors import ConvergenceError
from ..operators import ProductLinearOperator, Scaled
from .contract import Triplets, resolution, svd, zero_triplets


def randomized(J: ProductLinearOperator, k: int, rng: Rng = 0, oversample: int = 10) -> Triplets:
    """The k + 1 largest triplets of J by Rayleigh–Ritz in a block Krylov space, certified.

    While a residual ‖J v_i − σ_i u_i‖ exceeds the floor, the residuals are added to Q. A spectrum that does not decay
    would make Q as large as J: beyond 4 (k + oversample) columns that is refused.

    Parameters
    ----------
    J : ProductLinearOperator of shape (M, P)
    k : int, 1 ≤ k ≤ min(M, P)
        How many triplets may be kept.
    rng : seed or Generator
        It draws Ω.
    oversample : int ≥ 0
        How many columns Ω has beyond k.

    Returns
    -------
    Triplets

    Raises
    ------
    ConvergenceError
        The spectrum decays too slowly for that many columns.

    Examples
    --------
    >>> t = sr.solvers.randomized(sr.as_product_operator(np.diag([4.0, 2.0, 1.0])), k=2)
    >>> t.c * t.s
    array([4., 2., 1.])
    """
    M, P = J.shape
    c = J.scale(rng)
    if c == 0:
        return zero_triplets(J, "randomized")
    A = Scaled(J, c)
    wanted = min(k + 1, M, P)
    Q = np.linalg.qr(A.matmat(np.random.default_rng(rng).standard_normal((P, min(k + oversample, M, P)))))[0]
    W = A.rmatmat(Q)  # JᵀQ, (P, r)
    while True:
        right, T = scipy.linalg.qr(W, mode="economic")  # QᵀJ = Tᵀ rightᵀ, T small
        U, s, Vt = svd(T.T)
        U = Q @ U[:, :wanted]
        s = s[:wanted]
        V = right @ Vt[:wanted].T
        E = A.matmat(V) - U * s
        r = Q.shape[1]
        floor = resolution(J, J.dtype, float(s[0]) * c)
        if r == M or np.linalg.norm(E, axis=0).max() <= floor * s[0]:
            return Triplets(U, s, V.T, c, "randomized", floor, squared=False)
        if r >= 4 * (k + oversample):
            raise ConvergenceError(
                f"solver = 'randomized': {r} columns do not resolve k = {k} triplets of this {M} × {P} Jacobian, "
                f"its singular values decay too slowly; use solver='svds' or 'dense'"
            )
        new = np.linalg.qr(np.hstack([Q, E]))[0][:, r:M]
        Q = np.hstack([Q, new])
        W = np.hstack([W, A.rmatmat(new)])
