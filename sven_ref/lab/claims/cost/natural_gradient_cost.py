"""Does natural gradient cost the square of the number of parameters?

Its matrix F + μI is P × P: P² numbers, and B P² + P³/3 multiplications to form and factor. But for any J of shape (M,
P) and μ > 0 (Woodbury; push-through)

    (JᵀJ + μI_P)⁻¹ Jᵀ R  =  Jᵀ (JJᵀ + μI_M)⁻¹ R

whose right side holds M² + M P numbers and takes M²P + M³/3 multiplications: linear in P. The square is a property of
the form, not of the step; the undamped limit of the right side is Sven's.

Put to the test on Gaussian J, M = 32, P = 128 … 1,024, μ = 1e-3 σ_1²: both forms dense, by Cholesky; equality, and the
exponent of the time in P from medians over rounds in which the two alternate.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ...plots import BLUE, RED
from ..claim import Claim, Effort, Verdict
from ..small_problems import ROUNDING, apart, over, worst

CLAIM = Claim(
    title="Natural gradient costs the square of the number of parameters",
    statement="Natural gradient scales as P², where Sven does not.",
    where="arXiv 2604.01279, introduction",
    conditions="M = 32, P = 128 … 1,024, dense J, damping 1e-3 σ_1².",
    settles=("claim 5",),
)
M, PS = 32, (128, 256, 512, 1024)


def compute(effort: Effort) -> dict[str, Any]:
    """Distance of the two forms, and seconds by P, by draw and seed."""
    values, counts = over(one, effort, effort.choose(9, 3), draws=3, seeds=3)
    return counts | {"values": values, "numbers": {str(P): [P * P, M * M + M * P] for P in PS}}


def one(draw: int, seed: int, rounds: int) -> dict[str, Any]:
    """One J for each P, one R."""
    result: dict[str, Any] = {"apart": 0.0, "primal": [], "dual": []}
    for P in PS:
        J = np.random.default_rng([draw, P]).standard_normal((M, P))
        R = np.random.default_rng([draw, seed]).standard_normal(M)
        mu, seconds = 1e-3 * np.linalg.norm(J, 2) ** 2, []
        for _ in range(rounds + 1):
            start = perf_counter()
            primal = cho_solve(cho_factor(J.T @ J + mu * np.eye(P)), J.T @ R)
            middle = perf_counter()
            dual = J.T @ cho_solve(cho_factor(J @ J.T + mu * np.eye(M)), R)
            seconds.append((middle - start, perf_counter() - middle))
        result["apart"] = max(result["apart"], apart(primal, dual))
        for name, value in zip(("primal", "dual"), np.median(seconds[1:], axis=0), strict=True):
            result[name].append(float(value))
    return result


def seconds(data: dict[str, Any], name: str) -> Any:
    """Medians over draws and seeds, by P."""
    return np.median([v[name] for row in data["values"] for v in row], axis=0)


def exponent(data: dict[str, Any], name: str) -> float:
    """Of the time in P, by least squares in logarithms."""
    return float(np.polyfit(np.log(PS), np.log(seconds(data, name)), 1)[0])


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if the P × P matrix is formed, where both forms give one step to √ε and the exponent of the time in P is
    above 1.5 for the P × P form and below 1.5 for the M × M one; holds where both exceed 1.5, else open."""
    primal, dual, error = exponent(data, "primal"), exponent(data, "dual"), worst(data["values"], "apart")
    if error > ROUNDING:
        return Verdict("open", f"the two forms differ by {error:.1g}.")
    word = "holds if" if dual < 1.5 < primal else "holds" if min(primal, dual) > 1.5 else "open"
    slow = seconds(data, "primal")[-1] / seconds(data, "dual")[-1]
    return Verdict(
        word,
        f"the P × P matrix is formed (time ∝ P^{primal:.1f}); the M × M form gives the same step to {error:.0e} "
        f"with time "
        f"∝ P^{dual:.1f}, {slow:.0f} times faster at P = {PS[-1]:,}.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By P."""
    both = zip(PS, seconds(data, "primal"), seconds(data, "dual"), strict=True)
    return [
        {
            "P": f"{P:,}",
            "P × P form: numbers": f"{data['numbers'][str(P)][0]:,}",
            "ms": f"{1e3 * primal:.2g}",
            "M × M form: numbers": f"{data['numbers'][str(P)][1]:,}",
            "ms ": f"{1e3 * dual:.2g}",
        }
        for P, primal, dual in both
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Time against P."""
    for name, label, colour in (("primal", "P × P", RED), ("dual", "M × M", BLUE)):
        axes.loglog(PS, 1e3 * seconds(data, name), "o-", color=colour, label=label)
    axes.set(xlabel="parameters P", ylabel="time of one step, ms")
    axes.legend()
