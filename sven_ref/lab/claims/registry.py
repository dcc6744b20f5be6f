"""The claims in the page's order. A name is a module of this folder."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...errors import check_choice

# One line each. Algebra first, then cost, then what training shows.
CLAIMS = (
    "minimum_norm",
    "rows_are_scalars",
    "kappa_changes_rows",
    "kappa_step",
    "natural_gradient_form",
    "natural_gradient_other_kappa",
    "damping_limit",
    "gram_form",
    "memory",
    "exponential_decay",
    "exponential_decay_of_nets",
    "minimum_norm_solution",
    "loss_scale_and_constant",
    "float32_floor",
    "natural_gradient_cost",
    "cost_k_times_sgd",
    "polynomial_generators",
    "selection_on_test",
    "failures_are_counted",
)  # fmt: skip


def module(name: str) -> Any:
    """The module of a claim, imported when it is asked for."""
    check_choice("claim", name, CLAIMS)
    return import_module(f"{__package__}.{name}")
