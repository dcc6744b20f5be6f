"""Sven beats Adam on regression when both may try equally many settings.

n random points of a method's grid are tried, on each data draw, the best is taken by validation loss, averaged over the
seeds, and its test loss t is what counts. With v_(1) ≤ … ≤ v_(N) the expectation over which points are drawn, without
replacement, is exact:

    E_n = Σ_i t_(i) C(N − i, n − 1)/C(N, n)

where a run that diverged counts as its untrained loss: one keeps the start. Adam has one option and eight points; from
n = 8 on its grid is exhausted. Compared is log10 E_n, paired by data draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...paper.best_of import expected_best
from ..arms import Tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, decades, factor, lines
from ..toy_grid import CONDITIONS, adam_grid, size, sven_grid

CLAIM = Claim(
    title="Sven beats Adam on regression at equal tuning budget",
    statement="On the toy task, with the same number of trials for each, "
    "the best of Sven's settings is lower than the best of Adam's.",
    where="a reviewer's question: Sven was tuned over many more points",
    conditions=CONDITIONS + "; 36 points of Sven's grid, k × rtol × η, and 8 of Adam's; selection on validation.",
    settles=("claim 6", "criticism 13", "criticism 11"),
)
BUDGETS = (1, 2, 4, 8, 16, 32)


def compute(effort: Effort) -> dict[str, Any]:
    """method -> name of the setting -> (validation, test) by draw and seed, a diverged run at its untrained loss."""
    values = {"Sven": kept(sven_grid(effort)), "Adam": kept(adam_grid(effort))}
    return counted(values, *size(effort))


def kept(results: Tables) -> dict[str, Any]:
    """Final losses."""
    return {
        name: [[[r[s][0 if r["diverged"] else -1] for s in ("val", "test")] for r in row] for row in rows]
        for name, rows in results.items()
    }


def expected(settings: dict[str, Any], n: int) -> list[list[float]]:
    """E_n of each draw, as a table of one column; n is at most the number of settings."""
    values = np.array(list(settings.values())).mean(axis=2)  # (settings, draws, 2)
    result = []
    for by_setting in values.transpose(1, 0, 2):
        ordered = by_setting[np.argsort(by_setting[:, 0], kind="stable"), 1]
        result.append([float(expected_best(list(ordered), min(n, len(ordered))))])
    return result


def optimism(settings: dict[str, Any]) -> float:
    """The test loss of the setting best on validation over that of the setting best on test, the largest of the
    draws."""
    values = np.array(list(settings.values())).mean(axis=2)
    best = values.argmin(axis=0)  # (draws, 2)
    return max(values[best[i, 0], i, 1] / values[best[i, 1], i, 1] for i in range(len(best)))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of log10(E_n of Sven/E_n of Adam) lies below zero for every n; holds if n is at least
    the first from which on it does; does not hold where there is none."""
    data = data["values"]
    budgets = [n for n in BUDGETS if n <= len(data["Sven"])]
    ratios = {n: decades(expected(data["Sven"], n), expected(data["Adam"], n)) for n in budgets}
    line = "; ".join(f"n = {n} × {factor(ratios[n])}" for n in (budgets[0], budgets[len(budgets) // 2], budgets[-1]))
    line = (
        f"Sven's expected test loss over Adam's: {line}; selection on test would have flattered Sven by a factor "
        + (f"{optimism(data['Sven']):.2f} at most.")
    )
    first = None
    for n in reversed(budgets):
        if ratios[n].sign >= 0:
            break
        first = n
    if first == budgets[0]:
        return Verdict("holds", line)
    return Verdict("holds if", f"n ≥ {first} trials. {line}") if first else Verdict("does not hold", line)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a budget."""
    data = data["values"]
    rows = []
    for n in BUDGETS:
        if n <= len(data["Sven"]):
            ours, theirs = expected(data["Sven"], n), expected(data["Adam"], n)
            cells = {m: f"{10 ** np.mean(np.log10(v)):.2g}" for m, v in (("Sven", ours), ("Adam", theirs))}
            rows.append({"trials n": str(n)} | cells | {"Sven/Adam [95 %]": factor(decades(ours, theirs))})
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """E_n by n, the geometric mean over draws."""
    data = data["values"]
    curves = {}
    for method, settings in data.items():
        ns = [n for n in BUDGETS if n <= len(settings)]
        curves[method] = (ns, [float(10 ** np.mean(np.log10(expected(settings, n)))) for n in ns])
    lines(axes, curves, xlabel="trials n", ylabel="expected test loss of the best of n")
    axes.set_xscale("log", base=2)
