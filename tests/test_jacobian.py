import autograd.numpy as anp
import numpy as np
import pytest
import scipy.sparse
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, lsmr, svds
from strategies import SEEDS, net_problems

import sven_ref as sr
from sven_ref.operators import Restricted, Scaled


@given(net_problems(per_output=True), SEEDS, st.integers(1, 3))
def test_products_vectors_and_blocks_are_one_linear_map(drawn, seed, n):
    problem, theta, batch, _ = drawn
    rng = np.random.default_rng(seed)
    for J in (problem.jacobian(theta, batch), sr.jacobian(problem.residual_function(batch), theta)):
        M, P = J.shape
        V, U = rng.standard_normal((P, n)).astype(J.dtype), rng.standard_normal((M, n)).astype(J.dtype)
        tol = tolerances.product(J.dtype, *J.shape) * (1e-30 + np.linalg.norm(J @ np.eye(P, dtype=J.dtype)))
        JV, JTU = J @ V, J.T @ U
        assert JV.shape == (M, n)
        assert JTU.shape == (P, n)
        assert JV.dtype == JTU.dtype == J.dtype
        for j in range(n):
            np.testing.assert_allclose(JV[:, j], J @ V[:, j], rtol=0, atol=tol * np.linalg.norm(V[:, j]))
            np.testing.assert_allclose(JTU[:, j], J.T @ U[:, j], rtol=0, atol=tol * np.linalg.norm(U[:, j]))
        np.testing.assert_allclose(
            JV @ np.ones(n), J @ (V @ np.ones(n, J.dtype)), rtol=0, atol=tol * n * np.linalg.norm(V)
        )


def test_products_are_counted_by_column_and_the_function_runs_once():
    calls = []

    def fun(theta):
        calls.append(1)
        return anp.sin(theta[:3]) * theta[3]

    J = sr.jacobian(fun, np.arange(1.0, 6))
    J @ np.ones(5)
    J @ np.ones((5, 4))
    J.T @ np.ones(3)
    J.rmatmat(np.ones((3, 2)))
    assert (J.counts["jvp"], J.counts["vjp"], len(calls)) == (5, 3, 1)


def test_scipy_takes_the_operator_unwrapped():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 9))
    J = sr.jacobian(lambda theta: anp.dot(A, theta), np.zeros(9))
    np.testing.assert_allclose(np.sort(svds(J, k=2, rng=0)[1]), np.sort(np.linalg.svd(A)[1])[-2:])
    np.testing.assert_allclose(
        lsmr(J, np.ones(4), atol=1e-14, btol=1e-14)[0], np.linalg.pinv(A) @ np.ones(4), atol=1e-10
    )


def test_erf_and_other_primitives_without_a_forward_rule_work():
    from autograd.scipy.special import erf

    theta = np.linspace(-1, 1, 4)
    J = sr.jacobian(erf, theta)
    np.testing.assert_allclose(J @ np.eye(4), np.diag(2 / np.sqrt(np.pi) * np.exp(-(theta**2))), atol=1e-15)


def test_a_function_that_does_not_depend_on_theta_has_a_zero_jacobian():
    with pytest.warns(sr.errors.IndependentOfThetaWarning, match="no path from theta to what <lambda> returned"):
        J = sr.jacobian(lambda theta: np.ones(3), np.ones(2))
    np.testing.assert_array_equal(J @ np.ones(2), 0)
    np.testing.assert_array_equal(J.T @ np.ones(3), 0)


def test_a_reused_buffer_does_no_harm():
    A, buffer = np.diag([3.0, 2, 1, 0.5]) @ np.ones((4, 6)) + np.eye(4, 6), np.empty(4)

    def matvec(v):
        buffer[:] = A @ np.ravel(v)
        return buffer

    J = sr.as_product_operator(LinearOperator((4, 6), matvec=matvec, rmatvec=lambda u: A.T @ np.ravel(u), dtype=float))
    first, second = J @ np.ones(6), J @ np.arange(6.0)
    np.testing.assert_array_equal(first, A @ np.ones(6))
    np.testing.assert_array_equal(J @ np.eye(6), A)
    np.testing.assert_array_equal(second, A @ np.arange(6.0))


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
@pytest.mark.parametrize(("dtype", "out"), [(np.int64, np.float64), (np.float16, np.float64), (np.float32, np.float32)])
def test_arrays_and_sparse_matrices_become_operators(kind, dtype, out):
    if kind is scipy.sparse.csr_array and dtype is np.float16:
        return  # SciPy has no sparse float16
    A = np.arange(6).reshape(2, 3).astype(dtype)
    J = sr.as_product_operator(kind(A))
    assert J.dtype == out
    np.testing.assert_array_equal(J @ np.eye(3), A)
    np.testing.assert_array_equal(J.T @ np.eye(2), A.T)
    assert sr.as_product_operator(J) is J


def test_restriction_and_scaling_count_on_the_original():
    A = np.arange(12.0).reshape(3, 4)
    J = sr.as_product_operator(A)
    part = Restricted(J, np.array([1, 3]))
    np.testing.assert_array_equal(part @ np.eye(2), A[:, [1, 3]])
    np.testing.assert_array_equal(part.T @ np.ones(3), A[:, [1, 3]].sum(0))
    np.testing.assert_array_equal(Scaled(J, 2.0) @ np.eye(4), A / 2)
    assert (J.counts["jvp"], J.counts["vjp"]) == (2 + 4, 1)


def test_float32_theta_with_float64_constants_stays_float32():
    R, J = sr.linearise(lambda theta: np.ones(3) * theta[0], np.ones(2, np.float32))
    assert J.dtype == R.dtype == (J @ np.ones(2)).dtype == (J.T @ np.ones(3)).dtype == np.float32


@pytest.mark.parametrize("kind", ["function", "general", "layered"])
def test_a_jacobian_stays_what_it_is_when_its_arguments_change(kind):
    net = sr.MLP((1, 2, 1))
    theta, x, y = net.init(0), np.ones((3, 1)), np.arange(3.0)[:, None]
    problem = sr.Problem(net)
    J = {
        "function": lambda: sr.jacobian(lambda t: anp.sin(t) ** 2, theta),
        "general": lambda: sr.jacobian(problem.residual_function((x, y)), theta),
        "layered": lambda: problem.jacobian(theta, (x, y)),
    }[kind]()
    before = J @ np.eye(theta.size)
    theta -= 0.5
    x *= 3
    y += 1
    np.testing.assert_array_equal(J @ np.eye(theta.size), before)
    np.testing.assert_allclose(J.rmatmat(np.eye(J.shape[0])).T, before, rtol=1e-14, atol=1e-15)


def test_a_list_of_rows_is_a_matrix():
    np.testing.assert_allclose(sr.truncated_pinv([[1.0, 2], [3, 4]]) @ np.array([5.0, 6]), [-4, 4.5])
