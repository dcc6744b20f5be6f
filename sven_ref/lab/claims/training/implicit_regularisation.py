"""Sven regularises implicitly: at equal training loss it generalises better.

What a method fits says nothing of how; so the runs are compared where they fit equally well. Few data, so that the test
loss is well above the training loss; each pair of runs, same data and θ_0, at the training loss that both reach, the
higher of the two final ones:

    d = log10(test loss of Sven) − log10(test loss of the other)       log-log interpolated between epochs

The norms of θ are those of another claim, `smaller_norm`.
"""

from __future__ import annotations

import math
from typing import Any

from ...training.run import Run
from ..arms import Arm, curve, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, decades, factor, judged, lines, loss_row

CLAIM = Claim(
    title="Sven regularises implicitly",
    statement="At equal training loss, Sven's test loss is lower than that of Adam and of SGD with momentum.",
    where="arXiv 2604.01279, discussion: shortest steps as implicit regularisation",
    conditions="210-monomial polynomial, N = 340 < P = 673, and 300 of the 8 × 8 digits by label regression: B = 32, "
    "60 epochs, κ = 2, one setting a method fixed beforehand, no weight decay. 5 data draws × 2 seeds.",
    settles=("claim 12",),
)
TASKS: dict[str, tuple[int, dict[str, Any]]] = {
    "polynomial": (340, {"sven": {"lr": 0.1, "rtol": 0.03}, "adam": {"lr": 0.01}, "momentum": {"lr": 0.01}}),
    "digits-lr": (300, {"sven": {"lr": 0.1, "rtol": 0.01}, "adam": {"lr": 3e-3}, "momentum": {"lr": 0.01}}),
}
OTHERS = {"adam": "Adam", "momentum": "SGD with momentum"}


def compute(effort: Effort) -> dict[str, Any]:
    """task -> other -> test losses of both at the training loss that both reach, by draw and seed; median curves."""
    data: dict[str, Any] = {}
    draws_and_seeds = effort.choose((5, 2), (2, 2))
    for task, (n, methods) in TASKS.items():
        size: dict[str, Any] = {"epochs": effort.choose(60, 4), "task_options": {"n_train": n}}
        arms = {o: Arm(Run(task, o, options, **size)) for o, options in methods.items()}
        found = tables(effort, arms, *draws_and_seeds)
        data[task] = {"curves": {o: [curve(rows, "train"), curve(rows)] for o, rows in found.items()}}
        for other in OTHERS:
            pairs = [
                [equally_fitted(a, b) for a, b in zip(ours, theirs, strict=True)]
                for ours, theirs in zip(found["sven"], found[other], strict=True)
            ]
            names = ("Sven", "other", "training loss")
            data[task][other] = {name: [[p[i] for p in row] for row in pairs] for i, name in enumerate(names)}
    return counted(data, *draws_and_seeds)


def equally_fitted(a: Any, b: Any) -> tuple[float | None, float | None, float | None]:
    """Test losses where both runs have the higher of their least training losses, and that loss; None if one
    diverged."""
    if a["diverged"] or b["diverged"]:
        return None, None, None
    level = max(min(a["train"]), min(b["train"]))
    return test_at(a, level), test_at(b, level), level


def test_at(r: Any, level: float) -> float:
    """The test loss where the training loss first is `level`, interpolated in logarithms."""
    e = next(e for e, loss in enumerate(r["train"]) if loss <= level)
    if e == 0 or r["train"][e] == r["train"][e - 1]:
        return float(r["test"][e])
    x0, x1, y0, y1 = (math.log(v) for v in (r["train"][e - 1], r["train"][e], r["test"][e - 1], r["test"][e]))
    return math.exp(y0 + (y1 - y0) * (math.log(level) - x0) / (x1 - x0))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of d lies below zero for both others on both tasks; holds if it is so for some; open
    where all intervals contain zero."""
    data = data["values"]
    ratios = {
        f"{task} against {OTHERS[o]}": decades(data[task][o]["Sven"], data[task][o]["other"])
        for task in data
        for o in OTHERS
    }
    line = "; ".join(f"{pair} × {factor(d)}" for pair, d in ratios.items())
    won, lost = ([p for p, d in ratios.items() if d.sign == s] for s in (-1, 1))
    return judged(won, list(ratios), f"Test loss at equal training loss: {line}.", "the comparison", lost)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task, pair and method."""
    data = data["values"]
    return [
        {"task": task, "pair": f"Sven and {label}", "method": "Sven" if name == "Sven" else label}
        | loss_row(data[task][o][name])
        for task in data
        for o, label in OTHERS.items()
        for name in ("Sven", "other")
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median test loss by median training loss."""
    data = data["values"]
    labels = {"sven": "Sven"} | OTHERS
    curves = {f"{labels[o]}, {task}": tuple(c) for task, found in data.items() for o, c in found["curves"].items()}
    lines(axes, curves, xlabel="training loss, median", ylabel="test loss, median")
    axes.set_xscale("log")
    axes.invert_xaxis()
