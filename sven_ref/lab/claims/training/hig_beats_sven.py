"""Half-inverse gradients reach a lower loss than Sven at about the same cost.

    Sven   θ ← θ − η V S⁻¹ Uᵀ R         J of R, one row a sample
    HIG    θ ← θ − η V S^{−1/2} Uᵀ g    J of the outputs, g = ∂(Σ ℓ)/∂f

with the same network, data, initialisation and batches. Both decompose one B × P matrix a step when there is one
output; HIG's half power leaves small singular values in without 1/σ. Compared after the same number of epochs, shorter
than the paper's: the authors' options were selected for 20.
"""

from __future__ import annotations

from typing import Any

from ..arms import after, curve
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_epoch, counted, decades, factor, judged, loss_row
from ..paper_comparison import cost, headline, size

CLAIM = Claim(
    title="Half-inverse gradients beat Sven at equal epochs",
    statement="On the two regressions half-inverse gradients end lower than Sven after as many epochs.",
    where="the authors' campaign of 2026-09; a reviewer's missing baseline",
    conditions="Toy task and 210-monomial polynomial: 10,000 points, B = 32, options that the authors selected on "
    "validation, 10 epochs. 5 data draws × 2 seeds, test losses.",
    settles=("claim 14", "criticism 8"),
)


def compute(effort: Effort) -> dict[str, Any]:
    """task -> method -> losses after 10 epochs, the median by epoch, and the processor time."""
    epochs, names = effort.choose(10, 2), {"sven": "Sven", "hig": "HIG"}
    data: dict[str, Any] = {}
    for task, found in headline(effort, ("sven", "hig")).items():
        seconds = cost(effort, task, ("sven", "hig"))
        data[task] = {
            names[o]: {
                "test": after(rows, epochs),
                "curve": curve(rows)[: epochs + 1],
                "seconds": seconds[o] * epochs,
            }
            for o, rows in found.items()
        }
    return counted(data, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of log10(HIG/Sven) lies below zero on every task, holds if on some;
    open where none is decided."""
    data = data["values"]
    ratios = {task: decades(found["HIG"]["test"], found["Sven"]["test"]) for task, found in data.items()}
    won = [task for task, d in ratios.items() if d.sign < 0]
    cost = ", ".join(f"{f['HIG']['seconds'] / f['Sven']['seconds']:.1f}" for f in data.values())
    line = "; ".join(f"{task} × {factor(d)}" for task, d in ratios.items())
    line = f"HIG's test loss over Sven's: {line}; its time an epoch over Sven's: {cost}; equal seconds are not tried."
    return judged(won, list(data), line, "the task", [t for t, d in ratios.items() if d.sign > 0])


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and method."""
    data = data["values"]
    return [
        {"task": task, "method": method} | loss_row(found["test"]) | {"processor seconds": f"{found['seconds']:.1f}"}
        for task, methods in data.items()
        for method, found in methods.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median test loss by epoch."""
    by_epoch(axes, data["values"])
