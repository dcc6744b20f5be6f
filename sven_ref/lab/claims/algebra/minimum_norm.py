"""The step J⁺R is the shortest solution of the linearised conditions J δ = R.

Where J (M × P) has full row rank and nothing is cut, the solutions of J δ = R are δ₊ + n with n in the kernel of J, and
δ₊ = J⁺R lies in the row space, orthogonal to them all:

    ‖δ₊ + n‖² = ‖δ₊‖² + ‖n‖²

With a cut, J δ₊ = P_q R with P_q = U_q U_qᵀ: what is left of R is its part on the dropped left vectors. With P < M and
no cut, J δ₊ is the projection of R on the columns of J, and the conditions are met in the least-squares sense only.

Put to the test on the polynomial network (M = 32, P = 673): the δ that `step` takes, against the solution of Lagrange's
conditions for min ½‖δ‖² subject to J δ = R, which know no singular value,

    [ I  Jᵀ ] [ δ ]   [ 0 ]
    [ J  0  ] [ λ ] = [ R ]

and against other solutions δ₊ + n, n the kernel's part of a random vector; J by the oracle.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....step import step
from ...plots import dots
from ..claim import Claim, Effort, Verdict
from ..small_problems import NARROW, ROUNDING, apart, instance, least, over, worst

CLAIM = Claim(
    title="The step is the shortest solution of the conditions",
    statement="Of all δ that satisfy the linearised conditions J δ = R, the update is the shortest.",
    where="arXiv 2604.01279, §3",
    conditions="κ = 1 and 2; M = 32, P = 673 without a cut and with k = 8; M = 120, P = 33.",
    settles=("claim 1",),
    exact=True,
)


def compute(effort: Effort) -> dict[str, Any]:
    """Relative errors by draw and seed."""
    values, counts = over(one, effort)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, float]:
    """One network."""
    result = {"defect": 0.0, "in_kernel": 0.0, "lagrange": 0.0, "longer": np.inf, "dropped": 0.0}
    for kappa in (1.0, 2.0):
        p = instance(draw, seed, kappa=kappa)
        M, P = p.J.shape
        new, _ = step(p.problem, p.theta, p.batch, lr=1.0, rtol=0.0, solver="dense")
        delta = p.theta - new
        rows = np.linalg.qr(p.J.T)[0]  # an orthonormal basis of the row space
        bordered = np.block([[np.eye(P), p.J.T], [p.J, np.zeros((M, M))]])
        lagrange = np.linalg.solve(bordered, np.concatenate([np.zeros(P), p.R]))[:P]
        v = np.random.default_rng([draw, seed]).standard_normal((P, 200))
        others = delta[:, None] + (v - rows @ (rows.T @ v)) * np.linalg.norm(delta) / np.sqrt(P)
        new, _ = step(p.problem, p.theta, p.batch, lr=1.0, rtol=0.0, k=8, solver="dense")
        U = np.linalg.svd(p.J, full_matrices=False)[0]
        left = p.R - p.J @ (p.theta - new)
        found = {
            "defect": apart(p.J @ delta, p.R),
            "in_kernel": apart(rows @ (rows.T @ delta), delta),
            "lagrange": apart(delta, lagrange),
            "dropped": apart(left, U[:, 8:] @ (U[:, 8:].T @ p.R)),
        }
        result = {name: max(result[name], value) for name, value in found.items()} | {
            "longer": min(result["longer"], float(np.linalg.norm(others, axis=0).min() / np.linalg.norm(delta)))
        }
    p = instance(draw, seed, NARROW, B=120)
    new, _ = step(p.problem, p.theta, p.batch, lr=1.0, rtol=0.0, solver="dense")
    return result | {"unmet": apart(p.J @ (p.theta - new), p.R)}


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if J has full row rank and nothing is cut, where every relative error is below √ε and no other solution is
    shorter; does not hold otherwise."""
    v = data["values"]
    error = max(worst(v, name) for name in ("defect", "in_kernel", "lagrange", "dropped"))
    if error > ROUNDING or least(v, "longer") <= 1:
        return Verdict("does not hold", f"relative errors reach {error:.1g}.")
    return Verdict(
        "holds if",
        f"J has full row rank and nothing is cut: J δ = R to {worst(v, 'defect'):.0e}, no part in the kernel, and "
        f"of 200 "
        f"others the shortest is {least(v, 'longer'):.2f} times as long; with P < M, {least(v, 'unmet'):.0%} to "
        f"{worst(v, 'unmet'):.0%} of ‖R‖ is out of any step's reach.",
    )


ROWS = {
    "defect": "‖J δ − R‖/‖R‖, full row rank",
    "in_kernel": "part of δ in the kernel of J",
    "lagrange": "distance from the solution of Lagrange's conditions",
    "dropped": "with k = 8: R − J δ against its part on dropped vectors",
    "unmet": "P < M: ‖J δ − R‖/‖R‖",
}


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Largest values over draws and seeds."""
    return [
        {"quantity, relative": text, "largest": f"{worst(data['values'], name):.2g}"} for name, text in ROWS.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Lengths and defects."""
    flat = [v for row in data["values"] for v in row]
    names = {"full row rank": "defect", "kernel part": "in_kernel", "Lagrange": "lagrange", "P < M": "unmet"}
    dots(axes, {text: [v[name] for v in flat] for text, name in names.items()}, "relative error")
