"""One Sven step.

    θ' = θ − η J⁺ R                                                                                     (SPEC 4.1)

To first order R' = R − η P_q R with P_q = U_q U_qᵀ (SPEC 4.2). With a parameter subset S, J is J[:, S] and only θ[S]
moves (SPEC 5). No line search, momentum, damping or schedule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .aliases import ArrayLike, Indices, MatrixLike, Rng, Vector
from .arguments import as_array, as_generator, check_choice, check_finite, check_integer, check_number, check_theta
from .errors import ArgumentError, ShapeError
from .foreign import adjoint_tested
from .pinv import TruncatedPinv, truncated_pinv
from .residuals import Residuals
from .scaling import norm
from .subsets import draw_columns


@dataclass(frozen=True)
class StepInfo:
    """What one step did.

    Attributes
    ----------
    rank : int, q, triplets kept; 0 where J = 0 (or R's rows are all satisfied), and then θ' = θ
    singular_values : array of shape (q,), the kept σ, descending
    spectrum : array, all σ that were computed, before the cut
    gap : float, σ_{q+1}/σ_q, below 1 iff the update is unique
    residuals : array of shape (M,), R before the step
    residual_norm : float, ‖R‖
    predicted_norm : float, ‖R − η P_q R‖
    actual_norm : float or None, ‖R(θ')‖ on the same batch, where asked for
    update_norm : float, ‖θ' − θ‖ = η‖J⁺R‖
    solver : str, who did the work
    n_jvp : int, products with J, one per column
    n_vjp : int, products with Jᵀ, one per column
    columns : array of int or None, indices of the parameters that could move, ascending; None for all

    Examples
    --------
    >>> _, info = sr.step(sr.Conditions(lambda theta: theta**2 - 4), [3.0], None, lr=1)
    >>> info.residual_norm, info.predicted_norm, info.rank, info.solver
    (5.0, 0.0, 1, 'dense')
    """

    rank: int
    singular_values: Vector
    spectrum: Vector
    gap: float
    residuals: Vector
    residual_norm: float
    predicted_norm: float
    actual_norm: float | None
    update_norm: float
    solver: str
    n_jvp: int
    n_vjp: int
    columns: Indices | None


@np.errstate(all="ignore")  # what is not finite is refused by checks
def update(
    theta: ArrayLike,
    R: ArrayLike,
    J: MatrixLike,
    *,
    lr: float,
    k: int | None = None,
    rtol: float = 1e-3,
    atol: float = 0.0,
    solver: str = "svds",
    columns: ArrayLike | None = None,
    rng: Rng = 0,
) -> tuple[Vector, TruncatedPinv, float]:
    """θ' = θ − η J⁺R: the step itself, for R and J that are given (SPEC 4.1).

    Parameters
    ----------
    theta : array of shape (P,), never written to
    R : array of shape (M,)
    J : array, sparse matrix or operator of shape (M, P)
    lr : float, η ≥ 0
    k, rtol, atol, solver, rng : see `truncated_pinv`, which says what is raised, too
    columns : ascending indices of the parameters that may move; None for all. J⁺ is that of J[:, columns]

    Returns
    -------
    theta : array of shape (P,), θ'
    J_pinv : TruncatedPinv, J⁺
    size : float, ‖θ' − θ‖

    Examples
    --------
    >>> theta, J_pinv, size = sr.update([1.0, 1.0], [3.0, 4.0], np.diag([3.0, 2.0]), lr=0.5)
    >>> theta.round(6) + 0.0, round(size, 6)
    (array([0.5, 0. ]), 1.118034)
    """
    lr = check_number("lr", lr, "≥ 0", lambda x: x >= 0)
    J = adjoint_tested(J)
    theta = check_theta(theta, J.shape[1])
    R = as_array("R", R)
    if R.shape != (J.shape[0],):
        raise ShapeError(f"R has shape {R.shape}: must be ({J.shape[0]},), a number for each row of J")
    J_pinv = truncated_pinv(J if columns is None else J.restrict(columns), k, rtol, atol, solver, rng)
    delta = J_pinv @ R
    size = lr * norm(delta)
    delta *= -lr  # from here on in place: vectors of length P are what a step costs
    if columns is None:
        new = np.add(theta, delta, out=delta if delta.dtype == theta.dtype else None)
        new = new.astype(theta.dtype, copy=False)
    else:
        new = theta.copy()
        new[np.asarray(columns)] += delta
    check_finite("updated theta", new)
    return new, J_pinv, size


@np.errstate(all="ignore")  # what is not finite is refused by checks
def step(
    problem: Residuals,
    theta: ArrayLike,
    batch: Any,
    *,
    lr: float,
    k: int | None = None,
    rtol: float = 1e-3,
    atol: float = 0.0,
    solver: str = "svds",
    param_fraction: float = 1.0,
    mask: str = "elementwise",
    rng: Rng = 0,
    actual: bool = False,
) -> tuple[Vector, StepInfo]:
    """One Sven step at (θ, batch) (SPEC 4).

    Parameters
    ----------
    problem : Problem, Conditions or ShardedProblem
    theta : array of shape (P,), never written to, whatever is raised
    batch : what the problem takes: arrays (x, y), samples first
    lr : float, η ≥ 0
    k, rtol, atol, solver : the cut, see `truncated_pinv`, which says what is raised, too
    param_fraction, mask : 0 < f ≤ 1 and "elementwise" or "rows", see `draw_columns`
    rng : seed or Generator of the subset and the solver's start vector; the same seed gives the same step
    actual : bool, also evaluate ‖R(θ')‖, one more forward pass

    Returns
    -------
    theta : array of shape (P,), θ'
    info : StepInfo

    Warns
    -----
    IndependentOfThetaWarning
        Autograd sees no path from θ to R, or to some of its rows (SPEC 2.7): no step moves them.

    Examples
    --------
    >>> theta, info = sr.step(sr.Conditions(lambda theta: theta**2 - 4), [1.0, 4.0], None, lr=1)
    >>> theta
    array([2.5, 2.5])
    """
    lr = check_number("lr", lr, "≥ 0", lambda x: x >= 0)
    if not isinstance(problem, Residuals):
        raise ArgumentError(
            f"problem is a {type(problem).__name__}: must be a Problem, or Conditions(fun) of a function of "
            f"(theta, batch)"
        )
    theta = check_theta(theta)
    columns = None
    check_choice("mask", mask, ("elementwise", "rows"))
    param_fraction = check_number("param_fraction", param_fraction, "> 0 and ≤ 1", lambda x: 0 < x <= 1)
    if param_fraction != 1 or mask != "elementwise":
        rng = as_generator(rng)  # of the subset and of the solver
        columns = draw_columns(problem.model, theta.size, param_fraction, mask, rng)

    R, J = problem.linearise(theta, batch)
    new, J_pinv, update_norm = update(
        theta, R, J, lr=lr, k=k, rtol=rtol, atol=atol, solver=solver, columns=columns, rng=rng
    )
    info = StepInfo(
        rank=J_pinv.rank,
        singular_values=J_pinv.singular_values,
        spectrum=J_pinv.spectrum,
        gap=J_pinv.gap,
        residuals=R,
        residual_norm=norm(R),
        predicted_norm=norm(R - lr * J_pinv.project(R)),
        actual_norm=norm(problem.residuals(new, batch)) if actual else None,
        update_norm=update_norm,
        solver=J_pinv.solver,
        n_jvp=J.counts["jvp"],
        n_vjp=J.counts["vjp"],
        columns=columns,
    )
    return new, info


@dataclass
class Sven:
    """Options and state of a run: `theta, info = opt.step(problem, theta, batch)`.

    Step t draws from a generator of its own, seeded by (seed, t): a step that raises changes nothing, and a run resumed
    at `n_steps` = t goes on as if never interrupted.

    Parameters
    ----------
    lr, k, rtol, atol, solver, param_fraction, mask : see `step`
    seed : int ≥ 0
    n_steps : int ≥ 0, steps taken

    Examples
    --------
    >>> opt, theta = sr.Sven(lr=1), [3.0]
    >>> for _ in range(5):
    ...     theta, info = opt.step(sr.Conditions(lambda theta: theta**2 - 4), theta, batch=None)
    >>> theta, opt.n_steps
    (array([2.]), 5)
    """

    lr: float
    k: int | None = None
    rtol: float = 1e-3
    atol: float = 0.0
    solver: str = "svds"
    param_fraction: float = 1.0
    mask: str = "elementwise"
    seed: int = 0
    n_steps: int = field(default=0)

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0)
        check_integer("n_steps", self.n_steps, 0)

    def step(self, problem: Residuals, theta: ArrayLike, batch: Any) -> tuple[Vector, StepInfo]:
        """One `step` with these options; counts it when it succeeds."""
        options = {name: value for name, value in vars(self).items() if name not in ("seed", "n_steps")}
        result = step(problem, theta, batch, rng=[self.seed, self.n_steps], **options)
        self.n_steps += 1
        return result
