"""A scaled loss gives the same step; an added constant does not.

    ℓ → cℓ         R → c^{κ/2} R,  J → c^{κ/2} J,  rtol relative to σ_1:  J⁺R unchanged, for every κ
    ℓ → ℓ + b      κ = 2: J unchanged, R → R + b·1:  J⁺R changes by b J⁺1, though no gradient has changed

Sven solves for ℓ = 0, so it has to be told where zero is. A method of gradients has not. With b > 0 the conditions
can't be met: the step aims below what the loss can reach, and stays long where the loss is least.

Put to the test on the polynomial network (B = 32, κ = 2, rtol = 1e-3, k = 16), with constants in units of the batch's
mean loss L_0 at θ_0: the change of the first step, and L without its constant after 100 steps at η = 0.5.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from ....errors import SvenError
from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...plots import dots
from ..claim import Claim, Effort, Verdict
from ..small_problems import ROUNDING, WIDE, apart, over, polynomial, worst
from ..statistics import Values, finished

CLAIM = Claim(
    title="Scaling the loss changes nothing, adding a constant does",
    statement="The step does not depend on the scale of the loss; it does depend on a constant added to it.",
    where="a reviewer's question",
    conditions="κ = 2, B = 32, P = 673, k = 16, rtol = 1e-3; constants of 0.01 to 1 mean losses; 100 steps at η = 0.5.",
    settles=("criticism 14",),
)
CONSTANTS, STEPS, B = (0.01, 0.1, 1.0), 100, 32


def compute(effort: Effort) -> dict[str, Any]:
    """Changes of the step, and final losses, by draw and seed."""
    values, counts = over(one, effort, effort.choose(STEPS, 20))
    return counts | {"values": values}


def one(draw: int, seed: int, steps: int) -> dict[str, Any]:
    """One network; None for a run that diverged."""
    net, (x, y) = MLP(WIDE, "gelu"), polynomial(draw).train
    theta_0, batch = net.init(seed), (x[:B], y[:B])
    plain = Problem(net, kappa=2)
    mean = float(np.mean(plain.losses(theta_0, batch)))
    options: dict[str, Any] = {"k": 16, "rtol": 1e-3, "solver": "auto"}

    def delta(problem: Problem) -> Any:
        return theta_0 - step(problem, theta_0, batch, lr=1.0, **options)[0]

    def trained(problem: Problem) -> float | None:
        theta = theta_0
        try:
            with np.errstate(all="ignore"):  # a diverged run overflows; it is found and counted
                for _ in range(steps):
                    theta, _ = step(problem, theta, batch, lr=0.5, **options)
                return float(np.mean(plain.losses(theta, batch))) / mean
        except SvenError:  # diverged: counted
            return None

    reference = delta(plain)
    scaled = [apart(delta(changed(net, c, 0.0)), reference) for c in (1e-6, 3.0, 1e6)]
    moved = [apart(delta(changed(net, 1.0, b * mean)), reference) for b in CONSTANTS]
    runs = [trained(changed(net, 1.0, b * mean)) for b in (0.0, *CONSTANTS)]
    return {"scaled": max(scaled), "moved": moved, "runs": runs}


def changed(net: MLP, c: float, b: float) -> Problem:
    """The problem of c ℓ + b."""
    return Problem(net, lambda f, y: c * anp.sum((f - y) ** 2, axis=1) + b, kappa=2)


def final(data: dict[str, Any], i: int) -> Values:
    """L/L_0 after training with the i-th constant, by draw and seed; above 10 it has diverged."""
    runs = [[v["runs"][i] for v in row] for row in data["values"]]
    return [[None if v is None or v > 10 else v for v in row] for row in runs]


def median(values: Values) -> float | None:
    """Of the runs that finished."""
    done = [v for row in values for v in row if v is not None]
    return float(np.median(done)) if done else None


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where scaling changes the step by less than √ε and a constant of one mean loss by more than 1 % in every
    run; does not hold otherwise."""
    v = data["values"]
    moved = np.array([x["moved"] for row in v for x in row])
    holds = worst(v, "scaled") < ROUNDING and moved[:, -1].min() > 0.01
    ends = [median(final(data, i)) for i in range(len(CONSTANTS) + 1)]
    shown = ["diverged" if e is None else f"{e:.1g}" for e in ends]
    return Verdict(
        "holds" if holds else "does not hold",
        f"factors of 1e-6 to 1e6 change the step by {worst(v, 'scaled'):.0e}; a constant of one mean loss by "
        f"{np.median(moved[:, -1]):.0%} (median), and training ends at L/L_0 = {shown[-1]} in the place of {shown[0]}.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By constant."""
    moved = np.array([x["moved"] for row in data["values"] for x in row])
    rows = []
    for i, b in enumerate((0.0, *CONSTANTS)):
        end = median(final(data, i))
        rows.append(
            {
                "constant, mean losses": f"{b:g}",
                "change of the first step, median": f"{np.median(moved[:, i - 1]):.2g}" if i else "—",
                "L/L_0 at the end, median": "—" if end is None else f"{end:.2g}",
                "finished": "{}/{}".format(*finished(final(data, i))),
            }
        )
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Final losses by constant."""
    groups = {}
    for i, b in enumerate((0.0, *CONSTANTS)):
        groups[f"b = {b:g} L₀"] = [v for row in final(data, i) for v in row if v is not None] or [np.nan]
    dots(axes, groups, "L/L₀ after training, constant taken off")
