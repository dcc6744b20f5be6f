"""What comes in with θ: a batch (x, y) of samples, or whatever a function of one's own takes.

Arrays are read as they are or refused by name, floats are cast to θ's dtype, and what is recorded keeps copies, since a
batch's buffer may be filled anew.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .aliases import Array, Dtype
from .arguments import as_array, check_finite, unmasked
from .errors import ArgumentError, ShapeError


def x_and_y(batch: Any, dtype: Dtype, cast_x: bool, cast_y: bool) -> tuple[Array, Array]:
    """(x, y) checked, floats in θ's dtype, and integers too where they are to be cast."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ShapeError(f"batch is a {type(batch).__name__}: must be a pair (x, y) of arrays, samples first")
    x, y = (as_array(name, a) for name, a in zip("xy", batch, strict=True))
    for name, array in (("x", x), ("y", y)):
        if array.ndim == 0 or len(array) != len(x) or len(array) == 0:
            raise ShapeError(f"x, y have shapes {x.shape}, {y.shape}: must have the same number ≥ 1 of samples")
        check_finite(name, array)
    x = in_range("x", x, dtype) if x.dtype != dtype and (cast_x or x.dtype.kind == "f") else x
    y = in_range("y", y, dtype) if y.dtype != dtype and (cast_y or y.dtype.kind == "f") else y
    return x, y


def in_range(name: str, array: Array, dtype: Dtype) -> Array:
    """A finite array in θ's dtype, or an error where that has no such numbers."""
    with np.errstate(all="ignore"):  # what is too small is zero, as anywhere
        cast = array.astype(dtype, copy=False)
    if cast is not array and np.isinf(cast).any():
        raise ArgumentError(f"{name}: {np.abs(array).max():g} is outside the range of {dtype}, theta's dtype")
    return cast


def takes(fun: Callable[..., object], n: int) -> bool:
    """Whether a function can be called with n arguments; True where that can't be told."""
    try:
        inspect.signature(fun).bind(*range(n))
    except TypeError:  # which is how `bind` says no
        return False
    except ValueError:  # some functions written in C have no signature
        return True
    return True


def copied(batch: Any) -> Any:
    """Arrays in tuples, lists, dicts and dataclasses, copied: what is recorded refers to them, and they may change."""
    unmasked("batch", batch)
    if type(batch) in (tuple, list):
        return type(batch)(map(copied, batch))
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):  # a named tuple
        return type(batch)(*map(copied, batch))
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = {f.name: copied(getattr(batch, f.name)) for f in dataclasses.fields(batch) if f.init}
        return dataclasses.replace(batch, **fields)
    if type(batch) is dict:
        return {name: copied(value) for name, value in batch.items()}
    return batch.copy() if isinstance(batch, np.ndarray) else batch
