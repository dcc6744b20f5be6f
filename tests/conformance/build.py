"""What the cases are built from: dyadic numbers, dyadic orthogonal matrices, and the list they go to.

For integers v with v·v a power of two the reflection I − 2vvᵀ/(v·v) is exactly orthogonal and its entries are dyadic,
so that J = Q₁ diag(σ) Q₂ has exactly the σ that are asked for, with every entry exact in binary.
"""

import random
from fractions import Fraction

OPS = ("matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory", "reject")

# v·v = 2, 4, 8, 32, 16, 8, 16
REFLECTIONS = {
    2: (1, 1),
    4: (1, 1, 1, 1),
    5: (2, 1, 1, 1, 1),
    6: (4, 3, 2, 1, 1, 1),
    7: (2, 2, 2, 1, 1, 1, 1),
    8: (1, 1, 1, 1, 1, 1, 1, 1),
    10: (2, 2, 1, 1, 1, 1, 1, 1, 1, 1),
}


class Cases:
    """Cases by operation, in the order they are added."""

    def __init__(self):
        self.by_op = {op: [] for op in OPS}

    def add(self, op, name, clause, flags, comment, level="core", options=None, **input):
        """`options`: `either`, ranks between which rounding decides; `structural`, σ exact whatever the algorithm."""
        head = {"id": f"{op.replace('_', '-')}-{name}", "clause": clause, "flags": flags.split(), "level": level}
        self.by_op[op].append({**head, "comment": comment, "input": input, **(options or {})})


def dyadic(seed, *shape):
    """Sixteenths in −2 … 2, none of them 0: a vector, or a list of rows."""
    rng = random.Random(str(seed))

    def fill(shape):
        if len(shape) > 1:
            return [fill(shape[1:]) for _ in range(shape[0])]
        return [rng.choice((-1, 1)) * (int(rng.random() * 32) + 1) / 16 for _ in range(shape[0])]

    return fill(shape)


def reflection(n):
    if n not in REFLECTIONS:
        return [[Fraction(i == j) for j in range(n)] for i in range(n)]
    v = REFLECTIONS[n]
    return [[(i == j) - Fraction(2 * v[i] * v[j], sum(x * x for x in v)) for j in range(n)] for i in range(n)]


def with_sigma(M, P, sigma):
    """J of shape (M, P) with the singular values `sigma`, which need not be sorted; the others are 0."""
    U, V = reflection(M), reflection(P)
    J = [[sum(U[i][t] * Fraction(s) * V[t][j] for t, s in enumerate(sigma)) for j in range(P)] for i in range(M)]
    assert all(Fraction(float(x)) == x for row in J for x in row)
    return [[float(x) for x in row] for row in J]


def diagonal(M, P, entries):
    """Zero but for J[i][i] = entries[i]."""
    return [[float(entries[i]) if i == j and i < len(entries) else 0.0 for j in range(P)] for i in range(M)]


def scaled(array, c):
    return [scaled(x, c) for x in array] if isinstance(array, list) else array * c
