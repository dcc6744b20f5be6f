"""The parameters that one step may move (SPEC 5).

elementwise    ⌊f P⌋ coordinates of θ, uniform without replacement
rows           in each layer of an MLP max(1, round(f·out)) output units, each with its weights and its bias
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .aliases import Indices, Rng
from .arguments import as_generator, check_choice, check_number
from .errors import ArgumentError


def draw_columns(model: Any, P: int, fraction: float, mask: str, rng: Rng) -> Indices | None:
    """Ascending indices into θ of shape (P,); None for all.

    Parameters
    ----------
    model : MLP
        For mask = "rows": what knows the layers of θ.
    fraction : float
        0 < f ≤ 1.
    mask : "elementwise" or "rows"
    rng : seed or Generator
    """
    rng = as_generator(rng)
    fraction = check_number("param_fraction", fraction, "> 0 and ≤ 1", lambda x: 0 < x <= 1)
    check_choice("mask", mask, ("elementwise", "rows"))
    if mask == "elementwise":
        size = math.floor(fraction * P)
        if size == 0:
            raise ArgumentError(f"param_fraction = {fraction:g}: must keep at least one of the P = {P} parameters")
        return None if size == P else np.sort(rng.choice(P, size, replace=False))
    if not hasattr(model, "unit_columns") or model.n_params != P:
        raise ArgumentError(f"mask = 'rows': must go with an MLP, whose layers it knows, of P = {P} parameters")
    columns = []
    for layer in model.unit_columns():
        n_out = layer.shape[1]
        units = np.sort(rng.choice(n_out, max(1, round(fraction * n_out)), replace=False))
        columns.append(layer[:, units].ravel())
    return np.concatenate(columns)
