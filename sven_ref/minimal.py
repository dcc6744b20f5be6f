"""Sven in one file: the method, and nothing else.

Each sample α of a batch has a loss ℓ_α(θ) ≥ 0, which is to become zero. Sven treats R_α = ℓ_α^{κ/2} as conditions,
linearises them, R(θ + δ) ≈ R + J δ, and takes the shortest δ that meets as many as the data determine well:

    θ ← θ − η J⁺ R          J⁺ = Σ_i v_i u_iᵀ/σ_i  over the k largest singular values with σ_i > rtol·σ_1

J (M × P, one row a condition) is never made. `svds` finds its largest singular triplets from products alone:

    Jᵀu = ∇_θ ⟨u, R(θ)⟩     the vector-Jacobian product (VJP), which is what reverse-mode autograd computes
    J v                      the VJP of that VJP: u -> Jᵀu is linear, with matrix Jᵀ, so its own VJP is v -> J v

This file imports nothing of the package and checks nothing. `python -m sven_ref.minimal` trains a small network with
it. The package computes the same, by several solvers, with checks, in float32 too; a test holds the two together.
Reference: Sven, Singular Value Descent, arXiv 2604.01279.
"""

from itertools import pairwise

import autograd.numpy as np
from autograd import make_vjp
from scipy.sparse.linalg import LinearOperator, svds

SIZES = (1, 16, 16, 1)  # widths of the network
LAYERS = tuple(pairwise(SIZES))  # (in, out) of each layer


def initial(rng):
    """θ of shape (P,): W (in × out) row by row and b (out,) of each layer, uniform in ±1/√in."""
    return np.concatenate([rng.uniform(-1, 1, (n_in + 1) * n_out) / n_in**0.5 for n_in, n_out in LAYERS])


def network(theta, x):
    """Outputs of shape (B, 1) for inputs x of shape (B, 1): x W + b, with tanh between layers."""
    start = 0
    for n_in, n_out in LAYERS:
        x = np.tanh(x) if start else x
        W = np.reshape(theta[start : start + n_in * n_out], (n_in, n_out))
        b = theta[start + n_in * n_out : start + (n_in + 1) * n_out]
        x = np.dot(x, W) + b
        start += (n_in + 1) * n_out
    return x


def losses(theta, x, y):
    """ℓ of shape (B,): the squared error of each sample."""
    return np.sum((network(theta, x) - y) ** 2, axis=1)


def linearise(residuals, theta):
    """R of shape (M,) at θ, and J of shape (M, P) as the operator that SciPy's solvers take."""
    vjp, R = make_vjp(residuals)(theta)  # u -> Jᵀu
    jvp, _ = make_vjp(vjp)(np.ones(R.size))  # v -> J v; a linear map has the same derivative at any u
    shape = R.size, theta.size
    return R, LinearOperator(shape, matvec=lambda v: jvp(v.ravel()), rmatvec=lambda u: vjp(u.ravel()), dtype=float)


def pinv_times(J, R, k, rtol):
    """J⁺R of shape (P,) with the cut at k and rtol, k < min(M, P), and the singular values that were kept."""
    U, sigma, Vt = svds(J, k=k, rng=0)
    keep = sigma > rtol * sigma.max()
    return Vt[keep].T @ ((U[:, keep].T @ R) / sigma[keep]), sigma[keep]


def step(theta, x, y, lr, k, rtol, kappa=2):
    """One Sven step on the batch (x, y): θ − η J⁺R."""
    R, J = linearise(lambda theta: losses(theta, x, y) ** (kappa / 2), theta)
    delta, _ = pinv_times(J, R, k, rtol)
    return theta - lr * delta


def main(epochs=3, batch_size=32, n=1024):
    """Fit f(x) = exp(−10 x²) sin(2x), the paper's first task, and print the loss after each epoch."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, 1))
    y = np.exp(-10 * x**2) * np.sin(2 * x)
    y = (y - y.mean()) / y.std()
    theta = initial(rng)
    print(f"{theta.size} parameters, {n} samples, {n // batch_size} steps an epoch")
    print(f"epoch 0  mean loss {losses(theta, x, y).mean():.1e}")
    for epoch in range(1, epochs + 1):
        for batch in rng.permutation(n).reshape(-1, batch_size):
            theta = step(theta, x[batch], y[batch], lr=0.3, k=16, rtol=1e-3)
        print(f"epoch {epoch}  mean loss {losses(theta, x, y).mean():.1e}")


if __name__ == "__main__":
    main()
