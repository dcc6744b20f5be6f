"""Down to where a spectrum of float32 is to be trusted.

J in float32 has singular values of its own; the question is which of them a method finds.

    SVD of J in float32             errors ε₃₂ σ_1        σ known down to about 1e-7 σ_1
    JJᵀ summed in float32           errors ε₃₂ σ_1² of σ²     √ε₃₂ = 3.5e-4 σ_1
    JJᵀ summed in float64           errors ε₆₄ σ_1² of σ²     √ε₆₄ = 1.5e-8 σ_1

Stored in float32, J itself is known to ε₃₂, so that σ below some 1e-7 σ_1 may not be those of the J that was meant,
whatever the method.

Put to the test on J = U diag(σ) Vᵀ, 64 × 1,000, σ from 1 to 1e-10 in equal ratios, rounded to float32; and on the toy
network's J at θ_0, 64 rows. Truth: the SVD in float64 of the float32 J. A method's floor is the largest true σ/σ_1
that it misses by more than 10 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....nets.mlp import MLP
from ....problem import Problem
from ...plots import dots
from ...tasks import TASKS
from ..claim import Claim, Effort, Verdict
from ..small_problems import over

CLAIM = Claim(
    title="Float32 spectra are noise below 3e-4 of the largest singular value",
    statement="Singular values below √ε₃₂ = 3.45e-4 of the largest are noise, also where the Gram matrix is summed in "
    "float64.",
    where="a note in the authors' later code, against another of theirs",
    conditions="float32 J: 64 × 1,000 with a known spectrum, and the toy network's, B = 64.",
    settles=("criticism 19",),
)
METHODS = {"gram32": "JJᵀ in float32", "gram64": "JJᵀ in float64", "svd32": "SVD in float32"}
NOTED, WRONG = 3.45e-4, 0.1


def compute(effort: Effort) -> dict[str, Any]:
    """Floors by draw and seed, of both kinds of J; `stored`: the floor of the float32 J against the float64 one."""
    values, counts = over(one, effort)
    return counts | {"values": values}


def one(draw: int, seed: int) -> dict[str, dict[str, float]]:
    """One J of each kind."""
    rng = np.random.default_rng([draw, seed])
    U, V = (np.linalg.qr(rng.standard_normal((n, 64)))[0] for n in (64, 1000))
    known = (U * 10.0 ** np.linspace(0, -10, 64)) @ V.T
    net, (x, y) = MLP((1, 16, 16, 16, 1), "gelu"), TASKS["toy"](draw, dtype=np.float64).train
    toy = Problem(net, kappa=1).jacobian(net.init(seed), (x[:64], y[:64])).rmatmat(np.eye(64)).T
    return {"known": floors(known), "toy": floors(toy)}


def floors(J: Any) -> dict[str, float]:
    """By method, for J rounded to float32."""
    J32 = J.astype(np.float32)
    J64 = J32.astype(np.float64)
    truth = np.linalg.svd(J64, compute_uv=False)
    found = {
        "gram32": np.sqrt(np.maximum(np.linalg.eigvalsh((J32 @ J32.T).astype(np.float64))[::-1], 0)),
        "gram64": np.sqrt(np.maximum(np.linalg.eigvalsh(J64 @ J64.T)[::-1], 0)),
        "svd32": np.linalg.svd(J32, compute_uv=False).astype(np.float64),
    }
    return {name: floor(truth, s) for name, s in found.items()} | {
        "stored": floor(np.linalg.svd(J, compute_uv=False), truth)
    }


def floor(truth: Any, found: Any) -> float:
    """The largest σ/σ_1 of `truth` that is missed; the smallest there is where none is."""
    missed = np.abs(found - truth) > WRONG * truth
    return float((truth[missed].max() if missed.any() else truth[-1]) / truth[0])


def collected(data: dict[str, Any], kind: str, name: str) -> list[float]:
    """Floors over draws and seeds."""
    return [v[kind][name] for row in data["values"] for v in row]


def verdict(data: dict[str, Any]) -> Verdict:
    """Does not hold where every floor of JJᵀ summed in float64 is below a hundredth of 3.45e-4; holds where every one
    is above it; else open."""
    ours = collected(data, "known", "gram64") + collected(data, "toy", "gram64")
    theirs = collected(data, "known", "gram32") + collected(data, "toy", "gram32")
    word = "does not hold" if max(ours) < NOTED / 100 else "holds" if min(ours) > NOTED else "open"
    stored = collected(data, "known", "stored")
    return Verdict(
        word,
        f"summed in float64 the floor is {min(ours):.0e} to {max(ours):.0e} σ_1; {min(theirs):.0e} to "
        f"{max(theirs):.0e} is "
        f"that of sums in float32; storing J in float32 itself costs what lies below {max(stored):.0e} σ_1.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """Medians and ranges."""
    names = METHODS | {"stored": "rounding J to float32"}
    rows = []
    for kind, label in (("known", "known spectrum"), ("toy", "toy network")):
        for name, text in names.items():
            values = collected(data, kind, name)
            row = {"J": label, "method": text, "floor σ/σ_1, median": f"{np.median(values):.1e}"}
            rows.append(row | {"least": f"{min(values):.1e}", "largest": f"{max(values):.1e}"})
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Floors by method, known spectrum."""
    names = METHODS | {"stored": "rounding of J"}
    dots(axes, {text: collected(data, "known", name) for name, text in names.items()}, "floor σ/σ₁")
    axes.tick_params(axis="x", labelsize=8)
