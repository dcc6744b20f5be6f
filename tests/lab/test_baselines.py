"""Each baseline against an independent one: PyTorch's optimizers, the core's relatives of Sven, closed forms."""

import json
from dataclasses import fields

import autograd.numpy as anp
import numpy as np
import pytest
import tolerances
import torch_peer
from autograd.tracer import getval
from numpy.testing import assert_allclose, assert_array_equal

import sven_ref as sr
from sven_ref.errors import ArgumentError, IndependentOfThetaWarning, NonFiniteError, ShapeError
from sven_ref.lab.optimizers import BASELINES, outputs
from sven_ref.lab.optimizers.line_search import C1, C2, Point, strong_wolfe

NET = sr.MLP(torch_peer.SIZES, "tanh")
RNG = np.random.default_rng(3)
X, LABELS, Y = RNG.standard_normal((7, 3)), RNG.integers(0, 2, 7), RNG.standard_normal((7, 2))
PROBLEMS = {
    "squared_error": (sr.Problem(NET), (X, Y)),
    "label_regression": (sr.Problem(NET, "label_regression"), (X, LABELS)),
    "cross_entropy": (sr.Problem(NET, "cross_entropy"), (X, LABELS)),
    "another model": (sr.Problem(lambda theta, x: NET(theta, x)), (X, Y)),
    "residuals": (sr.Conditions(lambda theta, batch: anp.tanh(anp.dot(batch, theta[:3])) - 0.1), X),
}


def many(theta):
    """A bound on how rounding of a few steps may grow: the gradient's, times the steps and what they amplify."""
    return 100 * torch_peer.STEPS * tolerances.network(theta.dtype, NET)


# ---- PyTorch ---------------------------------------------------------------------------------------------------------


def torch_installed():
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("source", ["recorded", "live"])
@pytest.mark.parametrize("name", torch_peer.CASES)
def test_six_steps_are_pytorchs(name, source):
    if source == "live" and not torch_installed():
        pytest.skip("PyTorch is not installed")
    recorded = json.loads(torch_peer.VALUES.read_text())["runs"]
    expected = recorded[name] if source == "recorded" else torch_peer.torch_run(name)
    opt, theta = BASELINES[name.split()[0]](**torch_peer.CASES[name][0]), torch_peer.start()
    losses = []
    for batch in torch_peer.batches():
        theta, info = opt.step(sr.Problem(NET), theta, batch)
        losses.append(info.loss)
    assert_allclose(theta, expected["theta"], rtol=0, atol=many(theta))
    assert_allclose(losses, expected["losses"], rtol=0, atol=many(theta))


# ---- the core's relatives --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "label_regression"])
def test_the_output_jacobian_is_the_oracles(loss):
    problem, batch = PROBLEMS[loss]
    theta = torch_peer.start()
    r, J = sr.oracle.residuals_and_jacobian(NET, theta, *batch, loss=loss, kappa=1, rows="per_output")
    mine, f = outputs.output_jacobian(problem, theta, batch)
    tolerance = tolerances.network(theta.dtype, NET) * np.abs(J).max()
    assert_allclose(f, NET(theta, X), rtol=0, atol=tolerances.network(theta.dtype, NET) * np.abs(f).max())
    assert_allclose(outputs.dense(mine), J, rtol=0, atol=tolerance)
    assert_allclose(mine.gram(), J @ J.T, rtol=0, atol=tolerance * np.abs(J).sum(axis=1).max())
    assert_allclose(mine.rmatvec(r), J.T @ r, rtol=0, atol=tolerance * np.abs(r).sum())
    assert_allclose(outputs.residuals_and_jacobian(problem, theta, batch)[0], r, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", PROBLEMS)
def test_squares_of_the_residuals_sum_to_the_loss_and_their_jacobian_is_finite_differences(name):
    problem, batch = PROBLEMS[name]
    theta = torch_peer.start()
    r, J = outputs.residuals_and_jacobian(problem, theta, batch)
    assert_allclose(r @ r, problem.losses(theta, batch).sum(), rtol=tolerances.network(theta.dtype, NET))
    sr.checks.check_jacobian(lambda t: outputs.residuals_and_jacobian(problem, t, batch)[0], theta, outputs.dense(J))
    assert_allclose(J.gram(), outputs.dense(J) @ outputs.dense(J).T, atol=1e-13)
    assert_allclose(J.rmatvec(r), r @ outputs.dense(J), atol=1e-13)


@pytest.mark.parametrize("n", [7, 40], ids=["P > M", "P < M"])
def test_gauss_newton_is_sven_with_a_row_per_output_and_no_cut(n):
    theta, rng = torch_peer.start(), np.random.default_rng(4)
    batch = rng.standard_normal((n, 3)), rng.standard_normal((n, 2))
    mine, info = BASELINES["gauss-newton"](lr=0.5).step(sr.Problem(NET), theta, batch)
    per_output = sr.Problem(NET, kappa=1, rows="per_output")
    sven, record = sr.step(per_output, theta, batch, lr=0.5, rtol=0, solver="dense")
    s = record.spectrum
    assert_allclose(
        mine,
        sven,
        rtol=0,
        atol=2 * tolerances.update(theta.dtype, (2 * n, 32), s, len(s)) * record.residual_norm / s[-1],
    )
    assert_allclose(info.loss, np.mean(sr.Problem(NET).losses(theta, batch)), rtol=many(theta))


@pytest.mark.parametrize("n", [7, 40], ids=["dual", "primal"])
def test_levenberg_marquardt_is_the_damped_step(n):
    theta, rng = torch_peer.start(), np.random.default_rng(4)
    batch = rng.standard_normal((n, 3)), rng.standard_normal((n, 2))
    opt = BASELINES["lm"](mu=0.3)
    mine, _ = opt.step(sr.Problem(NET), theta, batch)
    r, J = sr.oracle.residuals_and_jacobian(NET, theta, *batch, kappa=1, rows="per_output")
    expected = theta - sr.natural_gradient.damped_primal(J, r, 0.3)
    condition = (np.linalg.norm(J, 2) ** 2 + 0.3) / 0.3
    assert_allclose(mine, expected, rtol=0, atol=2 * tolerances.solve(theta.dtype, 32, condition))
    h = theta - expected
    change = r @ r - sr.Problem(NET).losses(expected, batch).sum()
    gain = change / (r @ r - np.sum((r - J @ h) ** 2))  # against what the linear model promised
    assert opt.accepted
    assert opt.mu == pytest.approx(0.3 * max(1 / 3, 1 - (2 * gain - 1) ** 3), rel=1e-9)


def test_levenberg_marquardt_refuses_what_gains_nothing():
    problem = sr.Conditions(lambda theta, _: anp.arctan(theta))  # Newton's steps from 3 grow
    opt, theta, refused = BASELINES["lm"](tau=1e-9), np.array([3.0]), 0
    for _ in range(40):
        mu, before = opt.mu, theta
        theta, info = opt.step(problem, theta, None)
        assert info.loss == pytest.approx(np.arctan(before[0]) ** 2)
        if not opt.accepted:
            assert_array_equal(theta, before)
            refused += 1
            assert mu is None or opt.mu > mu
    assert refused
    assert abs(theta[0]) < 1e-12


def test_levenberg_marquardt_takes_no_step_into_infinity():
    problem = sr.Conditions(lambda theta, _: anp.exp(theta**2) - 2)  # the Newton step from 1e-3 leads to 500
    opt, theta = BASELINES["lm"](mu=1e-12), np.array([1e-3])
    with np.errstate(over="ignore"):
        new, _ = opt.step(problem, theta, None)
    assert_array_equal(new, theta)
    assert not opt.accepted


@pytest.mark.parametrize("loss", ["squared_error", "label_regression", "cross_entropy"])
@pytest.mark.parametrize("tau", [1e-6, 3e-2], ids=["by the SVD", "by the Gram matrix"])
def test_hig_is_the_cores_half_inverse_of_the_oracles_jacobian(loss, tau):
    problem, batch = PROBLEMS[loss]
    theta = torch_peer.start()
    mine, info = BASELINES["hig"](lr=0.2, tau=tau).step(problem, theta, batch)
    f = NET(theta, X)
    r, J = sr.oracle.residuals_and_jacobian(NET, theta, X, Y, kappa=1, rows="per_output")
    if loss == "cross_entropy":
        g = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True) - np.eye(2)[LABELS]
    else:
        g = 2 * (r.reshape(f.shape) if loss == "squared_error" else f - np.eye(2)[LABELS])
    expected = theta - 0.2 * sr.natural_gradient.half_inverse(J, g.ravel(), tau)
    s = np.linalg.svd(J, compute_uv=False)
    q = int((s > tau * s[0]).sum())
    atol = 2 * tolerances.update(theta.dtype, J.shape, s, q, squared=tau > 1e-4) * np.linalg.norm(g) / s[q - 1] ** 0.5
    assert_allclose(mine, expected, rtol=0, atol=atol)
    assert_allclose(info.gradient_norm, np.linalg.norm(J.T @ g.ravel()) / 7, rtol=many(theta))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", ["gauss-newton", "lm", "hig"])
def test_second_order_steps_lower_every_kind_of_loss(name, problem):
    problem, batch = PROBLEMS[problem]
    theta, options = torch_peer.start(), {"tau": 1.0} if name == "lm" else {"lr": 0.05}
    before = np.mean(problem.losses(theta, batch))
    new, info = BASELINES[name](**options).step(problem, theta, batch)
    assert info.loss == pytest.approx(before, rel=many(theta))
    assert np.mean(problem.losses(new, batch)) < before


# ---- closed forms ----------------------------------------------------------------------------------------------------


def test_polyak_is_sven_with_one_row():
    theta = torch_peer.start()
    mine, _ = BASELINES["polyak"](max_lr=1e9, eps=1e-300).step(sr.Problem(NET), theta, (X, Y))
    sven, _ = sr.step(sr.Problem(NET, micro_batch=len(X)), theta, (X, Y), lr=1.0, solver="dense")
    assert_allclose(mine, sven, rtol=0, atol=many(theta))


def test_polyak_never_goes_further_than_max_lr():
    theta = torch_peer.start()
    limited, _ = BASELINES["polyak"](max_lr=1e-3).step(sr.Problem(NET), theta, (X, Y))
    sgd, _ = BASELINES["sgd"](lr=1e-3).step(sr.Problem(NET), theta, (X, Y))
    assert_array_equal(limited, sgd)


@pytest.mark.parametrize("t", [1e-3, 0.2, 1.0, 30.0])
def test_strong_wolfe_holds_at_the_point_chosen(t):
    def phi(t):  # from t = 0 down to two valleys, at 1.2 and 7.4
        return Point(t, 0.02 * t**2 - np.sin(t), 0.04 * t - np.cos(t), None)

    start, chosen = phi(0.0), None
    chosen = strong_wolfe(phi, start, t, 25, 1e-12)
    assert chosen.f <= start.f + C1 * chosen.t * start.slope
    assert abs(chosen.slope) <= C2 * abs(start.slope)


def test_strong_wolfe_comes_back_from_where_the_loss_is_infinite():
    def phi(t):
        return Point(t, *((np.inf, np.nan) if t > 1 else ((t - 0.5) ** 2, 2 * t - 1)), None)

    assert 0 < strong_wolfe(phi, phi(0.0), 4.0, 25, 1e-12).t < 1
    assert strong_wolfe(phi, phi(0.0), 4.0, 0, 1e-12).t == 0


# ---- the protocol ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASELINES)
def test_dtype_state_and_a_step_that_raises(name):
    problem, (x, y) = PROBLEMS["label_regression"]
    opt, theta = BASELINES[name](), torch_peer.start().astype(np.float32)
    kept = theta.copy()
    for _ in range(3):
        theta, info = opt.step(problem, theta, (x, y))
    assert_array_equal(kept, torch_peer.start().astype(np.float32))
    assert theta.dtype == np.float32
    assert theta.shape == kept.shape
    assert type(info.loss) is float
    assert type(info.gradient_norm) is float

    def state():
        return repr([getattr(opt, f.name) for f in fields(opt)])

    before = state()
    with pytest.raises(NonFiniteError), np.errstate(all="ignore"):
        opt.step(problem, np.full_like(theta, 3e38), (x, y))
    assert state() == before
    held = [getattr(opt, f.name) for f in fields(opt)]
    allowed = (type(None), bool, int, float, str, tuple, list, np.ndarray)
    assert all(isinstance(value, allowed) and type(value) in allowed for value in held)
    if any(isinstance(value, np.ndarray) for value in held):
        with pytest.raises(ShapeError, match=r"theta has shape \(31,\): must be \(32,\)"):
            opt.step(problem, theta[:31], (x, y))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"lr": -1}, "lr = -1: must be a finite number ≥ 0"),
        ("momentum", {"momentum": 1}, "momentum = 1: must be a finite number ≥ 0 and < 1"),
        ("rmsprop", {"rho": 1.5}, "rho = 1.5: must be"),
        ("adam", {"betas": (0.9,)}, "betas = (0.9,): must be a pair"),
        ("adamw", {"weight_decay": -1}, "weight_decay = -1: must be"),
        ("polyak", {"max_lr": 0}, "max_lr = 0: must be a finite number > 0"),
        ("polyak", {"least": np.inf}, "least = inf: must be a finite number"),
        ("lbfgs", {"max_iter": 0}, "max_iter = 0: must be an integer ≥ 1"),
        ("lbfgs", {"line_search": "armijo"}, "line_search = 'armijo': must be one of None, 'strong_wolfe'"),
        ("lm", {"tau": 0}, "tau = 0: must be a finite number > 0"),
        ("hig", {"tau": 1}, "tau = 1: must be a finite number ≥ 0 and < 1"),
        ("gauss-newton", {"lr": "1"}, "lr = '1': must be a finite number"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(ArgumentError) as error:
        BASELINES[name](**options)
    assert message in str(error.value)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_run_under_any_error_state_and_refuse_masks(name):
    net = sr.MLP((1, 3, 1))
    theta, x, y = 3 * net.init(0), np.array([[40.0], [-3.0], [1e-200]]), np.zeros((3, 1))
    options = {"lr": 1e-3} if "lr" in {f.name for f in fields(BASELINES[name])} and name != "polyak" else {}
    expected, _ = BASELINES[name](**options).step(sr.Problem(net), theta, (x, y))
    with np.errstate(all="raise"):
        got, _ = BASELINES[name](**options).step(sr.Problem(net), theta, (x, y))
    np.testing.assert_array_equal(got, expected)
    masked = np.ma.masked_array(y, [[True], [False], [False]])
    with pytest.raises(ArgumentError, match="masked array with 1 of 3 values masked"):
        BASELINES[name](**options).step(sr.Problem(net), theta, (x, masked))


def test_a_loss_off_the_tape_is_not_silent_for_baselines():
    net = sr.MLP((1, 3, 1))
    problem = sr.Problem(net, lambda f, y: np.sum((getval(f) - y) ** 2, axis=1))
    with pytest.warns(IndependentOfThetaWarning, match="no path from theta"):
        BASELINES["adam"](lr=0.1).step(problem, net.init(0), (np.ones((2, 1)), np.zeros((2, 1))))
