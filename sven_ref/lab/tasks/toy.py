"""The paper's first task: f(x) = exp(−10 x²) sin(2x),   x ~ U(−1, 1), no noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arguments import check_integer
from .task import Task, standardised


def toy_function(x: Any) -> Any:
    """f(x) = exp(−10 x²) sin(2x), elementwise."""
    return np.exp(-10 * x**2) * np.sin(2 * x)


def toy_1d(
    seed: int = 0, *, n_train: int | None = None, n_val: int = 10_000, n_test: int = 10_000, dtype: Any = np.float32
) -> Task:
    """The paper's first task: x and y of shape (n, 1), a pool of 10,000; each split from a generator of its own."""
    seed, n_val, n_test = check_integer("seed", seed, 0), check_integer("n_val", n_val), check_integer("n_test", n_test)
    xs = [np.random.default_rng([seed, i]).uniform(-1, 1, (n, 1)) for i, n in enumerate((10_000, n_val, n_test))]
    return standardised("toy_1d", xs, [toy_function(x) for x in xs], n_train, dtype, (1, 16, 16, 16, 1))
