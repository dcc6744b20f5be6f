"""A step of least norm is not a solution of least norm.

Linear model. From θ_0, every step lies in the row space of X, so that the limit is θ_0 + X⁺(y − Xθ_0): of all
solutions the nearest to θ_0. It is the shortest, X⁺y, exactly if θ_0 lies in the row space, as θ_0 = 0 does. With
mini-batches each step lies in the span of a batch's rows, part of the same space: the limit is the same.

Network. J turns on the way; the sum of shortest steps is a path, and its end need not be the nearest solution. The
nearest (a local one) is found from the same start by the Gauss–Newton iteration of  min ‖θ − θ_0‖²  subject to  r(θ) =
0,

    θ ← θ_0 − J⁺(r + J(θ_0 − θ))

begun at Adam's end point; detour = ‖θ_Sven − θ_0‖/‖θ_nearest − θ_0‖.

Put to the test: X Gaussian, 32 × 41, full batch and batches of 8; and the polynomial network, 32 conditions, κ = 1,
η = 0.1, 120 steps, beside Adam stopped where its loss is 1e-6 of the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import SvenError
from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...optimizers.first_order import Adam
from ...plots import dots
from ..claim import Claim, Effort, Verdict
from ..small_problems import ROUNDING, WIDE, over, polynomial
from ..statistics import finished

CLAIM = Claim(
    title="Shortest steps lead to the shortest solution",
    statement="As every step is the shortest, so is the solution that training reaches.",
    where="a critic of the reading of arXiv 2604.01279, §3",
    conditions="κ = 1. Linear model, P = 41, M = 32, from θ_0 = 0 and from a random one; network, P = 673, M = 32.",
    settles=("criticism 20",),
)
M, RATE, STEPS, SOLVED = 32, 0.1, 120, 1e-6


def compute(effort: Effort) -> dict[str, Any]:
    """Distances by draw and seed."""
    linear, _ = over(model, effort, draws=4, seeds=3)
    networks, counts = over(network, effort, effort.choose(4000, 500), draws=4, seeds=3)
    return counts | {"linear": linear, "networks": networks}


def model(draw: int, seed: int) -> dict[str, float]:
    """Linear: the end against X⁺y from 0, in full batch and in batches of 8; and from a random θ_0."""
    rng, net = np.random.default_rng(draw), MLP((40, 1), "identity")
    x, y = rng.standard_normal((M, 40)), rng.standard_normal((M, 1))
    problem, X = Problem(net, kappa=1), np.hstack([x, np.ones((M, 1))])
    shortest = np.linalg.pinv(X) @ y[:, 0]
    order, scale = np.random.default_rng([draw, seed]), float(np.linalg.norm(shortest))

    def end(theta: Any, size: int, epochs: int) -> Any:
        for _ in range(epochs):
            rows = order.permutation(M)
            for i in range(0, M, size):
                part = rows[i : i + size]
                theta, _ = step(problem, theta, (x[part], y[part]), lr=1.0, rtol=0.0, solver="dense")
        return theta

    batches = end(np.zeros(41), 8, 120)
    span = batches - np.linalg.pinv(X) @ (X @ batches)
    elsewhere = end(order.standard_normal(41), M, 1)
    return {
        "full batch": float(np.linalg.norm(end(np.zeros(41), M, 1) - shortest) / scale),
        "outside the rows": float(np.linalg.norm(span) / scale),
        "batches": float(np.linalg.norm(batches - shortest) / scale),
        "elsewhere": float(np.linalg.norm(elsewhere) / scale),
    }


def network(draw: int, seed: int, limit: int) -> dict[str, float] | None:
    """Network: the detour, and ‖θ‖ and ‖θ − θ_0‖ at the ends of both methods; None where Sven or the search fails."""
    net, (x, y) = MLP(WIDE, "gelu"), polynomial(draw).train
    problem, theta_0, batch = Problem(net, kappa=1), net.init(seed), (x[:M], y[:M])
    sven, adam, opt = theta_0, theta_0, Adam(lr=1e-3)
    first = float(np.sum(problem.losses(theta_0, batch)))
    try:
        for _ in range(STEPS):
            sven, _ = step(problem, sven, batch, lr=RATE, rtol=0.0, solver="auto")
        for _ in range(limit):
            adam, info = opt.step(problem, adam, batch)
            if M * info.loss < SOLVED * first:
                break
        nearest = adam
        for _ in range(STEPS):
            R, J = problem.linearise(nearest, batch)
            A = J.rmatmat(np.eye(M))  # Jᵀ
            target = theta_0 - A @ np.linalg.lstsq(A.T @ A, R + A.T @ (theta_0 - nearest))[0]
            nearest = nearest + RATE * (target - nearest)
        if max(float(np.sum(problem.losses(t, batch))) for t in (sven, nearest)) > SOLVED * first:
            return None
    except SvenError:  # no solution was reached: counted
        return None
    distance = {name: float(np.linalg.norm(t - theta_0)) for name, t in (("s", sven), ("n", nearest), ("a", adam))}
    return {
        "detour": distance["s"] / distance["n"],
        "distance to Adam's": distance["s"] / distance["a"],
        "norm to Adam's": float(np.linalg.norm(sven) / np.linalg.norm(adam)),
        "Adam's loss": float(np.sum(problem.losses(adam, batch))) / first,
    }


def linear(data: dict[str, Any], name: str) -> list[float]:
    """Over draws and seeds."""
    return [v[name] for row in data["linear"] for v in row]


def reached(data: dict[str, Any], name: str) -> list[float]:
    """Of the networks that reached a solution."""
    return [v[name] for row in data["networks"] for v in row if v is not None]


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if the model is linear and θ_0 in the span of its rows, where the ends from 0 are X⁺y to √ε in full batch
    and the median network makes a detour of more than 1 %; holds where it makes none; does not hold where the linear
    case fails."""
    done, tried = finished([[None if v is None else 1.0 for v in row] for row in data["networks"]])
    if max(linear(data, "full batch") + linear(data, "outside the rows")) > ROUNDING:
        return Verdict("does not hold", f"a linear model ends {max(linear(data, 'full batch')):.1g} from X⁺y.")
    detours = reached(data, "detour")
    if not detours:
        return Verdict("open", f"{done}/{tried} networks reached a solution.")
    word = "holds if" if np.median(detours) > 1.01 else "holds"
    return Verdict(
        word,
        f"the model is linear and θ_0 lies in the span of its rows (X⁺y to {max(linear(data, 'full batch')):.0e}; "
        f"from a "
        f"random θ_0 the end is {np.median(linear(data, 'elsewhere')):.1f} times as long); networks end "
        f"{np.median(detours):.2f} times (up to {max(detours):.2f}) as far from θ_0 as a solution nearby, "
        f"{done}/{tried} "
        f"solved.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Ranges."""
    texts = {
        "full batch": "linear, from 0: distance from X⁺y",
        "batches": "linear, from 0, batches of 8, 120 epochs: distance from X⁺y",
        "outside the rows": "the same: part outside the span of all rows",
        "elsewhere": "linear, from a random θ_0: ‖θ‖/‖X⁺y‖",
    }
    rows = [(text, linear(data, name)) for name, text in texts.items()]
    texts = {
        "detour": "network: ‖θ − θ_0‖ over that of a nearest solution",
        "distance to Adam's": "network: ‖θ − θ_0‖ over Adam's",
        "norm to Adam's": "network: ‖θ‖ over Adam's",
        "Adam's loss": "network: Adam's L/L_0 where it stopped",
    }
    rows += [(text, reached(data, name)) for name, text in texts.items()]
    return [
        {"quantity": text, "least": f"{min(v):.2g}", "median": f"{np.median(v):.2g}", "largest": f"{max(v):.2g}"}
        for text, v in rows
        if v
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Lengths against the shortest."""
    groups = {
        "linear, from 0": [1 + v for v in linear(data, "full batch")],
        "linear, θ₀ random": linear(data, "elsewhere"),
        "network": reached(data, "detour") or [np.nan],
    }
    dots(axes, groups, "length over that of the shortest", logarithmic=False)
