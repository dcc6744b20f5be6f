"""sven_ref: the reference implementation of Sven, Singular Value Descent (arXiv 2604.01279)."""

from . import streams as streams  # first: what follows takes a second, in which Ctrl-C ends the command

# isort: split

from . import checks, errors, natural_gradient, oracle
from .foreign import as_product_operator
from .jacobian import jacobian, linearise
from .nets.mlp import MLP
from .operators import ProductLinearOperator
from .pinv import TruncatedPinv, truncated_pinv
from .problem import Conditions, Problem
from .solvers import SOLVERS
from .step import StepInfo, Sven, step, update

__version__ = "0.1.0"

__all__ = [
    # a model, a loss, their residuals
    "MLP",
    "Conditions",
    "Problem",
    # the Jacobian and its truncated pseudoinverse, both LinearOperators
    "ProductLinearOperator",
    "as_product_operator",
    "jacobian",
    "linearise",
    "SOLVERS",
    "TruncatedPinv",
    "truncated_pinv",
    # the step
    "StepInfo",
    "Sven",
    "step",
    "update",
    # modules to look into
    "checks",
    "errors",
    "natural_gradient",
    "oracle",
]
