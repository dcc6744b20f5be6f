"""Matrices that were not made here, as operators of the package: arrays, sparse matrices, operators of other libraries.

    u -> Jᵀu,  v -> J v          ⟨Jv, u⟩ = ⟨v, Jᵀu⟩

The equation is tried, u and v independent and u's entries alike in size, before an operator is trusted (SPEC 7a).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .adjoint import alike, check_range, door, require_adjoint
from .aliases import Array, MatrixLike, Operator, Product, Vector
from .arguments import as_array
from .errors import ArgumentError, ShapeError
from .operators import ProductLinearOperator


def adjoint_tested(J: MatrixLike) -> ProductLinearOperator:
    """`as_product_operator(J)`; products that were not made here are tried first, one pair, u and v independent.

    Raises
    ------
    AdjointError
        ⟨Jv, u⟩ ≠ ⟨v, Jᵀu⟩.
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
