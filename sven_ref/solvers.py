"""Five ways to the largest singular triplets of J, under one contract.

    solver(J, k, rng) -> Triplets     J of shape (M, P), 1 ≤ k ≤ n = min(M, P)

J / c = U diag(s) Vᵀ with s descending and c a power of two near σ_1, so that squaring neither overflows nor underflows
(SPEC 3.8). At least min(k + 1, n) values come back, one more than may be kept, so that the gap at the cut is known. A
solver returns U, Vt or both. It also states its floor: the σ/σ_1 below which it can't tell a singular value from zero,

    unsquared (dense, randomized)   4ε√max(M, P)   what is below is zero to working precision
    squared   (svds, gram)          √ε             what is below may be anything, and is refused where it might be kept

with ε that of J's dtype. Eigenvalues of JJᵀ are known to about ε σ_1², so σ to √ε σ_1 (SPEC 3.7). An SVD is backward
stable, and the rounding errors of its sums over max(M, P) terms add up like a random walk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from .errors import AdjointError, ConvergenceError
from .jacobian import ProductLinearOperator, scaled


@dataclass(frozen=True)
class Triplets:
    """Triplets of J/c: U (M, r) or None, s (r,) descending, Vt (r, P) or None; who found them, how finely."""

    U: Any
    s: Any
    Vt: Any
    c: float
    solver: str
    floor: float
    squared: bool


def dense(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """LAPACK on the matrix itself, made of the fewer products: rows Jᵀe_α or columns Je_i. Holds M×P numbers."""
    M, P = J.shape
    A = J.rmatmat(np.eye(M, dtype=J.dtype)).T if M <= P else J.matmat(np.eye(P, dtype=J.dtype))
    c = power_of_two(float(np.abs(A).max()))
    try:
        U, s, Vt = np.linalg.svd(A / A.dtype.type(c), full_matrices=False)
    except np.linalg.LinAlgError:  # divide and conquer failed: QR iteration is slower and safe
        U, s, Vt = scipy.linalg.svd(A / A.dtype.type(c), full_matrices=False, lapack_driver="gesvd")
    return Triplets(U, s, Vt, c, "dense", resolution(J), squared=False)


def svds(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """ARPACK on the smaller of JJᵀ and JᵀJ, by products alone.

    ARPACK can't give all n triplets, so that k + 1 ≥ n takes `dense`; so does a spectrum on which it does not converge.
    """
    if k + 1 >= min(J.shape):
        return dense(J, k)
    c = probe(J, rng)
    if c == 0:
        return zero(J, "svds")
    try:
        U, s, Vt = scipy.sparse.linalg.svds(scaled(J, c), k=k + 1, rng=np.random.default_rng(rng))
    except scipy.sparse.linalg.ArpackError:
        return dense(J, k)
    order = np.argsort(-s)
    return Triplets(U[:, order], s[order], Vt[order], c, "svds", math.sqrt(np.finfo(J.dtype).eps), squared=True)


def gram(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """Eigenvectors of the smaller of JJᵀ = U S² Uᵀ and JᵀJ = V S² Vᵀ, in float64, a product pair for each column."""
    M, P = J.shape
    c = probe(J, rng)
    if c == 0:
        return zero(J, "gram")
    A = scaled(J, c)
    G = np.empty((min(M, P),) * 2)
    for i, e in enumerate(np.eye(len(G), dtype=J.dtype)):
        G[i] = A.matvec(A.rmatvec(e)) if M <= P else A.rmatvec(A.matvec(e))
    eigenvalues, W = np.linalg.eigh((G + G.T) / 2)
    s, W = np.sqrt(np.maximum(eigenvalues[::-1], 0)), W[:, ::-1]
    U, Vt = (W, None) if M <= P else (None, W.T)
    return Triplets(U, s, Vt, c, "gram", math.sqrt(np.finfo(J.dtype).eps), squared=True)


def randomized(J: ProductLinearOperator, k: int, rng: Any = 0, oversample: int = 10) -> Triplets:
    """Block Krylov from a Gaussian sketch (Halko, Martinsson & Tropp 2011; Musco & Musco 2015), certified.

    Q spans JΩ; the triplets of QᵀJ = (JᵀQ)ᵀ, lifted by Q, approach those of J. While a residual ‖J v_i − σ_i u_i‖ of
    the first k + 1 exceeds the floor, the residuals are added to Q. A spectrum that does not decay would make Q as
    large as J: beyond 4 (k + oversample) columns that is refused.
    """
    M, P = J.shape
    c = probe(J, rng)
    if c == 0:
        return zero(J, "randomized")
    A, k1, floor = scaled(J, c), min(k + 1, M, P), resolution(J)
    Q = np.linalg.qr(A.matmat(np.random.default_rng(rng).standard_normal((P, min(k + oversample, M, P)))))[0]
    W = A.rmatmat(Q)  # JᵀQ, (P, r)
    while True:
        right, T = scipy.linalg.qr(W, mode="economic")  # QᵀJ = Tᵀ rightᵀ, T small
        U, s, Vt = np.linalg.svd(T.T, full_matrices=False)
        U, s, V = Q @ U[:, :k1], s[:k1], right @ Vt[:k1].T
        E = A.matmat(V) - U * s
        r = Q.shape[1]
        if r == M or np.linalg.norm(E, axis=0).max() <= floor * s[0]:
            return Triplets(U, s, V.T, c, "randomized", floor, squared=False)
        if r >= 4 * (k + oversample):
            raise ConvergenceError(
                f"solver = 'randomized': {r} columns do not resolve k = {k} triplets of this {M} × {P} Jacobian, "
                f"its singular values decay too slowly; use solver='svds' or 'dense'"
            )
        new = np.linalg.qr(np.hstack([Q, E]))[0][:, r:M]
        Q, W = np.hstack([Q, new]), np.hstack([W, A.rmatmat(new)])


SOLVERS: dict[str, Callable[..., Triplets]] = {"svds": svds, "dense": dense, "gram": gram, "randomized": randomized}


def resolution(J: ProductLinearOperator) -> float:
    """The floor of a solver that does not square J."""
    return 4 * float(np.finfo(J.dtype).eps) * math.sqrt(max(J.shape))


def probe(J: ProductLinearOperator, rng: Any) -> float:
    """One product pair: the power of two c near σ_1 (0 if J = 0), and the dot-test of `rmatvec` against `matvec`.

    For v Gaussian and u = Jv: ⟨u, u⟩ = ⟨v, Jᵀu⟩ for the true adjoint; σ_1 ≥ ‖Jᵀu‖/‖u‖.
    """
    v = np.random.default_rng(rng).standard_normal(J.shape[1]).astype(J.dtype)
    u = J.matvec(v)
    size = float(np.abs(u).max())
    if size == 0:
        return 0.0
    u = np.asarray(u / J.dtype.type(power_of_two(size)), np.float64)
    w = np.asarray(J.rmatvec(u), np.float64)
    c = power_of_two(float(np.abs(w).max()))
    left, right = u @ u * (power_of_two(size) / c), v @ (w / c)
    bound = math.sqrt(np.finfo(J.dtype).eps) * (np.linalg.norm(v) * np.linalg.norm(w / c))
    if not abs(left - right) <= bound:
        raise AdjointError(
            f"rmatvec is not the adjoint of matvec: ⟨Jv, u⟩ = {left * c:.6g} but ⟨v, Jᵀu⟩ = {right * c:.6g}; "
            f"their difference must be within {bound * c:.2g}"
        )
    return power_of_two(c * float(np.linalg.norm(w / c) / np.linalg.norm(u)))


def power_of_two(x: float) -> float:
    """The largest power of two ≤ x (1 for x = 0): dividing by it is exact."""
    return math.ldexp(1.0, math.frexp(x)[1] - 1) if x > 0 else 1.0


def zero(J: ProductLinearOperator, solver: str) -> Triplets:
    """The triplets of J = 0: none is ever kept."""
    M, P = J.shape
    return Triplets(np.zeros((M, 1), J.dtype), np.zeros(1, J.dtype), np.zeros((1, P), J.dtype), 1.0, solver, 0.0, False)
