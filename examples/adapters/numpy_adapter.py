"""NumPy's SVD and the cut, in twenty lines: core and strict, no automatic differentiation."""

import operator

import numpy as np
from serve import serve


def run(op, dtype, i):
    J, R, v, u, theta = (np.array(i.get(name, 0), dtype) for name in ("J", "R", "v", "u", "theta"))
    if not all(np.isfinite(a).all() for a in (J, R, v, u, theta)):
        raise ValueError("every number must be finite")
    if op == "matvec":
        return {"product": J @ v}
    if op == "rmatvec":
        return {"product": J.T @ u}
    if op == "natural_gradient":  # F⁻¹ ∇L with F = JᵀJ and ∇L = 2JᵀR: twice the least-squares solution
        return {"update": 2 * np.linalg.lstsq(J, R)[0]}
    S, rtol, atol = i.get("columns", slice(None)), i["rtol"], i["atol"]
    U, s, Vt = np.linalg.svd(J[:, S], full_matrices=False)
    k = len(s) if i["k"] is None else operator.index(i["k"])
    if k < 1 or not 0 <= rtol < 1 or not atol >= 0:
        raise ValueError(f"k = {k}, rtol = {rtol}, atol = {atol}")
    zero = 4 * np.finfo(s.dtype).eps * max(J.shape) ** 0.5 * s[0]  # nothing, to working precision
    q = min(k, np.count_nonzero((s > rtol * s[0]) & (s > atol) & (s > zero)))
    update = Vt[:q].T @ (U.T[:q] @ R / s[:q])
    if op == "pinv_apply":
        return {"update": update, "rank": q, "singular_values": s[:q]}
    theta[S] -= i["lr"] * update
    return {"theta": theta, "rank": q, "singular_values": s[:q]}


if __name__ == "__main__":
    serve("numpy svd", np.__version__, run, ["matvec", "rmatvec", "pinv_apply", "step", "natural_gradient"])
