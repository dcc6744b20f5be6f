"""What a worker of `sharded` holds and does: one shard of J, its rows those of a part of the batch.

A shard travels as what makes it again at the least cost: its factors, M_i × width numbers, or, where there are none,
its recipe (problem, θ, part), from which the receiver records autograd's tape anew.
"""

from __future__ import annotations

import signal
import warnings
from typing import Any, NamedTuple

import numpy as np

from .columns import ColumnsLinearOperator
from .errors import IndependentOfThetaWarning
from .layered import LayeredLinearOperator

Recipe = tuple[Any, Any, Any]


class Shard:
    """J_i, or J_i[:, columns], as a worker holds it: `J`, and how it travels."""

    def __init__(self, whole: Any, columns: Any = None, recipe: Recipe | None = None) -> None:
        self.whole, self.columns, self.recipe = whole, columns, recipe
        self.warned: list[str] = []
        self.J: Any = whole if columns is None else whole.restrict(columns)

    def __reduce__(self) -> tuple[Any, ...]:
        if not isinstance(self.whole, LayeredLinearOperator):
            return from_recipe, (self.recipe,)
        return from_factors, (self.whole.inputs, self.whole.signals, self.whole.value, self.columns)

    def __sizeof__(self) -> int:  # what Dask weighs when it places tasks and watches memory
        if isinstance(self.whole, LayeredLinearOperator):
            return sum(a.nbytes for a in (*self.whole.inputs, *self.whole.signals))
        return 4 * nbytes((self.recipe or ())[1:])


class Facts(NamedTuple):
    """What the client is told of a shard: R_i, J_i's dtype and columns and largest entry, the layers of its factors."""

    value: Any
    dtype: Any
    P: int
    scale: float
    layers: list[tuple[int, int]]  # empty where there are no factors
    m: int
    warned: list[str]  # of residuals off the tape


def nbytes(data: Any) -> int:
    """Bytes of the arrays in nested tuples and lists."""
    return sum(map(nbytes, data)) if isinstance(data, tuple | list) else int(getattr(data, "nbytes", 0))


def aligned(data: Any) -> Any:
    """The arrays in tuples, lists and dicts, copied where they lie at odd addresses, as they may in a message.

    BLAS is given a copy of such an array, and of a transposed one by another routine: results would depend, in their
    last bits, on the address.
    """
    if type(data) in (tuple, list):
        return type(data)(map(aligned, data))
    if type(data) is dict:
        return {key: aligned(value) for key, value in data.items()}
    return np.require(data, requirements="A") if isinstance(data, np.ndarray) else data


def from_recipe(recipe: Recipe) -> Shard:
    """The shard of a problem at θ on a part of the batch."""
    problem, theta, part = recipe
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IndependentOfThetaWarning)
        J = problem.jacobian(aligned(theta), aligned(part() if callable(part) else part))
        if J.by_tape:
            J.jvp(np.ones(J.shape[1], J.dtype))  # the first Jv decides what J is, and whether rows are off the tape
    shard = Shard(J) if isinstance(J, LayeredLinearOperator) else Shard(J, recipe=recipe)
    shard.warned = [str(w.message) for w in caught if issubclass(w.category, IndependentOfThetaWarning)]
    return shard


def from_factors(inputs: Any, signals: Any, value: Any, columns: Any) -> Shard:
    """The shard that was sent as its factors."""
    return Shard(LayeredLinearOperator(*map(aligned, (inputs, signals, value))), columns)


def dask_setup(worker: Any) -> None:
    """What Dask calls in each process of a cluster that ends with its client: Ctrl-C is left to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def held(x: Any) -> Any:
    """x itself: a value that tasks share, sent once."""
    return x


def on_part(problem: Any, method: str, theta: Any, part: Any) -> Any:
    """`jacobian` as a `Shard`, or `residuals` or `losses`, of one part of the batch."""
    failure: Exception
    try:
        if method == "jacobian":
            return from_recipe((problem, theta, part))
        return getattr(problem, method)(aligned(theta), aligned(part() if callable(part) else part))
    except RecursionError as error:  # Dask can't send a traceback of a thousand frames, and would wait for it
        failure = RecursionError(f"{error}, in the model, the loss or the residuals")
    except SystemExit as error:  # it would end the worker, and Dask try the next
        failure = RuntimeError(f"the model, the loss or the residuals called sys.exit({error.code!r})")
    raise failure


def facts(shard: Shard) -> Facts:
    """What the client has to know."""
    J: Any = shard.J
    if not isinstance(shard.whole, LayeredLinearOperator):
        return Facts(J.value, J.dtype, J.shape[1], 1.0, [], 1, shard.warned)
    layers = J.shapes if isinstance(J, LayeredLinearOperator) else [(J.shape[1], 0)]
    signals = J.signals if isinstance(J, LayeredLinearOperator) else shard.whole.signals
    scale = J.scale() if any(map(np.any, signals)) else 0.0  # all satisfied, or dead units: no say in the scale
    return Facts(J.value, J.dtype, J.shape[1], scale, layers, shard.whole.m, shard.warned)


def apply(shard: Shard, V: Any) -> Any:
    """J_i V for a vector or a block V."""
    V = aligned(V)
    return shard.J.jvp(V) if shard.J.blocks else shard.J @ V


def apply_adjoint(shard: Shard, U: Any) -> Any:
    """J_iᵀ U_i for a vector or a block U_i."""
    U = aligned(U)
    return shard.J.vjp(U) if shard.J.blocks else shard.J.H @ U


def add(left: Any, right: Any) -> Any:
    """One node of the tree of sums."""
    return left + right


def restricted(shard: Shard, columns: Any) -> Shard:
    """J_i[:, columns], factors kept."""
    return Shard(shard.whole, columns)


def in_float64(shard: Shard) -> Shard:
    """J_i with products in float64."""
    whole: Any = shard.whole
    inputs, signals = ([a.astype(np.float64) for a in factors] for factors in (whole.inputs, whole.signals))
    return Shard(LayeredLinearOperator(inputs, signals, whole.value), shard.columns)


def stacked(shards: list[Shard]) -> Any:
    """One operator of these shards' rows, all factors in one place."""
    wholes: Any = [s.whole for s in shards]
    inputs = [np.vstack(layer) for layer in zip(*(w.inputs for w in wholes), strict=True)]
    signals = [np.vstack(layer) for layer in zip(*(w.signals for w in wholes), strict=True)]
    J = LayeredLinearOperator(inputs, signals, np.concatenate([w.value for w in wholes]))
    return J if shards[0].columns is None else J.restrict(shards[0].columns)


def gram_block(A: Shard, B: Shard, c: float) -> Any:
    """J_A J_Bᵀ/c² of shape (M_A, M_B), summed in float64: Σ_l (x̃_A x̃_Bᵀ) ∘ (g_A g_Bᵀ) where both are factors."""
    if A is B:
        return A.J.gram(c)
    G = np.zeros((A.J.shape[0], B.J.shape[0]))
    if isinstance(A.J, ColumnsLinearOperator):
        for block in stacked([A, B]).column_blocks():
            block = block / np.float64(c)
            G += block[: len(G)] @ block[len(G) :].T
        return G
    left: Any = A.J
    right: Any = B.J
    m = left.m
    for x, g, y, h in zip(left.inputs, left.signals, right.inputs, right.signals, strict=True):
        xy = x.astype(np.float64) @ y.astype(np.float64).T
        products = xy * ((g / np.float64(c)) @ (h / np.float64(c)).T)
        G += products.reshape(len(G), m, G.shape[1], m).sum(axis=(1, 3)) if m > 1 else products
    return G


def triangle(shard: Shard) -> Any:
    """T of shape (min(M_i, P), P) with TᵀT = J_iᵀJ_i, by QR of blocks of rows in float64: nothing is squared."""
    T: Any = np.zeros((0, shard.J.shape[1]))
    for block in shard.J.row_blocks():
        T = np.linalg.qr(np.vstack([T, block]), mode="r")
    return T


def row_norms(shard: Shard) -> Any:
    """‖J_α‖ of the shard's rows."""
    return shard.J.row_norms()
