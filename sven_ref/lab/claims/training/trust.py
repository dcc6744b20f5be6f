"""What a step predicts and what it gets, along training, by rtol; and why the cut helps.

To first order R' = R − η P_q R. At moments of a run, on the batch of that step, steps of every rtol are tried and taken
back:

    predicted  ‖R‖ − ‖R − η P_q R‖        actual  ‖R‖ − ‖R(θ')‖        trust  ρ = actual/predicted

ρ = 1 where J describes R as far as the step goes; ρ < 0 where the batch got worse. By component, i = 1 … B:

    |u_iᵀR|/‖R‖        what there is to gain          |u_iᵀR|/σ_i        what it costs in length

The cut helps where most of R lies on large σ_i and most of the length comes from small ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....errors import NonFiniteError
from ....pinv import truncated_pinv
from ....problem import Problem
from ....step import step
from ...training.execution import loop
from ...training.loop import train
from ..arms import shifted
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_number, counted, lines
from ..toy_grid import size, small

CLAIM = Claim(
    title="The linear model can be trusted",
    statement="Along training a step lowers the batch's residuals by about what its linear model predicts.",
    where="a reviewer's question: why does truncation help?",
    conditions="Toy task (η = 0.05) and 210-monomial polynomial (η = 0.5), κ = 2, run at rtol = 0.01: 1,024 points, "
    "B = 32, 320 steps, of which every 32nd is probed in float64 at rtol from 1e-6 to 0.1. 3 data draws × 2 seeds.",
    settles=("criticism 16",),
)
RTOLS, RUN_RTOL, ETAS = (1e-6, 1e-4, 1e-3, 1e-2, 0.1), 1e-2, {"toy": 0.05, "polynomial": 0.5}
GOOD = (0.5, 2.0)
MOMENTS = {"first": slice(0, 1), "later": slice(1, None)}


@dataclass
class Probed:
    """An optimizer that tries steps of other rtol at every `every`-th step before it takes its own."""

    opt: Any
    every: int
    lr: float
    n_steps: int = 0
    probes: list[dict[str, Any]] = field(default_factory=list)

    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, Any]:
        """θ of shape (P,) -> (θ', StepInfo), the optimizer's own."""
        if self.n_steps % self.every == 0:
            self.probes.append(probe(problem, theta.astype(np.float64), batch, self.lr))
        self.n_steps += 1
        return self.opt.step(problem, theta, batch)


def probe(problem: Problem, theta: Any, batch: Any, lr: float) -> dict[str, Any]:
    """ρ and the step's length by rtol; the components of R and of the step."""
    R, J = problem.linearise(theta, batch)
    pinv = truncated_pinv(J, rtol=0.0, solver="dense")
    U, _ = pinv.vectors()
    c, s = np.abs(U.T @ R), pinv.singular_values
    found: dict[str, Any] = {"trust": {}, "length": {}}
    for rtol in RTOLS:
        try:
            _, info = step(problem, theta, batch, lr=lr, rtol=rtol, solver="dense", actual=True)
            gain, promised = info.residual_norm - float(info.actual_norm or 0), info.residual_norm - info.predicted_norm
            found["trust"][f"{rtol:g}"] = float(gain / promised)
            found["length"][f"{rtol:g}"] = float(info.update_norm / np.linalg.norm(theta))
        except NonFiniteError:  # the step left the numbers: as far from the prediction as can be
            found["trust"][f"{rtol:g}"], found["length"][f"{rtol:g}"] = None, None
    kept = s > RUN_RTOL * s[0]
    found["kept of R"] = float(np.sum(c[kept] ** 2) / np.sum(c**2))
    found["kept of length"] = float(np.sum((c / s)[kept] ** 2) / np.sum((c / s) ** 2))
    found["components"] = [(c / np.linalg.norm(c)).tolist(), (c / s / np.linalg.norm(c / s)).tolist()]
    return found


def probed(task: str, draw: int, seed: int, quick: bool) -> list[dict[str, Any]]:
    """In a worker: the probes of a run."""
    arm = shifted(small(task, "sven", {"lr": ETAS[task], "rtol": RUN_RTOL}, Effort(quick)), draw, seed)
    problem, theta, opt, data = arm.run.build()
    watched = Probed(opt, 32 if not quick else 10, ETAS[task])
    train(problem, theta, watched, data, **loop(arm.run))
    return watched.probes


def compute(effort: Effort) -> dict[str, Any]:
    """task -> when -> rtol -> ρ and length, medians of a run, by draw and seed; the median components over all."""
    draws, seeds = size(effort)
    at = [(task, i, j, effort.quick) for task in ETAS for i in range(draws) for j in range(seeds)]
    runs = dict(zip([a[:3] for a in at], effort.map(probed, at), strict=True))
    data: dict[str, Any] = {}
    for task in ETAS:
        table = [[runs[task, i, j] for j in range(seeds)] for i in range(draws)]
        count = min(len(p["components"][0]) for row in table for run in row for p in run)
        parts = np.array([[c[:count] for c in p["components"]] for row in table for run in row for p in run])
        data[task] = {
            when: {
                f"{r:g}": {
                    name: [[middle(run[part], name, f"{r:g}") for run in row] for row in table]
                    for name in ("trust", "length")
                }
                for r in RTOLS
            }
            for when, part in MOMENTS.items()
        }
        for name in ("kept of R", "kept of length"):
            data[task][name] = [[float(np.median([p[name] for p in run])) for run in row] for row in table]
        data[task]["components"] = np.median(parts, axis=0).tolist()
    return counted(data, *size(effort))


def middle(probes: list[dict[str, Any]], name: str, rtol: str) -> float:
    """The median of probes; a step that left the numbers counts as −1e9 in trust and 1e9 in length."""
    worst = -1e9 if name == "trust" else 1e9
    return float(np.median([worst if p[name][rtol] is None else p[name][rtol] for p in probes]))


def verdict(data: dict[str, Any]) -> Verdict:
    """A rtol is trusted at a moment where ρ lies in [0.5, 2] in every run of both tasks. Holds where every rtol is at
    the first step and later; holds if rtol is at least the least from which on all are later, which the line compares
    with the first step; does not hold where none is later."""
    data, least = data["values"], {}
    for when in MOMENTS:
        for r in sorted(data["toy"][when], key=float, reverse=True):
            if not all(GOOD[0] <= x <= GOOD[1] for t in data.values() for row in t[when][r]["trust"] for x in row):
                break
            least[when] = r
    smallest = min(data["toy"]["later"], key=float)
    parts = []
    for task, found in data.items():
        rho = {when: np.median(found[when][smallest]["trust"]) for when in MOMENTS}
        share, part = np.median(found["kept of R"]), np.median(found["kept of length"])
        parts.append(
            f"{task}: at rtol {smallest} median ρ {rho['first']:.2g} at the first step and {rho['later']:.2g} later; "
            f"σ above 0.01 σ₁ carry {share:.1%} of ‖R‖² and {part:.1g} of the uncut step's squared length"
        )
    line = "; ".join(parts) + "."
    if all(least.get(when) == smallest for when in MOMENTS):
        return Verdict("holds", line)
    if "later" not in least:
        return Verdict("does not hold", line)
    first = f"at the first step only rtol ≥ {least['first']} is" if "first" in least else "at the first step no rtol is"
    later = f"rtol ≥ {least['later']} and the first steps are past; {first}"
    return Verdict("holds if", f"{later}. {line[0].upper()}{line[1:]}")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a task, moment and rtol."""
    rows = []
    for task, found in data["values"].items():
        for when in MOMENTS:
            for r, values in by_number(found[when]).items():
                rho = values["trust"]
                cells = {"median ρ": f"{np.median(rho):.2g}", "over the runs": f"{np.min(rho):.2g} … {np.max(rho):.2g}"}
                length = {"step/‖θ‖": f"{np.median(values['length']):.2g}"}
                rows.append({"task": task, "when": when, "rtol": r} | cells | length)
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Components of R and of the uncut step, by index."""
    data = data["values"]
    curves = {}
    for task, found in data.items():
        for text, values in zip(("|uᵀR|/‖R‖", "its length, |uᵀR|/σ"), found["components"], strict=True):
            curves[f"{text}, {task}"] = (range(1, len(values) + 1), values)
    lines(axes, curves, xlabel="component i", ylabel="part of the whole, median")
