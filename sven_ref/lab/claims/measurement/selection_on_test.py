"""How much selecting on the test split flatters.

The best of several options on a split has been lucky on it. With ℓ_o the test loss of option o,

    optimism = ℓ(chosen on validation) / ℓ(chosen on test) − 1  ≥ 0

is what a report gains by choosing and reporting on one split. It grows with the number of options and shrinks with the
size of the split. With three splits the question does not arise: validation chooses, test reports.

Put to the test on the digits (300 validation and 300 test examples), label regression, 6 epochs, batches of 64: 12
options of Sven, 4 of Adam, mean over seeds the criterion.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ...plots import dots
from ...training.execution import execute
from ...training.run import Run
from ..claim import Claim, Effort, Verdict
from ..statistics import Interval, finished, interval

CLAIM = Claim(
    title="Selecting on the test split flatters",
    statement="Options chosen by the split that is reported make losses look better than they are.",
    where="a critic of the experiments, where one split chose and was reported",
    conditions="Digits by label regression, 6 epochs; 12 options for Sven and 4 for Adam.",
    settles=("criticism 11",),
)
GRID: dict[str, list[dict[str, Any]]] = {
    "sven": [{"lr": lr, "rtol": rtol} for lr, rtol in product((0.1, 0.2, 0.5, 1.0), (1e-3, 1e-2, 1e-1))],
    "adam": [{"lr": lr} for lr in (1e-3, 3e-3, 1e-2, 3e-2)],
}


def compute(effort: Effort) -> dict[str, Any]:
    """method -> [validation, test] losses by draw, seed and option; None where a run diverged."""
    draws, seeds = effort.choose(5, 2), 2
    jobs = [
        (method, i, draw, seed, effort.choose(6, 2))
        for method, options in GRID.items()
        for draw, seed, i in product(range(draws), range(seeds), range(len(options)))
    ]
    flat = iter(effort.map(one, jobs))
    values = {
        method: [[[next(flat) for _ in options] for _ in range(seeds)] for _ in range(draws)]
        for method, options in GRID.items()
    }
    return {"draws": draws, "seeds": seeds, "values": values}


def one(method: str, option: int, draw: int, seed: int, epochs: int) -> list[float] | None:
    """[validation, test] loss of one run."""
    run = Run("digits-lr", method, GRID[method][option], epochs=epochs, batch_size=64, seed=seed, data_seed=draw)
    final = execute(run)["final"]
    losses = [final[split]["loss"] for split in ("val", "test")]
    return None if None in losses else losses


def choices(data: dict[str, Any], method: str) -> list[tuple[float, float]]:
    """By draw: test losses of the options chosen on validation and on test; options with a diverged run are not
    eligible."""
    pairs = []
    for draw in data["values"][method]:
        columns = [c for c in zip(*draw, strict=True) if None not in c]
        means = np.array([np.mean(c, axis=0) for c in columns])
        pairs.append((float(means[np.argmin(means[:, 0]), 1]), float(means[:, 1].min())))
    return pairs


def optimism(data: dict[str, Any], method: str) -> Interval:
    """Over draws."""
    return interval([honest / flattered - 1 for honest, flattered in choices(data, method)])


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of a method's mean gain from being chosen and reported on one split lies above zero;
    open otherwise, since it can't lose."""
    ours, theirs = (optimism(data, method) for method in ("sven", "adam"))
    gains = [a / b - 1 for method in ("sven", "adam") for a, b in choices(data, method)]
    shown = [f"{i.mean:.1%} [{i.low:.1%}, {i.high:.1%}]" for i in (ours, theirs)]
    longer = "; the longer list gains no more here" if ours.mean <= theirs.mean else ""
    told = ours.sign > 0 or theirs.sign > 0
    small = "" if told else "too small to be told from 0 by these draws: "
    return Verdict(
        "holds" if told else "open",
        f"it cannot lose; the mean gain is {small}{shown[0]} for Sven's 12 options, {shown[1]} for Adam's 4, up to "
        f"{max(gains):.0%} in a draw{longer}. On this page validation chooses and test reports.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By method."""
    rows = []
    for method, label in (("sven", "Sven"), ("adam", "Adam")):
        pairs, found = choices(data, method), optimism(data, method)
        runs = [[None if v is None else v[1] for v in seed] for draw in data["values"][method] for seed in draw]
        rows.append(
            {
                "method": label,
                "options": str(len(GRID[method])),
                "test loss, chosen on validation": f"{np.mean([a for a, _ in pairs]):.4f}",
                "test loss, chosen on test": f"{np.mean([b for _, b in pairs]):.4f}",
                "optimism, 95 %": f"{found.mean:.1%} [{found.low:.1%}, {found.high:.1%}]",
                "runs finished": "{}/{}".format(*finished(runs)),
            }
        )
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Optimism by draw."""
    groups = {
        label: [100 * (a / b - 1) for a, b in choices(data, method)]
        for method, label in (("sven", "Sven, 12 options"), ("adam", "Adam, 4 options"))
    }
    dots(axes, groups, "optimism of selecting on test, %", logarithmic=False)
