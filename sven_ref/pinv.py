"""The truncated pseudoinverse, an operator like J itself.

    J⁺ = Σ_{i ≤ q} v_i u_iᵀ / σ_i        keep i iff  i ≤ k,  σ_i > rtol·σ_1  and  σ_i > atol  (strict; SPEC 3.1)

A solver knows U, V or both. J V = U S and Jᵀ U = V S give what it left out, so that J⁺ has two forms, and two more of
its transpose and of P_q = J J⁺, written out below:

    J⁺ R = V S⁻¹ Uᵀ R            U and V known
    J⁺ R = Jᵀ U S⁻² Uᵀ R         U known: V, of size P × q, is never stored
    J⁺ R = V S⁻² Vᵀ Jᵀ R         V known: P < M

The sums in Jᵀ (U y) cancel to a part of about σ_q/σ_1, and rounding is amplified by σ_1/σ_q: where that would cost a
float32 Jacobian more than three digits, products are made in float64 if its operator can.

Every product is made of J/c, and of R and x near 1 (`scaling`).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .aliases import Array, ArrayLike, Matrix, MatrixLike, Rng, Vector
from .arguments import as_array, as_generator, check_choice, check_finite, check_integer, check_number, renamed
from .errors import ConvergenceError, ShapeError, SolverFloorError
from .foreign import adjoint_tested
from .operators import ProductLinearOperator, RealLinearOperator, Scaled
from .scaling import in_between, near_one, norm, true_size
from .solvers import SOLVERS
from .solvers.auto import Attempt, attempts
from .solvers.contract import Triplets, cancellation
from .solvers.svds import svds_until

CANCELLATION = 1e-3  # the relative error up to which products stay in J's own dtype


def cut(t: Triplets, k: int, rtol: float, atol: float) -> int:
    """q, the number of triplets kept: SPEC 3.1 on the true σ, and the refusal of SPEC 3.7."""
    sigma = t.s.astype(np.float64) * t.c
    threshold = max(rtol * sigma[0], atol)
    floor = t.floor * sigma[0]
    unresolved = sigma <= floor
    if t.squared and unresolved[:k].any() and threshold < floor:
        i = int(np.argmax(unresolved))
        raise SolverFloorError(
            f"solver = {t.solver!r}: sigma_{i + 1} = {sigma[i] / sigma[0]:.2g} sigma_1 lies below this solver's floor, "
            f"{t.floor:.2g} sigma_1, and may be above the cut; use solver='dense', rtol ≥ {t.floor:.2g} or k ≤ {i}"
        )
    # All strict: with >= a zero Jacobian would keep its zeros.
    return int(np.sum((sigma[:k] > threshold) & ~unresolved[:k]))


def truncated_pinv(
    J: MatrixLike, k: int | None = None, rtol: float = 1e-3, atol: float = 0.0, solver: str = "svds", rng: Rng = 0
) -> TruncatedPinv:
    """J⁺ of shape (P, M) over the largest triplets of J (SPEC 3.1): J⁺R is the minimum-norm solution of J_q x = P_q R.

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)
    k : int ≥ 1 or None, at most k triplets; None or more than min(M, P): as many as the cut keeps
    rtol, atol : float, 0 ≤ rtol < 1, atol ≥ 0
        Keep σ_i > rtol·σ_1 and σ_i > atol. σ below an unsquared solver's floor counts as zero.
    solver : str, "svds", "dense", "gram", "tsqr", "randomized" or "auto"; see `sven_ref.solvers`
    rng : seed or Generator, for the start vector

    Returns
    -------
    TruncatedPinv of shape (P, M)

    Raises
    ------
    SolverFloorError
        A σ that may have to be kept lies below the floor of a solver that squares J (SPEC 3.7).
    ArgumentError, NonFiniteError, AdjointError, ConvergenceError
        An argument is not allowed; J is not finite; its products are of two matrices; `randomized` does not converge.

    Examples
    --------
    >>> J_pinv = sr.truncated_pinv(np.diag([4.0, 2.0, 0.001]))
    >>> J_pinv @ np.array([4.0, 4.0, 4.0]), J_pinv.rank
    (array([1., 2., 0.]), 2)
    """
    J = adjoint_tested(J)
    if type(rng) is not int or rng < 0:
        as_generator(rng)  # raises for what is none
    n = min(J.shape)
    most = n if k is None else min(check_integer("k", k), n)
    rtol = check_number("rtol", rtol, "≥ 0 and < 1", lambda x: 0 <= x < 1)
    atol = check_number("atol", atol, "≥ 0", lambda x: x >= 0)
    check_choice("solver", solver, (*SOLVERS, "auto"))

    def below_the_cut(t: Triplets) -> bool:
        return bool(t.s[-1] <= max(rtol * t.s[0], atol / t.c, t.floor * t.s[0]))

    @np.errstate(all="ignore")  # what is not finite is refused
    def by(attempt: Attempt) -> TruncatedPinv:
        until = k is None and attempt.solver == "svds"
        triplets = svds_until(J, below_the_cut, rng) if until else SOLVERS[attempt.solver](J, most, rng)
        check_finite("singular values of J", triplets.s * triplets.c)
        unsafe = attempt.floor * cancellation(J, float(triplets.s[0] * triplets.c))
        triplets = replace(triplets, floor=max(unsafe, triplets.floor))
        J_pinv = TruncatedPinv(J, triplets, cut(triplets, most, rtol, atol))
        check_attained(J_pinv, triplets)
        return J_pinv

    *before, last = attempts(J, most, solver)
    for attempt in before:
        with suppress(SolverFloorError, ConvergenceError):  # what one can't do is for the next
            return by(attempt)
    return by(last)


def check_attained(J_pinv: TruncatedPinv, t: Triplets) -> None:
    """Raise `SolverFloorError` where the smallest kept σ of a squared J is not there: ‖Jᵀu‖ or ‖Jv‖ is not half of it.

    The floor trusts sums to err at random. A sum of L equal terms, one after another, errs up to Lε, ε that of the
    dtype of the sums; so what lies below (Lε)^½ σ_1 is looked at, by one product.
    """
    s = J_pinv.s[:, 0]
    q = J_pinv.rank
    if not t.squared or q == 0 or s[-1] > math.sqrt(float(np.finfo(t.sums).eps) * max(J_pinv.shape)) * s[0]:
        return
    J = J_pinv.J_over_c
    attained = norm(J.matvec(J_pinv.Vt[-1]) if J_pinv.U is None else J.rmatvec(J_pinv.U[:, -1]))
    if not attained > s[-1] / 2:
        raise SolverFloorError(
            f"solver = {t.solver!r}: sigma_{q} = {s[-1] / s[0]:.2g} sigma_1 is rounding error, a product with J "
            f"gives {attained / s[0]:.2g} sigma_1; use solver='dense', a larger rtol or k ≤ {q - 1}"
        )


class Certificate(NamedTuple):
    """How well the kept triplets satisfy what defines them.

    Attributes
    ----------
    left : float, the largest ‖Jᵀ u_i − σ_i v_i‖ over σ_1
    right : float, the largest ‖J v_i − σ_i u_i‖ over σ_1
    orthogonality : float, the largest entry of |UᵀU − I| and |VᵀV − I|
    """

    left: float
    right: float
    orthogonality: float


class TruncatedPinv(RealLinearOperator):
    """J⁺ of shape (P, M), made by `truncated_pinv`.

    Attributes
    ----------
    rank : int, q, how many triplets are kept
    singular_values : array of shape (q,), σ_1 ≥ … ≥ σ_q, those kept
    spectrum : array
        All σ the solver returned, before the cut, descending: σ_1 … σ_{k+1} at least, where they are not all zero, or
        with k = None those down to the first below the cut.
    gap : float, σ_{q+1}/σ_q; the update is unique iff it is below 1 (SPEC 3.5). 0 where nothing is cut or kept
    solver : str, who did the work, which may be the documented stand-in for the one asked for

    Examples
    --------
    >>> J_pinv = sr.truncated_pinv(np.diag([4.0, 2.0, 1.0]), k=2, solver="dense")
    >>> J_pinv.singular_values, J_pinv.gap, J_pinv.certificate()
    (array([4., 2.]), 0.5, Certificate(left=0.0, right=0.0, orthogonality=0.0))
    """

    def __init__(self, J: ProductLinearOperator, t: Triplets, q: int) -> None:
        super().__init__(J.dtype, J.shape[::-1])
        self.rank = q
        self.solver = t.solver
        self.spectrum = t.s * t.c
        self.singular_values = self.spectrum[:q]
        self.gap = float(t.s[q] / t.s[q - 1]) if 0 < q < len(t.s) else 0.0
        self.U: Any = None if t.U is None else t.U[:, :q]  # None where Vt alone is known
        self.s = t.s[:q, None]
        self.Vt: Any = None if t.Vt is None else t.Vt[:q]  # None where U alone is known
        self.c = t.c
        self.exponent = math.frexp(t.c)[1] - 1  # c = 2^exponent
        self.moderate = abs(self.exponent) < np.finfo(J.dtype).maxexp // 4
        cancels = q > 0 and t.s[0] * float(np.finfo(J.dtype).eps) > CANCELLATION * t.s[q - 1]
        self.J_over_c = Scaled(J.float64() if cancels else J, t.c)

    @np.errstate(all="ignore")  # what is not finite is refused
    def _matmat(self, R: Array) -> Array:
        """J⁺R = V S⁻¹ UᵀR, with UᵀR = S⁻¹ VᵀJᵀR where U is not known and V y = Jᵀ U S⁻¹ y where V is not."""
        block, exponents = near_one("residuals", R.reshape(len(R), -1))
        UtR = self.U.T @ block if self.U is not None else self.Vt @ self.J_over_c._rmatmat(block) / self.s
        y, later = in_between(UtR, exponents - self.exponent, self.moderate)
        y = y / self.s
        product = self.Vt.T @ y if self.Vt is not None else self.J_over_c._rmatmat(self.U @ (y / self.s))
        product = true_size("product with the pseudoinverse", product, later, self.dtype)
        return product.reshape(-1, *R.shape[1:])

    @np.errstate(all="ignore")
    def _rmatmat(self, x: Array) -> Array:
        """(J⁺)ᵀx = U S⁻¹ Vᵀx, with Vᵀx = S⁻¹ UᵀJ x where V is not known and U y = J V S⁻¹ y where U is not."""
        block, exponents = near_one("x", x.reshape(len(x), -1))
        Vtx = self.Vt @ block if self.Vt is not None else self.U.T @ self.J_over_c._matmat(block) / self.s
        y, later = in_between(Vtx, exponents - self.exponent, self.moderate)
        y = y / self.s
        product = self.U @ y if self.U is not None else self.J_over_c._matmat(self.Vt.T @ (y / self.s))
        product = true_size("product with the pseudoinverse", product, later, self.dtype)
        return product.reshape(-1, *x.shape[1:])

    _matvec = _matmat
    _rmatvec = _rmatmat

    @np.errstate(all="ignore")
    def project(self, R: ArrayLike) -> Vector:
        """P_q R = U_q U_qᵀ R = J J⁺ R of shape (M,): the part of the residuals that the kept triplets reach."""
        R = as_array("residuals", R)
        if R.shape != (self.shape[1],):
            raise ShapeError(f"residuals have shape {R.shape}: must be ({self.shape[1]},)")
        R, exponents = near_one("residuals", R[:, None])
        UtR = self.U.T @ R if self.U is not None else self.Vt @ self.J_over_c._rmatmat(R) / self.s
        y, later = in_between(UtR, exponents, self.moderate)
        product = self.U @ y if self.U is not None else self.J_over_c._matmat(self.Vt.T @ (y / self.s))
        return true_size("product with the pseudoinverse", product, later)[:, 0]

    @np.errstate(all="ignore")
    def vectors(self) -> tuple[Matrix, Matrix]:
        """U of shape (M, q) and V of shape (P, q) of the kept triplets."""
        inverse = np.diag(1 / self.s[:, 0])  # U = J V S⁻¹, V = Jᵀ U S⁻¹
        U = self.U if self.U is not None else self.J_over_c._matmat(self.Vt.T @ inverse)
        V = self.Vt.T if self.Vt is not None else self.J_over_c._rmatmat(self.U @ inverse)
        for name, vectors in (("U", U), ("V", V)):
            check_finite(name, vectors)
        return U, V

    def factors(self) -> tuple[Matrix, Matrix]:
        """The old name of `vectors`."""
        renamed("TruncatedPinv.factors", "TruncatedPinv.vectors")
        return self.vectors()

    def certificate(self) -> Certificate:
        """Measured with fresh products, at most 3q; no trust in the solver. See `Certificate`."""
        if self.rank == 0:
            return Certificate(0.0, 0.0, 0.0)
        U, V = self.vectors()
        s = self.s[:, 0]
        with np.errstate(all="ignore"):
            left = np.linalg.norm(self.J_over_c._rmatmat(U) - V * s, axis=0).max() / s[0]
            right = np.linalg.norm(self.J_over_c._matmat(V) - U * s, axis=0).max() / s[0]
            orthogonality = max(np.abs(W.T @ W - np.eye(self.rank)).max() for W in (U, V))
        return Certificate(float(left), float(right), float(orthogonality))
