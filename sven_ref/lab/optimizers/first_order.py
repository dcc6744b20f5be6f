"""Optimizers that move by the gradient g_t = ∇L(θ_{t−1}) alone; α is `lr`, and every state starts at zero.

SGD        θ ← θ − α g                                                              Robbins & Monro 1951
Momentum   b ← μ b + g,    θ ← θ − α b                                              Polyak 1964
RMSProp    v ← ρ v + (1 − ρ) g²,    θ ← θ − α g/(√v + ε)                            Tieleman & Hinton 2012
Adam       m ← β1 m + (1 − β1) g,   v ← β2 v + (1 − β2) g²                          Kingma & Ba 2015, Algorithm 1
           θ ← θ − α m̂/(√v̂ + ε),    m̂ = m/(1 − β1^t),   v̂ = v/(1 − β2^t)
AdamW      Adam, with θ ← (1 − αλ) θ before it                                      Loshchilov & Hutter 2019
Polyak     θ ← θ − α_t g,    α_t = min((L − f*)/(‖g‖² + ε), α_max)                  Polyak 1987; f* the least value of L

Where these leave a choice it is PyTorch's, whose defaults the paper's comparisons use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arguments import check_number
from ...errors import ArgumentError
from .gradient import FirstOrder


def at_least_zero(**values: float) -> None:
    """Raise `ArgumentError` unless all these are finite and ≥ 0."""
    for name, value in values.items():
        check_number(name, value, "≥ 0", lambda x: x >= 0)


def positive(**values: float) -> None:
    """Raise `ArgumentError` unless all these are finite and > 0."""
    for name, value in values.items():
        check_number(name, value, "> 0", lambda x: x > 0)


def fraction(**values: float) -> None:
    """Raise `ArgumentError` unless all these are ≥ 0 and < 1."""
    for name, value in values.items():
        check_number(name, value, "≥ 0 and < 1", lambda x: 0 <= x < 1)


@dataclass
class SGD(FirstOrder):
    """α = `lr` ≥ 0."""

    lr: float = 1e-2

    def __post_init__(self) -> None:
        at_least_zero(lr=self.lr)

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """The first line at the head."""
        return theta - self.lr * g, {}


@dataclass
class Momentum(FirstOrder):
    """α = `lr` ≥ 0, 0 ≤ μ = `momentum` < 1."""

    lr: float = 1e-2
    momentum: float = 0.9
    b: Any = 0.0

    def __post_init__(self) -> None:
        at_least_zero(lr=self.lr)
        fraction(momentum=self.momentum)

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """The heavy ball."""
        b = self.momentum * self.b + g
        return theta - self.lr * b, {"b": b}


@dataclass
class RMSProp(FirstOrder):
    """α = `lr` ≥ 0, 0 ≤ ρ = `rho` < 1, ε > 0."""

    lr: float = 1e-2
    rho: float = 0.99
    eps: float = 1e-8
    v: Any = 0.0

    def __post_init__(self) -> None:
        at_least_zero(lr=self.lr)
        fraction(rho=self.rho)
        positive(eps=self.eps)

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """Each coordinate over its root mean square."""
        v = self.rho * self.v + (1 - self.rho) * (g * g)
        return theta - self.lr * g / (np.sqrt(v) + self.eps), {"v": v}


@dataclass
class Adam(FirstOrder):
    """Options and state of a run: α = `lr` ≥ 0, 0 ≤ β < 1, ε > 0; t = `n_steps`. A step that raises changes nothing."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    n_steps: int = 0
    m: Any = 0.0
    v: Any = 0.0

    def __post_init__(self) -> None:
        at_least_zero(lr=self.lr)
        positive(eps=self.eps)
        if not isinstance(self.betas, list | tuple) or len(self.betas) != 2:
            raise ArgumentError(f"betas = {self.betas!r}: must be a pair")
        fraction(**{f"betas[{i}]": beta for i, beta in enumerate(self.betas)})

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """The three lines at the head; the two of θ in place, in arrays of their own."""
        (b1, b2), t = self.betas, self.n_steps + 1
        m = b1 * self.m + (1 - b1) * g
        v = b2 * self.v + (1 - b2) * (g * g)

        denominator = np.sqrt(v)
        denominator /= (1 - b2**t) ** 0.5  # √v̂
        denominator += self.eps
        step = m / denominator
        step *= self.lr / (1 - b1**t)
        return theta - step, {"m": m, "v": v, "n_steps": t}


@dataclass
class AdamW(Adam):
    """Adam with decoupled weight decay, λ = `weight_decay` ≥ 0."""

    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_zero(weight_decay=self.weight_decay)

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """Decay, then Adam."""
        return super().update((1 - self.lr * self.weight_decay) * theta, g, loss)


@dataclass
class Polyak(FirstOrder):
    """α_max = `max_lr` > 0, f* = `least`, ε > 0."""

    max_lr: float = 1.0
    least: float = 0.0
    eps: float = 1e-8

    def __post_init__(self) -> None:
        positive(max_lr=self.max_lr, eps=self.eps)
        check_number("least", self.least, "", lambda x: True)

    def update(self, theta: Any, g: Any, loss: float) -> tuple[Any, dict[str, Any]]:
        """The step that would reach f* were L linear."""
        alpha = min((loss - self.least) / (float(np.vdot(g, g)) + self.eps), self.max_lr)
        return theta - alpha * g, {}
