"""Statistics of values indexed by data draw and seed.

`values[i][j]` is the result of seed j (initialisation, order of the batches) on data draw i. Seeds of one draw share
its data, so they are not independent evidence about other data: they are averaged first, and the draws are the units.

    difference d_i = mean_j (a_ij − b_ij)         paired: same draw, same seed
    interval   mean(d) ± t_{0.975, n−1} s(d)/√n   over the n draws (Student)

A run that diverged has the value None. It is counted, never dropped unseen: `finished` gives (finished, attempted).
Where values span decades the log10 is what is averaged, and differences are in decades.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ...errors import ArgumentError

Values = Sequence[Sequence[float | None]]


@dataclass(frozen=True)
class Interval:
    """A mean over n data draws and its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"

    @property
    def sign(self) -> int:
        """+1 or −1 where the interval excludes 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def interval(units: Sequence[float]) -> Interval:
    """Mean and Student's interval of independent units; at least two."""
    n = len(units)
    if n < 2:
        raise ArgumentError(f"units = {list(units)!r}: at least two data draws are needed for an interval")
    mean, spread = float(np.mean(units)), float(np.std(units, ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * spread / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def paired_interval(a: Values, b: Values) -> Interval:
    """Of a − b: pairs in which both finished, averaged inside a draw; draws without such a pair have no unit."""
    units = []
    for ours, theirs in zip(a, b, strict=True):
        pairs = [x - y for x, y in zip(ours, theirs, strict=True) if x is not None and y is not None]
        if pairs:
            units.append(float(np.mean(pairs)))
    return interval(units)


def mean_interval(values: Values) -> Interval:
    """Of the values themselves, seeds averaged inside a draw."""
    return paired_interval(values, [[0.0] * len(row) for row in values])


def log10(values: Values) -> list[list[float | None]]:
    """Decades; None stays None."""
    return [[None if v is None else math.log10(v) for v in row] for row in values]


def finished(values: Values) -> tuple[int, int]:
    """(finished, attempted)."""
    flat = [v for row in values for v in row]
    return sum(v is not None for v in flat), len(flat)


@dataclass(frozen=True)
class Components:
    """Variances of one value: between data draws, and between seeds inside a draw."""

    draws: float
    seeds: float


def components(values: Values) -> Components:
    """One-way analysis of variance of a balanced table, every run finished.

    seeds = MS_within, draws = max(0, (MS_between − MS_within)/n_seeds).
    """
    if len({len(row) for row in values}) != 1 or any(v is None for row in values for v in row):
        raise ArgumentError("values: must be a full table, one row a draw, every run finished")
    table = np.array(values, float)
    n_draws, n_seeds = table.shape
    if n_draws < 2 or n_seeds < 2:
        raise ArgumentError(f"values: {n_draws} draws × {n_seeds} seeds; at least 2 × 2 are needed")
    within = float(table.var(axis=1, ddof=1).mean())
    between = n_seeds * float(table.mean(axis=1).var(ddof=1))
    return Components(max(0.0, (between - within) / n_seeds), within)
