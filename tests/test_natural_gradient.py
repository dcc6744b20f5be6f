"""Sven's relatives against dense formulas; their agreement with Sven itself is in test_laws.py."""

import numpy as np
import pytest
import tolerances
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import matrices

import sven_ref as sr
from sven_ref import natural_gradient as ng

FLOAT64 = st.just(np.float64)


@given(matrices())
def test_fisher(A):
    F = ng.fisher(A.J)
    P = A.J.shape[1]
    tol = tolerances.product(A.dtype, *A.J.shape) * np.linalg.norm(A.J) ** 2
    np.testing.assert_allclose(F @ np.eye(P), sr.oracle.fisher(A.J), rtol=0, atol=tol)
    np.testing.assert_allclose(F.T @ np.ones(P), F @ np.ones(P), rtol=0, atol=tol * P)


@given(matrices(shape="tall", ranks="full", dtypes=FLOAT64))
def test_natural_gradient(A):
    x = ng.natural_gradient(A.J, 2 * A.J.T @ A.R)
    tol = tolerances.solve(float, max(A.J.shape), (A.s[0] / A.s[-1]) ** 2) * A.scale(len(A.s))
    assert np.linalg.norm(x - sr.oracle.natural_gradient(A.J, A.R)) <= 4 * tol


@given(matrices(dtypes=FLOAT64))
def test_gauss_newton_is_the_shortest_least_squares_solution(A):
    rank = int((A.s > 1e-8 * A.s[0]).sum())
    exact = np.linalg.pinv(A.J, rcond=1e-8) @ A.R
    condition = A.s[0] / A.s[rank - 1]
    tol = tolerances.solve(float, max(A.J.shape), condition**2) * A.scale(rank)
    assert np.linalg.norm(ng.gauss_newton(A.J, A.R) - exact) <= 10 * tol


@pytest.mark.parametrize("tau", [0.0, 1e-3, 0.3])
@given(A=matrices(dtypes=FLOAT64, ranks="full"))
def test_half_inverse(A, tau):
    U, s, Vt = np.linalg.svd(A.J, full_matrices=False)
    keep = s > tau * s[0]
    if np.abs(s / s[0] - tau).min() < 1e-9 or (not keep.all() and s[keep][-1] - s[~keep][0] < 1e-3 * s[0]):
        assume(False)  # a cut at or inside a cluster
    exact = (Vt[keep].T / np.sqrt(s[keep])) @ (U[:, keep].T @ A.R)
    tol = tolerances.update(float, A.J.shape, s, int(keep.sum())) * A.scale(int(keep.sum()))
    for solver in ("dense", "gram"):
        factor = 1 if solver == "dense" else s[0] / s[keep][-1]
        x = ng.half_inverse(A.J, A.R, tau, solver=solver)
        assert np.linalg.norm(x - exact) <= 10 * tol * factor * max(1, s[0])


def test_half_inverse_of_a_networks_outputs():
    """The whole method on a net: J of all B·C outputs, g = ∂L/∂f; S^{-1/2} lies between gradient descent and J⁺."""
    net = sr.MLP((2, 5, 3), "tanh")
    rng = np.random.default_rng(0)
    theta, x = net.init(0), rng.standard_normal((4, 2))
    problem = sr.Problem(net, kappa=1, rows="per_output")
    R, J = problem.linearise(theta, (x, np.zeros((4, 3))))
    g = 2 * R
    f, df = sr.oracle.outputs_and_jacobian(net, theta, x)
    U, s, Vt = np.linalg.svd(df.reshape(12, -1), full_matrices=False)
    np.testing.assert_allclose(ng.half_inverse(J, g), Vt.T @ (U.T @ (2 * f.ravel()) / np.sqrt(s)), rtol=0, atol=1e-11)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e-17, 1e150])
def test_gauss_newton_at_any_scale(scale):
    A = np.random.default_rng(0).standard_normal((8, 4))
    x = ng.gauss_newton(scale * A, np.ones(8)) * scale
    np.testing.assert_allclose(x, np.linalg.pinv(A) @ np.ones(8), rtol=1e-10)


def test_gauss_newton_of_a_zero_jacobian_is_zero():
    np.testing.assert_array_equal(ng.gauss_newton(np.zeros((3, 2)), np.ones(3)), 0)


def test_gauss_newton_says_when_it_does_not_converge(monkeypatch):
    monkeypatch.setattr(ng, "lsmr", lambda *args, **kwargs: (np.zeros(2), 7, 100))
    with pytest.raises(sr.errors.ConvergenceError, match="gauss_newton: LSMR did not converge"):
        ng.gauss_newton(np.eye(2), np.ones(2))
