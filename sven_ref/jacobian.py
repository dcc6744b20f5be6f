"""The residual Jacobian as an operator, for any function of θ.

    J v  = d/dε R(θ + εv) |_{ε=0}      JVP, v of shape (P,)
    Jᵀ u = ∇_θ ⟨u, R(θ)⟩               VJP, u of shape (M,)

R is linearised once: autograd records one VJP, Jᵀ: u -> Jᵀu. That map is linear in u, so *its* VJP is J: v -> Jv. This
double-VJP form of the JVP is recorded once as well, costs half of a forward-mode call, and knows every primitive that
has a VJP (exact GELU's erf has no forward rule in autograd).

An operator here counts its products (one per column), hands out copies, and refuses products that are not finite.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from autograd import make_vjp
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .errors import ArgumentError, ShapeError, check_finite, check_theta

Product = Callable[[Any], Any]


class ProductLinearOperator(LinearOperator):
    """A real LinearOperator of shape (M, P) given by its products, which are counted, copied and checked.

    Parameters
    ----------
    shape, dtype : (M, P) and float32 or float64
    jvp, vjp : callables (P,) -> (M,) and (M,) -> (P,); None where a subclass has them as methods
    blocks : whether both also take blocks, (P, n) -> (M, n) and (M, n) -> (P, n), and return arrays of their own; else
        columns go one by one and are copied
    value : R of shape (M,) where the operator is the Jacobian of a function, else None

    Attributes
    ----------
    counts : {"jvp": …, "vjp": …}, how many columns J and Jᵀ have been applied to

    Raises
    ------
    NonFiniteError : by every product, when a value of it is NaN or infinite
    """

    def __init__(
        self, shape: tuple[int, int], dtype: Any, jvp: Any, vjp: Any, blocks: bool = False, value: Any = None
    ) -> None:
        super().__init__(np.dtype(dtype), shape)
        if jvp and vjp:
            self.jvp, self.vjp = jvp, vjp
        self.blocks, self.value = blocks, value
        self.counts = {"jvp": 0, "vjp": 0}
        self.inner: ProductLinearOperator | None = None  # the operator whose checked products this one passes on

    def _matmat(self, V: Any) -> Any:
        self.counts["jvp"] += V[0].size
        return self._product("J v", self.jvp, V, self.shape[0])

    def _rmatmat(self, U: Any) -> Any:
        self.counts["vjp"] += U[0].size
        return self._product("Jᵀ u", self.vjp, U, self.shape[1])

    def _matvec(self, v: Any) -> Any:
        return self._matmat(np.ravel(v))

    def _rmatvec(self, u: Any) -> Any:
        return self._rmatmat(np.ravel(u))

    def gram_matvec(self, u: Any) -> Any:
        """J Jᵀu of shape (M,), counted as a product with each."""
        return self.matvec(self.rmatvec(u))

    def restrict(self, columns: Any) -> ProductLinearOperator:
        """J[:, columns], for ascending indices."""
        return restrict(self, columns)

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's; here itself, which can't."""
        return self

    def _product(self, name: str, apply: Product, X: Any, rows: int) -> Any:
        X = np.asarray(X, dtype=self.dtype)
        with np.errstate(all="ignore"):  # what is not finite is refused below
            if self.blocks:
                Y = np.asarray(apply(X), dtype=self.dtype)
            else:  # a copy: `apply` may hand out one buffer twice
                columns = X.reshape(len(X), -1).T
                Y = np.empty((rows, len(columns)), self.dtype, order="F")
                for j, x in enumerate(columns):
                    Y[:, j] = apply(x)
                Y = Y.reshape(rows, *X.shape[1:])
        if not self.inner:
            check_finite(f"Jacobian product {name}", Y)
        return Y


def check_residuals(R: Any) -> Any:
    """R as a finite vector of shape (M,), M ≥ 1, or an error that names what is wrong."""
    R = np.asarray(R)
    if R.ndim != 1 or R.size == 0:
        raise ShapeError(f"residuals have shape {R.shape}: must be (M,), one entry per condition, not a scalar loss")
    if R.dtype.kind != "f":
        raise ArgumentError(f"residuals have dtype {R.dtype}: must be real floating point")
    check_finite("residuals", R)
    return R


def linearise(fun: Product, x: Any) -> tuple[Product, Any]:
    """The VJP of `fun` at x, and fun(x). Where fun does not depend on x the VJP is zero."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Output seems independent of input")
        vjp, value = make_vjp(fun)(x)
    return vjp, value


def jacobian(fun: Callable[[Any], Any], theta: Any) -> ProductLinearOperator:
    """J of shape (M, P): the Jacobian at θ of any `fun(theta) -> (M,)` written in `autograd.numpy`.

    `fun` runs once. `J.value` is fun(θ); products are in θ's dtype. A function that does not depend on θ has J = 0.

    Raises
    ------
    ShapeError
        θ is not one flat vector, or fun(θ) not a vector (a scalar loss, a column, an empty array).
    NonFiniteError
        θ, fun(θ) or, later, a product is not finite.
    """
    theta = check_theta(theta).copy()  # J stays what it is when the caller updates θ in place
    vjp, R = linearise(fun, theta)
    R = check_residuals(R)
    vjp_of_vjp = cache(lambda: linearise(vjp, np.zeros_like(R))[0])
    return ProductLinearOperator(
        (R.size, theta.size),
        theta.dtype,
        jvp=lambda v: vjp_of_vjp()(v),
        vjp=lambda u: vjp(np.asarray(u, dtype=R.dtype)),
        value=R.astype(theta.dtype),
    )


def as_product_operator(J: Any) -> ProductLinearOperator:
    """Any real array, sparse matrix or LinearOperator of shape (M, P) as a `ProductLinearOperator`.

    Arrays are applied to blocks; other operators column by column, so that one which hands out the same buffer twice
    does no harm. Integers and half precision are computed in float64.
    """
    if isinstance(J, ProductLinearOperator):
        return J
    array = not isinstance(J, LinearOperator)
    J = np.asarray(J) if array and not issparse(J) else J
    if len(J.shape) != 2 or 0 in J.shape:
        raise ShapeError(f"J has shape {J.shape}: must be (M, P) with M, P ≥ 1")
    A = aslinearoperator(J)
    dtype = np.dtype(A.dtype)
    if dtype.kind not in "fiub":
        raise ArgumentError(f"J has dtype {dtype}: must be real numbers")
    dtype = dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)
    if array:
        return ProductLinearOperator(A.shape, dtype, lambda V: J @ V, lambda U: J.T @ U, blocks=True)
    return ProductLinearOperator(A.shape, dtype, A.matvec, A.rmatvec)


def restrict(J: ProductLinearOperator, columns: Any) -> ProductLinearOperator:
    """J[:, columns] of shape (M, |columns|), by scattering and gathering; products count as products with J."""

    def scatter(V: Any) -> Any:
        full = np.zeros((J.shape[1], *V.shape[1:]), J.dtype)
        full[columns] = V
        return full

    shape = (J.shape[0], len(columns))
    part = ProductLinearOperator(shape, J.dtype, lambda V: J @ scatter(V), lambda U: (J.H @ U)[columns], True, J.value)
    part.inner = J
    return part


def scaled(J: ProductLinearOperator, c: float) -> ProductLinearOperator:
    """J / c for c a power of two; products count as products with J."""
    c = J.dtype.type(c)
    part = ProductLinearOperator(J.shape, J.dtype, lambda V: J._matmat(V) / c, lambda U: J._rmatmat(U / c), True)
    part.inner = J
    return part


def power_of_two(x: float) -> float:
    """The largest power of two ≤ x (1 for x = 0): dividing by it is exact."""
    return math.ldexp(1.0, math.frexp(x)[1] - 1) if x > 0 else 1.0


def norm(x: Any) -> float:
    """‖x‖ with no overflow or underflow of its squares."""
    x = np.asarray(x)
    with np.errstate(over="ignore", under="ignore"):
        plain = float(np.linalg.norm(x))
    if np.finfo(np.result_type(x, np.float32)).tiny ** 0.25 < plain < math.inf:
        return plain
    size = float(np.abs(x).max())
    return size * float(np.linalg.norm(x / size)) if 0 < size < math.inf else size
