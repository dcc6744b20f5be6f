"""Optimizers that invert part of the Jacobian J of the outputs or of the residuals; `lr` is η.

Gauss–Newton           θ ← θ − η x,   x the shortest minimiser of ‖J x − r‖                  Gauss 1809
Levenberg–Marquardt    θ ← θ − h,     h = (JᵀJ + μI)⁻¹ Jᵀr                                   Marquardt 1963
                       ρ = (F(θ) − F(θ − h)) / ½ hᵀ(μh + Jᵀr),   F = ½‖r‖²
                       ρ > 0:  μ ← μ max(1/3, 1 − (2ρ − 1)³), ν ← 2;   else θ stays, μ ← μν, ν ← 2ν
HIG                    θ ← θ − η V S^{−1/2} Uᵀ g,   J = U S Vᵀ over σ > τσ_1               Schnell et al., ICLR 2022

The control of μ is Nielsen's (Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems, 2004, §3.2).
The residuals r are, for a loss that is a square, one per output, f − y, else √ℓ, one per sample (κ = 1); for HIG
J = ∂f/∂θ of shape (B·C, P) and g = ∂(Σ ℓ)/∂f.

M = B·C rows and P parameters: with K = JJᵀ = U S² Uᵀ, M × M in float64, h = Jᵀ(K + μI)⁻¹r and HIG's step is
Jᵀ U S^{−3/2} Uᵀ g. Squaring J costs accuracy: a kept σ is right to M ε (σ_1/σ)², so HIG does this for τ ≥ 1e-4, where
that is at most 1e-5 for M = 640, and decomposes J itself otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
from autograd import grad
from scipy.linalg import cho_factor, cho_solve

from ...arguments import check_finite, check_theta
from ...errors import NonFiniteError
from ...problem import Problem
from .first_order import at_least_zero, fraction, positive
from .gradient import GradientInfo, norm
from .outputs import dense, losses_of, output_jacobian, residuals_and_jacobian

GRAM_TAU, TINY = 1e-4, 1e-300


@dataclass
class GaussNewton:
    """η = `lr` ≥ 0. Singular values below max(M, P) ε σ_1 count as zero; J is dense, in float64."""

    lr: float = 1.0

    def __post_init__(self) -> None:
        at_least_zero(lr=self.lr)

    @np.errstate(all="ignore")  # what is not finite is refused by checks
    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo), in θ's dtype."""
        theta = check_theta(theta)
        r, J = residuals_and_jacobian(problem, theta, batch)
        x = np.linalg.lstsq(dense(J), r, rcond=None)[0]
        return moved(theta, self.lr * x), info_of(problem, r, J, batch)


@dataclass
class LevenbergMarquardt:
    """One trial a step: `accepted` says whether θ moved. μ starts at `tau` × the largest diagonal entry of K or JᵀJ."""

    tau: float = 1e-3
    mu: float | None = None
    nu: float = 2.0
    accepted: bool | None = None

    def __post_init__(self) -> None:
        positive(tau=self.tau, nu=self.nu)

    @np.errstate(all="ignore")  # what is not finite is refused by checks
    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ' or θ itself, GradientInfo), in θ's dtype."""
        theta = check_theta(theta)
        r, J = residuals_and_jacobian(problem, theta, batch)
        g = J.rmatvec(r)
        dual = J.shape[0] <= J.shape[1]
        A = J.gram() if dual else J.normal_matrix()
        mu = self.tau * float(np.diag(A).max()) if self.mu is None else self.mu
        damped = cho_factor(A + max(mu, TINY) * np.eye(len(A)))
        h = J.rmatvec(cho_solve(damped, r)) if dual else cho_solve(damped, g)

        info = info_of(problem, r, J, batch)
        try:
            new = moved(theta, h)
            trial = float(np.sum(problem.losses(new, batch), dtype=np.float64))  # ‖r‖² there, as for every loss
            gain = float((r @ r - trial) / max(h @ (mu * h + g), TINY))
        except NonFiniteError:  # the model can't be evaluated there: a failed trial, and μ grows
            gain = -1.0
        self.accepted = gain > 0
        if not self.accepted:
            self.mu, self.nu = mu * self.nu, 2 * self.nu
            return theta, info
        self.mu, self.nu = mu * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2.0
        return new, info


@dataclass
class HIG:
    """η = `lr` ≥ 0, 0 ≤ `tau` < 1."""

    lr: float = 1.0
    tau: float = 1e-6

    def __post_init__(self) -> None:
        at_least_zero(lr=self.lr)
        fraction(tau=self.tau)

    @np.errstate(all="ignore")  # what is not finite is refused by checks
    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo), in θ's dtype."""
        theta = check_theta(theta)
        J, f = output_jacobian(problem, theta, batch)
        loss = float(np.mean(losses_of(problem, f, batch)))
        g = grad(lambda f: np.sum(losses_of(problem, f, batch)))(f).astype(np.float64).ravel()
        check_finite("gradient", g)
        new = moved(theta, self.lr * half_inverse(J, g, self.tau))
        return new, GradientInfo(loss, norm(J.rmatvec(g)) / len(f))


def half_inverse(J: Any, g: Any, tau: float) -> Any:
    """V S^{−1/2} Uᵀ g over σ > τσ_1, by the Gram matrix for τ ≥ 1e-4 and by the SVD of J otherwise."""
    if tau < GRAM_TAU:
        U, S, Vt = np.linalg.svd(dense(J), full_matrices=False)
        kept = tau * S[0] < S  # strict: a J of zeros keeps nothing
        return ((g @ U[:, kept]) / np.sqrt(S[kept])) @ Vt[kept]
    squares, U = np.linalg.eigh(J.gram())
    kept = tau**2 * squares[-1] < squares
    return J.rmatvec(U[:, kept] @ ((g @ U[:, kept]) * squares[kept] ** -0.75))


def info_of(problem: Problem, r: Any, J: Any, batch: Any) -> GradientInfo:
    """L = ‖r‖²/B and ‖∇L‖ = 2‖Jᵀr‖/B."""
    B = len(r) if not isinstance(problem, Problem) else len(batch[0])
    return GradientInfo(float(r @ r) / B, norm(J.rmatvec(r)) * 2 / B)


def moved(theta: Any, step: Any) -> Any:
    """θ − step in θ's dtype, finite."""
    new = (theta - step).astype(theta.dtype)
    check_finite("updated theta", new)
    return new
