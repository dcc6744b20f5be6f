"""Short steps keep the parameters small: Sven ends with a smaller ‖θ‖ than the baselines.

Each step is the shortest of those that do the same to the batch's residuals; of the sum of many steps that says
nothing, since θ_T − θ_0 = −η Σ J_t⁺R_t is a sum of vectors from different row spaces. Measured, against Adam:

    at the end                    ‖θ‖ and ‖θ − θ_0‖ after 10 epochs each
    at equal training loss        at the first epoch whose training loss is at or below the higher of the two final ones

The second is the fair one: who fits better has further to go.
"""

from __future__ import annotations

from typing import Any

from ...plots import CYCLE, GREY
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, decades, factor, judged
from ..paper_comparison import headline, size
from ..statistics import mean_interval

CLAIM = Claim(
    title="Sven's parameters stay smaller",
    statement="The parameters that Sven ends with have a smaller norm than Adam's.",
    where="arXiv 2604.01279, discussion: shortest steps as implicit regularisation",
    conditions="Toy task and 210-monomial polynomial: 10,000 points, B = 32, 10 epochs, κ = 2, options that the "
    "authors selected on validation, no weight decay. 5 data draws × 2 seeds.",
    settles=("claim 12", "criticism 20"),
)
QUANTITIES = {"norm": "‖θ‖", "distance": "‖θ − θ₀‖"}


def compute(effort: Effort) -> dict[str, Any]:
    """task -> when -> quantity -> method -> values by draw and seed."""
    epochs, data = effort.choose(10, 2), {}
    for task, found in headline(effort, ("sven", "adam")).items():
        moments: dict[str, Any] = {
            when: {q: {"Sven": [], "Adam": []} for q in QUANTITIES} for when in ("end", "equal loss")
        }
        for ours, theirs in zip(found["sven"], found["adam"], strict=True):
            for when, by_quantity in moments.items():
                for q, by_method in by_quantity.items():
                    pairs = [at(a, b, when, q, epochs) for a, b in zip(ours, theirs, strict=True)]
                    by_method["Sven"].append([p[0] for p in pairs])
                    by_method["Adam"].append([p[1] for p in pairs])
        data[task] = moments
    return counted(data, *size(effort))


def at(a: Any, b: Any, when: str, quantity: str, epochs: int) -> tuple[float | None, float | None]:
    """The quantity of two runs at the end, or where both first reach the higher of their final training losses."""
    if a["diverged"] or b["diverged"]:
        return None, None
    if when == "end":
        return a[quantity][epochs], b[quantity][epochs]
    level = max(a["train"][epochs], b["train"][epochs])
    first = [next(e for e, loss in enumerate(r["train"]) if loss <= level) for r in (a, b)]
    return a[quantity][first[0]], b[quantity][first[1]]


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where ‖θ‖ of Sven is smaller than Adam's at the end and at equal training loss, by the interval, on both
    tasks; does not hold where it is on neither; holds if otherwise."""
    data = data["values"]
    parts, smaller = [], []
    for task, moments in data.items():
        d = {when: decades(by["norm"]["Sven"], by["norm"]["Adam"]) for when, by in moments.items()}
        if all(x.sign < 0 for x in d.values()):
            smaller.append(task)
        parts.append(f"{task}: at the end × {factor(d['end'])}, at equal training loss × {factor(d['equal loss'])}")
    line = f"Sven's ‖θ‖ over Adam's, {'; '.join(parts)}."
    return judged(smaller, list(data), line, "the task")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task, moment and quantity."""
    data = data["values"]
    return [
        {"task": task, "when": when, "quantity": QUANTITIES[q]}
        | {method: str(mean_interval(values)) for method, values in by_method.items()}
        for task, moments in data.items()
        for when, by_quantity in moments.items()
        for q, by_method in by_quantity.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """‖θ‖ of both at equal training loss, a point a run."""
    data = data["values"]
    ends = []
    for colour, (task, moments) in zip(CYCLE, data.items(), strict=False):
        by_method = moments["equal loss"]["norm"]
        xs, ys = ([v for row in by_method[m] for v in row if v is not None] for m in ("Adam", "Sven"))
        axes.plot(xs, ys, "o", color=colour, label=task)
        ends += xs + ys
    limits = [min(ends), max(ends)]
    axes.plot(limits, limits, ":", color=GREY, label="equal")
    axes.set(xlabel="‖θ‖ of Adam, dimensionless", ylabel="‖θ‖ of Sven, dimensionless")
    axes.legend(fontsize="small")
