"""Operators: real matrices known by their products, which are counted, copied and checked.

    J v, v of shape (P,)        Jᵀ u, u of shape (M,)        ⟨J v, u⟩ = ⟨v, Jᵀ u⟩

Everything that a solver sees is one: the Jacobian of a function, its factors, an array, an operator of another library,
a scaled or a restricted one. The equation on the right is tried, u and v Gaussian and independent, before an operator
that was not made here is trusted (SPEC 7a). An operator here counts its products (one per column), hands out copies,
and refuses products that are not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .errors import AdjointError, ArgumentError, ShapeError, as_array, check_columns, check_finite, unmasked

Product = Callable[[Any], Any]


class RealLinearOperator(LinearOperator):
    """A real LinearOperator whose products name what is wrong with x: a mask, which NumPy would drop, or its shape."""

    def dot(self, x: Any) -> Any:
        """J x, as `@`."""
        if isinstance(x, LinearOperator) or np.isscalar(x) or issparse(x):
            return super().dot(x)
        x = np.asarray(unmasked("the argument of a product", x))
        n = self.shape[1]
        if x.ndim not in (1, 2) or x.shape[0] != n or x.size == 0:
            raise ShapeError(f"the argument of a product has shape {x.shape}: must be ({n},), or ({n}, any number ≥ 1)")
        return super().dot(x)

    def __rmatmul__(self, x: Any) -> Any:
        return super().__rmatmul__(unmasked("the argument of a product", x))

    def __rmul__(self, x: Any) -> Any:
        return super().__rmul__(unmasked("the argument of a product", x))

    def _adjoint(self) -> Any:
        return AdjointLinearOperator(self)

    def _transpose(self) -> Any:
        return AdjointLinearOperator(self)


class AdjointLinearOperator(RealLinearOperator):
    """Jᵀ of shape (P, M), by the products of J."""

    def __init__(self, J: RealLinearOperator) -> None:
        super().__init__(J.dtype, J.shape[::-1])
        self.J = J

    def _matvec(self, u: Any) -> Any:
        return self.J._rmatvec(u)

    def _rmatvec(self, v: Any) -> Any:
        return self.J._matvec(v)

    def _matmat(self, U: Any) -> Any:
        return self.J._rmatmat(U)

    def _rmatmat(self, V: Any) -> Any:
        return self.J._matmat(V)

    def _adjoint(self) -> Any:
        return self.J

    def _transpose(self) -> Any:
        return self.J


class ProductLinearOperator(RealLinearOperator):
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
    tested : whether the products are known to be of one matrix; where not, `adjoint_tested` tries them
    by_tape : whether it is autograd's: then the first J v decides what J is (see `jacobian`)

    Raises
    ------
    NonFiniteError : by every product, when a value of it is NaN or infinite
    """

    tested = False
    by_tape = False

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
        return restrict(self, check_columns(columns, self.shape[1]))

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's; here itself, which can't."""
        return self

    def _product(self, name: str, apply: Product, X: Any, rows: int) -> Any:
        X = np.ascontiguousarray(X if self.inner else as_array("the argument of a product", X), self.dtype)
        with np.errstate(all="ignore"):  # what is not finite is refused below
            if self.blocks:
                Y = real_product(name, apply(X)).astype(self.dtype, copy=False)
            else:  # copies: `apply` may write to what it is given, and hand out one buffer twice
                columns = X.reshape(len(X), -1).T
                Y = np.empty((rows, len(columns)), self.dtype, order="F")
                for j, x in enumerate(columns):
                    y = real_product(name, apply(x.copy()))
                    if y.size != rows:
                        raise ShapeError(f"Jacobian product {name} has shape {y.shape}: must be ({rows},)")
                    Y[:, j] = y.ravel()
                Y = Y.reshape(rows, *X.shape[1:])
        if not self.inner:
            check_finite(f"Jacobian product {name}", Y)
        return Y


def real_product(name: str, y: Any) -> Any:
    """A product as an array; raise rather than drop an imaginary part. One that is zero is autograd's way of joining
    real numbers to complex ones."""
    if np.iscomplexobj(y) and not np.any(np.imag(y)):
        y = y.real
    return as_array(f"Jacobian product {name}", y)


def mismatch(v: Any, Jv: Any, u: Any, JTu: Any) -> str:
    """How far ⟨Jv, u⟩ and ⟨v, Jᵀu⟩ are apart, in words; "" where rounding explains it.

    It explains √ε (‖Jv‖‖u‖ + ‖v‖‖Jᵀu‖), ε that of the products' dtype.
    """
    eps = max(float(np.finfo(a.dtype).eps) for a in (Jv, JTu))
    c = power_of_two(max(float(np.abs(Jv).max()), float(np.abs(JTu).max())))
    v, Jv, u, JTu = (np.asarray(a, np.float64) for a in (v, Jv / Jv.dtype.type(c), u, JTu / JTu.dtype.type(c)))
    left, right, bound = Jv @ u, v @ JTu, math.sqrt(eps) * (norm(Jv) * norm(u) + norm(v) * norm(JTu))
    if abs(left - right) <= bound:
        return ""
    float32 = eps < 1e-10 and abs(left - right) <= bound * math.sqrt(np.finfo(np.float32).eps / eps)
    hint = " (computed in float32? then the operator's dtype must be float32)" if float32 else ""
    with np.errstate(over="ignore"):
        difference = f"their difference must be within {bound * c:.2g}{hint}"
        return f"⟨Jv, u⟩ = {left * c:.10g} but ⟨v, Jᵀu⟩ = {right * c:.10g}; {difference}"


def require_adjoint(v: Any, Jv: Any, u: Any, JTu: Any) -> None:
    """Raise `AdjointError` unless ⟨Jv, u⟩ = ⟨v, Jᵀu⟩."""
    if difference := mismatch(v, Jv, u, JTu):
        raise AdjointError(f"rmatvec is not the adjoint of matvec: {difference}")


def check_range(size: float, dtype: Any) -> None:
    """Raise unless products of this size are 0 or have all the digits of their dtype."""
    tiny = float(np.finfo(dtype).tiny)
    if 0 < size < tiny:
        raise ArgumentError(
            f"J: its products are of size {size:.2g}: must be ≥ {tiny:.2g}, below which {np.dtype(dtype)} has no full "
            f"digits; scale the residuals"
        )


def adjoint_tested(J: Any) -> ProductLinearOperator:
    """`as_product_operator(J)`; products that were not made here are tried first, one pair, u and v independent.

    Raises
    ------
    AdjointError : ⟨Jv, u⟩ ≠ ⟨v, Jᵀu⟩ for Gaussian u, v
    ArgumentError : J has no rmatvec, or products so small that they have no digits
    """
    kind, J = type(J).__name__, as_product_operator(J)
    if not J.tested:
        rng = np.random.default_rng(0)
        u, v = (rng.standard_normal(n).astype(J.dtype) for n in J.shape)
        try:
            Jv, JTu = J.matvec(v), J.rmatvec(u)
        except NotImplementedError as error:
            raise ArgumentError(
                f"J is a {kind} without both products: must have matvec, v -> Jv, and rmatvec, u -> Jᵀu"
            ) from error
        check_range(max(float(np.abs(Jv).max()), float(np.abs(JTu).max())), J.dtype)
        require_adjoint(v, Jv, u, JTu)
        J.tested = True
    return J


def as_product_operator(J: Any) -> ProductLinearOperator:
    """Any real array, sparse matrix or operator of shape (M, P) as a `ProductLinearOperator`.

    An operator is anything with `shape`, `matvec` and `rmatvec`, of SciPy or another library (PyLops). Arrays are
    copied, so that J stays what it is, and applied to blocks; operators column by column, so that one which hands out
    the same buffer twice does no harm. An operator must not change while what was made of it is in use. Integers and
    half precision are computed in float64.
    """
    if isinstance(J, ProductLinearOperator):
        return J
    operator = isinstance(J, LinearOperator) or all(hasattr(J, name) for name in ("shape", "matvec"))
    if not operator and not issparse(J):
        J = as_array("J", J)
    if len(J.shape) != 2 or 0 in J.shape:
        raise ShapeError(f"J has shape {J.shape}: must be (M, P) with M, P ≥ 1")
    A = aslinearoperator(J)
    dtype = np.dtype(A.dtype)
    if dtype.kind not in "fiub":
        raise ArgumentError(f"J has dtype {dtype}: must be real numbers")
    dtype = dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)
    if operator:
        return ProductLinearOperator(A.shape, dtype, noted(A.matvec, J), noted(A.rmatvec, J))
    J = J.astype(dtype) if issparse(J) else np.array(J, dtype, order="C")
    result = ProductLinearOperator(A.shape, dtype, lambda V: J @ V, lambda U: J.T @ U, blocks=True)
    result.tested = True
    return result


def noted(product: Product, J: Any) -> Product:
    """A foreign operator's product, whose exceptions say where they come from."""

    def apply(x: Any) -> Any:
        try:
            return product(x)
        except Exception as error:
            error.add_note(f"sven_ref: raised by a product of J, a {type(J).__name__} of shape {J.shape}")
            raise

    return apply


def restrict(J: ProductLinearOperator, columns: Any) -> ProductLinearOperator:
    """J[:, columns] of shape (M, |columns|), by scattering and gathering; products count as products with J."""

    def scatter(V: Any) -> Any:
        full = np.zeros((J.shape[1], *V.shape[1:]), J.dtype)
        full[columns] = V
        return full

    shape = (J.shape[0], len(columns))
    part = ProductLinearOperator(shape, J.dtype, lambda V: J @ scatter(V), lambda U: (J.H @ U)[columns], True, J.value)
    part.inner, part.tested, part.by_tape = J, J.tested, J.by_tape
    return part


def scaled(J: ProductLinearOperator, c: float) -> ProductLinearOperator:
    """J / c for c a power of two; products count as products with J."""
    c = J.dtype.type(c)
    part = ProductLinearOperator(J.shape, J.dtype, lambda V: J._matmat(V) / c, lambda U: J._rmatmat(U / c), True)
    part.inner, part.tested, part.by_tape = J, J.tested, J.by_tape
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
