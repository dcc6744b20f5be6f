"""Adam (Kingma & Ba 2015, Algorithm 1), under the protocol of `Sven`: `theta, info = opt.step(problem, theta, batch)`.

g_t = ∇L(θ_{t−1}),    L = (1/B) Σ_α ℓ_α
m_t = β1 m_{t−1} + (1 − β1) g_t                  v_t = β2 v_{t−1} + (1 − β2) g_t²
θ_t = θ_{t−1} − α m̂_t / (√v̂_t + ε)               m̂_t = m_t/(1 − β1^t),   v̂_t = v_t/(1 − β2^t)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import autograd.numpy as np
from autograd import value_and_grad

from ..errors import ArgumentError, check_finite, check_number, check_theta
from ..residuals import Problem


class GradientInfo(NamedTuple):
    """`loss`: the batch mean before the update; `gradient_norm`: ‖g‖."""

    loss: float
    gradient_norm: float


def mean_loss(problem: Problem, theta: Any, batch: Any) -> Any:
    """L(θ) = (1/B) Σ_α ℓ_α in `autograd.numpy`; the mean of R² where the problem was given by `residuals=`."""
    if problem.model is None:
        return np.mean(problem.function(batch)(theta) ** 2)
    x, y = batch
    return np.mean(problem.losses_of(problem.model(theta, x), y))


@dataclass
class Adam:
    """Options and state of a run: α = `lr` ≥ 0, 0 ≤ β < 1, ε > 0; t = `n_steps`. A step that raises changes nothing."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    n_steps: int = 0
    m: Any = 0.0
    v: Any = 0.0

    def __post_init__(self) -> None:
        check_number("lr", self.lr, "≥ 0", lambda x: x >= 0)
        check_number("eps", self.eps, "> 0", lambda x: x > 0)
        if len(self.betas) != 2:
            raise ArgumentError(f"betas = {self.betas!r}: must be a pair")
        for i, beta in enumerate(self.betas):
            check_number(f"betas[{i}]", beta, "≥ 0 and < 1", lambda x: 0 <= x < 1)

    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo), in θ's dtype."""
        theta = check_theta(theta, np.size(self.m) if self.n_steps else None)
        loss, g = value_and_grad(lambda theta: mean_loss(problem, theta, batch))(theta)
        g = g.astype(theta.dtype)
        check_finite("gradient", g)

        (b1, b2), t = self.betas, self.n_steps + 1
        m = b1 * self.m + (1 - b1) * g
        v = b2 * self.v + (1 - b2) * g**2
        new = theta - self.lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + self.eps)

        check_finite("updated theta", new)
        self.m, self.v, self.n_steps = m, v, t
        return new, GradientInfo(float(loss), float(np.linalg.norm(g)))
