"""One grid of options on the toy task, which the claims about tuning, divergence and rank read.

    k ∈ {1, 4, 32},   rtol ∈ {1e-6, 1e-4, 1e-3, 1e-2},   η ∈ {0.05, 0.5, 1}         Sven, κ = 2
    lr ∈ {1e-5, 3e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1}                                Adam, the authors' grid

1,024 points, B = 32, 10 epochs: 320 steps. Three data draws, two seeds on each.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from ..training.run import Run
from .arms import Arm, Tables, tables
from .claim import Effort

KS, RTOLS, ETAS = (1, 4, 32), (1e-6, 1e-4, 1e-3, 1e-2), (0.05, 0.5, 1.0)
ADAM = (1e-5, 3e-5, 1e-4, 1e-3, 1e-2, 1e-1, 0.3, 1.0)
CONDITIONS = "Toy task, 1,024 points, B = 32, 10 epochs (320 steps), κ = 2; 3 data draws × 2 seeds"


def small(task: str, optimizer: str, options: dict[str, Any], effort: Effort, **others: Any) -> Arm:
    """A run of 320 steps on 1,024 points."""
    splits: dict[str, Any] = {"n_train": effort.choose(1024, 320)} | (
        {"n_val": 2048, "n_test": 2048} if task == "toy" else {}
    )
    run: dict[str, Any] = {"epochs": effort.choose(10, 2), "task_options": splits, "seed": 1100, "data_seed": 1000}
    return Arm(Run(task, optimizer, options, **run | others))


def name(k: int, rtol: float, lr: float) -> str:
    """A point's name in the results."""
    return f"k {k}, rtol {rtol:g}, η {lr:g}"


def points(effort: Effort) -> list[tuple[int, float, float]]:
    """(k, rtol, η)."""
    return list(product(effort.choose(KS, (32,)), effort.choose(RTOLS, (1e-6, 1e-2)), effort.choose(ETAS, (0.05, 1.0))))


def size(effort: Effort) -> tuple[int, int]:
    """(draws, seeds)."""
    return effort.choose((3, 2), (2, 2))


def sven_grid(effort: Effort) -> Tables:
    """name -> results[draw][seed]."""
    arms = {
        name(k, rtol, lr): small("toy", "sven", {"k": k, "rtol": rtol, "lr": lr}, effort)
        for k, rtol, lr in points(effort)
    }
    return tables(effort, arms, *size(effort))


def adam_grid(effort: Effort) -> Tables:
    """name -> results[draw][seed]."""
    arms = {f"lr {lr:g}": small("toy", "adam", {"lr": lr}, effort) for lr in effort.choose(ADAM, ADAM[3:5])}
    return tables(effort, arms, *size(effort))
