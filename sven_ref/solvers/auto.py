"""Which solver runs, and which comes next where it meets its floor.

    svds    svds, then its stand-ins          auto    `plan`          every other solver    itself alone

A stage that can't tell a σ from zero, where that σ may have to be kept, hands on to the next (SPEC 3.7). The plan
weighs the products of ARPACK against the Gram matrix and its n³, by costs that were measured on two cores.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..operators import ProductLinearOperator
from .contract import DENSE

PAIR = 1e-4  # seconds of a product pair, at least
FLOP = 3e-11  # seconds of a multiplication in a product
EIGH = 1e-10  # seconds of eigenvectors, over n³
DIGITS = 100  # gram is left below this many √ε σ_1: σ² has four digits there


class Attempt(NamedTuple):
    """A solver by its name, and the σ/σ_1 up to which its σ are not trusted, whatever it says itself."""

    solver: str
    floor: float = 0.0


def attempts(J: ProductLinearOperator, k: int | None, solver: str) -> list[Attempt]:
    """What `truncated_pinv` tries for the solver that was asked for, in order."""
    n = min(J.shape)
    k = n if k is None else k
    if solver == "svds" and k == n and J.shape[0] * J.shape[1] <= DENSE:
        return [Attempt("svds"), Attempt("tsqr")]
    if solver == "svds":
        return [Attempt("svds"), *map(Attempt, stand_ins(J))]
    if solver != "auto":
        return [Attempt(solver)]
    *before, last = plan(J, k)
    unsafe = DIGITS * math.sqrt(float(np.finfo(np.float64).eps))
    return [*(Attempt(name, unsafe if name == "gram" else 0.0) for name in before), Attempt(last)]


def stand_ins(J: ProductLinearOperator) -> tuple[str, ...]:
    """Who takes over, in order, where `svds` has a σ at its floor that might be kept: what squares nothing.

    Such a spectrum has fallen by three digits in float32 and seven in float64 before k is reached: `randomized` is made
    for it. Factors are for `tsqr`. A J that is too large to be made has no third.
    """
    if J.factored:
        return ("tsqr",)
    return ("randomized", "dense") if J.shape[0] * J.shape[1] <= DENSE else ("randomized",)


def plan(J: ProductLinearOperator, k: int) -> tuple[str, ...]:
    """The solvers that `auto` tries, in order; the next one where the one before meets its floor.

    From factors: `gram`, or ARPACK where k is so small against n that 5k + 20 product pairs cost less than the Gram
    matrix and its n³; `tsqr` after either. By products alone: `dense` where it is as cheap, else ARPACK.

    Parameters
    ----------
    J : ProductLinearOperator of shape (M, P)
    k : int, 1 ≤ k ≤ min(M, P)

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> sr.solvers.plan(sr.as_product_operator(np.ones((100, 200))), k=3)
    ('svds', 'randomized', 'dense')
    """
    M, P = J.shape
    n = min(M, P)
    if J.factored:
        pairs = (5 * k + 20) * (PAIR + FLOP * 4 * M * P)
        gram_matrix = FLOP * J.gram_cost() + EIGH * n**3
        first = "svds" if pairs < gram_matrix else "gram"
    elif n <= max(64, 4 * k) and M * P <= DENSE:
        return ("dense",)
    else:
        first = "svds"
    return (first, *stand_ins(J))
