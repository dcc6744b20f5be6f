# %% [markdown]
# # Choosing the cut
# The same run four times, with rtol from 0.01 to 1e-5: up to 60 full-batch steps on 64 samples of exp(−10 x²) sin 2x.
# The record of each step says what was predicted and what came of it; that is how to choose.

# %%
import numpy as np

import sven_ref as sr

net = sr.MLP((1, 16, 16, 1), activation="tanh")
problem, start = sr.Problem(net, kappa=1), net.init(rng=0)
x = np.linspace(-1, 1, 64)[:, None]
batch = x, np.exp(-10 * x**2) * np.sin(2 * x)

runs = {}
for rtol in (1e-2, 1e-3, 1e-4, 1e-5):
    theta, infos = start, []
    for _ in range(60):
        theta, info = sr.step(problem, theta, batch, lr=0.3, rtol=rtol, solver="auto", actual=True)
        infos.append(info)
        if info.actual_norm > 100 * infos[0].residual_norm:
            break
    runs[rtol] = infos
    worse = sum(i.actual_norm > i.residual_norm for i in infos)
    print(
        f"rtol {rtol:.0e}: {len(infos):2} steps, ‖R‖ {infos[0].residual_norm:.2f} -> {infos[-1].actual_norm:.1e}, "
        f"rank {infos[-1].rank}, {worse} of them made it worse"
    )
assert runs[1e-4][-1].actual_norm < runs[1e-3][-1].actual_norm < runs[1e-2][-1].actual_norm
assert len(runs[1e-5]) == 1  # lost at the first step

# %% The picture, where matplotlib is installed.
import matplotlib.pyplot as plt

fig, (left, right) = plt.subplots(
    1,
    2,
    figsize=(8.4, 3.6),
    layout="constrained",
    num="Left, ‖R‖ after each step; a coarse cut is slow, the finest is lost at its first step. Right, the rank kept.",
)
for (rtol, infos), style in zip(runs.items(), ("-", "--", "-.", ":"), strict=True):
    left.semilogy([infos[0].residual_norm, *(i.actual_norm for i in infos)], style, label=f"rtol = {rtol:.0e}")
    right.plot([i.rank for i in infos], style, label=f"rtol = {rtol:.0e}")
left.set(xlabel="step", ylabel="‖R‖", ylim=(1e-4, 1e3))
right.set(xlabel="step", ylabel="rank q", yticks=range(0, 25, 4))
left.legend()
plt.show()
