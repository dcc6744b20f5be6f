"""What a worker of `sharded` holds and does: one shard of J, its rows those of a part of the batch.

A shard travels as what makes it again at the least cost: its factors, M_i × width numbers, or, where there are none,
its recipe (problem, θ, part), from which the receiver records autograd's tape anew.
"""

from __future__ import annotations

import signal
import warnings
from typing import Any, NamedTuple

import numpy as np

from ..errors import IndependentOfThetaWarning
from ..factored import LayeredLinearOperator

Recipe = tuple[Any, Any, Any]


class Shard:
    """J_i, or J_i[:, columns], as a worker holds it: `R`, `J`, and how it travels.

    `whole` is J_i with all its columns: its factors, or, where `recipe` is given, what that makes.
    """

    def __init__(self, R: Any, whole: Any, columns: Any = None, recipe: Recipe | None = None) -> None:
        self.R, self.whole, self.columns, self.recipe = R, whole, columns, recipe
        self.warned: list[str] = []
        self.J: Any = whole if columns is None else whole.restrict(columns)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.recipe:
            return from_recipe, (self.recipe,)
        return from_factors, (self.R, *self.whole.factors(), self.whole.m, self.columns)

    def __sizeof__(self) -> int:  # what Dask weighs when it places tasks and watches memory
        return 4 * nbytes(self.recipe[1:]) if self.recipe else nbytes(self.whole.factors())


class Facts(NamedTuple):
    """What the client is told of a shard.

    Attributes
    ----------
    R : array of shape (M_i,)
    dtype : dtype of J_i
    P : int
        How many columns J_i has.
    factored : bool
        Whether it is held as factors.
    scale : float
        See `scale` of operators; 0 for J_i = 0, and without factors.
    width : int
        How many multiplications an entry of the Gram matrix takes, with factors.
    summed : float
        See `summed_size` of operators.
    warned : list of str
        Warnings of residuals off the tape.
    """

    R: Any
    dtype: Any
    P: int
    factored: bool
    scale: float
    width: int
    summed: float
    warned: list[str]


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
        R, J = problem.linearise(aligned(theta), aligned(part() if callable(part) else part))
        if not J.exact:
            J.jvp(np.ones(J.shape[1], J.dtype))  # the first Jv decides what J is, and whether rows are off the tape
    shard = Shard(R, J, recipe=None if J.factored else recipe)
    shard.warned = [str(w.message) for w in caught if issubclass(w.category, IndependentOfThetaWarning)]
    return shard


def from_factors(R: Any, inputs: Any, signals: Any, m: int, columns: Any) -> Shard:
    """The shard that was sent as its factors."""
    return Shard(aligned(R), LayeredLinearOperator(aligned(inputs), aligned(signals), m), columns)


def dask_setup(worker: Any) -> None:
    """What Dask calls in each process of a cluster that ends with its client: Ctrl-C is left to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def held(x: Any) -> Any:
    """x itself: a value that tasks share, sent once."""
    return x


def on_part(problem: Any, method: str, theta: Any, part: Any) -> Any:
    """`linearise` as a `Shard`, or `residuals`, `losses`, or losses and the gradient of their mean, of one part."""
    failure: Exception
    try:
        if method == "linearise":
            return from_recipe((problem, theta, part))
        theta, part = aligned(theta), aligned(part() if callable(part) else part)
        if method == "losses_and_gradient":
            return problem.losses(theta, part), problem.loss_and_gradient(theta, part)[1]
        return getattr(problem, method)(theta, part)
    except RecursionError as error:  # Dask can't send a traceback of a thousand frames, and would wait for it
        failure = RecursionError(f"{error}, in the model, the loss or the residuals")
    except SystemExit as error:  # it would end the worker, and Dask try the next
        failure = RuntimeError(f"the model, the loss or the residuals called sys.exit({error.code!r})")
    raise failure


def facts(shard: Shard) -> Facts:
    """What the client has to know."""
    J: Any = shard.J
    scale, width = (J.scale(), J.width) if J.factored else (0.0, 0)
    return Facts(shard.R, J.dtype, J.shape[1], J.factored, scale, width, J.summed_size(), shard.warned)


def apply(shard: Shard, V: Any) -> Any:
    """J_i V for a vector or a block V."""
    V = aligned(V)
    return shard.J._matmat(V)


def apply_adjoint(shard: Shard, U: Any) -> Any:
    """J_iᵀ U_i for a vector or a block U_i."""
    U = aligned(U)
    return shard.J._rmatmat(U)


def add(left: Any, right: Any) -> Any:
    """One node of the tree of sums."""
    return left + right


def restricted(shard: Shard, columns: Any) -> Shard:
    """J_i[:, columns], factors kept."""
    return Shard(shard.R, shard.whole, columns)


def in_float64(shard: Shard) -> Shard:
    """J_i with products in float64."""
    return Shard(shard.R, shard.whole.float64(), shard.columns)


def stacked(shards: list[Shard]) -> Any:
    """One operator of these shards' rows, all factors in one place."""
    J = LayeredLinearOperator.stack([s.whole for s in shards])
    return J if shards[0].columns is None else J.restrict(shards[0].columns)


def gram_block(A: Shard, B: Shard, c: float) -> Any:
    """J_A J_Bᵀ/c² of shape (M_A, M_B), summed in float64."""
    if A is B:
        return A.J.gram(c)
    if hasattr(A.J, "factors"):
        return A.J.gram(c, B.J)
    M = A.J.shape[0]
    G: Any = 0.0
    for block in stacked([A, B]).column_blocks():
        block = block / np.float64(c)
        G = G + block[:M] @ block[M:].T
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
