"""The checkers must fail where something is wrong: errors planted in products, Jacobians and pseudoinverses."""

import autograd.numpy as anp
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator
from strategies import with_spectrum

import sven_ref as sr
from sven_ref.errors import AdjointError, ArgumentError, CheckFailed
from sven_ref.operators import ProductLinearOperator

A = np.random.default_rng(0).standard_normal((5, 8))


def operator(jvp=lambda v: A @ v, vjp=lambda u: A.T @ u, dtype=float):
    return ProductLinearOperator((5, 8), dtype, jvp, vjp, blocks=True)


def test_dot_test_passes_and_says_how_closely():
    assert 0 <= sr.checks.dot_test(operator()) < 1e-14
    assert sr.checks.dot_test(np.zeros((3, 4))) == 0
    assert 0 < sr.checks.dot_test(operator(dtype=np.float32)) < 1e-5


WRONG_ADJOINTS = {
    "scaled": lambda u: 1.0005 * (A.T @ u),
    "negated": lambda u: -(A.T @ u),
    "one entry": lambda u: (
        A.T @ u + 1e-3 * np.eye(8)[0][:, None] * u[0] if u.ndim > 1 else A.T @ u + 1e-3 * np.eye(8)[0] * u[0]
    ),
    "row dropped": lambda u: A[1:].T @ u[1:],
    "rows swapped": lambda u: A[::-1].T @ u,
}


@pytest.mark.parametrize("name", WRONG_ADJOINTS)
def test_dot_test_finds_a_wrong_adjoint(name):
    with pytest.raises(CheckFailed, match=r"dot_test: <Jv, u> = .*, <v, J'u> = .* apart, bound"):
        sr.checks.dot_test(operator(vjp=WRONG_ADJOINTS[name]))


@pytest.mark.parametrize("name", WRONG_ADJOINTS)
@pytest.mark.parametrize("solver", ["svds", "gram", "randomized"])
def test_solvers_refuse_a_wrong_adjoint(name, solver):
    with pytest.raises(
        AdjointError, match=r"rmatvec is not the adjoint of matvec: ⟨Jv, u⟩ = .* but ⟨v, Jᵀu⟩ = .*must be within"
    ):
        sr.truncated_pinv(operator(vjp=WRONG_ADJOINTS[name]), 2, solver=solver)


@pytest.mark.parametrize("k", [None, 2])
def test_a_users_operator_is_tried_whatever_k(k):
    wrong = LinearOperator((5, 8), matvec=lambda v: A @ v, rmatvec=lambda u: A[::-1].T @ u, dtype=float)
    with pytest.raises(AdjointError):
        sr.truncated_pinv(wrong, k)


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_checks_see_errors_at_any_scale(scale):
    J = operator(jvp=lambda v: scale * (A @ v), vjp=lambda u: scale * (A[::-1].T @ u))
    with pytest.raises(CheckFailed):
        sr.checks.dot_test(J)
    with pytest.raises(CheckFailed):
        sr.checks.check_jacobian(lambda theta: scale * anp.dot(A, theta), np.ones(8), scale * A[::-1])
    assert sr.checks.dot_test(scale * A) < 1e-13
    assert sr.checks.check_jacobian(lambda theta: scale * anp.dot(A, theta), np.ones(8), scale * A) < 1e-8
    assert sr.checks.check_pinv(scale * A, sr.truncated_pinv(scale * A, 3)) < 1e-10


def fun(theta):
    return anp.sin(anp.dot(A, theta))


THETA = np.linspace(-0.5, 0.5, 8)
TRUE = np.cos(A @ THETA)[:, None] * A


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_check_jacobian_passes(dtype):
    assert sr.checks.check_jacobian(fun, THETA.astype(dtype), TRUE.astype(dtype)) < (
        1e-2 if dtype == np.float32 else 1e-8
    )
    assert sr.checks.check_jacobian(lambda theta: np.ones(3), np.ones(2), np.zeros((3, 2))) == 0


@pytest.mark.parametrize(
    "wrong",
    [1.0005 * TRUE, -TRUE, A, TRUE + 1e-3 * np.eye(5, 8), np.where(np.arange(5)[:, None] == 2, 0, TRUE), TRUE[::-1]],
    ids=["scaled", "negated", "stale", "one entry", "row lost", "rows swapped"],
)
def test_check_jacobian_finds_a_wrong_jacobian(wrong):
    with pytest.raises(CheckFailed, match=r"check_jacobian: row . of Jv differs from central differences by .* bound"):
        sr.checks.check_jacobian(fun, THETA, wrong)


def planted(change):
    J_pinv = sr.truncated_pinv(A, k=3, rtol=0, solver="dense")
    change(J_pinv)
    return J_pinv


def test_check_pinv_passes():
    assert sr.checks.check_pinv(A, planted(lambda p: None)) < 1e-12
    assert sr.checks.check_pinv(np.zeros((2, 3)), sr.truncated_pinv(np.zeros((2, 3)))) == 0
    J = with_spectrum(6, 9, np.geomspace(1, 1e-6, 6), np.random.default_rng(0))
    for solver in ("dense", "svds", "gram"):
        sr.checks.check_pinv(J, sr.truncated_pinv(J, k=3, rtol=0, solver=solver))


WRONG_PINVS = {
    "sigma 0.05 % off": lambda p: setattr(p, "s", p.s * 1.0005),
    "one sigma off": lambda p: setattr(p, "s", p.s * np.array([[1.0], [1], [1.0005]])),
    "smallest for largest": lambda p: setattr(p, "s", p.s[::-1]),
    "squared": lambda p: setattr(p, "s", p.s**2),
    "sign": lambda p: setattr(p, "Vt", -p.Vt),
    "not orthogonal": lambda p: setattr(p, "Vt", p.Vt + 1e-3 * p.Vt[::-1]),
    "other rows": lambda p: setattr(p, "U", p.U[::-1]),
}


@pytest.mark.parametrize("name", WRONG_PINVS)
def test_check_pinv_and_certificate_find_a_wrong_pseudoinverse(name):
    wrong = planted(WRONG_PINVS[name])
    with pytest.raises(CheckFailed, match=r"check_pinv: .* fails by .*, bound"):
        sr.checks.check_pinv(A, wrong)
    assert max(wrong.certificate()) > 1e-4
    assert max(planted(lambda p: None).certificate()) < 1e-13


def test_the_oracle_finds_planted_errors_in_the_network():
    """The oracle shares nothing with autograd: a forward pass changed by 0.05 % no longer agrees with it."""
    net = sr.MLP((2, 3, 1))
    theta, x = net.init(0), np.ones((4, 2))
    _, df = sr.oracle.outputs_and_jacobian(net, theta, x)
    J = sr.jacobian(lambda t: 1.0005 * net(t, x)[:, 0], theta) @ np.eye(net.n_params)
    assert np.abs(J - df[:, 0]).max() > 1e-4 * np.abs(df).max()
    np.testing.assert_allclose(
        sr.jacobian(lambda t: net(t, x)[:, 0], theta) @ np.eye(net.n_params), df[:, 0], atol=1e-15
    )
    h = 1e-6 * np.eye(net.n_params)
    differences = [(net(theta + e, x) - net(theta - e, x))[:, 0] / 2e-6 for e in h]
    np.testing.assert_allclose(df[:, 0].T, differences, atol=1e-9)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float32, 1e-25), (np.float64, 1e-170), (np.float64, 1e-300), (float, 1)]
)
def test_dot_test_of_operators_that_take_ones_to_zero(dtype, scale):
    """Differences: the products of a vector of ones say nothing of their size."""
    W = (np.diff(np.eye(6), axis=0) * scale).astype(dtype)
    for factor in (1, -3):
        J = LinearOperator(
            W.shape, matvec=lambda v: W @ np.ravel(v), rmatvec=lambda u, f=factor: dtype(f) * (W.T @ u), dtype=dtype
        )
        with np.errstate(all="raise"):
            if factor == 1:
                assert sr.checks.dot_test(J) < 1e-6
            else:
                with pytest.raises(CheckFailed):
                    sr.checks.dot_test(J)


OF_MANY_SIZES = [
    (lambda t: anp.exp(-t * t), [30.0, 1.0]),
    (lambda t: anp.array([t[0] * 1e-3, anp.sin(t[1])]), [1e4, 1.0]),
    (lambda t: anp.array([t[0] * anp.exp(-t[1])]), [300.0, 1.0]),
    (lambda t: anp.array([t[0] - 310, anp.log(t[1]) + 10]), [300.0, 1e-6]),
    (lambda t: anp.array([1e9 * t[0], anp.sin(t[1])]), [1.0, 1.0]),
    (lambda t: anp.array([t[0] + t[1] - 1, t[0] * t[1]]), [0.0, 1e-3]),
    (lambda t: t**2, [0.0, 0.0]),
]


@pytest.mark.parametrize("case", range(len(OF_MANY_SIZES)))
def test_check_jacobian_where_parameters_and_rows_differ_in_size(case):
    fun, theta = OF_MANY_SIZES[case][0], np.array(OF_MANY_SIZES[case][1])
    J = sr.jacobian(fun, theta) @ np.eye(theta.size)
    for seed in range(5):
        sr.checks.check_jacobian(fun, theta, J, rng=seed)
    for row in range(len(J)):
        wrong = J.copy()
        wrong[row] *= 1.01
        if np.any(wrong != J):
            with pytest.raises(CheckFailed, match=f"row {row} of Jv differs"):
                sr.checks.check_jacobian(fun, theta, wrong)


def test_what_checks_are_given():
    A = np.array([[1.0, 2], [0, 3]])
    J_pinv = sr.truncated_pinv(A, solver="dense")
    with pytest.raises(ArgumentError, match=r"J has shape \(1, 2\): must be \(3, 2\), a row for each residual"):
        sr.checks.check_jacobian(lambda t: anp.array([t[0]] * 3), np.ones(2), np.array([[1.0, 0]]))
    with pytest.raises(ArgumentError, match=r"J has shape \(3, 1\): must be \(3, 2\)"):
        sr.checks.check_jacobian(lambda t: anp.array([t[0]] * 3), np.ones(2), np.ones((3, 1)))
    with pytest.raises(ArgumentError, match="J_pinv is a ndarray: must be made by truncated_pinv"):
        sr.checks.check_pinv(A, np.linalg.pinv(A))
    with pytest.raises(ArgumentError, match=r"J has shape \(3, 2\): must be \(2, 2\)"):
        sr.checks.check_pinv(np.ones((3, 2)), J_pinv)
    with pytest.raises(ArgumentError, match="without both products"):
        sr.checks.dot_test(LinearOperator((2, 2), matvec=lambda v: v))
    for rtol in (np.nan, -1, "1e-3"):
        with pytest.raises(ArgumentError, match=r"rtol = .*: must be a finite number ≥ 0"):
            sr.checks.dot_test(A, rtol=rtol)


@pytest.mark.parametrize("theta", [[1e-14, 1.0], [0.0, 1.0], [-3e-16, 2.0]])
def test_check_jacobian_sees_parameters_at_rounding_level(theta):
    fun, theta = lambda t: anp.array([t[1] - 2, 1 + t[0]]), np.array(theta)
    sr.checks.check_jacobian(fun, theta, np.array([[0, 1.0], [1, 0]]))
    for wrong in (0, 7):
        with pytest.raises(CheckFailed):
            sr.checks.check_jacobian(fun, theta, np.array([[0, 1.0], [wrong, 0]]))
