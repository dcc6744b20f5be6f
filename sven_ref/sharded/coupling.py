"""Whether a model or a loss keeps samples apart, which is what lets a batch be cut into shards.

    R_α(θ; batch) = R_α(θ; a part of the batch that has sample α),        and so its row of J

A few rows of each shard are made again in batches of their own, R and J w for one w, and compared. What differs couples
samples: by a mean over the batch, a normalisation by it, its size, or a random number.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, IndependentOfThetaWarning
from ..jacobian import linearise
from ..nets.mlp import MLP
from ..problem import Conditions, Problem
from ..tape import evaluate
from .shard import Shard, aligned, apply

ROWS = 8  # of a part, on which it is tried


class Excerpt(NamedTuple):
    """The samples of a few rows of a part, spread over it, and what its shard has there: values and, of J, J w."""

    x: Any
    y: Any
    value: Any
    slope: Any


def direction(theta: Any) -> Any:
    """w of shape (P,), about the size of θ: what J w changes by is what rounding of θ would change, times 1/ε."""
    size = np.abs(theta)
    size = size + (size.mean() or 1)
    return (size * np.random.default_rng(0).standard_normal(len(theta))).astype(theta.dtype)


def excerpt(problem: Any, theta: Any, part: Any, result: Any) -> Excerpt:
    """Of at most `ROWS` rows of a part, the first and the last among them, and of what `on_part` made of it."""
    x, y = map(np.asarray, aligned(part() if callable(part) else part))
    M = len(x) // problem.micro_batch
    rows = np.unique(np.linspace(0, M - 1, ROWS).astype(int))

    def of(a: Any) -> Any:
        return a.reshape(M, -1, *a.shape[1:])[rows].reshape(-1, *a.shape[1:])

    if isinstance(result, Shard):
        return Excerpt(of(x), of(y), of(result.R), of(apply(result, direction(aligned(theta)))))
    return Excerpt(of(x), of(y), of(result[0] if isinstance(result, tuple) else result), None)


def keeps_apart(problem: Any) -> bool:
    """Whether no sample can have a say in another's row, by what the problem is made of.

    Conditions of one's own are those of their parts: there is no whole that could be otherwise.
    """
    return isinstance(problem, Conditions) or (
        type(problem) is Problem and type(problem.model) is MLP and not callable(problem.loss)
    )


def coupled(problem: Any) -> ArgumentError:
    """The error for a problem whose rows change when the batch is cut elsewhere."""
    who = ["model"] * (type(problem.model) is not MLP) + ["loss"] * callable(problem.loss) or ["problem"]
    return ArgumentError(
        f"{', '.join(who)}: couples samples, as rows change when the batch is cut elsewhere (by a mean over the "
        "batch, a normalisation by it, a division by its size, or a random number); only a model and a loss that treat "
        "samples one by one can be cut into shards"
    )


def check_apart(problem: Any, method: str, theta: Any, excerpts: list[Excerpt]) -> None:
    """Raise unless a few rows of each shard are the same in a batch of their own: R, or ℓ, and J w.

    The difference must be within √ε of |R| + |J w|, of the row and of the median row, which no rounding reaches, or
    within what a change of θ by rounding makes of R. Where R is not r but a power of ℓ, rows near zero against J w are
    left out: they have no digits there.
    """
    if not excerpts:
        return
    if len({(e.x.shape[1:], e.y.shape[1:]) for e in excerpts}) > 1:  # parts padded to lengths of their own
        for e in excerpts:
            check_apart(problem, method, theta, [e])
        return
    x, y = (np.concatenate(column) for column in ([e.x for e in excerpts], [e.y for e in excerpts]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IndependentOfThetaWarning)  # the shards' own say which rows
            values_here, J = linearise(rows_of(problem, method, theta, (x, y)), theta)
            slope = J.matvec(direction(theta))
    except Exception as error:
        error.add_note(f"on {len(x)} samples, a few of each shard: a model must take any number of them")
        raise
    values = np.concatenate([e.value for e in excerpts])
    eps = float(np.finfo(theta.dtype).eps)
    if len(values) != len(values_here):
        raise coupled(problem)
    size = np.maximum(np.abs(values), np.abs(values_here))
    scale = size + np.abs(slope)
    scale = scale + np.median(scale)  # and not the largest, beside which an outlier hides others
    loud = size > eps ** (min(problem.kappa, 1) / 4) * scale
    if method != "losses" and rows_are_r(problem, y):
        loud[:] = True
    off = np.abs(values - values_here)
    if method == "linearise":
        off = np.maximum(off, np.abs(np.concatenate([e.slope for e in excerpts]) - slope))
    if not np.all((off <= math.sqrt(eps) * scale)[loud]):
        fun = rows_of(problem, method, theta, (x, y))
        again, nearby = (evaluate(fun, theta + (t * direction(theta)).astype(theta.dtype)) for t in (0, 32 * eps))
        rounding = 4 * np.abs(nearby - again)  # where a power of ℓ near zero is steeper than any slope says
        rounding = rounding + np.median(rounding)
        at_random = not np.array_equal(again, values_here)
        if at_random or not np.all((off <= math.sqrt(eps) * scale + rounding)[loud]):
            raise coupled(problem)
    if len(excerpts) > 1:  # and another cut: few of a batch's worst rows may be the same in one
        check_apart(problem, method, theta, excerpts[:1])


def rows_are_r(problem: Any, y: Any) -> bool:
    """Whether R is r itself, which has digits near zero as well, and not a power of ℓ."""
    one_output = problem.loss == "squared_error" and y.shape[1:] == (1,) and problem.micro_batch == 1
    return problem.rows == "per_output" or (one_output and problem.rows != "unsigned" and problem.kappa == 1)


def rows_of(problem: Any, method: str, theta: Any, batch: Any) -> Any:
    """θ -> ℓ or R of a batch, to be differentiated."""
    if method != "losses":
        return problem.residual_function(batch)
    x, y = problem.arrays(theta, batch)
    return lambda theta: problem.losses_of(problem.model(theta, x), y)
