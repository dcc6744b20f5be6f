"""Every error a user can meet, and the checks that raise them.

Each message names the argument, its value and what is allowed. All errors derive from `SvenError`;
argument errors are also `ValueError`, so that code which knows nothing of this package can catch them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from autograd.tracer import getval


class SvenError(Exception):
    """Base of every error raised on purpose by this package."""


class ArgumentError(SvenError, ValueError):
    """An argument has a value that is not allowed."""


class ShapeError(ArgumentError):
    """An array has the wrong shape."""


class NonFiniteError(SvenError, FloatingPointError):
    """NaN or infinity in θ, in the data, in a residual, in a Jacobian product or in an update (SPEC 4.3)."""


class AdjointError(SvenError, ArithmeticError):
    """`rmatvec` is not the adjoint of `matvec`: ⟨Jv, u⟩ ≠ ⟨v, Jᵀu⟩."""


class SolverFloorError(SvenError, ArithmeticError):
    """A singular value that would be kept lies below what the solver can resolve (SPEC 3.7)."""


class ConvergenceError(SvenError, ArithmeticError):
    """An iterative solver did not reach its tolerance."""


class RankError(SvenError, ArithmeticError):
    """A matrix that has to be inverted is singular to working precision."""


class CheckFailed(SvenError, AssertionError):
    """A check of `sven_ref.checks` found a number outside its bound."""


class ClusterError(SvenError, ConnectionError):
    """The workers of `sven_ref.sharded` can't do it: lost, silent, of another version. θ is as before the step."""


class MissingExtraError(SvenError, ImportError):
    """A part of the laboratory needs an optional package that is not installed."""


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raise `ArgumentError` unless `value` is one of `choices`."""
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        raise ArgumentError(f"{name} = {value!r}: must be one of {', '.join(map(repr, choices))}")


def check_integer(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int; raise `ArgumentError` unless it is an integer ≥ `least` (2.5, True and 2.0 are not)."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(f"{name} = {value!r}: must be an integer ≥ {least}")
    return int(value)


def check_number(name: str, value: Any, allowed: str, inside: Callable[[float], bool]) -> float:
    """`value` as a float; raise `ArgumentError` unless it is a finite number with inside(value); `allowed` says so."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.complexfloating)
    too_large = isinstance(value, int) and abs(value) > sys.float_info.max
    if not (number and not too_large and math.isfinite(float(value)) and inside(float(value))):
        raise ArgumentError(f"{name} = {value!r}: must be a finite number {allowed}")
    return float(value)


def check_finite(name: str, array: Any) -> None:
    """Raise `NonFiniteError`, which says how many values are bad and where; also on arrays that autograd traces."""
    array = getval(array)
    if type(array) is np.ndarray and array.dtype.kind == "f" and array.flags.aligned:  # vdot hands any address to BLAS
        with np.errstate(all="ignore"):
            if math.isfinite(np.vdot(array, array)):
                return  # quicker than looking at each; a sum of squares that overflows decides nothing
    finite = np.isfinite(array)
    if not finite.all():
        bad = np.argwhere(~finite)
        first = tuple(int(i) for i in bad[0])
        what = f"{len(bad)} of {array.size} values are not finite, the first at index {first} is {array[first]}"
        raise NonFiniteError(f"{name}: {what}; all must be finite")


def check_theta(theta: Any, size: int | None = None) -> Any:
    """θ as an array: one dimension, float32 or float64, finite, of length `size` if that is given."""
    array = np.asarray(theta)
    if array.dtype not in (np.float32, np.float64):
        raise ArgumentError(f"theta has dtype {array.dtype}: must be float32 or float64")
    if array.ndim != 1 or array.size == 0 or size not in (None, array.size):
        raise ShapeError(f"theta has shape {array.shape}: must be ({'P' if size is None else size},), one flat vector")
    check_finite("theta", array)
    return array
