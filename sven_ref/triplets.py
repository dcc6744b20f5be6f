"""What a solver of `solvers` returns, and what they share: the probe, the floors.

J / c = U diag(s) Vᵀ with s descending and c a power of two near σ_1, so that squaring neither overflows nor underflows
(SPEC 3.8) and the division is exact. A solver also states its floor, the σ/σ_1 below which it can't tell a singular
value from zero:

    unsquared (dense, tsqr, randomized)   4ε√max(M, P)   what is below is zero to working precision
    squared   (svds, gram)                √ε             what is below may be anything: refused where it might be kept

with ε that of the dtype that sums are made in. Eigenvalues of JJᵀ are known to about ε σ_1², so σ to √ε σ_1 (SPEC 3.7).
An SVD is backward stable, and the rounding errors of its sums over max(M, P) terms add up like a random walk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .jacobian import ProductLinearOperator, check_range, power_of_two, require_adjoint


@dataclass(frozen=True)
class Triplets:
    """Triplets of J/c: U (M, r) or None, s (r,) descending, Vt (r, P) or None; who found them, how finely."""

    U: Any
    s: Any
    Vt: Any
    c: float
    solver: str
    floor: float
    squared: bool


def resolution(shape: tuple[int, int], dtype: Any) -> float:
    """The floor of a solver that does not square J, its sums made in `dtype`."""
    return 4 * float(np.finfo(dtype).eps) * math.sqrt(max(shape))


def squared_resolution(dtype: Any) -> float:
    """The floor of a solver that squares J, its sums made in `dtype`."""
    return math.sqrt(float(np.finfo(dtype).eps))


def probe(J: ProductLinearOperator, rng: Any) -> float:
    """One product pair: the power of two c near σ_1 (0 if J = 0), and the dot-test of `rmatvec` against `matvec`.

    For v Gaussian and u = Jv: ⟨u, u⟩ = ⟨v, Jᵀu⟩ for the true adjoint; σ_1 ≥ ‖Jᵀu‖/‖u‖.
    """
    v = np.random.default_rng(rng).standard_normal(J.shape[1]).astype(J.dtype)
    Jv = J.matvec(v)
    size = float(np.abs(Jv).max())
    if size == 0:
        return 0.0
    u = np.asarray(Jv / J.dtype.type(power_of_two(size)), np.float64)
    w = J.rmatvec(u)
    largest = float(np.abs(w).max())
    check_range(max(size, largest), J.dtype)
    require_adjoint(v, Jv, u, w)
    c, w = power_of_two(largest), np.asarray(w, np.float64)
    return power_of_two(c * float(np.linalg.norm(w / c) / np.linalg.norm(u)))


def zero(J: ProductLinearOperator, solver: str) -> Triplets:
    """The triplets of J = 0: none is ever kept."""
    M, P = J.shape
    return Triplets(np.zeros((M, 1), J.dtype), np.zeros(1, J.dtype), np.zeros((1, P), J.dtype), 1.0, solver, 0.0, False)
