"""What each study runs: its cells, from the settings in `studies.toml`.

divergence            k × rtol × η: where a run blows up
micro-batch           m samples share a row                                              (SPEC 2.4)
param-fraction        ⌊f P⌋ parameters move at each step                                 (SPEC 5.1)
kappa                 κ at the same first-order step 2η/κ                                (SPEC 2.1)
over-parametrization  P/N across 1, full batch, beside Adam and full-batch L-BFGS
tuning-budget         random points of each method's grid
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..training.checkpoint import fingerprint
from ..training.run import Run
from .protocols import read


@dataclass(frozen=True)
class Cell:
    """A run and its coordinates in the study; `full_batch`: L-BFGS for so many iterations instead."""

    at: dict[str, Any]
    run: Run
    full_batch: int = 0

    def key(self) -> str:
        """Of what determines the result."""
        return fingerprint({"run": self.run.settings(), "full_batch": self.full_batch})


def base(task: str, seed: int, optimizer: str, options: dict[str, Any], quick: bool, **others: Any) -> Run:
    """A run of a task's protocol; without one (digits), batches of 64."""
    p = read()[1].get(task)
    size, first, data = (p.batch_size, p.seed, p.data_seed) if p else (64, 0, 0)
    settings: dict[str, Any] = {"batch_size": size, "seed": first + seed, "data_seed": data}
    if quick:
        settings |= {"epochs": 2, "task_options": {"n_train": 960}}
    return Run(task, optimizer, options, **settings | others)


def divergence(s: dict[str, Any], seeds: int, quick: bool) -> list[Cell]:
    """k × rtol × η."""
    return [
        Cell(
            {"k": k, "rtol": rtol, "lr": lr, "seed": seed},
            base(s["task"], seed, "sven", {"lr": lr, "k": k, "rtol": rtol}, quick),
        )
        for k, rtol, lr, seed in product(s["k"], s["rtol"], s["lr"], range(seeds))
    ]


def micro_batch(s: dict[str, Any], seeds: int, quick: bool) -> list[Cell]:
    """A line a task, x = m."""
    return [
        Cell(
            {"line": task, "x": m, "seed": seed},
            base(task, seed, "sven", options, quick, problem={"micro_batch": m}),
        )
        for (task, options), m, seed in product(s["tasks"].items(), s["micro_batch"], range(seeds))
    ]


def param_fraction(s: dict[str, Any], seeds: int, quick: bool) -> list[Cell]:
    """A line a task, x = f."""
    return [
        Cell({"line": task, "x": f, "seed": seed}, base(task, seed, "sven", options | {"param_fraction": f}, quick))
        for (task, options), f, seed in product(s["tasks"].items(), s["param_fraction"], range(seeds))
    ]


def kappa(s: dict[str, Any], seeds: int, quick: bool) -> list[Cell]:
    """A line a (k, κ), x = 2η/κ; η follows."""
    return [
        Cell(
            {"line": f"k {k}, κ {kappa:g}", "x": step, "seed": seed},
            base(
                s["task"],
                seed,
                "sven",
                {"lr": step * kappa / 2, "k": k, "rtol": s["rtol"]},
                quick,
                problem={"kappa": kappa},
            ),
        )
        for k, kappa, step, seed in product(s["k"], s["kappa"], s["step"], range(seeds))
    ]


def over_parametrization(s: dict[str, Any], seeds: int, quick: bool) -> list[Cell]:
    """A line a (task, method), several settings at each N."""
    sven: list[tuple[str, dict[str, Any]]] = [
        ("sven", {"lr": lr, "rtol": rtol}) for lr, rtol in product(s["sven_lr"], s["rtol"])
    ]
    tries = [*sven, *(("adam", {"lr": lr}) for lr in s["adam_lr"]), ("L-BFGS", {})]
    labels, cells = {"sven": "Sven", "adam": "Adam", "L-BFGS": "L-BFGS"}, []
    for task, sizes in s["tasks"].items():
        for n, (method, options), seed in product(sizes, tries, range(seeds)):
            full = {"batch_size": n, "epochs": s["steps"], "task_options": {"n_train": n}}
            run = base(task, seed, "adam" if method == "L-BFGS" else method, options, False, **full)
            at = {"line": f"{task}, {labels[method]}", "n": n, "settings": json.dumps(options), "seed": seed}
            cells.append(Cell(at, run, s["steps"] if method == "L-BFGS" else 0))
    return cells


def tuning_budget(s: dict[str, Any], seeds: int, quick: bool) -> list[Cell]:
    """A line a method, a sample of its grid without replacement."""
    cells = []
    for name in s["optimizers"]:
        grid = [dict(zip(s["grid"][name], values, strict=True)) for values in product(*s["grid"][name].values())]
        order = np.random.default_rng(0).permutation(len(grid))[: s["trials"]]
        for i, seed in product(order, range(seeds)):
            at = {"line": name, "settings": json.dumps(grid[i]), "seed": seed}
            cells.append(Cell(at, base(s["task"], seed, name, grid[i], quick)))
    return cells


STUDIES: dict[str, Callable[[dict[str, Any], int, bool], list[Cell]]] = {
    "divergence": divergence,
    "micro-batch": micro_batch,
    "param-fraction": param_fraction,
    "kappa": kappa,
    "over-parametrization": over_parametrization,
    "tuning-budget": tuning_budget,
}
