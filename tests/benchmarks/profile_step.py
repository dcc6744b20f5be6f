"""Where a step's time goes: its parts one by one, medians of 25, in milliseconds.

env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=2 python tests/benchmarks/profile_step.py
"""

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from paired import interleave

import sven_ref as sr

CASES = {"P = 1,015,210": ((3072, 300, 300, 10), 128), "MNIST net": ((784, 32, 32, 32, 10), 64)}


def profile(name, sizes, B):
    """Print the parts of one step."""
    rng, net = np.random.default_rng(0), sr.MLP(sizes)
    theta = net.init(rng, np.float32)
    x, y = rng.standard_normal((B, sizes[0])).astype(np.float32), rng.integers(0, 10, B)
    problem = sr.Problem(net, "cross_entropy")
    R, J = problem.linearise(theta, (x, y))
    G, w, J_pinv = J.gram(J.scale()), R[:, None], sr.truncated_pinv(J, 64, solver="auto")
    mean_loss = value_and_grad(lambda t: anp.mean(problem.losses_of(net(t, x), y)))
    parts = {
        "forward pass": lambda: net(theta, x),
        "J: forward pass and signals": lambda: problem.linearise(theta, (x, y)),
        "Gram matrix": lambda: J.gram(J.scale()),
        "eigenvectors": lambda: np.linalg.eigh(G),
        "product with Jᵀ": lambda: J.rmatmat(w),
        "J⁺R": lambda: J_pinv @ R,
        "the whole step": lambda: sr.step(problem, theta, (x, y), lr=0.1, k=64, solver="auto"),
        "autograd: loss and gradient": lambda: mean_loss(theta),
    }
    print(name, "|", " | ".join(f"{p} {1e3 * np.median(t):.2f}" for p, t in interleave(parts, 25).items()))


if __name__ == "__main__":
    for name, (sizes, B) in CASES.items():
        profile(name, sizes, B)
