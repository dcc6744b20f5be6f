"""The independent witness: everything dense, slow and obvious, written from the equations in plain NumPy.

Nothing here uses autograd, products or solvers. The Jacobian is the chain rule written out; the pseudoinverse is
its sum over triplets. Of the core only `MLP`'s sizes and shapes are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf, log_softmax, softmax

from .aliases import Array, ArrayLike, Matrix, Vector
from .nets.mlp import MLP

# φ and its derivative
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "gelu": (lambda z: z * _Phi(z), lambda z: _Phi(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)),
    "sine": (np.sin, np.cos),
    "identity": (lambda z: z, np.ones_like),
}


def _Phi(z: Array) -> Array:
    """The normal distribution function, (1 + erf(z/√2))/2."""
    return (1 + erf(z / math.sqrt(2))) / 2


def outputs_and_jacobian(net: MLP, theta: ArrayLike, x: Array) -> tuple[Array, Array]:
    """Outputs and their derivatives by θ, sample by sample and output by output.

    Parameters
    ----------
    net : MLP
    theta : array of shape (P,)
    x : array of shape (B, sizes[0])

    Returns
    -------
    f : array of shape (B, C)
    df : array of shape (B, C, P)
        ∂f/∂θ, the backpropagated gradient of each output.

    Examples
    --------
    >>> net = sr.MLP((1, 1), "identity")
    >>> f, df = sr.oracle.outputs_and_jacobian(net, [2.0, 1.0], np.array([[3.0]]))
    >>> f, df
    (array([[7.]]), array([[[3., 1.]]]))
    """
    arrays, start = [], 0
    for shape in net.shapes:
        size = math.prod(shape)
        arrays.append(np.asarray(theta)[start : start + size].reshape(shape))
        start += size
    phi, dphi = ACTIVATIONS[net.activation]
    L = len(net.sizes) - 1
    C = net.sizes[-1]
    f = np.empty((len(x), C))
    df = np.empty((len(x), C, net.n_params))
    for a, sample in enumerate(x):
        xs = [np.asarray(sample)]
        zs = []
        for i in range(L):
            zs.append(xs[-1] @ arrays[2 * i] + arrays[2 * i + 1])
            xs.append(phi(zs[-1]) if i < L - 1 else zs[-1])
        f[a] = zs[-1]
        for c in range(C):
            g = np.eye(C)[c]  # ∂f_c/∂z_L
            blocks: list[Vector] = []
            for i in reversed(range(L)):
                blocks[:0] = [np.outer(xs[i], g).ravel(), g]  # ∂f_c/∂W_i, ∂f_c/∂b_i
                if i > 0:
                    g = dphi(zs[i - 1]) * (arrays[2 * i] @ g)
            df[a, c] = np.concatenate(blocks)
    return f, df


def residuals_and_jacobian(
    net: MLP,
    theta: ArrayLike,
    x: Array,
    y: Array,
    loss: str = "squared_error",
    kappa: float = 2,
    rows: str = "unsigned",
    m: int = 1,
) -> tuple[Vector, Matrix]:
    """Residuals and their Jacobian, term by term (SPEC 2.1 to 2.5).

    Parameters
    ----------
    net : MLP
    theta : array of shape (P,)
    x : array of shape (B, sizes[0])
    y : array of shape (B, C), or of shape (B,) for labels
    loss, kappa, rows, m
        As of `sven_ref.Problem`; m is its `micro_batch`, and `rows` has no default that looks at the loss.

    Returns
    -------
    R : array of shape (M,)
    J : array of shape (M, P)

    Examples
    --------
    >>> net = sr.MLP((1, 1), "identity")
    >>> x, y = np.array([[3.0]]), np.array([[6.0]])
    >>> sr.oracle.residuals_and_jacobian(net, [2.0, 1.0], x, y)
    (array([1.]), array([[6., 2.]]))
    """
    f, df = outputs_and_jacobian(net, theta, x)
    B, C = f.shape
    if loss == "cross_entropy":
        ell = -log_softmax(f, axis=1)[np.arange(B), y]
        dell = np.einsum("bc,bcp->bp", softmax(f, axis=1) - np.eye(C)[y], df)
    else:
        r = f - (np.eye(C)[y] if loss == "label_regression" else y)
        if rows == "per_output":
            return r.reshape(B * C), df.reshape(B * C, -1)
        if rows == "signed":
            r = r[:, 0]
            dr = df[:, 0]
            slope = np.array([_slope(abs(t), kappa) for t in r])
            return np.sign(r) * np.abs(r) ** kappa, slope[:, None] * dr
        ell = (r**2).sum(1)
        dell = 2 * np.einsum("bc,bcp->bp", r, df)
    ell = ell.reshape(-1, m).mean(1)
    dell = dell.reshape(B // m, m, -1).mean(1)
    return ell ** (kappa / 2), np.array([_slope(t, kappa / 2) for t in ell])[:, None] * dell


def _slope(base: float, exponent: float) -> float:
    """The derivative e·base^(e−1), and 0 where that is singular: e < 1 at base = 0 (SPEC 2.5)."""
    return 0.0 if base == 0 and exponent < 1 else exponent * base ** (exponent - 1)


def truncated_pinv(J: Matrix, k: int | None = None, rtol: float = 1e-3, atol: float = 0.0) -> tuple[Matrix, Vector]:
    """J⁺ = Σ v_i u_iᵀ/σ_i over the kept triplets, and their σ (SPEC 3.1, 3.2).

    σ ≤ 4ε√max(M, P) σ_1 are zero to working precision.

    Parameters
    ----------
    J : array of shape (M, P)
    k : int ≥ 1 or None
        At most k triplets are kept.
    rtol, atol : float
        σ_i is kept iff σ_i > rtol·σ_1 and σ_i > atol.

    Returns
    -------
    J_pinv : array of shape (P, M)
    kept : array of shape (q,)
        The kept σ, descending.

    Examples
    --------
    >>> J_pinv, kept = sr.oracle.truncated_pinv(np.diag([4.0, 2.0, 0.001]))
    >>> J_pinv.diagonal(), kept
    (array([0.25, 0.5 , 0.  ]), array([4., 2.]))
    """
    U, s, Vt = np.linalg.svd(J, full_matrices=False)
    zero = 4 * np.finfo(s.dtype).eps * math.sqrt(max(J.shape)) * s[0]
    pinv = np.zeros(J.shape[::-1], s.dtype)
    kept = []
    for i in range(len(s) if k is None else min(k, len(s))):
        if s[i] > rtol * s[0] and s[i] > atol and s[i] > zero:
            pinv += np.outer(Vt[i], U[:, i]) / s[i]
            kept.append(s[i])
    return pinv, np.array(kept)


def step(
    theta: Vector, R: Vector, J: Matrix, lr: float, k: int | None = None, rtol: float = 1e-3, atol: float = 0.0
) -> Vector:
    """θ − η J⁺R (SPEC 4.1).

    Parameters
    ----------
    theta : array of shape (P,)
    R : array of shape (M,)
    J : array of shape (M, P)
    lr : float
        η.
    k, rtol, atol
        See `truncated_pinv`.

    Returns
    -------
    array of shape (P,)

    Examples
    --------
    >>> theta, R, J = np.array([1.0, 1.0]), np.array([4.0, 2.0]), np.diag([4.0, 2.0])
    >>> sr.oracle.step(theta, R, J, lr=0.5)
    array([0.5, 0.5])
    """
    return theta - lr * truncated_pinv(J, k, rtol, atol)[0] @ R


def fisher(J: Matrix) -> Matrix:
    """F = Σ_α J_α J_αᵀ, a sum over samples of the outer products of their gradients (SPEC 6.1).

    Parameters
    ----------
    J : array of shape (M, P)

    Returns
    -------
    array of shape (P, P)

    Examples
    --------
    >>> sr.oracle.fisher(np.array([[1.0, 2.0]]))
    array([[1., 2.],
           [2., 4.]])
    """
    F = np.zeros((J.shape[1],) * 2)
    for row in J:
        F += np.outer(row, row)
    return F


def natural_gradient(J: Matrix, R: Vector) -> Vector:
    """F⁻¹ ∇L for L = Σ R², κ = 1 (SPEC 6.1).

    Parameters
    ----------
    J : array of shape (M, P)
    R : array of shape (M,)

    Returns
    -------
    array of shape (P,)

    Raises
    ------
    numpy.linalg.LinAlgError
        F is singular.

    Examples
    --------
    >>> sr.oracle.natural_gradient(np.diag([1.0, 2.0]), np.array([1.0, 2.0]))
    array([2., 2.])
    """
    return np.linalg.solve(fisher(J), 2 * J.T @ R)


def damped(J: Matrix, R: Vector, mu: float) -> Vector:
    """(JᵀJ + μI)⁻¹ JᵀR by the singular value decomposition, V diag(σ/(σ² + μ)) UᵀR (Tikhonov; SPEC 6.4).

    Parameters
    ----------
    J : array of shape (M, P)
    R : array of shape (M,)
    mu : float > 0
        μ.

    Returns
    -------
    array of shape (P,)

    Examples
    --------
    >>> sr.oracle.damped(np.diag([1.0, 3.0]), np.array([2.0, 10.0]), mu=1.0)
    array([1., 3.])
    """
    U, s, Vt = np.linalg.svd(J, full_matrices=False)
    return Vt.T @ (s / (s**2 + mu) * (U.T @ R))
