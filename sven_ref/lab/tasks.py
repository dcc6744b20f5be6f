"""What the optimizers are compared on.

    toy_1d    f(x) = exp(−10 x²) sin(2x),   x ~ U(−1, 1), no noise             the paper's first task

Targets are standardised, y = (f − mean)/std, by the mean and population standard deviation of the training split: a
loss of 1 is that of the constant mean. Each split draws from a generator of its own, so that the size of one never
moves another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, check_integer

Split = tuple[Any, Any]


@dataclass(frozen=True)
class Task:
    """Three splits (x, y), samples first; `mean` and `std` undo the normalisation: f = mean + std·y."""

    name: str
    train: Split
    val: Split
    test: Split
    mean: float
    std: float


def toy_function(x: Any) -> Any:
    """f(x) = exp(−10 x²) sin(2x), elementwise."""
    return np.exp(-10 * x**2) * np.sin(2 * x)


def toy_1d(
    seed: int = 0, n_train: int = 10_000, n_val: int = 10_000, n_test: int = 10_000, dtype: Any = np.float32
) -> Task:
    """The paper's first task: x and y of shape (n, 1) in each split, computed in float64 and rounded to `dtype`."""
    seed = check_integer("seed", seed, 0)
    sizes = {"n_train": n_train, "n_val": n_val, "n_test": n_test}
    for name, n in sizes.items():
        check_integer(name, n, 2 if name == "n_train" else 1)  # the std of one sample is zero
    if dtype not in (np.float32, np.float64):
        raise ArgumentError(f"dtype = {dtype!r}: must be float32 or float64")
    xs = [np.random.default_rng([seed, i]).uniform(-1, 1, (n, 1)) for i, n in enumerate(sizes.values())]
    ys = [toy_function(x) for x in xs]
    mean, std = float(ys[0].mean()), float(ys[0].std())
    train, val, test = ((x.astype(dtype), ((y - mean) / std).astype(dtype)) for x, y in zip(xs, ys, strict=True))
    return Task("toy_1d", train, val, test, mean, std)
