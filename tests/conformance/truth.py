"""The exact answers, from the clauses of docs/spec.md, in 80-digit arithmetic. Nothing of the package is used.

The truncated pseudoinverse is taken from the eigenvectors of the smaller of JJᵀ and JᵀJ:

    JJᵀ = U Λ Uᵀ     x = Jᵀ Σ_{i≤q} u_i (u_iᵀR)/λ_i            JᵀJ = V Λ Vᵀ     x = Σ_{i≤q} v_i (v_iᵀJᵀR)/λ_i

Squaring costs half of the digits beyond those of the condition number, which is why there are 80: 50 are left at
condition 1e8. `input["noise"]`, where it is given, is applied to JJᵀ or JᵀJ (see `tolerance`). Jacobians are complex
steps, ∂R/∂θ_j = Im R(θ + i h e_j)/h with h = 1e-45, so that no chain rule is written anywhere. `decisions` are what a
perturbation may not change: ranks, and which conditions are satisfied.
"""

from functools import lru_cache
from itertools import pairwise

from mpmath import mp, mpc, mpf

mp.dps = 80
H = mpf(10) ** -45
SAME = mpf(10) ** -50  # closer than this, relative to σ_1, is equal


def dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def times(A, x):
    return [dot(row, x) for row in A]


def transpose(A):
    return [list(column) for column in zip(*A, strict=True)]


def gram_eigen(J, noise=None):
    """Eigenvalues λ descending, their eigenvectors as rows, and whether these are u_i (of JJᵀ) or v_i (of JᵀJ)."""
    return _gram_eigen(tuple(map(tuple, J)), noise)


@lru_cache(maxsize=32)
def _gram_eigen(J, noise):
    left = len(J) <= len(J[0])
    A = J if left else transpose(J)
    G = [[dot(a, b) for b in A] for a in A]
    values, vectors = mp.eigsy(mp.matrix(noise(G) if noise else G))
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return [values[i] for i in order], [[vectors[r, i] for r in range(len(A))] for i in order], left


def singular_values(J, noise=None):
    """σ descending; what is zero to half the digits is zero."""
    values = gram_eigen(J, noise)[0]
    return [mp.sqrt(v) if v > 0 and mp.sqrt(v) > SAME**0.5 * mp.sqrt(abs(values[0])) else mpf(0) for v in values]


def kept(s, k, rtol, atol):
    """q of clause 3.1, all comparisons strict."""
    n = len(s) if k is None else min(k, len(s))
    limits = (mpf(rtol) * s[0], mpf(atol))
    return sum(all(x - limit > SAME * s[0] for limit in limits) for x in s[:n])


def pinv_times(J, R, q, noise=None):
    """J⁺R with the first q triplets."""
    values, vectors, left = gram_eigen(J, noise)
    target = R if left else times(transpose(J), R)
    coefficients = [dot(w, target) / value for w, value in zip(vectors[:q], values[:q], strict=True)]
    x = [mp.fsum(c * w[i] for c, w in zip(coefficients, vectors[:q], strict=True)) for i in range(len(target))]
    return times(transpose(J), x) if left else x


def right_vectors(J, first, last):
    """v_i for first ≤ i < last."""
    _, vectors, left = gram_eigen(J)
    rows = [times(transpose(J), u) if left else u for u in vectors[first:last]]
    return [[x / mp.sqrt(dot(row, row)) for x in row] for row in rows]


def restricted(input):
    """J, or J[:, S]."""
    return [[row[j] for j in input["columns"]] for row in input["J"]] if "columns" in input else input["J"]


def update(input, rank=None):
    """x, q and σ_1 … σ_q of `pinv_apply`, `step`."""
    J, noise = restricted(input), input.get("noise")
    s = singular_values(J, noise)
    q = kept(s, input["k"], input["rtol"], input["atol"]) if rank is None else rank
    return pinv_times(J, input["R"], q, noise), q, s[:q]


def pinv_apply(input, rank=None):
    x, q, s = update(input, rank)
    return {"update": x, "rank": q, "singular_values": s}


def step(input, rank=None):
    x, q, s = update(input, rank)
    theta = list(input["theta"])
    for j, d in zip(input.get("columns", range(len(theta))), x, strict=True):
        theta[j] = theta[j] - mpf(input["lr"]) * d
    return {"theta": theta, "rank": q, "singular_values": s}


def natural_gradient(input, _=None):
    """F⁻¹∇L for F = JᵀJ, ∇L = 2JᵀR, by Cholesky."""
    columns, noise = transpose(input["J"]), input.get("noise")
    F = [[dot(a, b) for b in columns] for a in columns]
    gradient = [2 * dot(a, input["R"]) for a in columns]
    return {"update": list(mp.cholesky_solve(mp.matrix(noise(F) if noise else F), mp.matrix(gradient)))}


def matvec(input, _=None):
    return {"product": times(input["J"], input["v"])}


def rmatvec(input, _=None):
    return {"product": times(transpose(input["J"]), input["u"])}


# Networks and losses, clause 2


def Phi(z):
    return (1 + mp.erf(z / mp.sqrt(2))) / 2


ACTIVATIONS = {
    "tanh": mp.tanh,
    "relu": lambda z: z if mp.re(z) > 0 else 0 * z,
    "gelu": lambda z: z * Phi(z),
    "sine": mp.sin,
    "identity": lambda z: z,
}


def network(model, theta, x):
    """Outputs of one sample; the only forward pass, for real and complex θ."""
    sizes, phi, at = model["sizes"], ACTIVATIONS[model["activation"]], 0
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        W = [theta[at + i * n_out : at + (i + 1) * n_out] for i in range(n_in)]
        b = theta[at + n_in * n_out : at + (n_in + 1) * n_out]
        at += (n_in + 1) * n_out
        x = [sum((x[i] * W[i][o] for i in range(n_in)), b[o]) for o in range(n_out)]
        if layer < len(sizes) - 2:
            x = [phi(z) for z in x]
    return x


def errors(loss, f, y):
    """r of one sample, whose squares are summed."""
    return [a - ((c == y) if loss == "label_regression" else y[c]) for c, a in enumerate(f)]


def bases(input, theta):
    """What the power of clause 2 is taken of, a number a row: r (signed, per output), or ℓ averaged over m samples."""
    out = []
    for x, y in zip(input["x"], input["y"], strict=True):
        f = network(input["model"], theta, x)
        if input["loss"] == "cross_entropy":
            out.append(mp.log(sum(mp.exp(a) for a in f)) - f[y])
        elif input["rows"] == "unsigned":
            out.append(sum(r * r for r in errors(input["loss"], f, y)))
        else:
            out.extend(errors(input["loss"], f, y))
    m = input["micro_batch"]
    return [sum(out[i : i + m]) / m for i in range(0, len(out), m)]


def residuals(input, theta, zero):
    """R for θ, complex or not; rows in `zero` are satisfied conditions, 0 by clause 2.5 or by their power."""
    kappa, R = mpf(input["kappa"]), []
    for row, base in enumerate(bases(input, theta)):
        if row in zero and kappa != (2 if input["rows"] == "unsigned" else 1):
            R.append(0 * base)
        elif input["rows"] == "unsigned":
            R.append(base if kappa == 2 else base ** (kappa / 2))
        elif kappa == 1:
            R.append(base)
        else:
            sign = 1 if mp.re(base) > 0 else -1
            R.append(sign * (sign * base) ** kappa)
    return R


def satisfied(input):
    return {row for row, base in enumerate(bases(input, input["theta"])) if abs(base) < SAME}


def jacobian(input, zero=None):
    zero = satisfied(input) if zero is None else zero
    theta = input["theta"]
    columns = []
    for j in range(len(theta)):
        moved = [mpc(t, H) if i == j else t for i, t in enumerate(theta)]
        columns.append([mp.im(r) / H for r in residuals(input, moved, zero)])
    return {"residuals": residuals(input, theta, zero), "jacobian": transpose(columns)}


def trajectory(input, decided=None):
    """θ after each step; on the side, the decisions of each step and all its σ."""
    theta, thetas, decisions, spectra = list(input["theta"]), [], [], []
    for t in range(input["steps"]):
        here = {**input, **input["batches"][t % len(input["batches"])], "theta": theta}
        zero, rank = (satisfied(here), None) if decided is None else decided[t]
        at = jacobian(here, zero)
        cuts = {name: input.get(name) for name in ("k", "rtol", "atol", "noise")}
        x, q, _ = update({"J": at["jacobian"], "R": at["residuals"], **cuts}, rank)
        if decided is None:
            spectra.append(singular_values(at["jacobian"]))
        theta = [a - mpf(input["lr"]) * d for a, d in zip(theta, x, strict=True)]
        thetas.append(theta)
        decisions.append((zero, q))
    return {"thetas": thetas, "decisions": decisions, "spectra": spectra}


def decisions(op, input, answer):
    """What rounding of the input is not to change; the second argument of the functions above."""
    if op == "jacobian":
        return satisfied(input)
    return answer.get("rank", answer.get("decisions"))


ANSWERS = {f.__name__: f for f in (matvec, rmatvec, pinv_apply, step, natural_gradient, jacobian, trajectory)}
