"""PyTorch: the Jacobian by `torch.func.jacrev`, the truncated pseudoinverse by an SVD. Every operation."""

import operator
from itertools import pairwise

import torch
from serve import serve
from torch.func import jacrev
from torch.nn import functional as F

PHI = {"tanh": torch.tanh, "relu": torch.relu, "gelu": F.gelu, "sine": torch.sin, "identity": lambda z: z}


def tensor(value, dtype):
    """Nested lists as a tensor, or an error where a number is not finite."""
    a = torch.tensor(numbers(value), dtype=dtype)
    if not torch.isfinite(a).all():
        raise ValueError("every number must be finite")
    return a


def numbers(value):
    return [numbers(v) for v in value] if isinstance(value, list) else float(value)


def network(model, theta, x):
    """z_l = x_l W_l + b_l, with θ = [W_1 row by row, b_1, W_2, …]."""
    sizes, start = model["sizes"], 0
    for n_in, n_out in pairwise(sizes):
        end = start + n_in * n_out
        x = x @ theta[start:end].reshape(n_in, n_out) + theta[end : end + n_out]
        start = end + n_out
        if start < len(theta):
            x = PHI[model["activation"]](x)
    if start != len(theta):
        raise ValueError(f"theta has {len(theta)} entries, not {start}")
    return x


def power(base, exponent):
    """base^exponent for base ≥ 0, value and slope 0 at base = 0: a satisfied condition asks for nothing."""
    if exponent == 1:
        return base
    return torch.where(base > 0, torch.where(base > 0, base, 1.0) ** exponent, 0.0)


def residuals(theta, i, x, y):
    """R of shape (M,) at θ."""
    return rows_of(network(i["model"], theta, x), i, y)


def rows_of(f, i, y):
    """Outputs of shape (B, C) -> R of shape (M,)."""
    kappa, rows, m = i["kappa"], i["rows"], i["micro_batch"]
    if i["loss"] == "cross_entropy":
        losses = F.cross_entropy(f, y, reduction="none")
    else:
        r = f - (F.one_hot(y, f.shape[1]).to(f.dtype) if i["loss"] == "label_regression" else y)
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
    x, labels = tensor(i["x"], dtype), i["loss"] != "squared_error"
    if not i["kappa"] > 0:
        raise ValueError(f"kappa = {i['kappa']}")
    y = torch.tensor(i["y"]) if labels else tensor(i["y"], dtype)
    if y.shape != ((len(x),) if labels else (len(x), i["model"]["sizes"][-1])):
        raise ValueError(f"y has shape {tuple(y.shape)}")
    return x, y


def pinv_apply(J, R, k, rtol, atol):
    """J⁺R and the kept σ."""
    U, s, Vt = torch.linalg.svd(J, full_matrices=False)
    k = len(s) if k is None else operator.index(k)
    if k < 1 or not 0 <= rtol < 1 or not atol >= 0:
        raise ValueError(f"k = {k}, rtol = {rtol}, atol = {atol}")
    zero = 4 * torch.finfo(s.dtype).eps * max(J.shape) ** 0.5 * s[0]
    q = min(k, int(((s > rtol * s[0]) & (s > atol) & (s > zero)).sum()))
    return Vt[:q].T @ (U.T[:q] @ R / s[:q]), s[:q]


def run(op, dtype, i):
    dtype = getattr(torch, dtype)
    if op == "jacobian":
        theta, (x, y) = tensor(i["theta"], dtype), batch(i, dtype)
        return {
            "residuals": residuals(theta, i, x, y),
            "jacobian": jacrev(residuals)(theta, i, x, y),
        }
    cuts = [i.get(name) for name in ("k", "rtol", "atol")]
    if op == "trajectory":
        theta, batches, thetas = tensor(i["theta"], dtype), [batch({**i, **b}, dtype) for b in i["batches"]], []
        for t in range(i["steps"]):
            x, y = batches[t % len(batches)]
            J, R = jacrev(residuals)(theta, i, x, y), residuals(theta, i, x, y)
            theta = theta - i["lr"] * pinv_apply(J, R, *cuts)[0]
            thetas.append(theta.tolist())
        return {"thetas": thetas}
    J = tensor(i["J"], dtype)
    if op == "matvec":
        return {"product": J @ tensor(i["v"], dtype)}
    if op == "rmatvec":
        return {"product": J.T @ tensor(i["u"], dtype)}
    R = tensor(i["R"], dtype)
    if op == "natural_gradient":
        return {"update": 2 * torch.linalg.lstsq(J, R[:, None]).solution[:, 0]}
    S = torch.tensor(i.get("columns", range(J.shape[1])))
    update, s = pinv_apply(J[:, S], R, *cuts)
    if op == "pinv_apply":
        return {"update": update, "rank": len(s), "singular_values": s}
    theta = tensor(i["theta"], dtype)
    theta[S] -= i["lr"] * update
    return {"theta": theta, "rank": len(s), "singular_values": s}


OPS = ["matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory"]

if __name__ == "__main__":
    torch.set_num_threads(1)
    serve("torch jacrev + svd", torch.__version__, run, OPS)
