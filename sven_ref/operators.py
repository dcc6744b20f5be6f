"""Operators: real matrices known by their products, and what a solver may ask of one.

    J v, v of shape (P,)        Jᵀ u, u of shape (M,)        ⟨J v, u⟩ = ⟨v, Jᵀ u⟩

Everything that a solver sees is one: the Jacobian of a function, its factors, an array, an operator of another library
(`foreign`), J/c, J[:, S]. Products are guarded once, where they enter: copied, counted (one per column), refused where
they are not finite. A derived operator, `Scaled` or `Restricted`, hands products on and shares the counts.

What solvers ask for, `scale`, `to_dense`, `gram`, `normal_matrix`, blocks, is made of products here. An operator that
knows more, as one that holds J's factors does, has them by shorter ways and says so: `factored`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from .adjoint import check_range, require_adjoint
from .aliases import Array, ArrayLike, DtypeLike, Indices, Matrix, Product, Rng, Vector
from .arguments import as_array, check_columns, check_dtype, check_finite, renamed, unmasked
from .errors import ShapeError
from .scaling import power_of_two


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
        super().__init__(check_dtype(dtype), shape)
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
