"""Operators: real matrices known by their products, and what a solver may ask of one.

    J v, v of shape (P,)        Jᵀ u, u of shape (M,)        ⟨J v, u⟩ = ⟨v, Jᵀ u⟩

Everything that a solver sees is one: the Jacobian of a function, its factors, an array, an operator of another library,
J/c, J[:, S]. Products are guarded once, where they enter: copied, counted (one per column), refused where they are not
finite. The equation on the right is tried, u and v Gaussian and independent, before an operator that was not made here
is trusted (SPEC 7a). A derived operator, `Scaled` or `Restricted`, hands products on and shares the counts.

What solvers ask for, `scale`, `to_dense`, `gram`, `normal_matrix`, blocks, is made of products here. An operator that
knows more, as one that holds J's factors does, has them by shorter ways and says so: `factored`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .aliases import Array, ArrayLike, DtypeLike, Indices, Matrix, MatrixLike, Operator, Product, Rng, Vector
from .arguments import as_array, check_columns, check_finite, renamed, unmasked
from .errors import AdjointError, ArgumentError, ShapeError


class RealLinearOperator(LinearOperator):
    """A real LinearOperator whose products name what is wrong with x: a mask, which NumPy would drop, or its shape."""

    def dot(self, x: ArrayLike) -> Array:
        """J x, which is what `J @ x` calls."""
        if isinstance(x, LinearOperator) or np.isscalar(x) or issparse(x):
            return super().dot(x)
        x = as_array("the argument of a product", x)
        n = self.shape[1]
        if x.ndim not in (1, 2) or x.shape[0] != n or x.size == 0:
            raise ShapeError(f"the argument of a product has shape {x.shape}: must be ({n},), or ({n}, any number ≥ 1)")
        return super().dot(x)

    def __rmatmul__(self, x: ArrayLike) -> Array:
        return super().__rmatmul__(unmasked("the argument of a product", x))

    def __rmul__(self, x: ArrayLike) -> Array:
        return super().__rmul__(unmasked("the argument of a product", x))

    def _adjoint(self) -> RealLinearOperator:
        return AdjointLinearOperator(self)

    def _transpose(self) -> RealLinearOperator:
        return AdjointLinearOperator(self)


class AdjointLinearOperator(RealLinearOperator):
    """Jᵀ of shape (P, M), by the products of J."""

    def __init__(self, J: RealLinearOperator) -> None:
        super().__init__(J.dtype, J.shape[::-1])
        self.J = J

    def _matvec(self, u: Vector) -> Vector:
        return self.J._rmatvec(u)

    def _rmatvec(self, v: Vector) -> Vector:
        return self.J._matvec(v)

    def _matmat(self, U: Array) -> Array:
        return self.J._rmatmat(U)

    def _rmatmat(self, V: Array) -> Array:
        return self.J._matmat(V)

    def _adjoint(self) -> RealLinearOperator:
        return self.J

    def _transpose(self) -> RealLinearOperator:
        return self.J


class ProductLinearOperator(RealLinearOperator):
    """A real LinearOperator of shape (M, P) given by its products, which are counted, copied and checked.

    Parameters
    ----------
    shape : tuple of int
        (M, P).
    dtype : float64 or float32
    jvp, vjp : callable or None
        (P,) -> (M,) and (M,) -> (P,). None where a subclass has them as methods.
    blocks : bool
        Whether both also take blocks, (P, n) -> (M, n) and (M, n) -> (P, n), and return arrays of their own. Else
        columns go one by one and are copied.
    counts : dict or None
        The counter of the operator that this one is a form of.

    Attributes
    ----------
    counts : dict
        {"jvp": …, "vjp": …}, how many columns J and Jᵀ have been applied to.
    tested : bool
        Whether the products are known to be of one matrix; where not, `adjoint_tested` tries them.
    exact : bool
        Whether one of the two products alone can be relied on. Not so for foreign operators, nor for autograd's,
        whose first J v decides what J is (see `jacobian`).
    factored : bool
        Whether `gram`, `normal_matrix` and blocks come without products.
    gram_dtype : dtype
        What the sums in `gram` and `normal_matrix` are made in.
    eps : float
        The relative precision that the products are computed in: that of `dtype`, or less.

    Raises
    ------
    NonFiniteError
        By every product, when a value of it is NaN or infinite.
    ShapeError
        By every product, when it has another length than `shape` says.

    Examples
    --------
    >>> J = sr.ProductLinearOperator((1, 2), float, lambda v: v[:1] + v[1:], lambda u: np.repeat(u, 2))
    >>> J @ np.array([1.0, 2.0]), J.T @ np.array([1.0]), J.counts
    (array([3.]), array([1., 1.]), {'jvp': 1, 'vjp': 1})
    """

    tested = exact = factored = False
    residuals: Vector | None = None

    def __init__(
        self,
        shape: tuple[int, int],
        dtype: DtypeLike,
        jvp: Product | None,
        vjp: Product | None,
        blocks: bool = False,
        counts: dict[str, int] | None = None,
    ) -> None:
        super().__init__(np.dtype(dtype), shape)
        if jvp and vjp:
            self.jvp = jvp
            self.vjp = vjp
        self.blocks = blocks
        self.eps = float(np.finfo(self.dtype).eps)
        self.gram_dtype = np.dtype(np.float64) if self.factored else self.dtype
        self.counts = {"jvp": 0, "vjp": 0} if counts is None else counts

    def _matmat(self, V: Array) -> Array:
        self.counts["jvp"] += V[0].size
        return self._product("J v", self.jvp, V, self.shape[0])

    def _rmatmat(self, U: Array) -> Array:
        self.counts["vjp"] += U[0].size
        return self._product("Jᵀ u", self.vjp, U, self.shape[1])

    def _matvec(self, v: Vector) -> Vector:
        return self._matmat(np.ravel(v))

    def _rmatvec(self, u: Vector) -> Vector:
        return self._rmatmat(np.ravel(u))

    def _product(self, name: str, apply: Product, X: Array, rows: int) -> Array:
        with np.errstate(all="ignore"):  # what is not finite is refused below
            X = np.ascontiguousarray(as_array("the argument of a product", X), self.dtype)
            if self.blocks:
                Y = apply(X)
                if type(Y) is not np.ndarray or Y.dtype != self.dtype:
                    Y = real_product(name, Y).astype(self.dtype, copy=False)
            else:  # copies: `apply` may write to what it is given, and hand out one buffer twice
                columns = X.reshape(len(X), -1).T
                Y = np.empty((rows, len(columns)), self.dtype, order="F")
                for j, x in enumerate(columns):
                    y = real_product(name, apply(x.copy()))
                    if y.size != rows:
                        raise ShapeError(f"Jacobian product {name} has shape {y.shape}: must be ({rows},)")
                    Y[:, j] = y.ravel()
                Y = Y.reshape(rows, *X.shape[1:])
        check_finite(f"Jacobian product {name}", Y)
        return Y

    @property
    def value(self) -> Vector | None:
        """R, by its old name."""
        renamed("J = problem.jacobian(theta, batch); J.value", "R, J = problem.linearise(theta, batch)")
        return self.residuals

    def restrict(self, columns: ArrayLike) -> ProductLinearOperator:
        """J[:, columns], for ascending indices."""
        return Restricted(self, check_columns(columns, self.shape[1]))

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's; here itself, which can't."""
        return self

    def gram_matvec(self, u: Vector) -> Vector:
        """J Jᵀu of shape (M,), counted as a product with each."""
        return self.matvec(self.rmatvec(u))

    def smaller_gram(self, c: float) -> LinearOperator:
        """The smaller of JJᵀ/c² and JᵀJ/c² as an operator, c a power of two."""
        A = Scaled(self, c)
        unit = self.dtype.type(c)

        def left(u: Vector) -> Vector:
            return self.gram_matvec(u / unit) / unit

        def right(v: Vector) -> Vector:
            return A._rmatvec(A._matvec(v))

        product = left if self.shape[0] <= self.shape[1] else right
        return LinearOperator((min(self.shape),) * 2, matvec=product, dtype=self.dtype)

    def scale(self, rng: Rng = 0) -> float:
        """A power of two c near σ_1, and 0 for J = 0: J/c can be squared with neither overflow nor underflow.

        By one product pair, v Gaussian and u = Jv: σ_1 ≥ ‖Jᵀu‖/‖u‖. ⟨u, u⟩ = ⟨v, Jᵀu⟩ is tried with it.
        """
        v = np.random.default_rng(rng).standard_normal(self.shape[1]).astype(self.dtype)
        Jv = self.matvec(v)
        size = float(np.abs(Jv).max())
        if size == 0:
            return 0.0
        u = np.asarray(Jv / self.dtype.type(power_of_two(size)), np.float64)
        w = self.rmatvec(u)
        largest = float(np.abs(w).max())
        check_range(max(size, largest), self.dtype)
        require_adjoint(v, Jv, u, w, self.eps)
        c = power_of_two(largest)
        w = np.asarray(w, np.float64)
        return power_of_two(c * float(np.linalg.norm(w / c) / np.linalg.norm(u)))

    def to_dense(self) -> Matrix:
        """J as an array of shape (M, P), by the fewer products: its rows Jᵀe_α or its columns Je_i."""
        M, P = self.shape
        return self.rmatmat(np.eye(M, dtype=self.dtype)).T if M <= P else self.matmat(np.eye(P, dtype=self.dtype))

    def gram(self, c: float = 1.0) -> Matrix:
        """J Jᵀ/c² of shape (M, M) for c a power of two, by M product pairs."""
        unit = self.dtype.type(c)
        return symmetric([self.gram_matvec(e / unit) / unit for e in np.eye(self.shape[0], dtype=self.dtype)])

    def normal_matrix(self, c: float = 1.0) -> Matrix:
        """JᵀJ/c² of shape (P, P) for c a power of two, by P product pairs."""
        A = Scaled(self, c)
        return symmetric([A._rmatvec(A._matvec(e)) for e in np.eye(self.shape[1], dtype=self.dtype)])

    def summed_size(self) -> float:
        """The size of the rows that J's are sums of, which may cancel; 0 where they are not sums."""
        return 0.0

    def gram_cost(self) -> float:
        """How many multiplications the smaller of `gram` and `normal_matrix` takes."""
        M, P = self.shape
        return 2.0 * min(M, P) * M * P

    def row_blocks(self) -> Iterator[Matrix]:
        """J[S] of shape (|S|, P) for consecutive sets of rows S."""
        yield self.to_dense()

    def column_blocks(self) -> Iterator[Matrix]:
        """J[:, S] of shape (M, |S|) for consecutive sets of columns S."""
        yield self.to_dense()

    def compressed(self) -> ProductLinearOperator:
        """An operator with the same σ and left vectors, and fewer columns where that is known how; else J itself."""
        return self


class Scaled(ProductLinearOperator):
    """J/c for c a power of two."""

    def __init__(self, J: ProductLinearOperator, c: float) -> None:
        super().__init__(J.shape, J.dtype, None, None, blocks=True, counts=J.counts)
        self.J = J
        self.c = J.dtype.type(c)
        self.tested = J.tested
        self.exact = J.exact
        self.eps = J.eps

    def _matmat(self, V: Array) -> Array:
        return self.J._matmat(V) / self.c

    def _rmatmat(self, U: Array) -> Array:
        return self.J._rmatmat(U / self.c)


class Restricted(ProductLinearOperator):
    """J[:, columns] of shape (M, |columns|), by scattering and gathering."""

    def __init__(self, J: ProductLinearOperator, columns: Indices) -> None:
        super().__init__((J.shape[0], len(columns)), J.dtype, None, None, blocks=True, counts=J.counts)
        self.J = J
        self.columns = columns
        self.tested = J.tested
        self.exact = J.exact
        self.eps = J.eps

    def _matmat(self, V: Array) -> Array:
        full = np.zeros((self.J.shape[1], *V.shape[1:]), self.dtype)
        full[self.columns] = V
        return self.J._matmat(full)

    def _rmatmat(self, U: Array) -> Array:
        return self.J._rmatmat(U)[self.columns]


def symmetric(rows: list[Vector]) -> Matrix:
    """A symmetric matrix in float64 of its computed rows, which differ from its columns by rounding."""
    G = np.array(rows, np.float64)
    return (G + G.T) / 2


def real_product(name: str, y: Array) -> Array:
    """A product as an array; raise rather than drop an imaginary part. One that is zero is autograd's way of joining
    real numbers to complex ones."""
    if np.iscomplexobj(y) and not np.any(np.imag(y)):
        y = y.real
    return as_array(f"Jacobian product {name}", y)


def closeness(eps: float) -> float:
    """How far ⟨Jv, u⟩ and ⟨v, Jᵀu⟩ may be apart, over ‖Jv‖‖u‖ + ‖v‖‖Jᵀu‖: √ε in float64, 100 ε in float32.

    Products may be inexact by design, but a row that one of them forgets is 1/M of that sum.
    """
    return min(math.sqrt(eps), 100 * float(np.finfo(np.float32).eps))


def alike(rng: np.random.Generator, n: int) -> Vector:
    """±[1, 2] of shape (n,): each row has about the same say in ⟨Jv, u⟩, and no two exactly the same."""
    return rng.choice([-1.0, 1.0], n) * rng.uniform(1, 2, n)


def door(eps: float) -> float:
    """How far a foreign operator's products may be apart at first sight: 1e-11 in float64, 16 ε in float32."""
    return 1e-11 if eps < 1e-10 else 16 * eps


def mismatch(v: Vector, Jv: Vector, u: Vector, JTu: Vector, eps: float = 0.0, rtol: float | None = None) -> str:
    """How far ⟨Jv, u⟩ and ⟨v, Jᵀu⟩ are apart, in words; "" where they agree.

    Parameters
    ----------
    eps : float
        The precision of the products, where it is less than that of their dtype.
    rtol : float or None
        See `closeness`, which gives it by default.
    """
    eps = max(eps, *(float(np.finfo(a.dtype).eps) for a in (Jv, JTu)))
    rtol = closeness(eps) if rtol is None else rtol
    c = power_of_two(max(float(np.abs(Jv).max()), float(np.abs(JTu).max())))
    v, Jv, u, JTu = (np.asarray(a, np.float64) for a in (v, Jv / Jv.dtype.type(c), u, JTu / JTu.dtype.type(c)))
    left = Jv @ u
    right = v @ JTu
    size = norm(Jv) * norm(u) + norm(v) * norm(JTu)
    if abs(left - right) <= rtol * size:
        return ""
    float32 = eps < 1e-10 and 1e-9 * size < abs(left - right) <= closeness(float(np.finfo(np.float32).eps)) * size
    hint = " (computed in float32? then the operator's dtype must be float32)" if float32 else ""
    with np.errstate(over="ignore"):
        difference = f"their difference must be within {rtol * size * c:.2g}{hint}"
        return f"⟨Jv, u⟩ = {left * c:.10g} but ⟨v, Jᵀu⟩ = {right * c:.10g}; {difference}"


def require_adjoint(v: Vector, Jv: Vector, u: Vector, JTu: Vector, eps: float, rtol: float | None = None) -> None:
    """Raise `AdjointError` unless ⟨Jv, u⟩ = ⟨v, Jᵀu⟩."""
    if difference := mismatch(v, Jv, u, JTu, eps, rtol):
        raise AdjointError(f"rmatvec is not the adjoint of matvec: {difference}")


def check_range(size: float, dtype: DtypeLike) -> None:
    """Raise unless products of this size are 0 or have all the digits of their dtype."""
    tiny = float(np.finfo(dtype).tiny)
    if 0 < size < tiny:
        raise ArgumentError(
            f"J: its products are of size {size:.2g}: must be ≥ {tiny:.2g}, below which {np.dtype(dtype)} has no full "
            f"digits; scale the residuals"
        )


def adjoint_tested(J: MatrixLike) -> ProductLinearOperator:
    """`as_product_operator(J)`; products that were not made here are tried first, one pair, u and v independent.

    Raises
    ------
    AdjointError
        ⟨Jv, u⟩ ≠ ⟨v, Jᵀu⟩ for Gaussian u and v.
    ArgumentError
        J has no rmatvec, or products so small that they have no digits.
    """
    kind = type(J).__name__
    J = J if isinstance(J, ProductLinearOperator) else as_product_operator(J)
    if not J.tested:
        rng = np.random.default_rng(0)
        v = rng.standard_normal(J.shape[1]).astype(J.dtype)
        u = alike(rng, J.shape[0]).astype(J.dtype)
        Jv, JTu = both_products(J, v, u, kind)
        check_range(max(float(np.abs(Jv).max()), float(np.abs(JTu).max())), J.dtype)
        require_adjoint(v, Jv, u, JTu, J.eps, door(J.eps))
        J.tested = True
    return J


def both_products(J: ProductLinearOperator, v: Vector, u: Vector, kind: str = "operator") -> tuple[Vector, Vector]:
    """J v and Jᵀu, or an error where one of them is not defined."""
    try:
        return J.matvec(v), J.rmatvec(u)
    except NotImplementedError as error:
        raise ArgumentError(
            f"J is a {kind} without both products: must have matvec, v -> Jv, and rmatvec, u -> Jᵀu"
        ) from error


def as_product_operator(J: MatrixLike) -> ProductLinearOperator:
    """Any real array, sparse matrix or operator of shape (M, P) as a `ProductLinearOperator`.

    An operator is anything with `shape`, `matvec` and `rmatvec`, of SciPy or another library (PyLops). Arrays are
    copied, so that J stays what it is, and applied to blocks; operators column by column, so that one which hands out
    the same buffer twice does no harm. An operator must not change while what was made of it is in use. Integers and
    half precision are computed in float64.

    Parameters
    ----------
    J : array, sparse matrix or operator of shape (M, P)

    Returns
    -------
    ProductLinearOperator of shape (M, P)
        J itself where it is one already.

    Raises
    ------
    ArgumentError
        J is of no real numbers, or nothing that has products.
    ShapeError
        J has not two dimensions, or one of them is 0.

    Examples
    --------
    >>> J = sr.as_product_operator([[1, 2], [3, 4]])
    >>> J.T @ np.array([1.0, 1.0]), J.dtype
    (array([4., 6.]), dtype('float64'))
    """
    if isinstance(J, ProductLinearOperator):
        return J
    if isinstance(J, type):
        raise ArgumentError(f"J is the class {J.__name__}: must be an instance of it")
    operator = isinstance(J, LinearOperator) or all(hasattr(J, name) for name in ("shape", "matvec"))
    if not operator and not issparse(J):
        J = as_array("J", J, "real numbers in an array or a sparse matrix, or an operator with matvec and rmatvec")
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
    result.tested = result.exact = True
    return result


def noted(product: Product, J: Operator) -> Product:
    """A foreign operator's product, whose exceptions say where they come from."""

    def apply(x: Array) -> Array:
        try:
            return product(x)
        except Exception as error:
            error.add_note(f"sven_ref: raised by a product of J, a {type(J).__name__} of shape {J.shape}")
            raise

    return apply


def power_of_two(x: float) -> float:
    """The largest power of two ≤ x (1 for x = 0): dividing by it is exact."""
    return math.ldexp(1.0, math.frexp(x)[1] - 1) if x > 0 else 1.0


def norm(x: ArrayLike) -> float:
    """‖x‖ with no overflow or underflow of its squares."""
    x = np.asarray(x)
    with np.errstate(over="ignore", under="ignore"):
        plain = float(np.linalg.norm(x))
    if np.finfo(np.result_type(x, np.float32)).tiny ** 0.25 < plain < math.inf:
        return plain
    size = float(np.abs(x).max())
    return size * float(np.linalg.norm(x / size)) if 0 < size < math.inf else size
