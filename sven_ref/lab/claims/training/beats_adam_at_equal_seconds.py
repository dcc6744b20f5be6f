"""Sven reaches a lower loss than Adam on regression in the same number of seconds.

    ρ = (seconds of an epoch of Sven)/(seconds of an epoch of Adam)        processor time of one thread
    d = log10(test loss of Sven after 10 epochs) − log10(test loss of Adam after 10 ρ epochs)

Both take turns in blocks of steps, and the least time of each counts, since a busy machine can only lengthen one. ρ
belongs to a machine and to an implementation: here both walk the network in NumPy, and Adam's gradient is taken by
autograd. So the losses are kept at every third epoch of Adam, and the verdict says up to which Sven would lead. The
authors measured ρ = 3.2 on a GPU.
"""

from __future__ import annotations

from typing import Any

from ..arms import after, curve
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, decades, factor, judged, lines, loss_row
from ..paper_comparison import cost, headline, size

CLAIM = Claim(
    title="Sven beats Adam on regression at equal seconds",
    statement="On regression, Sven ends with a lower loss than Adam in the same time.",
    where="arXiv 2604.01279, abstract: a fraction of the wall time",
    conditions="Toy task and 210-monomial polynomial: 10,000 points, B = 32, κ = 2, options that the authors "
    "selected on validation; 10 epochs of Sven against up to 25 of Adam, one BLAS thread. 5 data draws × 2 seeds, "
    "test losses.",
    settles=("claim 6",),
)
OURS = 10


def compute(effort: Effort) -> dict[str, Any]:
    """task -> ρ, Sven's losses, and Adam's by its epochs."""
    ours, step, last = effort.choose((OURS, 3, 25), (2, 1, 2))
    data = {}
    for task, found in headline(effort, ("sven", "adam")).items():
        seconds = cost(effort, task, ("sven", "adam"))
        clock = {o: [e * s for e in range(len(curve(found[o])))] for o, s in seconds.items()}
        data[task] = {
            "ratio": seconds["sven"] / seconds["adam"],
            "Sven": after(found["sven"], ours),
            "Adam": {str(e): after(found["adam"], e) for e in range(ours, last + 1, step)},
            "curves": {o: [clock[o], curve(found[o])] for o in found},
        }
    return counted(data, *size(effort))


def adam_at(found: dict[str, Any], epochs: float) -> Any:
    """Adam's losses at the last kept epoch that is not above `epochs`, or at the first kept."""
    kept = sorted(map(int, found["Adam"]))
    return found["Adam"][str(max((e for e in kept if e <= epochs), default=kept[0]))]


def leads_up_to(found: dict[str, Any]) -> float:
    """The largest ρ up to which Sven's loss is lower by the interval; 0 where it is at none."""
    largest = 0
    for epochs in sorted(map(int, found["Adam"])):
        if decades(found["Sven"], found["Adam"][str(epochs)]).sign >= 0:
            break
        largest = epochs
    return largest / OURS


def verdict(data: dict[str, Any]) -> Verdict:
    """Never plainly holds, since ρ is no property of the method: holds if ρ is at most that up to which Sven's loss is
    lower by the interval on both tasks, where that is at least the ρ of here; else holds if the task is one where it
    is; open where neither is decided, and does not hold otherwise."""
    data = data["values"]
    upto = {task: leads_up_to(found) for task, found in data.items()}
    d = {task: decades(found["Sven"], adam_at(found, OURS * found["ratio"])) for task, found in data.items()}
    parts = (
        f"{t}: ρ = {found['ratio']:.1f}, loss × {factor(d[t])}, lower up to ρ = {upto[t]:g}"
        for t, found in data.items()
    )
    line = f"{'; '.join(parts)}. A GPU's ρ is 3.2 by the authors' measurement, beyond what was tried here."
    won = [task for task in data if 0 < data[task]["ratio"] <= upto[task]]
    if len(won) == len(data):
        return Verdict("holds if", f"ρ ≤ {min(upto.values()):g}. {line[0].upper()}{line[1:]}")
    return judged(won, list(data), line, "the task", [task for task in data if d[task].sign > 0])


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and number of epochs."""
    data = data["values"]
    rows = []
    for task, found in data.items():
        rows.append({"task": task, "method": "Sven", "epochs": str(OURS)} | loss_row(found["Sven"]))
        for e, values in sorted(found["Adam"].items(), key=lambda pair: int(pair[0])):
            rows.append({"task": task, "method": "Adam", "epochs": e} | loss_row(values))
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median test loss by seconds."""
    data = data["values"]
    curves = {f"{o}, {task}": tuple(c) for task, found in data.items() for o, c in found["curves"].items()}
    lines(axes, curves, xlabel="seconds of training", ylabel="test loss, median")
