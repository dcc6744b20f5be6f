"""A step length by the strong Wolfe conditions (Nocedal & Wright, Numerical Optimization, Algorithms 3.5 and 3.6).

    φ(t) = L(θ + t d):    φ(t) ≤ φ(0) + c_1 t φ'(0),    |φ'(t)| ≤ c_2 |φ'(0)|,    c_1 = 1e-4, c_2 = 0.9

Trials grow, at most tenfold, until one is accepted or two bracket a t that would be; then the bracket shrinks, each
trial the minimiser of the cubic through both ends. A trial within a tenth of an end, twice in a row or outside, is
moved to a tenth. After `trials` beyond the first the best end of the bracket is taken, which may be t = 0; with none,
as in the paper's comparisons at one iteration a batch, that is the first t if L is lower there. The rules and their
numbers are those of PyTorch's L-BFGS.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

C1, C2 = 1e-4, 0.9


class Point(NamedTuple):
    """t, φ(t), φ'(t), and the gradient of L there."""

    t: float
    f: float
    slope: float
    g: Any


def strong_wolfe(phi: Callable[[float], Point], start: Point, t: float, trials: int, shortest: float) -> Point:
    """The point chosen, from `start` at t = 0 and the first trial `t`; a bracket below `shortest` is not halved."""

    def too_high(p: Point) -> bool:
        return p.f > start.f + C1 * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -C2 * start.slope

    before, new = start, phi(t)
    for used in range(trials):
        if too_high(new) or (used > 1 and new.f >= before.f):
            break
        if flat(new):
            return new
        if new.slope >= 0:
            break
        t = cubic(before, new, new.t + 0.01 * (new.t - before.t), 10 * new.t)
        before, new = new, phi(t)
    else:
        used, before = trials, start

    low, high = (before, new) if before.f <= new.f else (new, before)
    near_an_end = False
    while used < trials and abs(high.t - low.t) >= shortest:
        left, right = sorted((low.t, high.t))
        t, margin = cubic(low, high, left, right), 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if near_an_end or not left < t < right:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                near_an_end = False
            else:
                near_an_end = True
        else:
            near_an_end = False
        new, used = phi(t), used + 1
        if too_high(new) or new.f >= low.f:
            low, high = (low, new) if low.f <= new.f else (new, low)
        elif flat(new):
            return new
        else:
            low, high = new, low if new.slope * (high.t - low.t) >= 0 else high
    return low


def cubic(a: Point, b: Point, least: float, most: float) -> float:
    """The minimiser of the cubic through both points with their slopes, kept to [least, most]; its middle if none."""
    a, b = (a, b) if a.t <= b.t else (b, a)
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2
    d2 = math.sqrt(square)
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)), least), most)
