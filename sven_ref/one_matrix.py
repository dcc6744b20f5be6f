"""J is one matrix, and it is what u -> Jᵀu says (SPEC 7a): what is asked of a VJP before it says what J v is.

    Jᵀ(a u + b w) = a Jᵀu + b Jᵀw          ⟨J v, u⟩ = ⟨v, Jᵀ u⟩          (J v)_α = 0 only where R_α does not move

A VJP that autograd can't trace, or whose derivative is not itself, has no say in Jv: J is made of its rows Jᵀe_α then.
"""

from __future__ import annotations

import math
import warnings
from contextlib import suppress

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval

from .adjoint import alike, mismatch
from .aliases import Array, Function, Product, Vector
from .arguments import check_finite
from .errors import AdjointError, IndependentOfThetaWarning
from .operators import real_product
from .scaling import norm
from .tape import Recorded, name_of, one_line, record, vjp_and_value

ROWS = 1 << 26  # numbers of a J made row by row, at most
SPREAD = {4: 8, 8: 20}  # powers of two that a cotangent's entries are spread over, by the bytes of a number
TINY = 2.0**-30
INEXACT = 1e-4  # how far a VJP that is computed to a tolerance, as of an ODE solver, may be from a linear map


def derivative(fun: Function, recorded: Recorded, vjp: Product, theta: Vector, R: Vector) -> tuple[Product, Product]:
    """v -> Jv for the J that the VJP of R at θ says, and u -> Jᵀu.

    It is the VJP of the VJP, recorded at a Gaussian cotangent and held against the VJP at two more: one in
    which every row has the same say, to 4 ε; and one of many sizes, to √ε. Where it fails (autograd can't trace the
    VJP, or sees a part of it alone), J is made of its rows Jᵀe_α, and these are held against the VJP too: one that is
    not linear in its cotangent is refused, unless it is rounding that is not linear. Where all of J is rounding, of
    numbers that do not depend on θ in mathematics, J is zero.
    """
    rng = np.random.default_rng(0)
    u = rng.standard_normal(R.size).astype(R.dtype)
    v = rng.standard_normal(theta.size).astype(theta.dtype)
    sizes = 2.0 ** rng.uniform(0, SPREAD[min(R.dtype.itemsize, 8)], R.size)
    other = -np.copysign(sizes * rng.standard_normal(R.size), u).astype(R.dtype)  # what branches on size or sign shows
    even = alike(rng, R.size).astype(R.dtype)
    JTu = np.array(vjp(other))  # copies: a VJP may hand out one buffer twice
    JTe = np.array(vjp(even))
    check_finite("Jacobian product Jᵀ u", JTu)
    shrunk = shrinks(vjp, other, JTu)
    too_large = R.size * theta.size > ROWS
    eps = max(float(np.finfo(a.dtype).eps) for a in (R, theta))
    noise = 1e3 * eps * math.sqrt(R.size) * max(1.0, float(np.abs(R).max()))
    largest = max(norm(JTe), norm(JTu) / float(np.abs(other).max())) * float(sizes_of(theta).max())
    if largest <= noise and any(is_rounding(vjp, w) for w in (even, other, u, np.ones_like(R))):
        warn_rounding(name_of(fun))
        return lambda v: np.zeros(R.size, R.dtype), lambda u: np.zeros_like(theta)
    try:
        jvp = record(lambda u: real_part(recorded.vjp(u)), u).vjp
        Jv = real_product("J v", jvp(v))
    except Exception as error:  # whatever it is, it says that the VJP is not written for autograd, and nothing of J
        why = one_line(error)
    else:
        why = mismatch(v, Jv, other, JTu, eps) or shrunk
        forgotten = mismatch(v, Jv, even, JTe, eps, rtol=4 * eps)  # or rounding: rows decide, where there is room
        if not why and (too_large or not forgotten):
            if recorded.on_tape:
                warn_blind(fun, theta, v, Jv, R, satisfied_too(fun))
            return jvp, vjp
        why = why or forgotten
    remedy = f"the VJP of a primitive in {name_of(fun)} must be linear in its cotangent and written in autograd.numpy"
    if too_large:
        raise AdjointError(
            f"the VJP of {name_of(fun)} can't be differentiated ({why}), and J of shape {(R.size, theta.size)} is too "
            f"large to be made row by row; {remedy}"
        )
    J = np.array([np.array(vjp(e)) for e in np.eye(R.size, dtype=R.dtype)], theta.dtype)
    check_finite("Jacobian product Jᵀ u", J)
    why = shrunk or mismatch(v, J @ v, other, JTu, eps, rtol=INEXACT)
    if why and not any(is_rounding(vjp, w) for w in (other, np.ones_like(R), *np.eye(R.size, dtype=R.dtype)[:3])):
        raise AdjointError(f"the VJP of {name_of(fun)} is not linear: {why}; {remedy}")
    if recorded.on_tape:
        warn_blind(fun, theta, v, J @ v, R, satisfied_too(fun))
    return lambda v: J @ v, lambda u: J.T @ u


def shrinks(vjp: Product, u: Vector, JTu: Vector) -> str:
    """How Jᵀ(tu) differs from t Jᵀu for a small t, in words; "" where rounding or underflow explains it."""
    info = np.finfo(u.dtype)
    t = u.dtype.type(TINY)
    small = vjp(t * u)
    vanishing = norm(JTu) * TINY < info.tiny / info.eps
    if vanishing or norm(small / t - JTu) <= INEXACT * norm(JTu):
        return ""
    return f"‖Jᵀu‖ = {norm(JTu):.6g}, and of {TINY:.2g} u it is {norm(small):.6g}"


def is_rounding(vjp: Product, u: Vector) -> bool:
    """Whether all of Jᵀu is rounding error: of a linear VJP it scales by −4 to the bit, by other factors not at all."""
    JTu = np.array(vjp(u))
    eps = float(np.finfo(u.dtype).eps)
    factors = map(u.dtype.type, (3, 5, 7, 1.1, 1.3, 1.7, 2.3, 0.9, 0.7))
    off = max(norm(vjp(u * factor) / factor - JTu) for factor in factors)
    return np.array_equal(vjp(-4 * u), -4 * JTu) and off > math.sqrt(eps) * norm(JTu)


def satisfied_too(fun: object) -> bool:
    """Whether a row with R_α = 0 is zero by accident alone: not so where R is a power that is singular there."""
    return not getattr(fun, "singular", False)


def real_part(x: Array) -> Array:
    """x, or the real part of what autograd made of complex numbers: θ is real, and so is J."""
    return anp.real(x) if np.iscomplexobj(getval(x)) else x


def warn_rounding(name: str) -> None:
    """Warn that all of J is rounding error."""
    warnings.warn(
        f"the Jacobian of {name} is rounding error: what it returns does not depend on theta in mathematics, as a "
        f"normalised vector's norm does not. J is taken as 0, and no step moves theta",
        IndependentOfThetaWarning,
        stacklevel=3,
    )


def warn_independent(name: str) -> None:
    """Warn that autograd sees no path from θ to what `name` returned."""
    warnings.warn(
        f"autograd sees no path from theta to what {name} returned: J = 0 there and no step moves it. Was a value "
        f"taken out of the tape (float(), ._value, an integer, plain NumPy or SciPy)? sven_ref.checks.check_jacobian "
        f"compares J with finite differences",
        IndependentOfThetaWarning,
        stacklevel=3,
    )


def warn_blind(fun: Function, x: Array, v: Array, Jv: Vector, R: Vector, satisfied: bool = False) -> None:
    """Warn of conditions whose row of J is zero though they move with x, v a Gaussian direction.

    Where some (Jv)_α are exactly zero (and R_α is not, or `satisfied`; SPEC 2.5), f is recorded again at x + thv,
    t = ±1, ±2, 3, with h in proportion to each parameter. What moves in proportion to t, and by more than rounding, is
    neither a curvature nor noise. What moves in another way is tried with smaller h, and so is an f that can't be
    evaluated there; where it never can, nothing is known and nothing said.
    """
    zero = (Jv == 0) & (satisfied | (R != 0))
    if not zero.any():
        return
    eps = float(np.finfo(R.dtype).eps)
    h = max(eps ** (1 / 3), 1e-4) * sizes_of(x) * v  # what is rounded to seven digits moves too
    blind = np.zeros(R.size, bool)
    for shrink in (1, 1e-2, 1e-4):
        try:
            once, *others = (
                vjp_and_value(fun, x + (t * shrink * h).astype(x.dtype)).value - R for t in (1, 2, 3, -1, -2)
            )
        except Exception:  # f can't be evaluated there, which is no fault of the caller's
            continue
        errors = [np.abs(further - t * once) for t, further in zip((2, 3, -1, -2), others, strict=True)]
        loud = np.abs(once) > 1e3 * eps * (np.abs(R) if shrink == 1 else np.abs(R) + 1)
        blind |= zero & (np.max(errors, axis=0) < 0.05 * np.abs(once)) & loud
        if not np.any(zero & ~blind & (once != 0)):
            break
    with suppress(Exception):  # f has been recorded at x before; a solver that keeps its last state has that of x again
        vjp_and_value(fun, x)
    if (rows := np.flatnonzero(blind)).size:
        shown = ", ".join(map(str, rows[:5])) + (", …" if rows.size > 5 else "")
        warn_independent(f"{name_of(fun)}, in rows {shown} of {R.size},")


def sizes_of(x: Array) -> Array:
    """|x_i|, by which steps of finite differences are scaled; what is at rounding level of the others is raised to it.

    So an x_i = 0, or what is left of it after a step, moves too; if all are 0 all move by 1.
    """
    size = np.abs(x)
    largest = min(float(size.max()), 1.0)
    return np.where(size > 0, np.maximum(size, math.sqrt(np.finfo(x.dtype).eps) * largest), largest or 1.0)
