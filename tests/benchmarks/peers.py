"""Steps by libraries that no one here wrote: PyTorch, JAX and SciPy, from the same weights and batch.

Each factory takes (sizes, θ, x, y, loss, lr, k, rtol) and returns a step to call again and again. The first-order ones
update their weights; the others start from the same weights at every call and return δ, θ' = θ − lr δ, in θ's layout.
"""

import math
from itertools import pairwise

import numpy as np
import torch


def torch_net(sizes, theta, x, y, loss):
    """Parameters [W_1, b_1, …] as tensors, and losses(params) -> (ℓ of shape (B,), [z_l], [x_l])."""
    params, start = [], 0
    for n_in, n_out in pairwise(sizes):
        for shape in ((n_in, n_out), (n_out,)):
            stop = start + math.prod(shape)
            params.append(torch.tensor(theta[start:stop].reshape(shape), requires_grad=True))
            start = stop
    x, y = torch.tensor(x), torch.tensor(y)

    def losses(params):
        a, zs, inputs = x, [], []
        for i in range(0, len(params), 2):
            inputs.append(a)
            z = torch.addmm(params[i + 1], a, params[i])
            zs.append(z)
            a = torch.nn.functional.gelu(z) if i < len(params) - 2 else z
        if loss == "cross_entropy":
            return torch.nn.functional.cross_entropy(a, y, reduction="none"), zs, inputs
        return ((a - y) ** 2).sum(1), zs, inputs

    return params, losses


def flatten(tensors):
    return torch.cat([t.reshape(-1) for t in tensors]).detach().numpy()


def torch_optimizer(make):
    def factory(sizes, theta, x, y, loss, lr, k, rtol):
        params, losses = torch_net(sizes, theta, x, y, loss)
        optimizer = make(params, lr)

        def closure():
            optimizer.zero_grad()
            value = losses(params)[0].mean()
            value.backward()
            return value

        def step():
            optimizer.step(closure)

        return step

    return factory


torch_sgd = torch_optimizer(lambda params, lr: torch.optim.SGD(params, lr))
torch_adam = torch_optimizer(lambda params, lr: torch.optim.Adam(params, 1e-3))
torch_lbfgs = torch_optimizer(lambda params, lr: torch.optim.LBFGS(params, lr=0.1, max_iter=1, history_size=10))


def torch_gram(sizes, theta, x, y, loss, lr, k, rtol):
    """The Gram form from captured layer inputs and the gradients of pre-activations; JᵀJ is never made (κ = 2)."""
    params, losses = torch_net(sizes, theta, x, y, loss)

    def step():
        R, zs, inputs = losses(params)
        signals = torch.autograd.grad(R.sum(), zs, retain_graph=True)
        with torch.no_grad():
            G = 0
            for a, g in zip(inputs, signals, strict=True):
                a, g = a.double(), g.double()
                G = G + (g @ g.T) * (a @ a.T + 1)
            eigenvalues, U = torch.linalg.eigh(G)
            s = eigenvalues.flip(0).clamp(min=0).sqrt()
            q = int((s[:k] > rtol * s[0]).sum())
            U = U.flip(1)[:, :q]
            w = (U @ ((U.T @ R.double()) / s[:q] ** 2)).to(R.dtype)
        delta = torch.autograd.grad(R @ w, params)
        with torch.no_grad():
            new = [p - lr * d for p, d in zip(params, delta, strict=True)]
        return new, delta

    return step


def torch_classic(sizes, theta, x, y, loss, lr, k, rtol):
    """The classic pipeline: per-sample gradients by `torch.func`, a thin SVD of the B × P matrix, the cut (κ = 2)."""
    params, losses = torch_net(sizes, theta, x, y, loss)
    detached = [p.detach() for p in params]

    def step():
        R = losses(detached)[0]
        blocks = torch.func.jacrev(lambda p: losses(p)[0])(detached)
        J = torch.cat([b.reshape(len(R), -1) for b in blocks], dim=1)
        U, s, Vh = torch.linalg.svd(J, full_matrices=False)
        q = int((s[:k] > rtol * s[0]).sum())
        return (Vh[:q].T @ ((U[:, :q].T @ R) / s[:q])).numpy()

    return step


def jax_classic(sizes, theta, x, y, loss, lr, k, rtol):
    """`jacrev` and SVD under `jit` in JAX (κ = 2)."""
    import jax
    import jax.numpy as jnp

    shapes = [s for n_in, n_out in pairwise(sizes) for s in ((n_in, n_out), (n_out,))]

    def residuals(theta):
        a, start = x, 0
        for i in range(0, len(shapes), 2):
            (n_in, n_out), _ = shapes[i : i + 2]
            W = theta[start : start + n_in * n_out].reshape(n_in, n_out)
            b = theta[start + n_in * n_out : start + (n_in + 1) * n_out]
            start += (n_in + 1) * n_out
            z = a @ W + b
            a = jax.nn.gelu(z, approximate=False) if i < len(shapes) - 2 else z
        if loss == "cross_entropy":
            return jax.nn.logsumexp(a, axis=1) - a[jnp.arange(len(y)), y]
        return jnp.sum((a - y) ** 2, axis=1)

    @jax.jit
    def update(theta):
        R, J = residuals(theta), jax.jacrev(residuals)(theta)
        U, s, Vh = jnp.linalg.svd(J, full_matrices=False)
        keep = (jnp.arange(len(s)) < k) & (s > rtol * s[0])
        return Vh.T @ (jnp.where(keep, 1 / jnp.where(keep, s, 1), 0) * (U.T @ R))

    theta = jnp.asarray(theta)
    return lambda: np.asarray(update(theta))
