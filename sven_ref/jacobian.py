"""The residual Jacobian as an operator, for any function of θ.

    J v  = d/dε R(θ + εv) |_{ε=0}      JVP, v of shape (P,)
    Jᵀ u = ∇_θ ⟨u, R(θ)⟩               VJP, u of shape (M,)

R is linearised once: autograd records one VJP, Jᵀ: u -> Jᵀu. That map is linear in u, so *its* VJP is J: v -> Jv. This
double-VJP form of the JVP is recorded once as well, costs half of a forward-mode call, and knows every primitive that
has a VJP (exact GELU's erf has no forward rule in autograd).

J is one matrix, and it is what u -> Jᵀu says (SPEC 7a). A VJP that autograd can't trace, or whose derivative is not
itself, has no say in Jv: then J is made of its rows Jᵀe_α.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .aliases import ArrayLike, Function, Vector
from .arguments import check_theta
from .batches import takes
from .errors import ArgumentError
from .one_matrix import derivative, real_part, warn_independent
from .operators import ProductLinearOperator, real_product
from .tape import check_residuals, in_dtype, name_of, users_code, vjp_and_value


def jacobian(fun: Function, theta: ArrayLike) -> ProductLinearOperator:
    """J of shape (M, P), the Jacobian at θ of any `fun(theta) -> (M,)`: the second of what `linearise` returns.

    Examples
    --------
    >>> sr.jacobian(lambda theta: theta**2, np.array([1.0, 3.0])).to_dense().diagonal()
    array([2., 6.])
    """
    R, J = linearise(fun, theta)
    J.residuals = R  # for the old name, `J.value`
    return J


@np.errstate(all="ignore")  # what is not finite is refused
def linearise(fun: Function, theta: ArrayLike) -> tuple[Vector, ProductLinearOperator]:
    """R = fun(θ) of shape (M,), and J of shape (M, P) as an operator, both in θ's dtype.

    `fun` runs once, and five times more near θ where (Jv)_α is exactly zero for some rows: see `warn_blind`.

    Parameters
    ----------
    fun : callable(theta) -> (M,)
        Written in `autograd.numpy`. One that does not depend on θ has J = 0, with an `IndependentOfThetaWarning`.
    theta : array of shape (P,), float32 or float64

    Returns
    -------
    R : array of shape (M,)
    J : ProductLinearOperator of shape (M, P)

    Raises
    ------
    ArgumentError
        autograd can't trace `fun`: the message says why, and how to write it.
    ShapeError
        θ is not one flat vector, or fun(θ) not a vector (a scalar loss, a column, an empty array).
    NonFiniteError
        θ, fun(θ) or, later, a product is not finite.
    AdjointError
        Later, by a product: a VJP of a primitive of one's own is no linear map.

    Examples
    --------
    >>> R, J = sr.linearise(lambda theta: theta**2, np.array([1.0, 3.0]))
    >>> R, J @ np.array([1.0, 1.0])
    (array([1., 9.]), array([2., 6.]))
    """
    if not callable(fun) or not takes(fun, 1):
        raise ArgumentError(
            f"fun = {name_of(fun)}: must be a function of theta alone; of a Problem, or of Conditions with a batch, "
            f"problem.linearise(theta, batch) has the same"
        )
    theta = check_theta(theta).copy()  # J stays what it is when the caller updates θ in place
    recorded = vjp_and_value(fun, theta)
    R = check_residuals(recorded.value, fun).copy()  # a function may use one buffer twice
    value = in_dtype(R, theta.dtype, fun)

    def vjp(u: Vector) -> Vector:
        with users_code(fun, theta, of_vjp=True):
            JTu = recorded.vjp(np.array(u, dtype=R.dtype))  # a copy: a VJP may fill it in place
            return real_product("Jᵀ u", real_part(JTu))

    decided = cache(lambda: derivative(fun, recorded, vjp, theta, R))

    def jvp(v: Vector) -> Vector:
        with users_code(fun, theta, of_vjp=True):
            return real_product("J v", decided()[0](v))

    def adjoint(u: Vector) -> Vector:
        return decided()[1](u) if decided.cache_info().currsize else vjp(u)

    J = ProductLinearOperator((R.size, theta.size), theta.dtype, jvp, adjoint)
    J.tested = True
    J.eps = max(J.eps, float(np.finfo(R.dtype).eps))
    if not recorded.on_tape:
        warn_independent(name_of(fun))
    return value, J
