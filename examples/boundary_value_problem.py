# %% [markdown]
# # Conditions of one's own: a differential equation
# −u″ + u³ = f on (0, 1), u(0) = u(1) = 0, with f such that u = sin πx. The unknowns are Chebyshev coefficients; every
# condition is a row: the equation at each point, and the two boundary values. κ = 1, one step after another.

# %%
import autograd.numpy as np
from numpy.polynomial import chebyshev

import sven_ref as sr
from sven_ref.lab.conditions import compare

n = 24
t = np.cos(np.pi * (np.arange(n - 2) + 0.5) / (n - 2))  # Chebyshev points of [−1, 1]
x = (t + 1) / 2
T = chebyshev.chebvander(t, n - 1)
D2 = np.stack([chebyshev.chebval(t, chebyshev.chebder(c, 2)) for c in np.eye(n)], axis=1) * 4  # d²/dx² = 4 d²/dt²
ends = chebyshev.chebvander(np.array([-1.0, 1.0]), n - 1)
f = np.pi**2 * np.sin(np.pi * x) + np.sin(np.pi * x) ** 3


def conditions(theta, _):
    """(n,): n − 2 equations and two boundary values."""
    equation = -np.dot(D2, theta) + np.dot(T, theta) ** 3 - f
    return np.concatenate([equation, np.dot(ends, theta)])


# %%
problem, theta = sr.Conditions(conditions), np.zeros(n)
for iteration in range(8):
    theta, info = sr.step(problem, theta, None, lr=1.0, rtol=0.0, solver="dense", actual=True)
    print(f"{iteration}  ‖R‖ {info.residual_norm:9.2e}  predicted {info.predicted_norm:9.2e}  rank {info.rank}")

error = np.abs(np.dot(T, theta) - np.sin(np.pi * x)).max()
print(f"largest error of u: {error:.1e}")
assert np.abs(problem.residuals(theta, None)).max() < 1e-10
assert error < 1e-12

# %% [markdown]
# ## Beside other methods
# What knows every row of J is there in a few steps. What knows only the gradient of the mean square is not: the second
# derivative gives J a condition number of 4·10⁵, and that of the square is its square.

# %%
assert 1e5 < np.linalg.cond(problem.jacobian(np.zeros(n), None) @ np.eye(n)) < 1e6
solutions = compare(problem, np.zeros(n))
print(*solutions.values(), sep="\n")
for name in ("Sven", "Levenberg–Marquardt", "trust region (trf)"):
    assert solutions[name].residual < 1e-10
for name in ("Adam", "L-BFGS"):
    assert solutions[name].residual > 1e-3

# %% [markdown]
# ## Which to use
# For a problem of this size that is known in full, a trust region: it is as fast near the solution, and it also knows
# when not to believe the linear model. Sven's full steps don't. −u″ + 100 arctan 5u = g has one solution, but from
# u = 3, where the arctan is flat, full steps overshoot, and a hundred of them do not arrive; the trust region does.
# Sven is meant for what a trust region can't have: more conditions than fit in one step, seen a batch at a time,
# of a model with more parameters than a batch has conditions.

# %%
g = np.pi**2 * np.sin(np.pi * x) + 100 * np.arctan(5 * np.sin(np.pi * x))


def flat(theta, _):
    """The same conditions with a term whose slope is lost away from zero."""
    return np.concatenate([-np.dot(D2, theta) + 100 * np.arctan(5 * np.dot(T, theta)) - g, np.dot(ends, theta)])


problem, far = sr.Conditions(flat), np.zeros(n)
far[0] = 3
solutions = compare(problem, far, methods=("Sven", "Levenberg–Marquardt", "trust region (trf)"))
print(*solutions.values(), sep="\n")
assert solutions["Sven"].residual > 1
assert solutions["trust region (trf)"].residual < 1e-10
assert solutions["Levenberg–Marquardt"].residual < 1e-10

# %% The picture, where matplotlib is installed.
import matplotlib.pyplot as plt

fig, ax = plt.subplots(
    figsize=(5.6, 3.6),
    layout="constrained",
    num="Chebyshev coefficients of the solution: the even ones fall to rounding, the odd ones are zero by symmetry.",
)
ax.semilogy(np.maximum(np.abs(theta), 1e-18), "o", color="#0072B2")
ax.set(xlabel="n", ylabel="|coefficient|")
plt.show()
