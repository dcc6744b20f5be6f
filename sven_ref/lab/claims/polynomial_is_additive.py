"""The polynomial of the paper's experiments is the one described.

Described is a random polynomial of degree 4 in six variables, 210 monomials. The paper's code added the factors of a
monomial instead of multiplying them, and kept exponents below the degree, so that its target is

    c + Σ_j (a_j x_j + b_j x_j² + d_j x_j³)

with 19 features and no interaction (`polynomial`). Whether a target is of that kind is seen by a least-squares fit of
these 19 features on half of the points: what it leaves on the other half, relative to the target's standard deviation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tasks import TASKS
from .claim import Claim, Effort, Verdict
from .colours import dots
from .shown import counted
from .statistics import mean_interval

CLAIM = Claim(
    title="The polynomial is the one described",
    statement="The regression target of the paper's second task is a generic polynomial of degree 4.",
    where="an internal review of the authors' code",
    conditions="10,000 points of each, float64; 3 draws of the coefficients, each half of the points fitted in turn.",
    settles=("criticism 10",),
    exact=True,
)
ADDITIVE, WIDE = 1e-10, 0.1


def compute(effort: Effort) -> dict[str, Any]:
    """task -> what the fit leaves, by draw of the coefficients and half of the points."""
    values = {
        name: [[left(name, draw, half) for half in range(2)] for draw in range(3)]
        for name in ("polynomial-paper", "polynomial")
    }
    return counted(values, 3, 2)


def left(name: str, draw: int, half: int) -> float:
    """‖y − fit‖/‖y − ȳ‖ on the half that was not fitted."""
    x, y = TASKS[name](draw, dtype=np.float64).train
    features = np.concatenate([np.ones((len(x), 1)), x, x**2, x**3], axis=1)
    ours, other = slice(half, None, 2), slice(1 - half, None, 2)
    fit = np.linalg.lstsq(features[ours], y[ours], rcond=None)[0]
    return float(np.linalg.norm(y[other] - features[other] @ fit) / np.linalg.norm(y[other] - y[other].mean()))


def verdict(data: dict[str, Any]) -> Verdict:
    """Does not hold where the paper's target is fitted to 1e-10; holds where the fit leaves a tenth or more."""
    data = data["values"]
    paper, meant = (max(v for row in data[name] for v in row) for name in ("polynomial-paper", "polynomial"))
    line = f"19 additive features leave {paper:.0e} of the target of the paper's code, {meant:.0%} of the one described"
    word = "does not hold" if paper < ADDITIVE else "holds" if paper > WIDE else "open"
    return Verdict(word, f"{line}; here both are kept, and said which.")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a target."""
    data = data["values"]
    return [{"target": name, "left by 19 features [95 %]": str(mean_interval(v))} for name, v in data.items()]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """What is left, a dot a fit."""
    data = data["values"]
    dots(axes, {name: [v for row in values for v in row] for name, values in data.items()}, "left by the fit, relative")
