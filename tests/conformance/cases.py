"""All inputs, by operation."""

from build import Cases
from cases_linear import natural_gradients, products
from cases_models import jacobians, trajectories
from cases_pinv import pinv_apply
from cases_reject import rejects
from cases_step import steps


def cases():
    all_of_them = Cases()
    for part in (products, natural_gradients, pinv_apply, steps, jacobians, trajectories, rejects):
        part(all_of_them)
    return all_of_them.by_op
