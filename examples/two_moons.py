# %% [markdown]
# # Classification: two moons
# Two interleaved half circles, 200 points, two classes, cross-entropy. The loss is no square, so its residual is a
# power of it: κ = 2 makes R = ℓ, one row a sample. Batches of 50, and a cut at 1 % of the largest singular value.

# %%
import numpy as np

import sven_ref as sr

rng = np.random.default_rng(0)
angle = rng.uniform(0, np.pi, 200)
y = np.arange(200) % 2
moons = np.where(
    y[:, None] == 0,
    np.stack([np.cos(angle), np.sin(angle)], axis=1),
    np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1),
)
x = moons + 0.12 * rng.standard_normal((200, 2))

# %%
net = sr.MLP((2, 16, 16, 2), activation="tanh")
problem = sr.Problem(net, loss="cross_entropy", kappa=2)
theta, opt = net.init(rng), sr.Sven(lr=0.3, k=25, rtol=0.01, solver="auto")

curve, ranks = [problem.losses(theta, (x, y)).mean()], []
for _epoch in range(20):
    for part in np.split(rng.permutation(200), 4):
        theta, info = opt.step(problem, theta, (x[part], y[part]))
        ranks.append(info.rank)
    curve.append(problem.losses(theta, (x, y)).mean())
right = np.mean(np.argmax(net(theta, x), axis=1) == y)
print(f"mean loss {curve[0]:.3f} -> {curve[-1]:.4f}, {right:.1%} right, ranks {min(ranks)} to {max(ranks)}")
assert right > 0.95
assert curve[-1] < curve[0] / 10

# %% The picture, where matplotlib is installed.
import matplotlib.pyplot as plt

fig, (left, middle) = plt.subplots(
    1,
    2,
    figsize=(8.4, 3.6),
    layout="constrained",
    num="Left, the two classes and the line where the net is undecided. Right, the mean loss after each epoch.",
)
g1, g2 = np.meshgrid(np.linspace(-1.5, 2.5, 150), np.linspace(-1.1, 1.6, 150))
f = net(theta, np.stack([g1.ravel(), g2.ravel()], axis=1))
left.contour(g1, g2, (f[:, 1] - f[:, 0]).reshape(g1.shape), [0.0], colors="black")
left.plot(*x[y == 0].T, "o", ms=4, color="#0072B2", label="class 0")
left.plot(*x[y == 1].T, "^", ms=4, color="#D55E00", label="class 1")
left.set(xlabel="first input", ylabel="second input")
left.legend(loc="upper right", frameon=True)
middle.semilogy(curve, "o-", ms=3, color="#0072B2")
middle.set(xlabel="epoch", ylabel="mean cross-entropy (nats)")
plt.show()
