"""Checks for operators of one's own. Each returns the error it measured and raises `CheckFailed` beyond its bound.

dot_test            |⟨Jv, u⟩ − ⟨v, Jᵀu⟩|  ≤  rtol ‖J‖ ‖v‖ ‖u‖
check_jacobian      |Jv − (R(θ + hv) − R(θ − hv)) / 2h|_α  ≤  rtol |Jv|_α + what rounding of R_α explains, each row
check_pinv          the four Moore–Penrose conditions of J⁺ against the kept part J_q = P_q J
"""

from __future__ import annotations

import numpy as np

from .aliases import ArrayLike, Function, MatrixLike, Rng, Vector
from .arguments import as_generator, check_integer, check_number, check_theta
from .errors import ArgumentError, CheckFailed, ShapeError
from .foreign import as_product_operator, both_products
from .one_matrix import sizes_of
from .operators import Scaled
from .pinv import TruncatedPinv
from .scaling import norm, power_of_two
from .tape import check_residuals, evaluate, name_of


@np.errstate(all="ignore")  # what is not finite is refused
def dot_test(J: MatrixLike, rng: Rng = 0, rtol: float | None = None, trials: int = 3) -> float:
    """Check that `rmatvec` is the adjoint of `matvec`, ⟨Jv, u⟩ = ⟨v, Jᵀu⟩ for Gaussian u and v (SPEC 7a).

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)
    rng : seed or Generator
        It draws u and v.
    rtol : float or None
        The bound of what is returned, by default 100 ε of J's dtype; an operator whose products are inexact needs more.
    trials : int ≥ 1
        How many pairs (u, v) are drawn.

    Returns
    -------
    float
        The largest |⟨Jv, u⟩ − ⟨v, Jᵀu⟩| / (‖Jv‖‖u‖ + ‖v‖‖Jᵀu‖).

    Raises
    ------
    CheckFailed
        The two differ by more than `rtol`.

    Examples
    --------
    >>> sr.checks.dot_test(np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 1.0]])) < 1e-15
    True
    """
    J = as_product_operator(J)
    rng = as_generator(rng)
    rtol = 100 * J.eps if rtol is None else check_number("rtol", rtol, "≥ 0", lambda x: x >= 0)
    worst = 0.0
    for _ in range(check_integer("trials", trials)):
        v, u = (rng.standard_normal(n).astype(J.dtype) for n in J.shape[::-1])
        Jv, JTu = both_products(J, v, u)
        c = power_of_two(max(float(np.abs(Jv).max()), float(np.abs(JTu).max())))  # squares stay in range
        v, Jv, u, JTu = (np.asarray(a, np.float64) for a in (v, Jv / Jv.dtype.type(c), u, JTu / JTu.dtype.type(c)))
        left = float(Jv @ u)
        right = float(v @ JTu)
        size = norm(Jv) * norm(u) + norm(v) * norm(JTu)
        worst = max(worst, abs(left - right) / size if size > 0 else 0.0)
        if worst > rtol:
            raise CheckFailed(
                f"dot_test: <Jv, u> = {left * c:.17g}, <v, J'u> = {right * c:.17g}: {worst:.2g} apart, bound {rtol:.2g}"
            )
    return worst


@np.errstate(all="ignore")  # what is not finite is refused
def check_jacobian(
    fun: Function, theta: ArrayLike, J: MatrixLike, rng: Rng = 0, rtol: float | None = None, trials: int = 3
) -> float:
    """Check that J is the Jacobian of `fun` at θ, by central differences along random directions v.

    v has entries θ_i times a Gaussian number (see `sizes_of`), and h = ε^{1/3}: there the h² of truncation meets the
    ε/h of rounding. What these two amount to is told by the differences with 2h. A row's error is taken over its
    largest (Jv)_α among the trials.

    Parameters
    ----------
    fun : callable(theta) -> (M,)
    theta : array of shape (P,)
    J : array, sparse matrix or operator of shape (M, P)
    rng : seed or Generator
        It draws v.
    rtol : float or None
        By default 100 ε^{2/3}, on top of the 10 ε |R_α|/h that rounding of R alone can cause, and of how far the two
        differences are apart.
    trials : int ≥ 1
        How many v are drawn.

    Returns
    -------
    float
        The largest relative error of a row of Jv.

    Raises
    ------
    CheckFailed
        A row of Jv differs by more than its bound; the message names it.

    Examples
    --------
    >>> theta = np.array([1.0, 2.0])
    >>> sr.checks.check_jacobian(lambda theta: theta**2, theta, np.diag(2 * theta)) < 1e-9
    True
    """
    J = as_product_operator(J)
    theta = check_theta(theta)
    rng = as_generator(rng)
    eps = float(np.finfo(theta.dtype).eps)
    rtol = 100 * eps ** (2 / 3) if rtol is None else check_number("rtol", rtol, "≥ 0", lambda x: x >= 0)
    M = len(check_residuals(evaluate(fun, theta), fun))
    if J.shape != (M, theta.size):
        raise ShapeError(f"J has shape {J.shape}: must be {(M, theta.size)}, a row for each residual of {name_of(fun)}")
    h = eps ** (1 / 3)

    def slope(v: Vector, h: float) -> tuple[Vector, Vector]:
        """(R(θ + hv) − R(θ − hv))/2h, and v as the two points have it, rounded."""
        ahead, behind = ((theta + t * v).astype(theta.dtype) for t in (h, -h))
        R_ahead, R_behind = (check_residuals(evaluate(fun, x), fun) for x in (ahead, behind))
        return (R_ahead - R_behind) / (2 * h), (ahead - behind) / (2 * h)

    products = []
    errors = []
    apart = []
    for _ in range(check_integer("trials", trials)):
        v = (sizes_of(theta) * rng.standard_normal(theta.size)).astype(theta.dtype)
        near, direction = slope(v, h)
        far, other = slope(v, 2 * h)
        products.append(J.matvec(direction))
        errors.append(np.abs(products[-1] - near))
        apart.append(np.abs(near - far - J.matvec(direction - other)))
    with np.errstate(all="ignore"):
        size = np.abs(products).max(axis=0)
        rounding = 10 * eps * np.abs(check_residuals(evaluate(fun, theta), fun)) / h + 4 * np.max(apart, axis=0)
        worst = np.max(errors, axis=0)
        relative = np.where(size > 0, worst / size, worst)
        failed = worst > rtol * size + rounding
    if failed.any():
        row = int(np.argmax(np.where(failed, relative, 0)))
        raise CheckFailed(
            f"check_jacobian: row {row} of Jv differs from central differences by {worst[row]:.2g} of {size[row]:.2g}, "
            f"bound {rtol * size[row] + rounding[row]:.2g}"
        )
    return float(relative.max())


@np.errstate(all="ignore")  # what is not finite is refused
def check_pinv(J: MatrixLike, J_pinv: TruncatedPinv, rng: Rng = 0, rtol: float | None = None) -> float:
    """Check the four Moore–Penrose conditions (Penrose 1955) of X = J⁺ and J_q = P_q J on Gaussian vectors.

        J_q X J_q = J_q      X J_q X = X      (J_q X)ᵀ = J_q X      (X J_q)ᵀ = X J_q

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)
    J_pinv : TruncatedPinv
        What `truncated_pinv` made of J.
    rng : seed or Generator
        It draws the vectors.
    rtol : float or None
        By default 1000 ε σ_1/σ_q, the rounding that dividing by σ_q may amplify.

    Returns
    -------
    float
        The largest error of the four, each relative to its scale; 0 where nothing is kept.

    Raises
    ------
    CheckFailed
        A condition fails by more than `rtol`.

    Examples
    --------
    >>> J = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 1.0]])
    >>> sr.checks.check_pinv(J, sr.truncated_pinv(J)) < 1e-14
    True
    """
    if not isinstance(J_pinv, TruncatedPinv):
        raise ArgumentError(f"J_pinv is a {type(J_pinv).__name__}: must be made by truncated_pinv")
    J = as_product_operator(J)
    rng = as_generator(rng)
    if J.shape != J_pinv.shape[::-1]:
        raise ShapeError(f"J has shape {J.shape}: must be {J_pinv.shape[::-1]}, for a J_pinv of shape {J_pinv.shape}")
    J = Scaled(J, J_pinv.c)
    s = J_pinv.singular_values
    if J_pinv.rank == 0:
        return 0.0
    rtol = 1000 * J.eps * float(s[0] / s[-1]) if rtol is None else check_number("rtol", rtol, "≥ 0", lambda x: x >= 0)
    v, w = rng.standard_normal((2, J.shape[1])).astype(J.dtype)
    u, t = rng.standard_normal((2, J.shape[0])).astype(J.dtype)

    def J_q(x: Vector) -> Vector:
        return J_pinv.project(J.matvec(x))

    X = Scaled(as_product_operator(J_pinv), 1 / J_pinv.c)  # the pseudoinverse of J/c
    Xu = X.matvec(u)
    Xt = X.matvec(t)
    Jv = J_q(v)
    Jw = J_q(w)
    errors = {
        "J X J = J": norm(J_q(X.matvec(Jv)) - Jv) / norm(Jv),
        "X J X = X": norm(X.matvec(J_q(Xu)) - Xu) / norm(Xu),
        "J X symmetric": abs(J_q(Xu) @ t - u @ J_q(Xt)) / (norm(u) * norm(t)),
        "X J symmetric": abs(X.matvec(Jv) @ w - v @ X.matvec(Jw)) / (norm(v) * norm(w)),
    }
    for condition, error in errors.items():
        if not error <= rtol:
            raise CheckFailed(f"check_pinv: {condition} fails by {error:.2g}, bound {rtol:.2g}")
    return float(max(errors.values()))
