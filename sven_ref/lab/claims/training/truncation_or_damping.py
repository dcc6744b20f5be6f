"""A hard cut against damping, for the same rows and the same number of trials.

    cut       θ ← θ − η V_q S_q⁻¹ U_qᵀ R              σ_i > rtol·σ_1
    damped    θ ← θ − η Jᵀ(JJᵀ + μI)⁻¹ R              μ = (σ_1 s)²:  1/σ becomes σ/(σ² + μ)

The relative strength s of damping is where rtol is: at σ = s σ_1 the filter σ²/(σ² + μ) is ½. So both get the same four
values of it and the same two of η, eight trials each, the best by validation; the test loss is compared.
Levenberg–Marquardt, which sets μ itself by what the last step gained, needs no trial and stands beside them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from ..arms import Arm, best, last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, decades, factor, judged, lines, loss_row, typical
from ..toy_grid import size, small

CLAIM = Claim(
    title="A hard cut is as good as damping",
    statement="At the same number of trials, truncation ends as low as damping of the same rows.",
    where="a reviewer's question: truncation was not compared with damping",
    conditions="Toy task and 210-monomial polynomial: 1,024 points, B = 32, 10 epochs (320 steps), κ = 2; rtol or "
    "√μ/σ₁ in {1e-4, 1e-3, 1e-2, 0.1}, η in {0.1, 0.5}, the best of these eight on validation; Levenberg–Marquardt "
    "with its defaults. 3 data draws × 2 seeds.",
    settles=("criticism 15", "criticism 5"),
)
STRENGTHS, ETAS, TASKS = (1e-4, 1e-3, 1e-2, 0.1), (0.1, 0.5), ("toy", "polynomial")
EQUAL, LM = 0.1, "Levenberg–Marquardt"  # decades


def compute(effort: Effort) -> dict[str, Any]:
    """task -> method -> the setting chosen, its losses, and those of every setting."""
    data: dict[str, Any] = {}
    for task in TASKS:
        cut: dict[str, Arm] = {}
        damped: dict[str, Arm] = {}
        for s, lr in product(effort.choose(STRENGTHS, (1e-2,)), ETAS):
            arm = small(task, "sven", {"lr": lr, "rtol": s}, effort)
            cut[f"{s:g}, η {lr}"] = arm
            damped[f"{s:g}, η {lr}"] = replace(arm, damping=s * s)
        groups = {"cut": cut, "damped": damped, LM: {"defaults": small(task, "lm", {}, effort)}}
        data[task] = {}
        for method, arms in groups.items():
            found = tables(effort, arms, *size(effort))
            chosen = best(arms, found)
            every = {name: last(rows) for name, rows in found.items()}
            data[task][method] = {"setting": chosen, "test": every[chosen], "every": every}
    return counted(data, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Of log10(cut/damped) at the chosen settings: holds where its interval lies below 0.1, a quarter worse at most, on
    every task; holds if the task is one where it does; else does not hold where it lies above zero on some, and open
    where intervals are too wide to tell."""
    data = data["values"]
    ratios = {t: decades(m["cut"]["test"], m["damped"]["test"]) for t, m in data.items()}
    good = [t for t, d in ratios.items() if d.high < EQUAL]
    line = "; ".join(
        f"{t} × {factor(ratios[t])} (cut {m['cut']['setting']}; damped {m['damped']['setting']})"
        for t, m in data.items()
    )
    marquardt = (f"{t} × {factor(decades(m[LM]['test'], m['damped']['test']))}" for t, m in data.items())
    line = (
        f"test loss with the cut over that with damping: {line}; {LM}, untuned, over damping: {', '.join(marquardt)}."
    )
    return judged(good, list(data), line, "the task", [t for t, d in ratios.items() if d.low > 0])


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and method, at the chosen setting."""
    data = data["values"]
    return [
        {"task": task, "method": method, "chosen": found["setting"]} | loss_row(found["test"])
        for task, methods in data.items()
        for method, found in methods.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Test loss by strength, the better η of each."""
    data = data["values"]
    curves = {}
    for task, methods in data.items():
        for method in ("cut", "damped"):
            every = methods[method]["every"]
            strengths = sorted({float(name.split(",")[0]) for name in every})
            means = [[typical(v) for name, v in every.items() if float(name.split(",")[0]) == s] for s in strengths]
            curves[f"{method}, {task}"] = (strengths, [min((m for m in ms if m), default=None) for ms in means])
    lines(axes, curves, xlabel="rtol, or √μ/σ₁", ylabel="test loss, the better of two η")
    axes.set_xscale("log")
