"""Small problems in float64 with a dense J by the oracle, on which identities are put to the test.

`instance(draw, seed)` takes its samples from draw `draw` of the polynomial task and θ from seed `seed`. Its J is well
conditioned, where the toy task's is not: six inputs against one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from ... import oracle
from ...nets.mlp import MLP
from ...problem import Problem
from ..tasks import TASKS
from ..tasks.task import Task
from .claim import Effort

# An identity holds where its two sides differ by less, relatively: √ε of float64. Solvers that square J, at condition
# numbers c up to 1e4, are off by ε c² at most; a wrong factor or term is off by far more.
ROUNDING = 1.5e-8

WIDE = (6, 16, 16, 16, 1)  # P = 673, the paper's
NARROW = (6, 4, 1)  # P = 33


@dataclass(frozen=True)
class Instance:
    """problem, θ and batch, and by the oracle R of shape (M,) and J of shape (M, P)."""

    problem: Problem
    theta: Any
    batch: tuple[Any, Any]
    R: Any
    J: Any


@lru_cache(maxsize=8)
def polynomial(draw: int) -> Task:
    """Draw `draw` of the polynomial task, float64."""
    return TASKS["polynomial"](draw, dtype=np.float64)


def instance(draw: int, seed: int, sizes: tuple[int, ...] = WIDE, B: int = 32, kappa: float = 1.0) -> Instance:
    """The first B samples of a draw, signed rows."""
    net, (x, y) = MLP(sizes, "gelu"), polynomial(draw).train
    theta, batch = net.init(seed), (x[:B], y[:B])
    R, J = oracle.residuals_and_jacobian(net, theta, *batch, kappa=kappa, rows="signed")
    return Instance(Problem(net, kappa=kappa), theta, batch, R, J)


def over(
    function: Callable[..., Any],
    effort: Effort,
    *arguments: Any,
    draws: int = 4,
    seeds: int = 3,
    parallel: bool = False,
) -> tuple[list[list[Any]], dict[str, int]]:
    """function(draw, seed, *arguments) as values[draw][seed], and {"draws": …, "seeds": …}; under `quick` 2 × 2.

    In this process unless `parallel`: starting others takes longer than the algebra.
    """
    draws, seeds = effort.choose(draws, 2), effort.choose(seeds, 2)
    workers = effort if parallel else Effort()
    flat = workers.map(function, [(i, j, *arguments) for i, j in product(range(draws), range(seeds))])
    return [flat[i * seeds : (i + 1) * seeds] for i in range(draws)], {"draws": draws, "seeds": seeds}


def worst(values: list[list[dict[str, Any]]], key: str) -> float:
    """The largest of an entry over draws and seeds."""
    return max(value[key] for row in values for value in row)


def least(values: list[list[dict[str, Any]]], key: str) -> float:
    """The smallest of an entry over draws and seeds."""
    return min(value[key] for row in values for value in row)


def apart(a: Any, b: Any) -> float:
    """‖a − b‖/‖b‖."""
    return float(np.linalg.norm(np.asarray(a) - b) / np.linalg.norm(b))
