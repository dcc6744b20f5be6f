from dataclasses import dataclass

import autograd.numpy as anp
import numpy as np
import pytest
import tolerances
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SEEDS, net_problems

import sven_ref as sr


@given(net_problems(per_output=True))
def test_residuals_and_jacobian_agree_with_the_oracle(drawn):
    problem, theta, batch, options = drawn
    x, y = batch
    exact = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in (theta, x, y)]
    R, J = sr.oracle.residuals_and_jacobian(problem.model, *exact, **options)
    # Rounding of f reaches R and J through powers of ℓ, singular at 0 and near it up to 1/ℓ. At 0: SPEC 2.5, below.
    nearest = np.abs(R).min() ** (2 / problem.kappa)
    assume(nearest > 1e-4)
    tol = (
        10 * tolerances.network(theta.dtype, problem.model) / min(nearest, 1) * (1 + np.abs(R).max() + np.abs(J).max())
    )
    own, operator = problem.linearise(theta, batch)
    assert operator.dtype == own.dtype == theta.dtype
    np.testing.assert_allclose(own, R, rtol=0, atol=tol)
    np.testing.assert_allclose(operator @ np.eye(net_size(problem)), J, rtol=0, atol=tol)
    np.testing.assert_allclose(problem.residuals(theta, batch), R, rtol=0, atol=tol)


def net_size(problem):
    return problem.model.n_params


@given(SEEDS, st.sampled_from([0.5, 1.0, 1.4, 2.0, 3.0]), st.sampled_from(["squared_error", "cross_entropy"]))
def test_kappa_never_changes_the_loss(seed, kappa, loss):
    rng = np.random.default_rng(seed)
    net = sr.MLP((2, 3, 2), "tanh")
    x, y = rng.standard_normal((6, 2)), rng.integers(0, 2, 6)
    y = y if loss == "cross_entropy" else rng.standard_normal((6, 2))
    problem = sr.Problem(net, loss, kappa=kappa)
    theta = net.init(rng)
    R, losses = problem.residuals(theta, (x, y)), problem.losses(theta, (x, y))
    np.testing.assert_allclose(R ** (2 / kappa), losses, rtol=20 * tolerances.eps(float))


def test_rows_are_scalar_per_sample_whatever_the_number_of_outputs():
    net = sr.MLP((4, 10))
    x, y = np.ones((7, 4)), np.arange(7)
    assert sr.Problem(net, "cross_entropy").jacobian(net.init(0), (x, y)).shape == (7, 50)
    assert sr.Problem(net, "label_regression", kappa=1, rows="per_output").jacobian(net.init(0), (x, y)).shape == (
        70,
        50,
    )


def test_per_output_rows_are_sample_major():
    net = sr.MLP((1, 2), "identity")
    R = sr.Problem(net, kappa=1, rows="per_output").residuals(
        np.array([1.0, 2, 0, 0]), (np.array([[1.0], [10]]), np.zeros((2, 2)))
    )
    np.testing.assert_array_equal(R, [1, 2, 10, 20])


def test_micro_batches_average_consecutive_losses_before_the_power():
    net = sr.MLP((1, 1), "identity")
    x, y = np.array([[1.0], [3], [5], [7]]), np.zeros((4, 1))
    problem = sr.Problem(net, kappa=1, micro_batch=2)
    np.testing.assert_allclose(problem.residuals(np.array([1.0, 0]), (x, y)), np.sqrt([(1 + 9) / 2, (25 + 49) / 2]))


@pytest.mark.parametrize("operator", ["layered", "general"])
@pytest.mark.parametrize(("rows", "kappa"), [("unsigned", 1.0), ("unsigned", 1.5), ("unsigned", 0.5), ("signed", 0.5)])
def test_a_satisfied_condition_is_a_zero_row(operator, rows, kappa):
    net = sr.MLP((1, 1), "identity")
    theta, batch = np.array([2.0, 0]), (np.array([[1.0], [2]]), np.array([[2.0], [5]]))
    problem = sr.Problem(net, kappa=kappa, rows=rows)
    R, J = (
        problem.linearise(theta, batch)
        if operator == "layered"
        else sr.linearise(problem.residual_function(batch), theta)
    )
    matrix = J @ np.eye(2)
    assert R[0] == 0
    np.testing.assert_array_equal(matrix[0], 0)
    assert np.isfinite(matrix).all()
    assert np.abs(matrix[1]).min() > 0
    new, info = sr.step(problem, theta, batch, lr=0.1)
    assert np.isfinite(new).all()
    assert info.rank == 1


def test_signed_rows_at_kappa_1_stay_where_the_residual_is_zero():
    net = sr.MLP((1, 1), "identity")
    J = sr.Problem(net, kappa=1).jacobian(np.array([2.0, 0]), (np.array([[1.0]]), np.array([[2.0]])))
    np.testing.assert_array_equal(J @ np.eye(2), [[1, 1]])


@given(SEEDS)
def test_cross_entropy_is_exact_where_it_is_tiny(seed):
    rng = np.random.default_rng(seed)
    gap = rng.uniform(30, 600)
    f = np.array([[gap, 0.0, 0.0]])
    problem = sr.Problem(lambda theta, x: f + 0 * theta[0], "cross_entropy")
    loss = problem.losses(np.zeros(1), (np.zeros((1, 1)), np.array([0])))
    np.testing.assert_allclose(loss, 2 * np.exp(-gap), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e6, 1e17, 1e30])
def test_cross_entropy_has_its_gradient_where_it_is_large(dtype, size):
    """Two wrong classes level, far above the right one: ∂ℓ/∂f = (−1, ½, ½), whatever ℓ is rounded to."""
    net = sr.MLP((1, 3), "identity")
    theta = np.array([0, 0, 0, 0, size, size], dtype)
    R, J = sr.Problem(net, "cross_entropy").linearise(theta, (np.zeros((1, 1)), np.array([0])))
    np.testing.assert_allclose(R, size + np.log(2), rtol=4 * tolerances.eps(dtype))
    np.testing.assert_allclose((J.H @ np.ones(1, dtype))[3:], [-1, 0.5, 0.5], rtol=4 * tolerances.eps(dtype))


def test_cross_entropy_of_one_class_is_zero():
    problem = sr.Problem(sr.MLP((1, 1)), "cross_entropy")
    assert problem.losses(np.ones(2), (np.ones((2, 1)), np.zeros(2, int))).tolist() == [0, 0]


def test_a_users_loss_and_model():
    def model(theta, x):
        return anp.outer(x, theta)

    def huber(f, y):
        r = anp.sum(f - y, axis=1)
        return anp.sqrt(1 + r**2) - 1

    problem = sr.Problem(model, huber, kappa=2)
    theta, batch = np.array([0.3, -0.2]), (np.array([1.0, 2, 3]), np.ones((3, 2)))
    sr.checks.check_jacobian(problem.residual_function(batch), theta, problem.jacobian(theta, batch))
    np.testing.assert_allclose(problem.losses(theta, batch), problem.residuals(theta, batch))


def test_an_unhashable_loss():
    @dataclass
    class Huber:
        delta: float

        def __call__(self, f, y):
            return self.delta * (anp.sqrt(1 + anp.sum((f - y) ** 2, axis=1)) - 1)

    problem = sr.Problem(sr.MLP((1, 2, 1)), Huber(2.0))
    theta, batch = problem.model.init(0), (np.ones((3, 1)), np.arange(3.0)[:, None])
    sr.checks.check_jacobian(problem.residual_function(batch), theta, problem.jacobian(theta, batch))


def test_conditions_of_ones_own():
    problem = sr.Conditions(lambda theta, points: anp.sin(points * theta[0]) - theta[1])
    theta, points = np.array([0.5, 0.1]), np.linspace(0, 1, 5)
    R, J = problem.linearise(theta, points)
    assert J.shape == (5, 2)
    assert problem.kappa == 1
    np.testing.assert_allclose(problem.losses(theta, points), R**2)
    sr.checks.check_jacobian(problem.residual_function(points), theta, J)


def test_integer_data_is_computed_in_the_dtype_of_theta():
    net = sr.MLP((1, 2, 1))
    R, J = sr.Problem(net).linearise(net.init(0, np.float32), (np.array([[1], [2]]), np.array([[0], [1]])))
    assert R.dtype == np.float32
    assert (J @ np.ones(net.n_params)).dtype == np.float32
