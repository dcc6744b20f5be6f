"""Sven reaches a lower loss than Adam on regression in the same number of epochs.

    d = log10(test loss of Sven) − log10(test loss of Adam)        paired: same data, same θ_0, same batches

after 10 epochs at constant rates; an epoch of either is one pass over the data, whatever it costs. The data, the
options and the seeds are those of `headline`; a mean of d below zero, with its 95 % interval, is a win.
"""

from __future__ import annotations

from typing import Any

from ..arms import after, curve
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_epoch, counted, decades, factor, judged, loss_row
from ..paper_comparison import digits, headline, size

CLAIM = Claim(
    title="Sven beats Adam on regression at equal epochs",
    statement="On regression, Sven ends with a lower loss than Adam after the same number of epochs.",
    where="arXiv 2604.01279, abstract and experiments",
    conditions="Toy task and 210-monomial polynomial: 10,000 points, B = 32, 10 epochs, half of the paper's, κ = 2, "
    "options that the authors selected on validation. 8 × 8 digits by label regression, in the place of MNIST: B = "
    "64, 20 epochs, the best of four options each on validation. 5 data draws × 2 seeds, test losses.",
    settles=("claim 6", "criticism 8", "criticism 10", "criticism 11", "criticism 12"),
)
OURS, THEIRS = "Sven", "Adam"


def compute(effort: Effort) -> dict[str, Any]:
    """task -> method -> test losses after the last epoch by draw and seed, and their median by epoch."""
    names = {"sven": OURS, "adam": THEIRS}
    found = headline(effort, ("sven", "adam")) | {"digits-lr": digits(effort)}
    values = {
        task: {
            names[o]: {"test": after(results, epochs), "curve": curve(results)[: epochs + 1]}
            for epochs in [len(curve(methods["sven"])) - 1]
            for o, results in methods.items()
        }
        for task, methods in found.items()
    }
    return counted(values, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of d lies below zero: on every task, or if the task is one of those; open where it
    contains zero on every task."""
    data = data["values"]
    ratios = {task: decades(found[OURS]["test"], found[THEIRS]["test"]) for task, found in data.items()}
    won, lost = [t for t, d in ratios.items() if d.sign < 0], [t for t, d in ratios.items() if d.sign > 0]
    line = "; ".join(f"{task} × {factor(d)}" for task, d in ratios.items())
    return judged(won, list(ratios), f"Sven's test loss over Adam's: {line}.", "the task", lost)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and method."""
    data = data["values"]
    return [
        {"task": task, "method": method} | loss_row(found["test"])
        for task, methods in data.items()
        for method, found in methods.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median test loss by epoch."""
    by_epoch(axes, data["values"])
