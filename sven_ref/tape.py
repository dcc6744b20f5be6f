"""Recording a user's function with autograd: its VJP, its value, and whether there is a path from x to it.

    y = f(x)          vjp : u -> ∇_x ⟨u, f(x)⟩

autograd tells its traces apart by how many are open, a global count: two threads that record at once, or evaluate
functions with derivatives inside, can get one number for two traces and spoil each other's (HIPS/autograd#659). Here
every trace has a number of its own, larger than those before it, which is all that autograd asks of nested traces.

A user's function is given copies, since it may write to what it is given, and what it returns is copied, since it may
use one buffer twice. It runs under NumPy's error state "ignore", whatever the caller's is: underflow is harmless, and
what is not finite is refused by checks. An exception of its own keeps its traceback and gains a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from autograd import tracer
from autograd.core import make_vjp
from autograd.extend import defvjp, primitive
from autograd.tracer import isbox

from .aliases import Array, Dtype, Function, Product, Vector
from .arguments import as_array, check_finite
from .errors import ArgumentError, ShapeError, SvenError


class Traces:
    """autograd's stack of traces, with numbers that are never given twice."""

    numbers = count()

    @contextmanager
    def new_trace(self) -> Iterator[int]:
        """The number of a new trace."""
        yield next(self.numbers)


tracer.trace_stack = Traces()

RULES = (
    "write it with autograd.numpy in place of numpy (import autograd.numpy as anp), and with autograd.scipy.special: "
    "join numbers by anp.array([...]) and vectors by anp.concatenate([...]), assign into no array, take no float() or "
    "int() of what depends on theta, and return the result; what autograd does not have (SciPy's solve_ivp, a root "
    "finder, a sparse product) becomes a primitive with its VJP (autograd.extend.primitive, defvjp)"
)
OF_VJP = (
    "a VJP that is given to autograd's defvjp is, for the answer and the arguments, a function of a cotangent g in the "
    "answer's shape, and returns the gradient of <g, answer> in the argument's shape: lambda answer, x: lambda g: …"
)
MASKED = "it holds a masked array: leave out what is masked, or fill it, before theta comes in"


class Recorded(NamedTuple):
    """What autograd recorded: `on_tape` is False where it sees no path from x to f(x), and then the VJP is zero."""

    vjp: Product
    value: Array
    on_tape: bool


def name_of(fun: object) -> str:
    """What to call a function in a message: what its `describe` says, else its name."""
    if describe := getattr(fun, "describe", None):
        return str(describe())
    return str(getattr(fun, "__qualname__", None) or type(fun).__name__).rpartition("<locals>.")[2]


def described(fun: Function, describe: Callable[[], str]) -> Function:
    """`fun`, which messages call what `describe` says."""
    fun.describe = describe  # type: ignore[attr-defined]  # functions have room for attributes
    return fun


@contextmanager
def users_code(fun: object, theta: Array, of_vjp: bool = False) -> Iterator[None]:
    """Where a user's function of θ runs, or its VJP: quiet, and its exceptions noted with what it was given."""
    with np.errstate(all="ignore"):
        try:
            yield
        except SvenError:
            raise
        except Exception as error:
            if not getattr(error, "__notes__", ()):
                who = f"the VJP of {name_of(fun)}" if of_vjp else name_of(fun)
                what = OF_VJP if of_vjp else remedy(error)
                error.add_note(f"sven_ref: raised by {who}, given theta of shape {np.shape(theta)}; {what}")
            raise


def evaluate(fun: Function, x: Array) -> Array:
    """f(x), not recorded, as an array of its own."""
    with users_code(fun, x):
        return np.array(returned(fun, fun(np.array(x))))


def vjp_and_value(fun: Function, x: Array, theta: Vector | None = None) -> Recorded:
    """f recorded at x. A function that leaves autograd's tape by an error is told how not to.

    `theta` : what messages speak of, where x is something made of it
    """
    with users_code(fun, x if theta is None else theta):
        try:
            return record(fun, x)
        except SvenError:
            raise
        except Exception as error:
            if not runs(fun, x):
                raise
            raise ArgumentError(
                f"{name_of(fun)} can't be traced by autograd ({one_line(error)}): {remedy(error)}"
            ) from error


def record(fun: Function, x: Array) -> Recorded:
    """The same, with autograd's own errors."""
    on_tape = True

    def traced(box: Any) -> Any:
        nonlocal on_tape
        y: Any = fun(box)
        on_tape = isbox(y) and y._trace == box._trace
        if isbox(y._value if on_tape else y) and not isbox(x):
            raise ArgumentError(
                f"{name_of(fun)} used a value that autograd traced in an earlier call: does it keep results between "
                f"calls, in a cache, an attribute or a global? What depends on theta must be computed anew in each call"
            )
        return y if on_tape else constant(box, returned(fun, y))

    vjp, value = make_vjp(traced, x)
    return Recorded(vjp, value, on_tape)


@primitive
def constant(x: Array, y: Array) -> Array:
    """y, which does not depend on x: on the tape with a zero derivative."""
    return y


defvjp(constant, lambda y, x, _: lambda u: np.zeros_like(x), argnums=(0,))


def returned(fun: object, y: object) -> Array:
    """What a function returned as an array of real numbers; raise where that is nothing, or traced values in a list."""
    if y is None:
        raise ArgumentError(f"{name_of(fun)} returned None: is there a return? It must return an array")
    if isinstance(y, np.ma.MaskedArray) and holds_traced(y):
        raise ArgumentError(f"{name_of(fun)} returned a masked array of values that autograd traces; {MASKED}")
    if holds_traced(y):
        kind = f"an array of dtype {y.dtype}" if isinstance(y, np.ndarray) else f"a {type(y).__name__}"
        raise ArgumentError(f"{name_of(fun)} returned {kind} of values that autograd traces: {RULES}")
    return as_array(f"what {name_of(fun)} returned", y)


def holds_traced(y: object) -> bool:
    """Whether traced values hide in a list, a tuple or an array of objects."""
    if isinstance(y, np.ndarray):
        return y.dtype == object and any(map(holds_traced, y.flat))
    return any(map(holds_traced, y)) if isinstance(y, tuple | list) else isbox(y)


def runs(fun: Function, x: Array) -> bool:
    """Whether f(x) can be had without recording."""
    try:
        returned(fun, fun(np.array(x)))
    except SvenError:
        raise
    except Exception:  # it is wrong with or without autograd: its first error stands
        return False
    return True


def remedy(error: Exception) -> str:
    """What to do about it: where autograd lacks a derivative, define it; else keep to its rules."""
    if "MaskedArray" in str(error):
        return MASKED
    if isinstance(error, NotImplementedError) and any(said in str(error) for said in ("VJP of", "Gradient of")):
        return (
            "autograd has no derivative of that function: write it by others, or make it a primitive and define its "
            "VJP (autograd.extend.primitive, defvjp)"
        )
    return RULES


def one_line(error: Exception) -> str:
    """An error's class and the first line of its message."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".rstrip(": ")


def check_residuals(R: Array, fun: object = None) -> Vector:
    """R as a finite vector of shape (M,), M ≥ 1, or an error that names what is wrong; `fun` is who returned it."""
    R = R if type(R) is np.ndarray and R.dtype.kind in "fiub" else returned(fun, R)
    if R.ndim != 1 or R.size == 0:
        raise ShapeError(f"residuals have shape {R.shape}: must be (M,), one entry per condition, not a scalar loss")
    if R.dtype.kind != "f" or R.dtype.itemsize < 4:
        raise ArgumentError(f"residuals have dtype {R.dtype}: must be real floating point, float32 or float64")
    check_finite("residuals", R)
    return R


@np.errstate(all="ignore")
def in_dtype(R: Vector, dtype: Dtype, fun: Any) -> Vector:
    """R in θ's dtype, or an error where that has no number for some of it."""
    value = R.astype(dtype, copy=False)
    if value is not R and np.any((value == 0) & (R != 0) | np.isinf(value)):
        raise ArgumentError(
            f"residuals of {name_of(fun)}: some are outside the range of {dtype}, theta's dtype; scale them, or use "
            f"float64"
        )
    return value
