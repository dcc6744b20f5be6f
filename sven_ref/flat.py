"""Between layer arrays and the flat parameter vector θ.

    θ = [W_1 row by row, b_1, W_2 row by row, b_2, …] ∈ R^P

Everything inside the package sees θ as one flat vector; a network unravels it where it needs its layers.
Both functions are written in `autograd.numpy`, so gradients pass through them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autograd.numpy as np

Shapes = Sequence[tuple[int, ...]]


def size(shapes: Shapes) -> int:
    """P: how many numbers arrays of these shapes hold."""
    return sum(math.prod(shape) for shape in shapes)


def ravel(arrays: Sequence[Any]) -> Any:
    """Arrays of any shapes -> θ of shape (P,): each row by row (C order), one after the other."""
    return np.concatenate([np.reshape(a, (-1,)) for a in arrays])


def unravel(theta: Any, shapes: Shapes) -> list[Any]:
    """θ of shape (P,) -> arrays of the given shapes, in order. The inverse of `ravel`."""
    arrays, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        arrays.append(np.reshape(theta[start:stop], shape))
        start = stop
    return arrays
