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

from . import digits, mnist, polynomial
from .task import Split, Task
from .toy import toy_1d, toy_function

__all__ = ["TASKS", "Split", "Task", "toy_1d", "toy_function"]

TASKS: dict[str, Callable[..., Task]] = {
    "toy": toy_1d,
    "polynomial": polynomial.polynomial,
    "polynomial-paper": polynomial.polynomial_paper,
    "mnist-ce": partial(mnist.mnist, "cross_entropy"),
    "mnist-lr": partial(mnist.mnist, "label_regression"),
    "digits": partial(digits.digits, "cross_entropy"),
    "digits-lr": partial(digits.digits, "label_regression"),
}
