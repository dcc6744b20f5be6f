"""How far the exponential decay carries to networks, by width.

On a network J changes along the way, and r_t = (1 − η/κ)^t r_0 is what the linear model at each θ promises to first
order in η. The wider the network, the shorter the step relative to what bends it.

Put to the test at κ = 1, full batch of 32, on networks 6-w-w-w-1 of the polynomial task, P = 209 … 134,913: t = 20
steps at η = 0.1, whose promise is ‖r_t‖ = 0.122 ‖r_0‖, without a cut and with rtol = 1e-2. The error is in decades,
|log10 of ‖r_20‖ over its promise|; a run that diverged is None.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import SvenError
from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...plots import BLUE, GREY, RED
from ..claim import Claim, Effort, Verdict
from ..small_problems import over, polynomial
from ..statistics import Values, finished

CLAIM = Claim(
    title="Exponential decay on networks",
    statement="The loss of networks decays as the linear model says, once they are wide enough.",
    where="arXiv 2604.01279, §3, carried over to the networks of its experiments",
    conditions="κ = 1, η = 0.1, 20 steps, full batch of 32, three hidden layers of width 8 … 256.",
    settles=("claim 3",),
)
WIDTHS, RATE, STEPS, M, CUT = (8, 16, 32, 64, 128, 256), 0.1, 20, 32, 1e-2
PROMISE = (1 - RATE) ** STEPS
CLOSE = 0.05  # decades: the residual norm within 12 % of its promise


def compute(effort: Effort) -> dict[str, Any]:
    """‖r_t‖/‖r_0‖ at t = 0 … 20 by draw and seed, for each width without and with the cut."""
    data: dict[str, Any] = {}
    for width in WIDTHS:
        for name, rtol in (("whole", 0.0), ("cut", CUT)):
            data[f"{name} {width}"], counts = over(one, effort, width, rtol, draws=4, seeds=3)
    return counts | data


def one(draw: int, seed: int, width: int, rtol: float) -> list[float] | None:
    """One run."""
    net, (x, y) = MLP((6, width, width, width, 1), "gelu"), polynomial(draw).train
    problem, theta, batch = Problem(net, kappa=1), net.init(seed), (x[:M], y[:M])
    norms = [float(np.linalg.norm(problem.residuals(theta, batch)))]
    try:
        with np.errstate(all="ignore"):  # a diverged run overflows; it is found and counted
            for _ in range(STEPS):
                theta, info = step(problem, theta, batch, lr=RATE, rtol=rtol, solver="auto", actual=True)
                norms.append(float(info.actual_norm or 0.0))
    except SvenError:  # diverged: a result, counted below
        return None
    return [n / norms[0] for n in norms] if np.isfinite(norms).all() else None


def ends(data: dict[str, Any], name: str, width: int) -> Values:
    """‖r_20‖/‖r_0‖ by draw and seed."""
    return [[None if run is None else run[-1] for run in row] for row in data[f"{name} {width}"]]


def errors(data: dict[str, Any], name: str, width: int) -> Any:
    """Decades from the promise, of the runs that finished."""
    return np.array([abs(np.log10(v / PROMISE)) for row in ends(data, name, width) for v in row if v is not None])


def close(data: dict[str, Any], name: str, width: int) -> bool:
    """Every run finished, the median within 12 % of the promise."""
    done, tried = finished(ends(data, name, width))
    return done == tried and bool(np.median(errors(data, name, width)) < CLOSE)


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if the network is wide enough, where from some width on every run without a cut finishes and the median is
    within 0.05 decades of its promise; holds where that is so of all widths, does not hold where not of the widest."""
    wide = [w for w in WIDTHS if all(close(data, "whole", v) for v in WIDTHS if v >= w)]
    done = [finished(ends(data, "whole", w)) for w in WIDTHS]
    said = f"median error in decades, width 8 to 256: {', '.join(medians(data, 'whole'))}"
    largest = max(errors(data, "whole", w).max() for w in WIDTHS[-3:])
    tail = f"single runs of width 64 and more are off by up to {largest:.2g}"
    counts = f"{sum(d for d, _ in done)}/{sum(t for _, t in done)} finished"
    if not wide:
        return Verdict("does not hold", f"not even width {WIDTHS[-1]} follows; {said}; {counts}; {tail}.")
    word = "holds" if wide[0] == WIDTHS[0] else "holds if"
    return Verdict(word, f"nothing is cut and the width is {wide[0]} or more; {said}; {counts}; {tail}.")


def medians(data: dict[str, Any], name: str) -> list[str]:
    """Median errors by width."""
    return [f"{np.median(e):.2g}" if len(e := errors(data, name, w)) else "none finished" for w in WIDTHS]


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By width."""
    rows = []
    for i, width in enumerate(WIDTHS):
        row = {"width": str(width)}
        for name, label in (("whole", "no cut"), ("cut", "rtol = 1e-2")):
            row[f"{label}: median error, decades"] = medians(data, name)[i]
            row[f"{label}: largest"] = f"{errors(data, name, width).max():.2g}"
            row[f"{label}: finished"] = "{}/{}".format(*finished(ends(data, name, width)))
        rows.append(row)
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median error against width."""
    for name, label, colour in (("whole", "no cut", BLUE), ("cut", "rtol = 1e-2", RED)):
        values = [errors(data, name, w) for w in WIDTHS]
        axes.loglog(WIDTHS, [np.median(v) for v in values], "o-", color=colour, label=label)
        axes.fill_between(WIDTHS, [v.min() for v in values], [v.max() for v in values], color=colour, alpha=0.15, lw=0)
    axes.axhline(CLOSE, color=GREY, ls="--", lw=1)
    axes.set(xlabel="width of the hidden layers", ylabel="error of (1 − η/κ)^t at t = 20, decades")
    axes.legend()
