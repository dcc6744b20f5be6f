"""Seeds on one draw of the data do not show the whole spread.

log10 of the test loss, x_ij of seed j on draw i, as a sum of what the draw and what the seed contributes:

    x_ij = m + a_i + e_ij,     Var e = MS_within,     Var a = max(0, (MS_between − MS_within)/n_seeds)

The authors' early runs had one draw of the data and one order of the batches for all seeds; intervals from these can
only see Var e. Var a is what they miss. A draw of the polynomial is another polynomial, harder or easier for every
method; so what decides is the ratio of two methods' losses on the same draw and seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from ...plots import BLUE, RED
from ..arms import after, curve
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, judged
from ..paper_comparison import headline, size
from ..statistics import components, finished, log10

PAIRED = "Sven/Adam"
CLAIM = Claim(
    title="One draw of the data is enough",
    statement="The spread over seeds on one draw of the data is about the whole spread of results.",
    where="a reviewer: one draw of the data, one order of the batches",
    conditions="Toy task and 210-monomial polynomial: 10,000 points, B = 32, 10 epochs, Sven and Adam with the "
    "options that the authors selected on validation. 5 data draws × 2 seeds, log10 of test losses.",
    settles=("criticism 18",),
)


def compute(effort: Effort) -> dict[str, Any]:
    """task -> method -> test losses after Sven's last epoch, by draw and seed; of Sven over Adam too."""
    names, data = {"sven": "Sven", "adam": "Adam"}, {}
    for task, found in headline(effort, ("sven", "adam")).items():
        losses = {names[o]: after(rows, len(curve(found["sven"])) - 1) for o, rows in found.items()}
        ratio = [
            [None if x is None or y is None else x / y for x, y in zip(ours, theirs, strict=True)]
            for ours, theirs in zip(losses["Sven"], losses["Adam"], strict=True)
        ]
        data[task] = losses | {PAIRED: ratio}
    return counted(data, *size(effort))


def shares(values: Any) -> tuple[float, float, float]:
    """(standard deviation between draws, between seeds, the draws' share of the variance)."""
    done, attempted = finished(values)
    c = components(log10(values)) if done == attempted else None
    if c is None or c.draws + c.seeds == 0:
        return 0.0, 0.0, 1.0  # a table with gaps shows nothing
    return c.draws**0.5, c.seeds**0.5, c.draws / (c.draws + c.seeds)


def share_interval(values: Any) -> tuple[float, float]:
    """The 95 % interval of the draws' share, by F = MS_between/MS_within of n draws × m seeds (normal components):
    τ = (F/F_{n−1, n(m−1)} − 1)/m at both quantiles, share = τ/(1 + τ), not below 0."""
    done, attempted = finished(values)
    if done != attempted:
        return 0.0, 1.0
    table = np.array(log10(values), float)
    n, m = table.shape
    F = m * table.mean(axis=1).var(ddof=1) / table.var(axis=1, ddof=1).mean()
    ratios = [max(0.0, (F / stats.f.ppf(q, n - 1, n * (m - 1)) - 1) / m) for q in (0.975, 0.025)]
    return ratios[0] / (1 + ratios[0]), ratios[1] / (1 + ratios[1])


def verdict(data: dict[str, Any]) -> Verdict:
    """Of the 95 % interval of the draws' share of the variance of the paired ratio: holds where it lies below a quarter
    on both tasks; holds if the task is one where it does; does not hold where it lies above on one; else open."""
    data = data["values"]
    intervals = {task: share_interval(found[PAIRED]) for task, found in data.items()}
    good = [task for task, (_, high) in intervals.items() if high < 0.25]
    bad = [task for task, (low, _) in intervals.items() if low > 0.25]
    parts = [f"{task} {m} {shares(v)[2]:.0%}" for task, found in data.items() for m, v in found.items()]
    paired = ", ".join(f"{task} [{low:.0%}, {high:.0%}]" for task, (low, high) in intervals.items())
    line = f"the data draws' share of the variance of log10 loss: {', '.join(parts)}; 95 % of the ratio's: {paired}."
    return judged(good, list(data), line, "the task", bad)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task and method."""
    data = data["values"]
    rows = []
    for task, found in data.items():
        for method, values in found.items():
            draws, seeds, share = shares(values)
            cells = {
                "std between draws, decades": f"{draws:.2f}",
                "between seeds": f"{seeds:.2f}",
                "draws' share": f"{share:.0%}",
            }
            rows.append({"task": task, "method": method} | cells)
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Every run, a column a draw."""
    data = data["values"]
    markers = {"Sven": "o", "Adam": "s"}
    colours = {"toy": BLUE, "polynomial": RED}
    for task, found in data.items():
        for method in markers:
            values = found[method]
            at = [(i + 1 + (0.15 if method == "Adam" else -0.15), v) for i, row in enumerate(values) for v in row if v]
            fill = colours[task] if method == "Sven" else "none"
            style = {"marker": markers[method], "ls": "none", "color": colours[task], "mfc": fill}
            axes.plot(*np.array(at).T, label=f"{method}, {task}", **style)
    axes.set_yscale("log")
    axes.set(xlabel="data draw", ylabel="test loss")
    axes.legend(fontsize="small")
