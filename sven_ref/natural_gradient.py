"""Sven's relatives, each one equation, for J of shape (M, P) and residuals R of shape (M,).

With L = Σ R² and κ = 1, ∇L = 2 JᵀR and the Fisher matrix of unit-variance Gaussian outputs is F = JᵀJ:

    natural gradient   x = F⁻¹ ∇L                    J of full column rank (P ≤ M)
    Gauss–Newton       x = argmin ‖J x − R‖          the shortest such x
    damped, primal     x = (JᵀJ + μI)⁻¹ JᵀR          P × P
    damped, dual       x = Jᵀ (JJᵀ + μI)⁻¹ R         M × M, the same x for μ > 0
    half-inverse       x = V S^{−1/2} Uᵀ g           J of the outputs, g = ∂L/∂outputs

Sven's J⁺R is ½F⁻¹∇L, Gauss–Newton's x and the limit μ → 0 of both damped forms, where nothing is cut (SPEC 6.1, 6.4).
Every function returns x to be *subtracted*: θ' = θ − η x.

References: Amari, Neural Computation 10 (1998) 251; Levenberg (1944), Marquardt (1963); Schnell, Holl & Thuerey,
"Half-inverse gradients for physical deep learning", ICLR 2022.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse.linalg import lsmr

from .aliases import ArrayLike, Dtype, Indices, MatrixLike, Product, Vector
from .arguments import as_array, check_number
from .errors import ConvergenceError, RankError, ShapeError
from .foreign import adjoint_tested
from .operators import ProductLinearOperator, Scaled
from .pinv import truncated_pinv
from .scaling import near_one, power_of_two, true_size


@np.errstate(all="ignore")
def fisher(J: MatrixLike) -> ProductLinearOperator:
    """F = JᵀJ, the Fisher matrix of unit-variance Gaussian outputs, as an operator (SPEC 6.1).

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)

    Returns
    -------
    ProductLinearOperator of shape (P, P)

    Examples
    --------
    >>> sr.natural_gradient.fisher(np.diag([1.0, 2.0])) @ np.array([1.0, 1.0])
    array([1., 4.])
    """
    J = adjoint_tested(J)
    return _symmetric(J.shape[1], J.dtype, lambda V: J._rmatmat(J._matmat(V)))


@np.errstate(all="ignore")
def natural_gradient(J: MatrixLike, gradient: ArrayLike) -> Vector:
    """F⁻¹ ∇L with F = JᵀJ (Amari 1998; SPEC 6.1).

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)
    gradient : array of shape (P,)
        ∇L; with L = Σ R² it is 2 JᵀR.

    Returns
    -------
    array of shape (P,)

    Raises
    ------
    RankError
        F is singular to working precision: then there is no natural gradient.

    Examples
    --------
    >>> sr.natural_gradient.natural_gradient(np.diag([1.0, 2.0]), [2.0, 4.0])
    array([2., 1.])
    """
    J = adjoint_tested(J)
    c = scale(J)
    g, e = vector("gradient", gradient, J.shape[1])
    return true_size("update", _solve(fisher(Scaled(J, c)), g, 0.0), e - 2 * exponent(c))


@np.errstate(all="ignore")
def gauss_newton(J: MatrixLike, R: ArrayLike) -> Vector:
    """The minimum-norm solution of min ‖Jx − R‖, by LSMR to working precision; singular values are never squared.

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)
    R : array of shape (M,)

    Returns
    -------
    array of shape (P,)

    Raises
    ------
    ConvergenceError
        LSMR does not reach working precision in 50 max(M, P) steps.

    Examples
    --------
    >>> sr.natural_gradient.gauss_newton(np.array([[1.0, 1.0]]), [4.0])
    array([2., 2.])
    """
    J = adjoint_tested(J)
    R, e = vector("R", R, J.shape[0])
    eps = np.finfo(J.dtype).eps
    c = J.scale()
    if c == 0:
        return np.zeros(J.shape[1], J.dtype)
    x, stop, *_ = lsmr(Scaled(J, c), R, atol=eps, btol=eps, conlim=0, maxiter=50 * max(J.shape))
    if stop == 7:
        raise ConvergenceError(f"gauss_newton: LSMR did not converge in {50 * max(J.shape)} steps; use truncated_pinv")
    return true_size("update", x, e - exponent(c))


@np.errstate(all="ignore")
def damped_primal(J: MatrixLike, R: ArrayLike, mu: float) -> Vector:
    """(JᵀJ + μI)⁻¹ JᵀR, a P × P system (Tikhonov; Levenberg–Marquardt; SPEC 6.4).

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)
    R : array of shape (M,)
    mu : float > 0
        μ, Tikhonov's regularisation parameter, the damping of Levenberg and Marquardt.

    Returns
    -------
    array of shape (P,)

    Raises
    ------
    RankError
        μ is so small that the system is singular to working precision.

    Examples
    --------
    >>> sr.natural_gradient.damped_primal(np.diag([1.0, 3.0]), [2.0, 10.0], mu=1.0)
    array([1., 3.])
    """
    J, R, mu, e = _damped(J, R, mu)
    return true_size("update", _solve(fisher(J), J.rmatvec(R), mu), e)


@np.errstate(all="ignore")
def damped_dual(J: MatrixLike, R: ArrayLike, mu: float) -> Vector:
    """Jᵀ (JJᵀ + μI)⁻¹ R, an M × M system: the x of `damped_primal`, which says what is taken and raised (SPEC 6.4).

    Parameters
    ----------
    J, R, mu : as of `damped_primal`

    Returns
    -------
    array of shape (P,)

    Examples
    --------
    >>> sr.natural_gradient.damped_dual(np.diag([1.0, 3.0]), [2.0, 10.0], mu=1.0)
    array([1., 3.])
    """
    J, R, mu, e = _damped(J, R, mu)
    kernel = _symmetric(J.shape[0], J.dtype, lambda U: J._matmat(J._rmatmat(U)))
    return true_size("update", J.rmatvec(_solve(kernel, R, mu)), e)


@np.errstate(all="ignore")
def half_inverse(J: MatrixLike, g: ArrayLike, tau: float = 1e-6, solver: str = "dense") -> Vector:
    """V S^{−1/2} Uᵀ g over σ > τσ_1, the half-inverse gradient (Schnell, Holl & Thuerey 2022).

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (B·C, P)
        The Jacobian of all outputs.
    g : array of shape (B·C,)
        ∂L/∂outputs.
    tau : float, 0 ≤ τ < 1
    solver : str
        See `sven_ref.truncated_pinv`.

    Returns
    -------
    array of shape (P,)

    Raises
    ------
    SolverFloorError
        A σ that may be above τσ_1 lies below the floor of the solver (SPEC 3.7).

    Examples
    --------
    >>> sr.natural_gradient.half_inverse(np.diag([1.0, 4.0]), [2.0, 4.0])
    array([2., 2.])
    """
    pinv = truncated_pinv(J, rtol=check_number("tau", tau, "≥ 0 and < 1", lambda x: 0 <= x < 1), solver=solver)
    U, V = pinv.vectors()
    g, e = vector("g", g, pinv.shape[1])
    return true_size("update", V @ ((U.T @ g) / np.sqrt(pinv.singular_values)), e)


def scale(J: ProductLinearOperator, mu: float = 0.0) -> float:
    """A power of two near the larger of σ_1 and √μ, 1 where both are 0: J is divided by it before it is squared."""
    return max(J.scale(), power_of_two(math.sqrt(mu)) if mu else 0.0) or 1.0


def vector(name: str, value: ArrayLike, size: int) -> tuple[Vector, Indices]:
    """A vector near 1 and its exponent, or an error that names it."""
    array = as_array(name, value)
    if array.shape != (size,):
        raise ShapeError(f"{name} has shape {array.shape}: must be ({size},)")
    return near_one(name, array)


def exponent(c: float) -> int:
    """e of c = 2^e."""
    return math.frexp(c)[1] - 1


def _damped(J: MatrixLike, R: ArrayLike, mu: float) -> tuple[ProductLinearOperator, Vector, float, Indices]:
    """J/c, R near 1 and μ/c² of a damped system, and the exponent of its solution."""
    A = adjoint_tested(J)
    mu = check_number("mu", mu, "> 0", lambda x: x > 0)
    c = scale(A, mu)
    near, e = vector("R", R, A.shape[0])
    return Scaled(A, c), near, mu / c / c, e - exponent(c)


def _symmetric(n: int, dtype: Dtype, apply: Product) -> ProductLinearOperator:
    """An operator of shape (n, n) that is its own adjoint."""
    F = ProductLinearOperator((n, n), dtype, apply, apply, blocks=True)
    F.tested = True  # J's products are
    return F


def _solve(A: ProductLinearOperator, b: Vector, mu: float) -> Vector:
    """(A + μI)⁻¹ b for A symmetric positive semi-definite, by the eigenvectors of its matrix: W Λ⁻¹ Wᵀ b."""
    n = A.shape[0]
    matrix = A.to_dense()
    Lambda, W = np.linalg.eigh((matrix + matrix.T) / 2 + mu * np.eye(n, dtype=A.dtype))
    if Lambda[0] <= n * np.finfo(A.dtype).eps * Lambda[-1]:
        raise RankError(
            f"the {n} × {n} matrix is singular to working precision: J must have full column rank (P ≤ M) "
            f"or mu must be larger than {mu:g}; truncated_pinv has no such limit"
        )
    return W @ ((W.T @ b) / Lambda)
