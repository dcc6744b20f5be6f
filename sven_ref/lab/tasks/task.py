"""What a task is: three splits, a loss, and the network the paper trains on it.

The training split fits θ, the validation split selects options, the test split is looked at once and never selects.
Validation and test splits are the same arrays whatever the training size: `n_train` takes the first rows of a pool, and
targets are standardised by the pool, y = (f − mean)/std, so that a loss of 1 is that of the constant mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...arguments import check_dtype, check_integer
from ...errors import ArgumentError

Split = tuple[Any, Any]


@dataclass(frozen=True)
class Task:
    """Three splits (x, y), samples first; `mean` and `std` undo the normalisation: f = mean + std·y."""

    name: str
    train: Split
    val: Split
    test: Split
    mean: float = 0.0
    std: float = 1.0
    loss: str = "squared_error"
    sizes: tuple[int, ...] = (1, 16, 16, 16, 1)
    activation: str = "gelu"


def standardised(name: str, xs: Any, fs: Any, n_train: int | None, dtype: Any, sizes: tuple[int, ...]) -> Task:
    """The task of inputs x and values f, float64, for (pool, val, test); y is rounded to `dtype` last."""
    check_dtype(dtype)
    n_train = check_size(n_train, len(xs[0]))
    mean, std = float(fs[0].mean()), float(fs[0].std())
    pool, val, test = ((x.astype(dtype), ((f - mean) / std).astype(dtype)) for x, f in zip(xs, fs, strict=True))
    return Task(name, (pool[0][:n_train], pool[1][:n_train]), val, test, mean, std, sizes=sizes)


def check_size(n_train: int | None, pool: int) -> int:
    """`n_train`, by default all of the pool."""
    n = pool if n_train is None else check_integer("n_train", n_train)
    if n > pool:
        raise ArgumentError(f"n_train = {n}: must be at most {pool}, the examples there are to train on")
    return n
