"""Every check of an argument, in the order of what is checked: names and numbers, arrays, indices, dtypes, seeds, θ.

A check returns the value in the form the package computes with, or raises an error that names the argument, its value
and what is allowed. (Numerical tests of operators are in `checks`.)
"""

from __future__ import annotations

import decimal
import difflib
import math
import numbers
import sys
import warnings
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any

import numpy as np
from autograd.tracer import getval

from .aliases import Array, ArrayLike, Dtype, DtypeLike, Indices, Rng, Vector
from .errors import ArgumentError, NonFiniteError, ShapeError


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raise `ArgumentError` unless `value` is one of `choices`."""
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        allowed = ", ".join(map(repr, choices))
        raise ArgumentError(f"{name} = {value!r}: must be one of {allowed}{did_you_mean(value, choices)}")


def plain(name: str) -> str:
    """A name as it is compared: `-` and `_`, capitals and small letters are alike."""
    return name.lower().replace("-", "_")


def did_you_mean(value: object, choices: Collection[object]) -> str:
    """ "; did you mean 'gram'?" where one of `choices` is near, else nothing."""
    names = {plain(choice): choice for choice in choices if isinstance(choice, str)}
    near = difflib.get_close_matches(plain(value), names, 1) if isinstance(value, str) else []
    return f"; did you mean {names[near[0]]!r}?" if near else ""


def check_integer(name: str, value: object, least: int = 1) -> int:
    """`value` as an int; raise `ArgumentError` unless it is an integer ≥ `least` (2.5, True and 2.0 are not)."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(f"{name} = {value!r}: must be an integer ≥ {least}")
    return int(value)


def check_number(name: str, value: Any, allowed: str, inside: Callable[[float], bool]) -> float:
    """`value` as a float; raise `ArgumentError` unless it is a finite number with inside(value); `allowed` says so."""
    scalar = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    number = isinstance(scalar, numbers.Real | decimal.Decimal) and not isinstance(scalar, bool | np.bool)
    too_large = isinstance(scalar, int | Fraction) and not -sys.float_info.max <= scalar <= sys.float_info.max
    if not (number and not too_large and math.isfinite(float(scalar)) and inside(float(scalar))):
        raise ArgumentError(f"{name} = {value!r}: must be a finite number {allowed}")
    return float(scalar)


def check_finite(name: str, array: Array) -> None:
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


def as_array(name: str, value: Any, allowed: str = "real numbers") -> Array:
    """`value` as an array of real numbers; raise where NumPy can't read it, or would drop a mask.

    In C order and this machine's byte order: what is computed does not depend on how the caller's memory lies.
    """
    plain_array = type(value) is np.ndarray  # the usual case: no mask, no foreign library
    if not plain_array:
        unmasked(name, value)
    try:
        if isinstance(getattr(value, "_meta", None), np.ma.MaskedArray):  # of Dask, whose __array__ drops the mask
            value = unmasked(name, value.compute())
        array = np.asarray(value if plain_array else unmasked(name, np.asanyarray(value)), order="C")
    except ArgumentError:
        raise
    except Exception as error:  # ragged lists, tensors on a device: whatever the object's own library says
        raise ArgumentError(
            f"{name} is a {type(value).__name__}, of which NumPy can't make an array: must be {allowed} ({error})"
        ) from error
    if array.dtype.kind not in "fiub":
        given = "" if isinstance(value, np.ndarray) else f" and is a {type(value).__name__}"
        how = (
            "; np.asarray(…, dtype=float) or .to_numpy(float) makes them"
            if array.dtype == object and array.ndim
            else ""
        )
        raise ArgumentError(f"{name} has dtype {array.dtype}{given}: must be {allowed}{how}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def unmasked(name: str, value: Any) -> Any:
    """`value` itself; raise where some of it is masked, since what lies behind a mask would be used."""
    if n := masked(value):
        what = f"a masked array with {n} of {value.size}" if hasattr(value, "mask") else f"given with {n}"
        raise ArgumentError(f"{name} is {what} values masked: leave them out or fill them")
    return value


def masked(value: object) -> int:
    """How many values are masked in an array, or in lists and tuples of arrays."""
    mask = getattr(value, "mask", False)  # NumPy's masked arrays, Astropy's; of pandas it is a method
    if isinstance(mask, np.ndarray | np.bool):
        return int(np.count_nonzero(mask))
    return sum(map(masked, value)) if isinstance(value, tuple | list) else 0


def check_columns(columns: ArrayLike, P: int) -> Indices:
    """Indices into θ as an array: integers, ascending, none twice, within 0 … P − 1."""
    array = as_array("columns", columns, "integer indices")
    indices = array.ndim == 1 and array.dtype.kind in "iu" and array.size > 0
    if not (indices and array[0] >= 0 and np.all(array[1:] > array[:-1]) and array[-1] < P):
        raise ArgumentError(f"columns = {columns!r}: must be ascending integers, none twice, within 0 … {P - 1}")
    return array.astype(np.intp, copy=False)


def check_dtype(dtype: DtypeLike) -> Dtype:
    """float32 or float64 as a `numpy.dtype`, however it is named."""
    try:
        native = np.dtype(dtype).newbyteorder("=")  # files of other machines name another byte order
    except TypeError:  # it names no dtype at all
        native = None
    if dtype is None or native is None or native not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentError(f"dtype = {dtype!r}: must be float32 or float64")
    return native


def as_generator(rng: Rng) -> np.random.Generator:
    """The NumPy Generator of a seed, or the one given."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"rng = {rng!r}: must be an integer ≥ 0, a list of them, or a numpy.random.Generator ({error})"
        ) from error


def check_theta(theta: ArrayLike, size: int | None = None) -> Vector:
    """θ as an array: one dimension, float32 or float64, finite, of length `size` if that is given."""
    array = as_array("theta", theta, "float32 or float64")
    if array.dtype not in (np.float32, np.float64):
        raise ArgumentError(
            f"theta has dtype {array.dtype}: must be float32 or float64, as np.asarray(theta, dtype=float) makes it"
        )
    if array.ndim != 1 or array.size == 0 or size not in (None, array.size):
        raise ShapeError(f"theta has shape {array.shape}: must be ({'P' if size is None else size},), one flat vector")
    check_finite("theta", array)
    return array


def renamed(old: str, new: str) -> None:
    """Warn that a name is an old one."""
    warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=3)
