"""Sven rivals L-BFGS on mini-batches, at a fraction of its time.

L-BFGS as the paper compares with it: a strong Wolfe search on each batch, pairs (s, y) kept across batches, so that y
is a difference of gradients of two different functions. Compared

    at equal epochs     both after 5
    at equal seconds    Sven after the number of its epochs that L-BFGS's 5 take, by processor time
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arms import after, curve
from ..claim import Claim, Effort, Verdict
from ..comparisons import count, counted, decades, factor, judged, lines, loss_row
from ..paper_comparison import cost, headline, size
from ..statistics import finished

CLAIM = Claim(
    title="Sven rivals L-BFGS: mini-batch",
    statement="Against L-BFGS on the same mini-batches, Sven ends as low or lower in less time.",
    where="arXiv 2604.01279, abstract: competitive with L-BFGS at a fraction of the wall time",
    conditions="Toy task and 210-monomial polynomial: 10,000 points, B = 32, options that the authors selected on "
    "validation, 5 epochs of L-BFGS. 5 data draws × 2 seeds, test losses; runs that diverge are counted.",
    settles=("claim 7", "criticism 12"),
)


def compute(effort: Effort) -> dict[str, Any]:
    """task -> losses of both, their median by seconds."""
    epochs, data = effort.choose(5, 2), {}
    for task, found in headline(effort, ("sven", "lbfgs")).items():
        second = cost(effort, task, ("sven", "lbfgs"))
        reached = int(np.clip(epochs * second["lbfgs"] / second["sven"], 1, len(curve(found["sven"])) - 1))
        data[task] = {
            "ratio": second["lbfgs"] / second["sven"],
            "epochs": reached,
            "equal epochs": after(found["sven"], epochs),
            "equal seconds": after(found["sven"], reached),
            "L-BFGS": after(found["lbfgs"], epochs),
            "curves": {
                name: [[e * second[o] for e in range(len(curve(found[o])))], curve(found[o])]
                for o, name in (("sven", "Sven"), ("lbfgs", "L-BFGS"))
            },
        }
    return counted(data, *size(effort))


def lower(ours: Any, theirs: Any) -> tuple[bool, str]:
    """Whether ours is lower: by the interval, or because theirs finished on fewer than two draws."""
    if sum(any(v is not None for v in row) for row in theirs) < 2:
        return finished(ours)[0] > finished(theirs)[0], f"L-BFGS finished {count(theirs)} runs"
    d = decades(ours, theirs)
    return d.sign < 0, f"loss × {factor(d)}, L-BFGS finished {count(theirs)}"


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where Sven is lower at equal epochs and at equal seconds on every task, holds if on some; a method that
    fails where the other finishes is not lower."""
    data = data["values"]
    won, parts = [], []
    for task, found in data.items():
        epochs, seconds = lower(found["equal epochs"], found["L-BFGS"]), lower(found["equal seconds"], found["L-BFGS"])
        won += [task] if epochs[0] and seconds[0] else []
        parts.append(
            f"{task}: {epochs[1]} at equal epochs; at equal seconds, {found['epochs']} epochs of Sven, {seconds[1]}; "
            f"L-BFGS takes {found['ratio']:.1f} times as long an epoch"
        )
    return judged(won, list(data), "; ".join(parts) + ".", "the task")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and method."""
    data = data["values"]
    names = {"equal epochs": "Sven, equal epochs", "equal seconds": "Sven, equal seconds", "L-BFGS": "L-BFGS"}
    return [
        {"task": task, "method": text} | loss_row(found[name])
        for task, found in data.items()
        for name, text in names.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median test loss by seconds."""
    data = data["values"]
    curves = {f"{o}, {task}": tuple(c) for task, found in data.items() for o, c in found["curves"].items()}
    lines(axes, curves, xlabel="seconds of training", ylabel="test loss, median of finished runs")
