"""The Gram form is the classic one, without J.

    classic    J = U S Vᵀ of shape (M, P),   δ = V_q S_q⁻¹ U_qᵀ R
    Gram       JJᵀ = U S² Uᵀ of shape (M, M),   w = U_q S_q⁻² U_qᵀ R,   δ = Jᵀ w

Jᵀw is one backward pass. For a network with summed widths S = Σ_l (in_l + out_l), JJᵀ is a sum over layers of products
of factors, so that J is never formed: numbers held, B² + B·S against B·P; multiplications beyond the forward and
backward passes, B²S + O(B³) against O(B²P). Squaring costs digits: σ below √ε σ_1 is out of reach, and the relative
difference of the two grows like ε cond², cond that of the kept part.

Put to the test on the polynomial network by solver `gram` against `dense`, over k, rtol, κ and micro-batches.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np

from ....nets.mlp import MLP
from ....problem import Problem
from ....step import step
from ...plots import BLUE, GREY
from ..claim import Claim, Effort, Verdict
from ..small_problems import WIDE, apart, over, polynomial

CLAIM = Claim(
    title="The Gram form is the classic step without its Jacobian",
    statement="The update can be had from products and an M × M matrix, equal to that from the SVD of J, at a "
    "fraction of "
    "its memory.",
    where="the answer to two reviewers on memory",
    conditions="float64; B = 32, P = 673; k = 8 and all, rtol = 1e-3 and 1e-2, κ = 1, 1.4, 2, m = 1, 2.",
    settles=("criticism 6",),
    exact=True,
)
EPS, B = float(np.finfo(float).eps), 32
ALLOWED = 10  # units ε cond²
NETS = {"toy": (1, 16, 16, 16, 1), "polynomial": WIDE, "MNIST": (784, 32, 32, 32, 10), "wide": (784, 1024, 1024, 10)}


def compute(effort: Effort) -> dict[str, Any]:
    """Differences with ε cond² of the kept part, by draw and seed; numbers held and multiplied, by network."""
    values, counts = over(one, effort)
    return counts | {"values": values, "nets": {name: count(sizes, 64) for name, sizes in NETS.items()}}


def one(draw: int, seed: int) -> list[list[float]]:
    """[difference, cond of the kept part] for each setting."""
    net, (x, y) = MLP(WIDE, "gelu"), polynomial(draw).train
    theta, batch, pairs = net.init(seed), (x[:B], y[:B]), []
    for k, rtol, kappa, m in product((8, None), (1e-3, 1e-2), (1.0, 1.4, 2.0), (1, 2)):
        problem = Problem(net, kappa=kappa, micro_batch=m, rows="unsigned")
        options: dict[str, Any] = {"lr": 1.0, "k": k, "rtol": rtol}
        classic, info = step(problem, theta, batch, solver="dense", **options)
        gram, _ = step(problem, theta, batch, solver="gram", **options)
        kept = info.singular_values
        pairs.append([apart(gram - theta, classic - theta), float(kept[0] / kept[-1])])
    return pairs


def count(sizes: tuple[int, ...], B: int) -> dict[str, int]:
    """Numbers held beyond θ and δ, and multiplications beyond the passes, of both forms."""
    pairs = list(pairwise(sizes))
    P, S = sum((i + 1) * o for i, o in pairs), sum(i + o for i, o in pairs)
    return {
        "P": P,
        "classic numbers": B * P,
        "Gram numbers": B * B + B * S,
        "classic products": 2 * B * B * P,
        "Gram products": B * B * S + B**3,
    }


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where every difference is below 10 ε cond² of the kept part; does not hold otherwise."""
    pairs = np.array([p for row in data["values"] for v in row for p in v])
    holds = bool((pairs[:, 0] <= ALLOWED * EPS * pairs[:, 1] ** 2).all())
    wide = data["nets"]["wide"]
    return Verdict(
        "holds" if holds else "does not hold",
        f"the same to {pairs[:, 0].max():.0e} at condition numbers up to {pairs[:, 1].max():.0f}; at P = "
        f"{wide['P']:,}, "
        f"B = 64, J has {wide['classic numbers'] / wide['Gram numbers']:.0f} times the numbers of factors and Gram "
        f"matrix, "
        f"and its SVD {wide['classic products'] / wide['Gram products']:.0f} times the multiplications.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """What the two forms hold and multiply at B = 64."""
    return [
        {"network": name, "P": f"{n['P']:,}"}
        | {
            "J, MB": f"{8e-6 * n['classic numbers']:.3g}",
            "factors and JJᵀ, MB": f"{8e-6 * n['Gram numbers']:.3g}",
            "multiplications, SVD of J": f"{n['classic products']:.2g}",
            "JJᵀ and its eigenvectors": f"{n['Gram products']:.2g}",
        }
        for name, n in data["nets"].items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Difference against the condition number of what is kept."""
    pairs = np.array([p for row in data["values"] for v in row for p in v])
    c = np.array([1.0, pairs[:, 1].max()])
    axes.loglog(c, EPS * c**2, color=GREY, ls="--", label="ε cond²")
    axes.loglog(pairs[:, 1], np.maximum(pairs[:, 0], 1e-17), ".", color=BLUE)
    axes.set(xlabel="condition number σ₁/σ_q of the kept part", ylabel="difference of the updates, relative")
    axes.legend()
