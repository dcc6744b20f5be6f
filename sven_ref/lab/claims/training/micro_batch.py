"""Micro-batches: m samples share a row, and the more they do, the closer Sven is to gradient descent.

    ℓ̄_a = mean of ℓ over m consecutive samples,   R_a = ℓ̄_a^{κ/2},   M = B/m rows

One row, m = B, is J = ∇R with R = L̄^{κ/2}, and J⁺R = R ∇R/‖∇R‖² = (2/κ) L̄ g/‖g‖², g = ∇L̄: for κ = 2 exactly η times
Polyak's step to f* = 0, with no bound on its length. That is checked in float64 on every draw and seed against the
laboratory's Polyak. The degradation is measured at the settings of the paper's figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...optimizers.first_order import Polyak
from ...tasks import TASKS
from ..arms import last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_number, counted, decades, factor, judged, lines, loss_row, typical
from ..toy_grid import size, small

CLAIM = Claim(
    title="Micro-batches cost quality",
    statement="With the batch in one row the final loss is higher than with a row a "
    "sample; with one row the step is Polyak's, times η.",
    where="arXiv 2604.01279, micro-batching",
    conditions="Toy task (k = 16, η = 0.05, rtol = 1e-3) and the additive cubic of the paper's code (k = 32, η = 0.5, "
    "rtol = 1e-2): 1,024 points, B = 32, 10 epochs (320 steps), κ = 2, m from 1 to B. 3 data draws × 2 seeds.",
    settles=("claim 10",),
)
SETTINGS: dict[str, dict[str, Any]] = {
    "toy": {"lr": 0.05, "k": 16, "rtol": 1e-3},
    "polynomial-paper": {"lr": 0.5, "k": 32, "rtol": 1e-2},
}
SIZES = (1, 2, 4, 8, 16, 32)


def compute(effort: Effort) -> dict[str, Any]:
    """`test` by task and m, and `polyak`, the relative difference of the two steps, by draw and seed."""
    sizes = effort.choose(SIZES, (1, 32))
    arms = {
        f"{task} {m}": small(task, "sven", options, effort, problem={"micro_batch": m})
        for task, options in SETTINGS.items()
        for m in sizes
    }
    found = tables(effort, arms, *size(effort))
    draws, seeds = size(effort)
    values = {
        "test": {task: {str(m): last(found[f"{task} {m}"]) for m in sizes} for task in SETTINGS},
        "polyak": [[polyak(draw, seed) for seed in range(seeds)] for draw in range(draws)],
    }
    return counted(values, *size(effort))


def polyak(draw: int, seed: int) -> float:
    """‖Sven's θ' − Polyak's θ'‖/‖θ' − θ‖ at η = 1, κ = 2, m = B = 32, float64."""
    task = TASKS["polynomial"](draw, n_train=32, dtype=np.float64)
    net = MLP(task.sizes)
    theta = net.init(seed, np.float64)
    ours, _ = step(Problem(net, micro_batch=32), theta, task.train, lr=1.0, rtol=0.0, solver="dense")
    theirs, _ = Polyak(max_lr=1e300, eps=1e-300).step(Problem(net), theta, task.train)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - theta))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the steps agree to 1e-12 and, on each task, m = B ends higher than m = 1 by the interval; holds if
    the task is one where it does."""
    tests = {task: by_number(by) for task, by in data["values"]["test"].items()}
    same = max(x for row in data["values"]["polyak"] for x in row)
    ratios = {task: decades(by[max(by, key=int)], by["1"]) for task, by in tests.items()}
    worse = [task for task, d in ratios.items() if d.sign > 0]
    line = "; ".join(f"{task} × {factor(d)}" for task, d in ratios.items())
    line = f"test loss with one row over that with B rows: {line}; one row's step is η times Polyak's to {same:.0e}."
    return judged(worse if same < 1e-12 else [], list(ratios), line, "the task")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and m."""
    tests = {task: by_number(by) for task, by in data["values"]["test"].items()}
    return [
        {"task": task, "m": m, "over m = 1 [95 %]": factor(decades(values, by["1"]))} | loss_row(values)
        for task, by in tests.items()
        for m, values in by.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Test loss by m."""
    tests = {task: by_number(by) for task, by in data["values"]["test"].items()}
    curves = {task: ([int(m) for m in by], [typical(v) for v in by.values()]) for task, by in tests.items()}
    lines(axes, curves, xlabel="micro-batch m, samples a row", ylabel="test loss")
    axes.set_xscale("log", base=2)
