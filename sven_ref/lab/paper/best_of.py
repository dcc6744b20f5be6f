"""What the best of several trials is expected to be.

Of n drawn without replacement from N, with losses v_1 ≤ … ≤ v_N:

    Σ_i v_i C(N − i, n − 1)/C(N, n)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb


def expected_best(losses: Sequence[float], n: int) -> float:
    """The expected smallest of n losses drawn without replacement; `losses` ascending."""
    N = len(losses)
    return sum(v * comb(N - i, n - 1) for i, v in enumerate(losses, 1)) / comb(N, n)
