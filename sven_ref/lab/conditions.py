"""Solving a list of conditions R(θ) = 0 by every kind of method, to ‖R‖_∞ below a target.

Sven                        θ ← θ − J⁺R        κ = 1, η = 1, the whole list each step: Newton's step, the shortest one
Adam, L-BFGS                on L = mean of R²: first derivatives of one number
Levenberg–Marquardt, trf    the same J as Sven, with a step length that is answerable to what the last one gained
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ..arguments import check_number, check_theta
from ..errors import ArgumentError, NonFiniteError
from ..problem import Problem
from ..step import Sven
from .optimizers import BASELINES
from .optimizers.full_batch import lbfgs, least_squares


@dataclass
class Solution:
    """What a method came to: θ, max |R|, how many steps it took and how long."""

    method: str
    theta: Any
    residual: float
    steps: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.method:20} max |R| {self.residual:8.1e}   {self.steps:5} steps   {self.seconds:6.2f} s"


def stepwise(opt: Any, most: int) -> Callable[..., tuple[Any, int]]:
    """A solver that takes up to `most` steps of `opt`, until `done`; θ is the last that could be reached."""

    def solve(problem: Problem, theta: Any, done: Callable[[Any], bool]) -> tuple[Any, int]:
        for i in range(most):
            if done(theta):
                return theta, i
            try:
                theta, _ = opt.step(problem, theta, None)
            except NonFiniteError:  # diverged
                return theta, i
        return theta, most

    return solve


def _lbfgs(problem: Problem, theta: Any, done: Any) -> tuple[Any, int]:
    theta, info = lbfgs(problem, theta, None, max_iter=1000)
    return theta, len(info.losses) - 1


def _trf(problem: Problem, theta: Any, done: Any) -> tuple[Any, int]:
    theta, info = least_squares(problem, theta, None, method="trf")
    return theta, len(info.losses) - 1


# A fresh optimizer each time; `rtol` cuts at rounding error.
METHODS: dict[str, Callable[[], Callable[..., tuple[Any, int]]]] = {
    "Sven": lambda: stepwise(Sven(lr=1.0, rtol=1e-14, solver="dense"), 100),
    "Levenberg–Marquardt": lambda: stepwise(BASELINES["lm"](), 200),
    "trust region (trf)": lambda: _trf,
    "L-BFGS": lambda: _lbfgs,
    "Adam": lambda: stepwise(BASELINES["adam"](lr=1e-2), 1000),
}


def compare(
    problem: Problem, theta: Any, *, target: float = 1e-10, methods: Sequence[str] = tuple(METHODS)
) -> dict[str, Solution]:
    """Solve `problem`, given by `Conditions`, from θ of shape (P,) with each method; θ is left alone."""
    if problem.model is not None:
        raise ArgumentError("problem: must be Conditions, without a batch")
    theta, solutions = check_theta(theta), {}
    check_number("target", target, "> 0", lambda x: x > 0)

    def largest(theta: Any) -> float:
        return float(np.abs(problem.residuals(theta, None)).max())

    for name in methods:
        start = perf_counter()
        found, steps = METHODS[name]()(problem, theta, lambda theta: largest(theta) < target)
        solutions[name] = Solution(name, found, largest(found), steps, perf_counter() - start)
    return solutions
