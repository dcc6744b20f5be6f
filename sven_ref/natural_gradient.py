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
from .operators import ProductLinearOperator, Scaled, adjoint_tested, power_of_two
from .pinv import truncated_pinv
from .scaling import near_one, true_size


@np.errstate(all="ignore")
def fisher(J: MatrixLike) -> ProductLinearOperator:
    """F = JᵀJ of shape (P, P), an operator."""
    J = adjoint_tested(J)
    return _symmetric(J.shape[1], J.dtype, lambda V: J._rmatmat(J._matmat(V)))


@np.errstate(all="ignore")
def natural_gradient(J: MatrixLike, gradient: ArrayLike) -> Vector:
    """F⁻¹ ∇L for ∇L of shape (P,). Raises `RankError` where F is singular: then there is no natural gradient."""
    J = adjoint_tested(J)
    c = scale(J)
    g, e = vector("gradient", gradient, J.shape[1])
    return true_size("update", _solve(fisher(Scaled(J, c)), g, 0.0), e - 2 * exponent(c))


@np.errstate(all="ignore")
def gauss_newton(J: MatrixLike, R: ArrayLike) -> Vector:
    """The shortest minimiser of ‖Jx − R‖, by LSMR to working precision; singular values are never squared."""
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
    """(JᵀJ + μI)⁻¹ JᵀR for μ > 0, a P × P system (Levenberg–Marquardt)."""
    J = adjoint_tested(J)
    mu = check_number("mu", mu, "> 0", lambda x: x > 0)
    c = scale(J, mu)
    R, e = vector("R", R, J.shape[0])
    J = Scaled(J, c)
    return true_size("update", _solve(fisher(J), J.rmatvec(R), mu / c / c), e - exponent(c))


@np.errstate(all="ignore")
def damped_dual(J: MatrixLike, R: ArrayLike, mu: float) -> Vector:
    """Jᵀ (JJᵀ + μI)⁻¹ R for μ > 0, an M × M system: the same x as `damped_primal`."""
    J = adjoint_tested(J)
    mu = check_number("mu", mu, "> 0", lambda x: x > 0)
    c = scale(J, mu)
    R, e = vector("R", R, J.shape[0])
    J = Scaled(J, c)
    kernel = _symmetric(J.shape[0], J.dtype, lambda U: J._matmat(J._rmatmat(U)))
    return true_size("update", J.rmatvec(_solve(kernel, R, mu / c / c)), e - exponent(c))


@np.errstate(all="ignore")
def half_inverse(J: MatrixLike, g: ArrayLike, tau: float = 1e-6, solver: str = "dense") -> Vector:
    """V S^{−1/2} Uᵀ g over σ > τσ_1: J the Jacobian of all outputs (B·C, P), g = ∂L/∂outputs of shape (B·C,)."""
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


def _symmetric(n: int, dtype: Dtype, apply: Product) -> ProductLinearOperator:
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
