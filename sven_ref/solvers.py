"""Ways to the largest singular triplets of J, under one contract.

    solver(J, k, rng) -> Triplets     J of shape (M, P), 1 ≤ k ≤ n = min(M, P)

At least min(k + 1, n) values come back, one more than may be kept, so that the gap at the cut is known. A solver
returns U, Vt or both; what it left out, `TruncatedPinv` makes by products.

    dense        LAPACK on the matrix itself                                    holds M × P numbers
    svds         ARPACK on JJᵀ (M ≤ P), or `scipy.sparse.linalg.svds`           k small against n
    gram         eigenvectors of JJᵀ or JᵀJ                                     n moderate; no σ near √ε σ_1
    tsqr         QR of Jᵀ or J block by block, SVD of the n × n triangle        n moderate; nothing is squared
    randomized   block Krylov from a sketch                                     a spectrum that decays
    auto         `plan` below                                                   the first that can do it
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from .columns import ColumnsLinearOperator
from .errors import ConvergenceError, check_finite
from .layered import LayeredLinearOperator
from .operators import ProductLinearOperator, power_of_two, scaled
from .triplets import Triplets, probe, resolution, squared_resolution, zero

FACTORED = (LayeredLinearOperator, ColumnsLinearOperator)

# Seconds, measured on two cores: a product pair at least, a flop of a product, the n³ of eigenvectors.
PAIR, FLOP, EIGH = 1e-4, 3e-11, 1e-10
DENSE = 1 << 26  # numbers of a dense J, at most
LONG = 1 << 12  # rows that LAPACK's LQ, which adds term by term, does not get: Lε for equal terms would pass the floor


def dense(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """LAPACK on the matrix itself, made of the fewer products: rows Jᵀe_α or columns Je_i. Holds M×P numbers."""
    M, P = J.shape
    if not J.blocks or J.by_tape:
        probe(J, rng)  # for its dot-test: what follows uses one of the two products alone
    A = J.rmatmat(np.eye(M, dtype=J.dtype)).T if M <= P else J.matmat(np.eye(P, dtype=J.dtype))
    c = power_of_two(float(np.abs(A).max()))
    A = A / A.dtype.type(c)
    if max(M, LONG) < P:
        V, s, Ut = svd(A.T)
        U, Vt = Ut.T, V.T
    else:
        U, s, Vt = svd(A)
    return Triplets(U, s, Vt, c, "dense", resolution(J, J.dtype), squared=False)


def svd(A: Any) -> Any:
    """U, s, Vᵀ of a matrix, thin."""
    try:
        return np.linalg.svd(A, full_matrices=False)
    except np.linalg.LinAlgError:  # divide and conquer failed: QR iteration is slower and safe
        return scipy.linalg.svd(A, full_matrices=False, lapack_driver="gesvd")


def svds(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """ARPACK on the smaller of JJᵀ and JᵀJ, by products alone.

    Where M ≤ P the left vectors are all that is kept: U and S² are the eigenvectors and values of JJᵀ, and neither the
    P × k right vectors nor the SVD of them, with which `scipy.sparse.linalg.svds` ends, are ever made. ARPACK can't
    give all n triplets: k + 1 ≥ n takes `tsqr`, and so does a spectrum on which it does not converge. A Krylov space
    may also miss copies of a repeated σ; `missed` looks for them, and what is found missing is for `tsqr` too. A σ at
    its floor, where it might be kept, is for `stand_ins`.
    """
    M, P = J.shape
    if k + 1 >= min(M, P):
        return tsqr(J, k)
    c = probe(J, rng)
    if c == 0:
        return zero(J, "svds")
    rng = np.random.default_rng(rng)
    try:
        if M <= P:
            eigenvalues, U = scipy.sparse.linalg.eigsh(smaller(J, c), k=k + 1, rng=rng)
            s, Vt = np.sqrt(np.maximum(eigenvalues, 0)), None
        else:
            U, s, Vt = scipy.sparse.linalg.svds(scaled(J, c), k=k + 1, rng=rng)
    except scipy.sparse.linalg.ArpackError:  # no convergence: the spectrum does not fall
        return tsqr(J, k)
    order = np.argsort(-s)
    Vt = None if Vt is None else Vt[order]
    W = U if Vt is None else Vt.T
    if missed(smaller(J, c), W, float(s[order[-1]]), rng):
        return tsqr(J, k)
    return Triplets(U[:, order], s[order], Vt, c, "svds", squared_resolution(J, J.dtype), squared=True, sums=J.dtype)


def smaller(J: ProductLinearOperator, c: float) -> Any:
    """The smaller of JJᵀ/c² and JᵀJ/c² as an operator, c a power of two."""
    A, unit = scaled(J, c), J.dtype.type(c)
    left, right = lambda u: J.gram_matvec(u / unit) / unit, lambda v: A.rmatvec(A.matvec(v))
    product = left if J.shape[0] <= J.shape[1] else right
    return scipy.sparse.linalg.LinearOperator((min(J.shape),) * 2, matvec=product, dtype=J.dtype)


def missed(B: Any, W: Any, s: float, rng: Any) -> bool:
    """Whether an eigenvalue of B above s² = σ²_{k+1} is left once its eigenvectors W are projected out.

    One eigenvalue of (I − WWᵀ) B (I − WWᵀ), from a start vector of its own, to three digits.
    """

    def deflated(u: Any) -> Any:
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


def gram(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """Eigenvectors of the smaller of JJᵀ = U S² Uᵀ and JᵀJ = V S² Vᵀ, in float64.

    From factors the matrix costs no product with J and is summed in float64; else a product pair for each column.
    """
    (M, P), factored = J.shape, isinstance(J, FACTORED)
    c = J.scale() if factored else probe(J, rng)
    if c == 0:
        return zero(J, "gram")
    if factored and M <= P:
        G = J.gram(c)
    elif factored:
        G = np.zeros((P, P))
        for block in J.row_blocks():
            block = block / np.float64(c)
            G += block.T @ block
    else:
        B = smaller(J, c)
        G = np.array([B.matvec(e) for e in np.eye(min(M, P), dtype=J.dtype)], np.float64)
        G = (G + G.T) / 2
    check_finite("J Jᵀ" if M <= P else "JᵀJ", G)
    eigenvalues, W = np.linalg.eigh(G)
    s, W = np.sqrt(np.maximum(eigenvalues[::-1], 0)), W[:, ::-1]
    U, Vt = (W, None) if M <= P else (None, W.T)
    sums = np.float64 if factored else J.dtype
    return Triplets(U, s, Vt, c, "gram", squared_resolution(J, sums), squared=True, sums=sums)


def tsqr(J: ProductLinearOperator, k: int, rng: Any = 0) -> Triplets:
    """The triangle T of Jᵀ = Q T (M ≤ P) or J = Q T, block by block in float64, and its SVD; nothing is squared.

    Q is never made: Jᵀ = Q T gives J = Tᵀ Qᵀ, so that J's left vectors are T's right ones, and J = Q T shares its right
    vectors with T. Blocks come from the factors, one at a time, for left vectors after these are compressed; an
    operator without factors takes `dense`.
    """
    if not isinstance(J, FACTORED):
        return dense(J, k)
    (M, P), c = J.shape, J.scale()
    short = J.compressed() if isinstance(J, LayeredLinearOperator) and M <= P else J
    T: Any = np.zeros((min(M, P), 0))  # transposed: LAPACK factors the columns of its memory
    for block in short.column_blocks() if M <= P else (B.T for B in J.row_blocks()):
        stacked = np.hstack([T, block / c]).T
        triangle = scipy.linalg.lapack.dgeqrf(stacked, lwork=64 * len(T), overwrite_a=True)[0]  # lwork: blocked code
        T = np.tril(triangle[: len(T)].T)
    check_finite("triangle of J", T)
    _, s, Wt = svd(T.T)
    U, Vt = (Wt.T, None) if M <= P else (None, Wt)
    return Triplets(U, s, Vt, c, "tsqr", resolution(J, np.float64), squared=False)


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
    A, k1, floor = scaled(J, c), min(k + 1, M, P), resolution(J, J.dtype)
    Q = np.linalg.qr(A.matmat(np.random.default_rng(rng).standard_normal((P, min(k + oversample, M, P)))))[0]
    W = A.rmatmat(Q)  # JᵀQ, (P, r)
    while True:
        right, T = scipy.linalg.qr(W, mode="economic")  # QᵀJ = Tᵀ rightᵀ, T small
        U, s, Vt = svd(T.T)
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


SOLVERS: dict[str, Callable[..., Triplets]] = {f.__name__: f for f in (svds, dense, gram, tsqr, randomized)}


def stand_ins(J: ProductLinearOperator) -> tuple[str, ...]:
    """Who takes over, in order, where `svds` has a σ at its floor that might be kept: what squares nothing.

    Such a spectrum has fallen by three digits in float32 and seven in float64 before k is reached: `randomized` is made
    for it. Factors are for `tsqr`. A J that is too large to be made has no third.
    """
    if isinstance(J, FACTORED):
        return ("tsqr",)
    return ("randomized", "dense") if J.shape[0] * J.shape[1] <= DENSE else ("randomized",)


def plan(J: ProductLinearOperator, k: int) -> tuple[str, ...]:
    """The solvers that `auto` tries, in order; the next one where the one before meets its floor.

    From factors: `gram`, or ARPACK where k is so small against n that 5k + 20 product pairs cost less than the Gram
    matrix and its n³; `tsqr` after either. By products alone: `dense` where it is as cheap, else ARPACK.
    """
    (M, P), n = J.shape, min(J.shape)
    if isinstance(J, FACTORED):
        pairs = (5 * k + 20) * (PAIR + FLOP * 4 * M * P)
        widths = sum(map(sum, J.shapes)) if isinstance(J, LayeredLinearOperator) and M <= P else P
        gram_matrix = FLOP * 2 * n * M * widths + EIGH * n**3
        first = "svds" if pairs < gram_matrix else "gram"
    elif n <= max(64, 4 * k) and M * P <= DENSE:
        return ("dense",)
    else:
        first = "svds"
    return (first, *stand_ins(J))
