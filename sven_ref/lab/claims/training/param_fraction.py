"""Moving a random part of the parameters at each step costs little.

At each step ⌊f P⌋ coordinates are drawn anew, and the step is the shortest within them: J is J[:, S]. With f P still
above the number of rows the linearised conditions stay solvable, at the price of a longer step: about 1/√f times. So a
small f should matter where steps are long already, at a large η.
"""

from __future__ import annotations

from typing import Any

from ..arms import last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_number, count, counted, decades, factor, judged, lines, loss_row, typical
from ..statistics import finished
from ..toy_grid import size, small

CLAIM = Claim(
    title="Moving a part of the parameters costs little",
    statement="With a quarter of the parameters moved at each step, the final loss is about that of all.",
    where="arXiv 2604.01279, parameter fraction",
    conditions="Toy task (k = 16, rtol = 1e-3) and the additive cubic of the paper's code (k = 32, rtol = 1e-2) at "
    "η = 0.05 and 0.5: 1,024 points, B = 32, 10 epochs (320 steps), κ = 2; on the toy task also 10,000 points. 3 data "
    "draws × 2 seeds.",
    settles=("claim 11",),
)
TASKS: dict[str, dict[str, Any]] = {"toy": {"k": 16, "rtol": 1e-3}, "polynomial-paper": {"k": 32, "rtol": 1e-2}}
FRACTIONS, ETAS, LITTLE = (0.1, 0.25, 0.5, 1.0), (0.05, 0.5), 2.0
LONG = "toy, η = 0.05, 3,120 steps"


def compute(effort: Effort) -> dict[str, Any]:
    """task and η -> f -> losses by draw and seed."""
    fractions, at = effort.choose(FRACTIONS, (0.25, 1.0)), [(task, lr) for task in TASKS for lr in ETAS]
    arms = {
        f"{task} {lr} {f}": small(task, "sven", TASKS[task] | {"lr": lr, "param_fraction": f}, effort)
        for task, lr in at
        for f in fractions
    }
    many: dict[str, Any] = effort.choose({"task_options": {}}, {})
    for f in (0.25, 1.0):
        arms[f"{LONG} {f}"] = small("toy", "sven", TASKS["toy"] | {"lr": 0.05, "param_fraction": f}, effort, **many)
    found = tables(effort, arms, *size(effort))
    data = {f"{task}, η = {lr}": {str(f): last(found[f"{task} {lr} {f}"]) for f in fractions} for task, lr in at}
    data[LONG] = {str(f): last(found[f"{LONG} {f}"]) for f in (0.25, 1.0)}
    return counted(data, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """A setting is robust where at f = 0.25 as many runs finish as at f = 1 and the mean ratio of their losses is below
    2. Holds where all settings are, holds if the setting is one of those that are."""
    data = {setting: by_number(by) for setting, by in data["values"].items()}
    robust, parts = [], []
    for setting, by in data.items():
        part, full = by["0.25"], by["1.0"]
        text, ok = f"{count(part)} against {count(full)} finish", False
        if typical(part) and typical(full):
            d = decades(part, full)
            text, ok = f"× {factor(d)}, {text}", 10**d.mean < LITTLE and finished(part)[0] >= finished(full)[0]
        robust += [setting] if ok else []
        parts.append(f"{setting} {text}")
    line = f"test loss at f = 0.25 over that at f = 1: {'; '.join(parts)}."
    return judged(robust, list(data), line, "the setting")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a setting and f."""
    data = {setting: by_number(by) for setting, by in data["values"].items()}
    return [{"setting": setting, "f": f} | loss_row(values) for setting, by in data.items() for f, values in by.items()]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Test loss by f."""
    data = {setting: by_number(by) for setting, by in data["values"].items()}
    curves = {setting: ([float(f) for f in by], [typical(v) for v in by.values()]) for setting, by in data.items()}
    lines(axes, curves, xlabel="part of the parameters f", ylabel="test loss")
