"""The method in one file, held to the package, which it does not know."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sven_ref as sr
from sven_ref import minimal

SOURCE = Path(minimal.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("kappa", [1, 2, 3])
def test_fifty_steps_are_the_packages(kappa):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (50, 32, 1))
    y = np.exp(-10 * x**2) * np.sin(2 * x)
    net = sr.MLP(minimal.SIZES, "tanh")
    problem = sr.Problem(net, kappa=kappa, rows="unsigned")
    options = {"lr": 0.1, "k": 8, "rtol": 1e-2}
    ours = minimal.initial(np.random.default_rng(1))
    theirs = {"svds": ours, "dense": ours}
    for batch in zip(x, y, strict=True):
        ours = minimal.step(ours, *batch, **options, kappa=kappa)
        for solver, theta in theirs.items():
            theirs[solver], info = sr.step(problem, theta, batch, **options, solver=solver)
            assert info.gap < 0.9
            assert np.abs(ours - theirs[solver]).max() <= 1e-13


def test_it_starts_like_the_package():
    """Another draw of the same distribution: W and b of each layer within ±1/√in."""
    net, theta = sr.MLP(minimal.SIZES, "tanh"), minimal.initial(np.random.default_rng(0))
    assert theta.shape == (net.n_params,)
    for W, b, n_in in zip(net.arrays(theta)[::2], net.arrays(theta)[1::2], minimal.SIZES, strict=False):
        assert 0.8 / n_in**0.5 < max(np.abs(W).max(), np.abs(b).max()) <= 1 / n_in**0.5


def test_it_is_short_and_alone():
    assert len(SOURCE.splitlines()) <= 120
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module.partition(".")[0] in ("autograd", "scipy", "itertools")
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["autograd.numpy"]


def test_it_trains():
    out = subprocess.run([sys.executable, "-m", "sven_ref.minimal"], capture_output=True, text=True, check=True).stdout
    losses = [float(line.split()[-1]) for line in out.splitlines() if line.startswith("epoch")]
    assert len(losses) == 4
    assert losses[-1] < 1e-3 * losses[0]
