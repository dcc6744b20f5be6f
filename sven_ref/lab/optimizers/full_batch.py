"""Optimizers of SciPy that want all of the data at once: L-BFGS-B, and least squares within a trust region.

    lbfgs              min L(θ),  L = (1/B) Σ ℓ_α                        scipy.optimize.minimize(method="L-BFGS-B")
    least_squares      min ½‖r(θ)‖²                                      scipy.optimize.least_squares
                       "trf": trust-region reflective; "dogbox": dogleg; "lm": MINPACK's Levenberg–Marquardt, M ≥ P

with r as in `outputs`: one per output where the loss is a square, R for `Conditions`, else √ℓ. On
small problems that are known in full these, and not Sven, are the right tool: they choose how far to go by what the
last step gained. θ is in float64 throughout and comes back in the dtype it was given in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import least_squares as scipy_least_squares
from scipy.optimize import minimize

from ...arguments import check_choice, check_integer, check_theta
from ...errors import ArgumentError
from ...problem import Problem
from .outputs import dense, residuals_and_jacobian

METHODS = ("trf", "dogbox", "lm")


@dataclass
class FullBatchInfo:
    """`losses`: L at θ_0 and after every iteration; how many values and gradients or Jacobians that took; the end."""

    losses: list[float] = field(default_factory=list)
    n_evaluations: int = 0
    n_derivatives: int = 0
    converged: bool = False
    message: str = ""


def lbfgs(
    problem: Problem,
    theta: Any,
    batch: Any,
    *,
    max_iter: int = 1000,
    history_size: int = 10,
    tolerance_grad: float = 0.0,
    on_iteration: Callable[[int, Any, float], None] | None = None,
) -> tuple[Any, FullBatchInfo]:
    """L-BFGS on the whole batch from θ of shape (P,), which is left alone.

    Ends after `max_iter` iterations, where no gradient entry exceeds `tolerance_grad`, or where L no longer falls.
    `on_iteration(i, θ, L)` is called with i = 1, 2, …
    """
    start = check_theta(theta)
    check_integer("max_iter", max_iter)
    check_integer("history_size", history_size)
    info = FullBatchInfo([problem.loss_and_gradient(start.astype(np.float64), batch)[0]])

    def record(intermediate_result: Any) -> None:
        info.losses.append(float(intermediate_result.fun))
        if on_iteration is not None:
            on_iteration(len(info.losses) - 1, intermediate_result.x.astype(start.dtype), info.losses[-1])

    options = {"maxiter": max_iter, "maxcor": history_size, "maxfun": 20 * max_iter, "ftol": 0, "gtol": tolerance_grad}
    result = minimize(
        lambda theta: problem.loss_and_gradient(theta, batch),
        start.astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        callback=record,
        options=options,
    )
    info.n_evaluations, info.n_derivatives = int(result.nfev), int(result.njev)
    info.converged, info.message = bool(result.success), str(result.message)
    return result.x.astype(start.dtype), info


def least_squares(
    problem: Problem,
    theta: Any,
    batch: Any,
    *,
    method: str = "trf",
    max_nfev: int = 1000,
    tolerance: float = 1e-15,
    on_iteration: Callable[[int, Any, float], None] | None = None,
) -> tuple[Any, FullBatchInfo]:
    """Least squares on the whole batch from θ of shape (P,), which is left alone; J is dense.

    Ends after `max_nfev` evaluations of r, or where a step or its gain falls below `tolerance`, relatively.
    """
    check_choice("method", method, METHODS)
    check_integer("max_nfev", max_nfev)
    start = check_theta(theta)
    r, J = residuals_and_jacobian(problem, start.astype(np.float64), batch)
    B = len(batch[0]) if isinstance(problem, Problem) else len(r)
    info = FullBatchInfo()
    if method == "lm" and J.shape[0] < J.shape[1]:
        raise ArgumentError(f"method = 'lm': must have at least as many residuals as parameters; J is {J.shape}")

    last: dict[bytes, tuple[Any, Any]] = {}

    def both(theta: Any) -> tuple[Any, Any]:
        if (key := theta.tobytes()) not in last:
            last.clear()
            last[key] = residuals_and_jacobian(problem, theta, batch)
        return last[key]

    def jac(theta: Any) -> Any:  # asked for once where a step was accepted
        r, J = both(theta)
        info.losses.append(float(r @ r) / B)
        if on_iteration is not None and len(info.losses) > 1:
            on_iteration(len(info.losses) - 1, theta.astype(start.dtype), info.losses[-1])
        return dense(J)

    result = scipy_least_squares(
        lambda theta: both(theta)[0],
        start.astype(np.float64),
        jac=jac,
        method=method,
        max_nfev=max_nfev,
        **dict.fromkeys(("ftol", "xtol", "gtol"), tolerance),
    )
    info.n_evaluations, info.n_derivatives = int(result.nfev), int(result.njev)
    info.converged, info.message = result.status > 0, str(result.message)
    return result.x.astype(start.dtype), info
