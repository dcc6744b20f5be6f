"""What the optimizers are compared on, by name: TASKS[name](seed, n_train=…, dtype=…) -> Task.

    toy                 f(x) = exp(−10 x²) sin(2x),   x ~ U(−1, 1), no noise
    polynomial          210 monomials in six variables                               (see `polynomial`)
    polynomial-paper    what the paper's code computed instead, an additive cubic
    mnist-ce, mnist-lr  MNIST by cross-entropy and by label regression               (see `mnist`)
    digits, digits-lr   the same for 1,797 digits of 8 × 8 that ship with the package

What a task is, and why its validation split never depends on `n_train`, is said in `task`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..arguments import check_integer
from .digits import digits
from .mnist import mnist
from .polynomial import polynomial, polynomial_paper
from .task import Split, Task, standardised

__all__ = ["TASKS", "Split", "Task", "toy_1d", "toy_function"]


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


TASKS: dict[str, Callable[..., Task]] = {
    "toy": toy_1d,
    "polynomial": polynomial,
    "polynomial-paper": polynomial_paper,
    "mnist-ce": partial(mnist, "cross_entropy"),
    "mnist-lr": partial(mnist, "label_regression"),
    "digits": partial(digits, "cross_entropy"),
    "digits-lr": partial(digits, "label_regression"),
}
