"""Checks for operators of one's own. Each returns the error it measured and raises `CheckFailed` beyond its bound.

dot_test            |⟨Jv, u⟩ − ⟨v, Jᵀu⟩|  ≤  rtol ‖J‖ ‖v‖ ‖u‖
check_jacobian      ‖Jv − (R(θ + hv) − R(θ − hv)) / 2h‖  ≤  rtol ‖Jv‖ + what rounding of R explains
check_pinv          the four Moore–Penrose conditions of J⁺ against the kept part J_q = P_q J
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arguments import as_generator, check_integer, check_theta
from .errors import CheckFailed
from .jacobian import check_residuals
from .operators import ProductLinearOperator, Scaled, as_product_operator, norm, power_of_two
from .pinv import TruncatedPinv
from .tape import evaluate


def dot_test(J: Any, rng: Any = 0, rtol: float | None = None, trials: int = 3) -> float:
    """`rmatvec` is the adjoint of `matvec`: the largest |⟨Jv, u⟩ − ⟨v, Jᵀu⟩| / (‖Jv‖‖u‖ + ‖v‖‖Jᵀu‖) over Gaussian u, v.

    `rtol`: by default 100 ε of J's dtype; give more for an operator whose products are inexact.
    """
    J, rng = _near_one(as_product_operator(J)), as_generator(rng)
    rtol = 100 * float(np.finfo(J.dtype).eps) if rtol is None else rtol
    worst = 0.0
    for _ in range(check_integer("trials", trials)):
        v, u = (rng.standard_normal(n).astype(J.dtype) for n in J.shape[::-1])
        Jv, JTu = J.matvec(v), J.rmatvec(u)
        left, right = float(np.dot(Jv, u)), float(np.dot(v, JTu))
        scale = float(np.linalg.norm(Jv) * np.linalg.norm(u) + np.linalg.norm(v) * np.linalg.norm(JTu))
        worst = max(worst, abs(left - right) / scale if scale > 0 else 0.0)
        if worst > rtol:
            raise CheckFailed(
                f"dot_test: <Jv, u> = {left:.17g}, <v, J'u> = {right:.17g}: {worst:.2g} apart, bound {rtol:.2g}"
            )
    return worst


def _near_one(J: ProductLinearOperator) -> ProductLinearOperator:
    """J over a power of two near the size of its products, so that squares neither overflow nor underflow."""
    return Scaled(J, power_of_two(float(np.abs(J.matvec(np.ones(J.shape[1], J.dtype))).max())))


def check_jacobian(
    fun: Callable[[Any], Any], theta: Any, J: Any, rng: Any = 0, rtol: float | None = None, trials: int = 3
) -> float:
    """J is the Jacobian of `fun` at θ: the largest relative error of Jv against central differences.

    v is random with ‖v‖ = 1 and h = ε^{1/3} max(1, ‖θ‖): there the h² of truncation meets the ε/h of rounding.
    `rtol`: by default 100 ε^{2/3}, on top of the 10 ε ‖R‖/h that rounding of R alone can cause.
    """
    J, theta, rng = as_product_operator(J), check_theta(theta), as_generator(rng)
    eps = float(np.finfo(theta.dtype).eps)
    rtol = 100 * eps ** (2 / 3) if rtol is None else rtol
    h = eps ** (1 / 3) * max(1.0, float(np.linalg.norm(theta)))
    rounding = 10 * eps * norm(check_residuals(evaluate(fun, theta), fun)) / h
    worst = 0.0
    for _ in range(check_integer("trials", trials)):
        v = rng.standard_normal(theta.size)
        v = (v / np.linalg.norm(v)).astype(theta.dtype)
        step = np.asarray(h, theta.dtype) * v
        ahead, behind = (check_residuals(evaluate(fun, theta + s), fun) for s in (step, -step))
        difference = (ahead - behind) / (2 * h)
        c = power_of_two(max(float(np.abs(difference).max()), float(np.abs(Jv := J.matvec(v)).max())))
        difference, Jv = difference / c, Jv / c
        error, size = float(np.linalg.norm(Jv - difference)), float(np.linalg.norm(difference))
        worst = max(worst, error / size if size > 0 else error)
        if error > rtol * size + rounding / c:
            raise CheckFailed(
                f"check_jacobian: Jv differs from central differences by {error:.2g} of {size:.2g}, "
                f"bound {rtol * size + rounding / c:.2g}"
            )
    return worst


def check_pinv(J: Any, J_pinv: TruncatedPinv, rng: Any = 0, rtol: float | None = None) -> float:
    """The Moore–Penrose conditions, for X = J⁺ and J_q = P_q J, tried on Gaussian vectors, each relative to its scale.

        J_q X J_q = J_q      X J_q X = X      (J_q X)ᵀ = J_q X      (X J_q)ᵀ = X J_q

    `rtol`: by default 1000 ε σ_1/σ_q, the rounding that dividing by σ_q may amplify.
    """
    J, rng = Scaled(as_product_operator(J), J_pinv.c), as_generator(rng)
    s = J_pinv.singular_values
    if J_pinv.rank == 0:
        return 0.0
    rtol = 1000 * float(np.finfo(J.dtype).eps) * float(s[0] / s[-1]) if rtol is None else rtol
    v, w = rng.standard_normal((2, J.shape[1])).astype(J.dtype)
    u, t = rng.standard_normal((2, J.shape[0])).astype(J.dtype)

    def J_q(x: Any) -> Any:
        return J_pinv.project(J.matvec(x))

    X = Scaled(as_product_operator(J_pinv), 1 / J_pinv.c)  # the pseudoinverse of J/c
    Xu, Xt, Jv, Jw = X.matvec(u), X.matvec(t), J_q(v), J_q(w)
    errors = {
        "J X J = J": norm(J_q(X.matvec(Jv)) - Jv) / norm(Jv),
        "X J X = X": norm(X.matvec(J_q(Xu)) - Xu) / norm(Xu),
        "J X symmetric": abs(J_q(Xu) @ t - u @ J_q(Xt)) / (norm(u) * norm(t)),
        "X J symmetric": abs(X.matvec(Jv) @ w - v @ X.matvec(Jw)) / (norm(v) * norm(w)),
    }
    for condition, error in errors.items():
        if not error <= rtol:
            raise CheckFailed(f"check_pinv: {condition} fails by {error:.2g}, bound {rtol:.2g}")
    return float(max(errors.values()))
