"""L-BFGS on mini-batches (Liu & Nocedal 1989), as in `torch.optim.LBFGS`.

    s = θ_i − θ_{i−1},   y = g_i − g_{i−1}                      the last `history_size` with ⟨y, s⟩ > 1e-10
    d = −H g_i                                                  two loops; H_0 = ⟨y, s⟩/⟨y, y⟩ of the newest pair
    θ_{i+1} = θ_i + t d,     t = `lr`, at the very first min(1, 1/‖g‖_1) `lr`

up to `max_iter` times on one batch, with the pairs kept across batches: between two batches y is then a difference of
gradients of two functions, which is why this can fail where L-BFGS on one function can't. With
`line_search="strong_wolfe"`, as in the paper's comparisons, t is the first trial of `line_search`. A batch is given
max_iter·5/4 evaluations of L and g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...arguments import check_choice, check_finite, check_integer, check_theta
from ...errors import NonFiniteError
from ...problem import Problem
from .first_order import at_least_zero, positive
from .gradient import GradientInfo, norm
from .line_search import Point, strong_wolfe

CURVATURE = 1e-10


@dataclass
class LBFGS:
    """Options, and the state at the end of a step: the pairs (s, y), the last t·d and g; `n_iter` of all steps."""

    lr: float = 1.0
    max_iter: int = 20
    history_size: int = 100
    line_search: str | None = None
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    n_iter: int = 0
    s: list[Any] = field(default_factory=list)
    y: list[Any] = field(default_factory=list)
    last_move: Any = None
    last_gradient: Any = None

    def __post_init__(self) -> None:
        positive(lr=self.lr)
        at_least_zero(tolerance_grad=self.tolerance_grad, tolerance_change=self.tolerance_change)
        check_integer("max_iter", self.max_iter)
        check_integer("history_size", self.history_size)
        check_choice("line_search", self.line_search, (None, "strong_wolfe"))

    @np.errstate(all="ignore")  # what is not finite is refused by checks
    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo), up to `max_iter` moves on this batch."""
        theta = check_theta(theta, None if self.last_gradient is None else self.last_gradient.size)
        s, y, last_move, last_gradient, n_iter = [*self.s], [*self.y], self.last_move, self.last_gradient, self.n_iter

        evaluations, most = 0, self.max_iter * 5 // 4

        def f(theta: Any) -> tuple[float, Any]:
            nonlocal evaluations
            evaluations += 1
            check_finite("updated theta", theta)
            return problem.loss_and_gradient(theta, batch)

        def phi(t: float) -> Point:
            try:
                loss, g = f(theta + t * d)
            except NonFiniteError:  # too far: the search comes back from it
                return Point(t, math.inf, math.nan, 0 * d)
            return Point(t, loss, float(np.vdot(g, d)), g)

        loss, g = f(theta)
        info = GradientInfo(loss, norm(g))
        for i in range(self.max_iter):
            if np.abs(g).max() <= self.tolerance_grad:
                break
            if last_gradient is not None:
                remember(s, y, last_move, g - last_gradient, self.history_size)
            d = direction(g, s, y)
            slope = float(np.vdot(g, d))
            first = min(1.0, 1 / float(np.abs(g).sum())) if n_iter == 0 else 1.0
            n_iter, last_gradient, last_loss, t = n_iter + 1, g, loss, self.lr * first
            if slope > -self.tolerance_change:
                last_move = 0 * d
                break
            last = i == self.max_iter - 1
            if self.line_search:
                start = Point(0.0, loss, slope, g)
                shortest = self.tolerance_change / float(np.abs(d).max())
                t, loss, _, g = strong_wolfe(phi, start, t, most - evaluations, shortest)
            last_move = t * d
            theta = theta + last_move
            if not self.line_search and not last:  # after the last, the next batch's gradient is another
                loss, g = f(theta)
            if last or evaluations >= most:
                break
            if np.abs(last_move).max() <= self.tolerance_change or abs(loss - last_loss) < self.tolerance_change:
                break

        check_finite("updated theta", theta)
        self.s, self.y, self.last_move, self.last_gradient, self.n_iter = s, y, last_move, last_gradient, n_iter
        return theta, info


def remember(s: list[Any], y: list[Any], move: Any, change: Any, size: int) -> None:
    """Append the pair if its curvature is positive, and forget the oldest beyond `size`."""
    if float(np.vdot(change, move)) > CURVATURE:
        s.append(move)
        y.append(change)
        del s[:-size], y[:-size]


def direction(g: Any, s: list[Any], y: list[Any]) -> Any:
    """−H g, Liu & Nocedal's two loops."""
    q, alphas = -g, []
    rhos = [1 / np.vdot(b, a) for a, b in zip(s, y, strict=True)]
    for a, b, rho in reversed([*zip(s, y, rhos, strict=True)]):
        alphas.append(rho * np.vdot(a, q))
        q -= alphas[-1] * b
    if s:
        q *= np.vdot(y[-1], s[-1]) / np.vdot(y[-1], y[-1])
    for a, b, rho, alpha in zip(s, y, rhos, reversed(alphas), strict=True):
        q += (alpha - rho * np.vdot(b, q)) * a
    return q
