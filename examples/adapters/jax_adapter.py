"""JAX: the Jacobian by `jax.jacrev`, the truncated pseudoinverse by an SVD. Every operation."""

import operator
from functools import partial
from itertools import pairwise

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.scipy.special import logsumexp  # noqa: E402
from serve import serve  # noqa: E402

PHI = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "sine": jnp.sin,
    "identity": lambda z: z,
}


def array(value, dtype):
    """Nested lists as an array, or an error where a number is not finite."""
    a = np.array(value, dtype)
    if not np.isfinite(a).all():
        raise ValueError("every number must be finite")
    return jnp.asarray(a)


def network(sizes, activation, theta, x):
    """z_l = x_l W_l + b_l, with θ = [W_1 row by row, b_1, W_2, …]."""
    start = 0
    if len(theta) != sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes)):
        raise ValueError(f"theta has {len(theta)} entries")
    for n_in, n_out in pairwise(sizes):
        end = start + n_in * n_out
        x = x @ theta[start:end].reshape(n_in, n_out) + theta[end : end + n_out]
        start = end + n_out
        if start < len(theta):
            x = PHI[activation](x)
    return x


def power(base, exponent):
    """base^exponent for base ≥ 0, value and slope 0 at base = 0: a satisfied condition asks for nothing."""
    if exponent == 1:
        return base
    return jnp.where(base > 0, jnp.where(base > 0, base, 1.0) ** exponent, 0.0)


def residuals(theta, how, x, y):
    """R of shape (M,)."""
    sizes, activation, loss, kappa, rows, m = how
    f = network(sizes, activation, theta, x)
    if loss == "cross_entropy":
        losses = logsumexp(f, axis=1) - jnp.take_along_axis(f, y[:, None], 1)[:, 0]
    else:
        r = f - (jnp.eye(f.shape[1], dtype=f.dtype)[y] if loss == "label_regression" else y)
        if rows == "per_output":
            return r.reshape(-1)
        if rows == "signed":
            if r.shape[1] != 1:
                raise ValueError("signed rows go with one output")
            return (r if kappa == 1 else r * power(abs(r), kappa - 1)).reshape(-1)
        losses = (r**2).sum(1)
    return power(losses.reshape(-1, m).mean(1), kappa / 2)


def batch(i, dtype):
    """x and y, checked."""
    x, C = array(i["x"], dtype), i["model"]["sizes"][-1]
    labels = i["loss"] != "squared_error"
    if not i["kappa"] > 0:
        raise ValueError(f"kappa = {i['kappa']}")
    y = array(i["y"], int if labels else dtype)
    if y.shape != ((len(x),) if labels else (len(x), C)):
        raise ValueError(f"y has shape {y.shape}")
    if labels and (y.min() < 0 or y.max() >= C):
        raise ValueError(f"labels must be in 0 … {C - 1}")
    return x, y


@partial(jax.jit, static_argnames="how")
def residuals_and_jacobian(theta, how, x, y):
    """R and J, compiled once for each shape and each way to make R."""
    return residuals(theta, how, x, y), jax.jacrev(residuals)(theta, how, x, y)


def pinv_apply(J, R, k, rtol, atol):
    """J⁺R and the kept σ."""
    k = min(J.shape) if k is None else operator.index(k)
    if k < 1 or not 0 <= rtol < 1 or not atol >= 0:
        raise ValueError(f"k = {k}, rtol = {rtol}, atol = {atol}")
    update, s, keep = masked(J, R, k, rtol, atol)
    return update, s[np.array(keep)]


@jax.jit
def masked(J, R, k, rtol, atol):
    """J⁺R, all σ and which of them are kept: an inverse with a mask, as shapes can't depend on values here."""
    U, s, Vt = jnp.linalg.svd(J, full_matrices=False)
    zero = 4 * jnp.finfo(s.dtype).eps * max(J.shape) ** 0.5 * s[0]
    keep = (jnp.arange(len(s)) < k) & (s > rtol * s[0]) & (s > atol) & (s > zero)
    return Vt.T @ jnp.where(keep, U.T @ R / jnp.where(keep, s, 1), 0), s, keep


def way(i):
    """How R is made, hashable."""
    return tuple(i["model"]["sizes"]), i["model"]["activation"], i["loss"], i["kappa"], i["rows"], i["micro_batch"]


def run(op, dtype, i):
    if op == "jacobian":
        theta, (x, y) = array(i["theta"], dtype), batch(i, dtype)
        R, J = residuals_and_jacobian(theta, way(i), x, y)
        return {"residuals": R, "jacobian": J}
    cuts = [i.get(name) for name in ("k", "rtol", "atol")]
    if op == "trajectory":
        theta, batches, thetas = array(i["theta"], dtype), [batch({**i, **b}, dtype) for b in i["batches"]], []
        for t in range(i["steps"]):
            x, y = batches[t % len(batches)]
            R, J = residuals_and_jacobian(theta, way(i), x, y)
            theta = theta - i["lr"] * pinv_apply(J, R, *cuts)[0]
            thetas.append(theta)
        return {"thetas": thetas}
    J = array(i["J"], dtype)
    if op == "matvec":
        return {"product": J @ array(i["v"], dtype)}
    if op == "rmatvec":
        return {"product": J.T @ array(i["u"], dtype)}
    R = array(i["R"], dtype)
    if op == "natural_gradient":
        return {"update": 2 * jnp.linalg.lstsq(J, R)[0]}
    S = np.arange(J.shape[1])[i.get("columns", slice(None))]  # NumPy refuses an index out of range, JAX clamps it
    update, s = pinv_apply(J[:, S], R, *cuts)
    if op == "pinv_apply":
        return {"update": update, "rank": len(s), "singular_values": s}
    theta = array(i["theta"], dtype)
    if theta.shape != J.shape[1:]:
        raise ValueError(f"theta has shape {theta.shape}")
    theta = theta.at[S].add(-i["lr"] * update)
    return {"theta": theta, "rank": len(s), "singular_values": s}


if __name__ == "__main__":
    serve(
        "jax jacrev + svd",
        jax.__version__,
        run,
        ["matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory"],
    )
