"""The truncated pseudoinverse, an operator like J itself.

    J⁺ = Σ_{i ≤ q} v_i u_iᵀ / σ_i        keep i iff  i ≤ k,  σ_i > rtol·σ_1  and  σ_i > atol  (strict; SPEC 3.1)

A solver knows U, V or both; J V = U S and Jᵀ U = V S give what it left out, one product at a time:

    U y  = J (V y/σ)          Uᵀ R = (Vᵀ Jᵀ R)/σ          V y  = Jᵀ (U y/σ)          Vᵀ x = (Uᵀ J x)/σ

so that J⁺ R = V (Uᵀ R)/σ is Jᵀ (U S⁻² Uᵀ R) where only U is known: V is never stored. The sums in that Jᵀ cancel to a
part of about σ_q/σ_1, and rounding is amplified by σ_1/σ_q: where that would cost a float32 Jacobian more than three
digits, products are made in float64 if its operator can.

Every product is made of J/c, R and x near 1, each column over a power of two of its own, and has its true size at the
end: what leaves the range of the dtype is refused, and nothing is lost on the way (SPEC 3.8).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .errors import (
    ConvergenceError,
    ShapeError,
    SolverFloorError,
    as_array,
    as_generator,
    check_choice,
    check_finite,
    check_integer,
    check_number,
)
from .operators import ProductLinearOperator, RealLinearOperator, adjoint_tested, norm, scaled
from .solvers import SOLVERS, plan, stand_ins
from .triplets import Triplets

CANCELLATION = 1e-3  # the relative error up to which products stay in J's own dtype
DIGITS = 100  # `auto` leaves gram below this many √ε σ_1: σ² has four digits there


class Certificate(NamedTuple):
    """How well the kept triplets satisfy what defines them; see `TruncatedPinv.certificate`."""

    left: float
    right: float
    orthogonality: float


class TruncatedPinv(RealLinearOperator):
    """J⁺ of shape (P, M), made by `truncated_pinv`.

    Attributes
    ----------
    rank : q, how many triplets are kept
    singular_values : σ_1 ≥ … ≥ σ_q, those kept
    spectrum : all σ the solver returned, before the cut; σ_1 … σ_{k+1} at least, where they are not all zero
    gap : σ_{q+1}/σ_q; the update is unique iff it is below 1 (SPEC 3.5). 0 where nothing is cut or nothing kept
    solver : the solver that did the work, which may be the documented stand-in for the one asked for
    """

    def __init__(self, J: ProductLinearOperator, triplets: Triplets, rank: int) -> None:
        super().__init__(J.dtype, J.shape[::-1])
        t, q = triplets, rank
        self.c, self.solver, self.rank = t.c, t.solver, q
        self.exponent = math.frexp(t.c)[1] - 1  # c = 2^exponent
        self.U: Any = None if t.U is None else t.U[:, :q]
        self.Vt: Any = None if t.Vt is None else t.Vt[:q]
        self.s = t.s[:q, None]
        self.spectrum = t.s * t.c
        self.singular_values = self.spectrum[:q]
        self.gap = float(t.s[q] / t.s[q - 1]) if 0 < q < len(t.s) else 0.0
        cancels = q > 0 and t.s[0] * float(np.finfo(J.dtype).eps) > CANCELLATION * t.s[q - 1]
        self.J = scaled(J.float64() if cancels else J, t.c)

    def _u(self, y: Any) -> Any:
        return self.J.matmat(self.Vt.T @ (y / self.s)) if self.U is None else self.U @ y

    def _ut(self, R: Any) -> Any:
        return self.Vt @ self.J.rmatmat(R) / self.s if self.U is None else self.U.T @ R

    def _v(self, y: Any) -> Any:
        return self.J.rmatmat(self.U @ (y / self.s)) if self.Vt is None else self.Vt.T @ y

    def _vt(self, x: Any) -> Any:
        return self.U.T @ self.J.matmat(x) / self.s if self.Vt is None else self.Vt @ x

    def _matmat(self, R: Any) -> Any:
        R = finite("residuals", R)
        return self._near_one(lambda y: self._v(y / self.s), self._ut, R, -self.exponent, self.dtype)

    def _rmatmat(self, x: Any) -> Any:
        x = finite("x", x)
        return self._near_one(lambda y: self._u(y / self.s), self._vt, x, -self.exponent, self.dtype)

    def _near_one(self, lift: Any, lower: Any, X: Any, exponent: int, dtype: Any = None) -> Any:
        """lift(lower(X)) 2^exponent with each column of X near 1.

        Powers of two go to the q numbers between, or, where these or c would be far from 1, to what comes out.
        """
        with np.errstate(all="ignore"):  # what is not finite is refused
            exponents = np.frexp(np.abs(X).max(axis=0))[1]
            y = lower(np.ldexp(X, -exponents))
            exponents = exponents + exponent
            reach = np.frexp(np.abs(y).max(axis=0, initial=0))[1] + exponents
            if max(abs(self.exponent), *np.abs(reach)) < np.finfo(self.dtype).maxexp // 4:
                product = lift(np.ldexp(y, exponents))
            else:
                product = np.ldexp(lift(y), exponents)
            product = np.asarray(product, dtype)
        check_finite("product with the pseudoinverse", product)
        return product

    def _matvec(self, R: Any) -> Any:
        return self._matmat(np.reshape(R, (-1, 1)))[:, 0]

    def _rmatvec(self, x: Any) -> Any:
        return self._rmatmat(np.reshape(x, (-1, 1)))[:, 0]

    def project(self, R: Any) -> Any:
        """P_q R = U_q U_qᵀ R = J J⁺ R of shape (M,): the part of the residuals that the kept triplets reach."""
        R = finite("residuals", R)
        if R.shape != (self.shape[1],):
            raise ShapeError(f"residuals have shape {R.shape}: must be ({self.shape[1]},)")
        return self._near_one(self._u, self._ut, np.reshape(R, (-1, 1)), 0)[:, 0]

    def factors(self) -> tuple[Any, Any]:
        """U of shape (M, q) and V of shape (P, q) of the kept triplets."""
        with np.errstate(all="ignore"):  # what is not finite is refused
            U, V = self._u(np.eye(self.rank)), self._v(np.eye(self.rank))
        for name, factor in (("U", U), ("V", V)):
            check_finite(name, factor)
        return U, V

    def certificate(self) -> Certificate:
        """Measured with fresh products, at most 3q; no trust in the solver.

        left, right : largest ‖Jᵀ u_i − σ_i v_i‖ and ‖J v_i − σ_i u_i‖ over σ_1
        orthogonality : largest entry of |UᵀU − I| and |VᵀV − I|
        """
        if self.rank == 0:
            return Certificate(0.0, 0.0, 0.0)
        (U, V), s = self.factors(), self.s[:, 0]
        with np.errstate(all="ignore"):
            left = np.linalg.norm(self.J.rmatmat(U) - V * s, axis=0).max() / s[0]
            right = np.linalg.norm(self.J.matmat(V) - U * s, axis=0).max() / s[0]
            orthogonality = max(np.abs(W.T @ W - np.eye(self.rank)).max() for W in (U, V))
        return Certificate(float(left), float(right), float(orthogonality))


def finite(name: str, value: Any) -> Any:
    """`value` as an array of finite numbers in float32 or float64."""
    array = as_array(name, value)
    array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    check_finite(name, array)
    return array


def truncated_pinv(
    J: Any, k: int | None = None, rtol: float = 1e-3, atol: float = 0.0, solver: str = "svds", rng: Any = 0
) -> TruncatedPinv:
    """J⁺ of shape (P, M) from J of shape (M, P): an array, sparse matrix or LinearOperator.

    Parameters
    ----------
    k : int ≥ 1 or None
        At most k triplets; None or more than min(M, P) means min(M, P).
    rtol, atol : 0 ≤ rtol < 1, atol ≥ 0
        Keep σ_i > rtol·σ_1 and σ_i > atol. σ below an unsquared solver's floor counts as zero.
    solver : "svds", "dense", "gram", "tsqr", "randomized" or "auto"; see `sven_ref.solvers`
    rng : seed or Generator, for the start vector

    Raises
    ------
    SolverFloorError
        A σ that may have to be kept lies below the floor of a solver that squares J (SPEC 3.7).
    ArgumentError, NonFiniteError, AdjointError, ConvergenceError
    """
    J = adjoint_tested(J)
    as_generator(rng)  # raises for what is none
    n = min(J.shape)
    k = n if k is None else min(check_integer("k", k), n)
    rtol = check_number("rtol", rtol, "≥ 0 and < 1", lambda x: 0 <= x < 1)
    atol = check_number("atol", atol, "≥ 0", lambda x: x >= 0)
    check_choice("solver", solver, (*SOLVERS, "auto"))
    *before, last = plan(J, k) if solver == "auto" else (solver, *stand_ins(J)) if solver == "svds" else (solver,)
    for name in before:
        with suppress(SolverFloorError, ConvergenceError):  # what one can't do is for the next
            floor = DIGITS * math.sqrt(np.finfo(np.float64).eps) if name == "gram" else 0.0
            return _solved(J, name, k, rtol, atol, rng, floor)
    return _solved(J, last, k, rtol, atol, rng)


def _solved(
    J: ProductLinearOperator, solver: str, k: int, rtol: float, atol: float, rng: Any, floor: float = 0.0
) -> TruncatedPinv:
    """J⁺ by one solver; σ ≤ floor·σ_1 is not trusted, nor what lies below the solver's own floor."""
    with np.errstate(all="ignore"):  # what is not finite is refused
        triplets = SOLVERS[solver](J, k, rng)
        check_finite("singular values of J", triplets.s * triplets.c)
        rank = cut(replace(triplets, floor=max(floor, triplets.floor)), k, rtol, atol)
        J_pinv = TruncatedPinv(J, triplets, rank)
        if triplets.squared and rank > 0:
            check_attained(J_pinv, triplets.sums)
        return J_pinv


def check_attained(J_pinv: TruncatedPinv, sums: Any) -> None:
    """Raise `SolverFloorError` where the smallest kept σ is not there: ‖Jᵀu‖ or ‖Jv‖, not squared, is below half of it.

    The floor trusts sums to err at random. A sum of L equal terms, one after another, errs up to Lε, ε that of the
    dtype of `sums`; so what lies below (Lε)^½ σ_1 is looked at, by one product.
    """
    s, eps = J_pinv.s[:, 0], float(np.finfo(sums).eps)
    if s[-1] > math.sqrt(eps * max(J_pinv.shape)) * s[0]:
        return
    J, q = J_pinv.J, J_pinv.rank
    attained = norm(J.matvec(J_pinv.Vt[-1]) if J_pinv.U is None else J.rmatvec(J_pinv.U[:, -1]))
    if not attained > s[-1] / 2:
        raise SolverFloorError(
            f"solver = {J_pinv.solver!r}: sigma_{q} = {s[-1] / s[0]:.2g} sigma_1 is rounding error, a product with J "
            f"gives {attained / s[0]:.2g} sigma_1; use solver='dense', a larger rtol or k ≤ {q - 1}"
        )


def cut(t: Triplets, k: int, rtol: float, atol: float) -> int:
    """q, the number of triplets kept: SPEC 3.1 on the true σ, and the refusal of SPEC 3.7."""
    sigma = t.s.astype(np.float64) * t.c
    threshold, floor = max(rtol * sigma[0], atol), t.floor * sigma[0]
    unresolved = sigma <= floor
    if t.squared and unresolved[:k].any() and threshold < floor:
        i = int(np.argmax(unresolved))
        raise SolverFloorError(
            f"solver = {t.solver!r}: sigma_{i + 1} = {sigma[i] / sigma[0]:.2g} sigma_1 lies below this solver's floor, "
            f"{t.floor:.2g} sigma_1, and may be above the cut; use solver='dense', rtol ≥ {t.floor:.2g} or k ≤ {i}"
        )
    # All strict: with >= a zero Jacobian would keep its zeros.
    return int(np.sum((sigma[:k] > threshold) & ~unresolved[:k]))
