"""The claims in the page's order. A name is a module of its group's folder."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...arguments import check_choice

# One line each, in four groups: algebra, cost, what training shows, how it was measured.
GROUPS = {
    "algebra": (
        "minimum_norm",
        "rows_are_scalars",
        "kappa_changes_rows",
        "kappa_step",
        "natural_gradient_form",
        "natural_gradient_other_kappa",
        "damping_limit",
        "exponential_decay",
        "exponential_decay_of_nets",
        "minimum_norm_solution",
        "loss_scale_and_constant",
        "float32_floor",
        "gram_form",
    ),
    "cost": (
        "memory",
        "natural_gradient_cost",
        "cost_k_times_sgd",
    ),
    "training": (
        "beats_adam_at_equal_epochs",
        "beats_adam_at_equal_seconds",
        "beats_adam_at_equal_budget",
        "rivals_mini_batch_lbfgs",
        "rivals_full_batch_lbfgs",
        "hig_beats_sven",
        "cross_entropy",
        "over_parametrized",
        "smaller_norm",
        "implicit_regularisation",
        "k_and_rtol",
        "divergence",
        "trust",
        "truncation_or_damping",
        "label_noise",
        "batch_size",
        "micro_batch",
        "param_fraction",
    ),
    "measurement": (
        "polynomial_generators",
        "selection_on_test",
        "failures_are_counted",
        "variance_components",
    ),
}  # fmt: skip
CLAIMS = tuple(name for names in GROUPS.values() for name in names)
GROUP = {name: group for group, names in GROUPS.items() for name in names}


def module(name: str) -> Any:
    """The module of a claim, imported when it is asked for."""
    check_choice("claim", name, CLAIMS)
    return import_module(f"{__package__}.{GROUP[name]}.{name}")
