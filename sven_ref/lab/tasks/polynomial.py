"""The paper's second task, in six variables x ~ N(0, I), twice.

    polynomial          f(x) = Σ_m c_m m(x)/√E[m²]        all 210 monomials of degree ≤ 4, c_m ~ N(0, 1)
    polynomial_paper    f(x) = Σ_p c_p (1 + Σ_j x_j^{p_j})    185 exponent tuples p; x⁰ = 1

With x normal, E[m²] = Π_j (2p_j − 1)!! for m = Π_j x_j^{p_j}. The second is what the paper's code computed: the factors
of a monomial are added, not multiplied, and exponents stay below the degree, so that f collapses to an additive cubic,
c + Σ_j (a_j x_j + b_j x_j² + d_j x_j³): 19 features and no interaction. Both draw as the authors' code does, and give
the authors' data.
"""

from __future__ import annotations

import zlib
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from ...arguments import check_integer
from .task import Task, standardised

VARIABLES, DEGREE, POOL = 6, 4, 10_000
SIZES = (VARIABLES, 16, 16, 16, 1)


def monomials() -> list[tuple[int, ...]]:
    """The variables of each monomial of degree ≤ 4, by degree: (0, 0, 3) is x_0² x_3. C(10, 4) = 210 of them."""
    return [m for d in range(DEGREE + 1) for m in combinations_with_replacement(range(VARIABLES), d)]


def evaluate(coefficients: Any, x: Any) -> Any:
    """f of shape (n,): the first line at the head, for x of shape (n, 6)."""
    f = np.zeros(len(x))
    for c, m in zip(coefficients, monomials(), strict=True):
        powers = [m.count(j) for j in range(VARIABLES)]
        second_moment = np.prod([double_factorial(2 * p - 1) for p in powers])
        f += c / np.sqrt(second_moment) * np.prod(x[:, m], axis=1)
    return f


def double_factorial(n: int) -> int:
    """n!! = n (n − 2) (n − 4) …, 1 for n ≤ 0."""
    return n * double_factorial(n - 2) if n > 0 else 1


def paper_exponents() -> list[tuple[int, ...]]:
    """For d = 0 … 4, the tuples of six exponents below d with sum d: 185 of them, 15 + 50 + 120."""
    return [p for d in range(DEGREE + 1) for p in product(range(d), repeat=VARIABLES) if sum(p) == d]


def paper_evaluate(coefficients: Any, x: Any) -> Any:
    """f of shape (n,): the second line at the head. Each variable's powers are gathered before they are summed."""
    exponents = np.array(paper_exponents())
    weights = np.array([[np.sum(coefficients[exponents[:, j] == p]) for p in range(4)] for j in range(VARIABLES)])
    return np.sum(coefficients) + sum(weights[j, p] * x[:, j] ** p for j in range(VARIABLES) for p in range(4))


def polynomial(seed: int = 0, *, n_train: int | None = None, dtype: Any = np.float32) -> Task:
    """As intended: coefficients and splits each from a generator of their own, seeded seed ⊕ crc32(name)."""
    seed = check_integer("seed", seed, 0)

    def normal(name: str, *shape: int) -> Any:
        return np.random.default_rng(seed ^ (zlib.crc32(name.encode()) & 0x7FFFFFFF)).standard_normal(shape)

    coefficients = normal("coeffs", len(monomials()))
    xs = [normal(name, POOL, VARIABLES) for name in ("pool", "val", "test")]
    fs = [evaluate(coefficients, x)[:, None] for x in xs]
    return standardised("polynomial", xs, fs, n_train, dtype, SIZES)


def polynomial_paper(seed: int = 0, *, n_train: int | None = None, dtype: Any = np.float32) -> Task:
    """As coded at paper time: one generator gives coefficients, pool and validation inputs, and here test inputs."""
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    coefficients = rng.standard_normal(len(paper_exponents()))
    xs = [rng.standard_normal((POOL, VARIABLES)) for _ in range(3)]
    fs = [paper_evaluate(coefficients, x)[:, None] for x in xs]
    return standardised("polynomial-paper", xs, fs, n_train, dtype, SIZES)
