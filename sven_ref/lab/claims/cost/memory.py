"""What a step holds in memory: the classic form, the Gram form, and a gradient.

    classic    J, B·P numbers, and its SVD's U and V, as many again
    Gram       θ, δ, the factors B·S and the Gram matrix B²
    SGD        θ, the gradient and the activations, B·S

Counted is the peak of what NumPy allocates during a step (`tracemalloc`), θ and the batch apart.

Put to the test on label regression, 64-w-w-10, float32, B = 64, w = 64 … 256.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...optimizers.first_order import SGD
from ...plots import BLUE, GREEN, RED
from ..claim import Claim, Effort, Verdict
from ..small_problems import over

CLAIM = Claim(
    title="A step needs the memory of a Jacobian",
    statement="Sven has to hold a B × P Jacobian, far more than SGD holds.",
    where="two reviewers; the paper's own experiments held it",
    conditions="64-w-w-10, w = 64, 128, 256, B = 64, float32; peak of NumPy's allocations in one step.",
    settles=("criticism 6",),
)
WIDTHS, B = (64, 128, 256), 64
METHODS = {"dense": ("classic", RED), "gram": ("Gram", BLUE), "sgd": ("SGD", GREEN)}


def compute(effort: Effort) -> dict[str, Any]:
    """Peak bytes by draw and seed, method and width."""
    values, counts = over(one, effort, draws=2, seeds=2)
    sizes = [int(MLP((64, w, w, 10)).n_params) for w in WIDTHS]
    return counts | {"values": values, "P": sizes}


def one(draw: int, seed: int) -> dict[str, list[int]]:
    """One batch and one θ for each width."""
    result: dict[str, list[int]] = {name: [] for name in METHODS}
    rng = np.random.default_rng(draw)
    batch = rng.standard_normal((B, 64)).astype(np.float32), rng.integers(0, 10, B)
    for width in WIDTHS:
        net = MLP((64, width, width, 10), "gelu")
        problem, theta, sgd = Problem(net, "label_regression"), net.init(seed, np.float32), SGD(lr=0.1)
        for name in METHODS:
            tracemalloc.start()
            if name == "sgd":
                sgd.step(problem, theta, batch)
            else:
                step(problem, theta, batch, lr=0.1, rtol=1e-2, solver=name)
            result[name].append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    return result


def peaks(data: dict[str, Any], name: str) -> Any:
    """Medians, by width."""
    return np.median([v[name] for row in data["values"] for v in row], axis=0)


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds if J is formed, where at the widest the classic peak exceeds the bytes of J and the Gram peak is below a
    fifth of them; holds where the Gram peak exceeds them too; open otherwise."""
    J = 4 * B * data["P"][-1]
    dense, gram, sgd = (peaks(data, name)[-1] for name in METHODS)
    word = "holds if" if dense > J and gram < J / 5 else "holds" if gram > J else "open"
    return Verdict(
        word,
        f"J is formed: {dense / 1e6:.1f} MB at P = {data['P'][-1]:,}, where J has {J / 1e6:.1f}; the Gram form holds "
        f"{gram / 1e6:.1f} MB, {gram / sgd:.1f} times SGD's {sgd / 1e6:.1f}.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By width."""
    return [
        {"w": str(w), "P": f"{P:,}", "J, MB": f"{4e-6 * B * P:.2f}"}
        | {f"{label}, MB": f"{peaks(data, name)[i] / 1e6:.2f}" for name, (label, _) in METHODS.items()}
        for i, (w, P) in enumerate(zip(WIDTHS, data["P"], strict=True))
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Peaks against P."""
    for name, (label, colour) in METHODS.items():
        axes.loglog(data["P"], peaks(data, name) / 1e6, "o-", color=colour, label=label)
    axes.set(xlabel="parameters P", ylabel="peak of a step, MB")
    axes.legend()
