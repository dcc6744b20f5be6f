"""Between layer arrays and the flat parameter vector θ.

    θ = [W_1 row by row, b_1, W_2 row by row, b_2, …] ∈ R^P

The part θ[a:b] sends its gradient back to [a, b) alone. (autograd's own rule for a slice adds entry by entry,
`np.add.at`, which at P = 10⁶ takes longer than the network.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autograd.numpy as np
from autograd.extend import SparseObject, defvjp, primitive, vspace
from autograd.tracer import isbox

from ..aliases import Array, Shape, Vector

Shapes = Sequence[Shape]


def size(shapes: Shapes) -> int:
    """P: how many numbers arrays of these shapes hold."""
    return sum(math.prod(shape) for shape in shapes)


def ravel(arrays: Sequence[Array]) -> Vector:
    """Arrays of any shapes -> θ of shape (P,): each row by row (C order), one after the other."""
    return np.concatenate([np.reshape(a, (-1,)) for a in arrays])


def unravel(theta: Vector, shapes: Shapes) -> list[Array]:
    """θ of shape (P,) -> arrays of the given shapes, in order. The inverse of `ravel`."""
    arrays = []
    start = 0
    of = part if isbox(theta) else part.fun  # what is not traced needs no tape
    for shape in shapes:
        arrays.append(of(theta, start, shape))
        start += math.prod(shape)
    return arrays


@primitive
def part(theta: Vector, start: int, shape: Shape) -> Array:
    """θ[start : start + size] in a shape."""
    return theta[start : start + math.prod(shape)].reshape(shape)


@primitive
def spread(array: Array, space: Any, start: int) -> Any:
    """The adjoint of `part`: zeros, with the array at [start, start + size); autograd sums such parts in place."""

    def add_to(theta: Vector) -> Vector:
        theta[start : start + array.size] += array.ravel()
        return theta

    return SparseObject(space, add_to)


defvjp(part, lambda ans, theta, start, shape: lambda g: spread(g, vspace(theta), start), argnums=(0,))
defvjp(spread, lambda ans, array, space, start: lambda g: part(g, start, array.shape), argnums=(0,))
