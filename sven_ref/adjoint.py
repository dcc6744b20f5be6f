"""Whether two products are of one matrix: ⟨Jv, u⟩ = ⟨v, Jᵀu⟩, and how far the two may be apart (SPEC 7a).

    |⟨Jv, u⟩ − ⟨v, Jᵀu⟩|  ≤  rtol (‖Jv‖‖u‖ + ‖v‖‖Jᵀu‖)

A row that one of the products forgets is about 1/M of the sum on the right, if each row has the same say in ⟨Jv, u⟩.
"""

from __future__ import annotations

import math

import numpy as np

from .aliases import DtypeLike, Vector
from .errors import AdjointError, ArgumentError
from .scaling import norm, power_of_two


def closeness(eps: float) -> float:
    """How far ⟨Jv, u⟩ and ⟨v, Jᵀu⟩ may be apart, over ‖Jv‖‖u‖ + ‖v‖‖Jᵀu‖: √ε in float64, 100 ε in float32.

    Products may be inexact by design, but a row that one of them forgets is 1/M of that sum.
    """
    return min(math.sqrt(eps), 100 * float(np.finfo(np.float32).eps))


def alike(rng: np.random.Generator, n: int) -> Vector:
    """±[1, 2] of shape (n,): each row has about the same say in ⟨Jv, u⟩, and no two exactly the same."""
    return rng.choice([-1.0, 1.0], n) * rng.uniform(1, 2, n)


def door(eps: float) -> float:
    """How far a foreign operator's products may be apart at first sight: 1e-11 in float64, 16 ε in float32."""
    return 1e-11 if eps < 1e-10 else 16 * eps


def mismatch(v: Vector, Jv: Vector, u: Vector, JTu: Vector, eps: float = 0.0, rtol: float | None = None) -> str:
    """How far ⟨Jv, u⟩ and ⟨v, Jᵀu⟩ are apart, in words; "" where they agree.

    Parameters
    ----------
    eps : float
        The precision of the products, where it is less than that of their dtype.
    rtol : float or None
        See `closeness`, which gives it by default.
    """
    eps = max(eps, *(float(np.finfo(a.dtype).eps) for a in (Jv, JTu)))
    rtol = closeness(eps) if rtol is None else rtol
    c = power_of_two(max(float(np.abs(Jv).max()), float(np.abs(JTu).max())))
    v, Jv, u, JTu = (np.asarray(a, np.float64) for a in (v, Jv / Jv.dtype.type(c), u, JTu / JTu.dtype.type(c)))
    left = Jv @ u
    right = v @ JTu
    size = norm(Jv) * norm(u) + norm(v) * norm(JTu)
    if abs(left - right) <= rtol * size:
        return ""
    float32 = eps < 1e-10 and 1e-9 * size < abs(left - right) <= closeness(float(np.finfo(np.float32).eps)) * size
    hint = " (computed in float32? then the operator's dtype must be float32)" if float32 else ""
    with np.errstate(over="ignore"):
        difference = f"their difference must be within {rtol * size * c:.2g}{hint}"
        return f"⟨Jv, u⟩ = {left * c:.10g} but ⟨v, Jᵀu⟩ = {right * c:.10g}; {difference}"


def require_adjoint(v: Vector, Jv: Vector, u: Vector, JTu: Vector, eps: float, rtol: float | None = None) -> None:
    """Raise `AdjointError` unless ⟨Jv, u⟩ = ⟨v, Jᵀu⟩."""
    if difference := mismatch(v, Jv, u, JTu, eps, rtol):
        raise AdjointError(f"rmatvec is not the adjoint of matvec: {difference}")


def check_range(size: float, dtype: DtypeLike) -> None:
    """Raise unless products of this size are 0 or have all the digits of their dtype."""
    tiny = float(np.finfo(dtype).tiny)
    if 0 < size < tiny:
        raise ArgumentError(
            f"J: its products are of size {size:.2g}: must be ≥ {tiny:.2g}, below which {np.dtype(dtype)} has no full "
            f"digits; scale the residuals"
        )
