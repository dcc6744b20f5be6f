# %% [markdown]
# # Natural gradient, recovered
# With more samples than parameters and κ = 1, Sven's step is half of F⁻¹∇L. With κ = 2 it is another step, and it has
# another fixed point.

# %%
import autograd.numpy as np
from autograd import grad

import sven_ref as sr

net = sr.MLP((1, 3, 1), activation="tanh")  # P = 10
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, (200, 1))  # M = 200
y = np.sin(2 * x) + 0.1 * rng.standard_normal((200, 1))
theta = net.init(rng)

# %% The step of Sven against the Fisher matrix, both ways of writing it.
problem = sr.Problem(net, kappa=1)
R, J = problem.linearise(theta, (x, y))
gradient = grad(lambda t: np.sum((net(t, x) - y) ** 2))(theta)

sven = sr.truncated_pinv(J, rtol=0, solver="dense") @ R
natural = sr.natural_gradient.natural_gradient(J, gradient)
print(f"‖Sven − ½F⁻¹∇L‖ / ‖Sven‖ = {np.linalg.norm(sven - natural / 2) / np.linalg.norm(sven):.1e}")
assert np.allclose(sven, natural / 2, rtol=1e-6)

# %% And for κ = 2: no scalar multiple of the natural gradient.
R2, J2 = sr.Problem(net, kappa=2).linearise(theta, (x, y))
sven2 = sr.truncated_pinv(J2, rtol=0, solver="dense") @ R2
cosine = sven2 @ natural / np.linalg.norm(sven2) / np.linalg.norm(natural)
print(f"cosine of the κ = 2 step and the natural gradient: {cosine:.3f}")
assert cosine < 0.99

# %% Where the two come to rest: a run each, with the same η/κ, and the picture, where matplotlib is installed.
import matplotlib.pyplot as plt

losses = {}
for kappa in (1, 2):
    problem, at, curve = sr.Problem(net, kappa=kappa), theta, []
    for _ in range(100):
        curve.append(problem.losses(at, (x, y)).mean())
        at, _ = sr.step(problem, at, (x, y), lr=0.05 * kappa, rtol=0.01, solver="dense")
    losses[kappa] = curve
    print(f"κ = {kappa}: mean squared error {curve[-1]:.5f}")
assert losses[1][-1] < losses[2][-1]

fig, (left, right) = plt.subplots(
    1,
    2,
    figsize=(8.4, 3.6),
    layout="constrained",
    num="Mean squared error, and its last steps close up. κ = 1 rests lower: it minimises this sum, κ = 2 that of r⁴.",
)
for axes in (left, right):
    axes.semilogy(losses[1], color="#0072B2", label="κ = 1")
    axes.semilogy(losses[2], "--", color="#D55E00", label="κ = 2")
    axes.set(xlabel="step", ylabel="mean squared error")
right.set(xlim=(60, 100), ylim=(0.0099, 0.0112), yscale="linear")
left.legend()
plt.show()
