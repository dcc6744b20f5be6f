"""SciPy's optimizers on all of the data, and the comparison on a list of conditions."""

import autograd.numpy as anp
import numpy as np
import pytest
import tolerances
from numpy.testing import assert_allclose, assert_array_equal

import sven_ref as sr
from sven_ref.errors import ArgumentError
from sven_ref.lab.conditions import METHODS, compare
from sven_ref.lab.optimizers.full_batch import lbfgs, least_squares

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((30, 6)), RNG.standard_normal((30, 2))
LINEAR = sr.MLP((6, 2), "identity")
EXACT = np.linalg.lstsq(np.hstack([A, np.ones((30, 1))]), B, rcond=None)[0].ravel()  # θ = [W row by row, b]


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_solves_linear_least_squares(method):
    theta, info = least_squares(sr.Problem(LINEAR), LINEAR.init(0), (A, B), method=method)
    condition = np.linalg.cond(A) ** 2
    assert_allclose(theta, EXACT, atol=tolerances.solve(np.float64, 14, condition) * np.abs(EXACT).max())
    assert info.converged
    assert info.losses[-1] == pytest.approx(np.mean(sr.Problem(LINEAR).losses(theta, (A, B))))


def test_lbfgs_descends_to_the_same_and_says_how():
    problem, start, seen = sr.Problem(LINEAR), LINEAR.init(0), []
    kept = start.copy()
    theta, info = lbfgs(problem, start, (A, B), max_iter=200, on_iteration=lambda *record: seen.append(record))
    assert_allclose(theta, EXACT, atol=1e-6)  # L is known to ε, θ to √ε and better
    assert_array_equal(start, kept)
    assert [i for i, _, _ in seen] == list(range(1, len(info.losses)))
    assert [loss for _, _, loss in seen] == info.losses[1:]
    assert info.losses[0] == pytest.approx(np.mean(problem.losses(start, (A, B))))
    assert np.all(np.diff(info.losses) <= 0)
    assert info.n_evaluations >= len(seen)
    assert len(lbfgs(problem, start, (A, B), max_iter=3)[1].losses) == 4


@pytest.mark.parametrize("loss", ["squared_error", "label_regression", "cross_entropy"])
def test_both_lower_every_loss_and_keep_the_dtype(loss):
    net, x = sr.MLP((6, 5, 2), "gelu"), A.astype(np.float32)
    problem, batch = sr.Problem(net, loss), (x, B if loss == "squared_error" else RNG.integers(0, 2, 30))
    start = net.init(0, np.float32)
    for theta, _ in (lbfgs(problem, start, batch, max_iter=20), least_squares(problem, start, batch, max_nfev=20)):
        assert theta.dtype == np.float32
        assert problem.losses(theta, batch).mean() < 0.8 * problem.losses(start, batch).mean()


def test_wrong_options():
    problem, theta = sr.Problem(LINEAR), LINEAR.init(0)
    with pytest.raises(ArgumentError, match=r"method = 'newton': must be one of 'trf', 'dogbox', 'lm'"):
        least_squares(problem, theta, (A, B), method="newton")
    with pytest.raises(ArgumentError, match=r"must have at least as many residuals as parameters; J is \(4, 14\)"):
        least_squares(problem, theta, (A[:2], B[:2]), method="lm")
    with pytest.raises(ArgumentError, match=r"max_iter = 0: must be an integer ≥ 1"):
        lbfgs(problem, theta, (A, B), max_iter=0)
    with pytest.raises(ArgumentError, match="must be Conditions"):
        compare(problem, theta)


def test_every_method_solves_easy_conditions():
    problem = sr.Conditions(lambda theta, _: anp.tanh(theta - anp.array([0.1, -0.2, 0.3])))
    start = np.zeros(3)
    solutions = compare(problem, start)
    assert list(solutions) == list(METHODS)
    for name, solution in solutions.items():
        assert solution.residual < (1e-7 if name == "L-BFGS" else 1e-10), name
        assert_allclose(solution.theta, [0.1, -0.2, 0.3], atol=1e-7)
        assert str(solution).startswith(name)
    assert solutions["Sven"].steps < solutions["Adam"].steps
    assert_array_equal(start, np.zeros(3))


def test_a_method_that_diverges_is_a_result():
    problem = sr.Conditions(lambda theta, _: anp.arctan(theta))
    with np.errstate(all="ignore"):
        solutions = compare(problem, np.array([3.0]), methods=("Sven", "trust region (trf)"))
    assert solutions["Sven"].residual > 1
    assert solutions["trust region (trf)"].residual < 1e-10
