"""The errors of the package; those of a file format, a lock or an adapter stand beside what reads it.

Each message names the argument, its value and what is allowed. All errors derive from `SvenError`;
argument errors are also `ValueError`, so that code which knows nothing of this package can catch them.
"""

from __future__ import annotations


class SvenError(Exception):
    """Every error that this package raises on purpose derives from it."""


class ArgumentError(SvenError, ValueError):
    """An argument has a value that is not allowed."""


class ShapeError(ArgumentError):
    """An array has the wrong shape."""


class NonFiniteError(SvenError, FloatingPointError):
    """There is NaN or infinity in θ, in the data, in R, in a product with J or in an update (SPEC 4.3)."""


class AdjointError(SvenError, ArithmeticError):
    """`rmatvec` is not the adjoint of `matvec`: ⟨Jv, u⟩ ≠ ⟨v, Jᵀu⟩."""


class SolverFloorError(SvenError, ArithmeticError):
    """A singular value that would be kept lies below what the solver can resolve (SPEC 3.7)."""


class ConvergenceError(SvenError, ArithmeticError):
    """An iterative solver did not reach its tolerance."""


class RankError(SvenError, ArithmeticError):
    """A matrix that has to be inverted is singular to working precision."""


class IndependentOfThetaWarning(UserWarning):
    """Autograd sees no path from θ to the residuals, so that J = 0 by accident and no step moves θ (SPEC 2.7)."""


class CheckFailed(SvenError, AssertionError):
    """A check of `sven_ref.checks` found a number outside its bound."""


class ClusterError(SvenError, ConnectionError):
    """The workers of `sven_ref.sharded` can't do it: lost, silent, of another version. θ is as before the step."""


class MissingExtraError(SvenError, ImportError):
    """A part of the package needs an optional one that is not installed."""
