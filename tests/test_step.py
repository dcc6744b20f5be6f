import tracemalloc

import autograd.numpy as anp
import numpy as np
import pytest
import tolerances
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SEEDS, net_problems

import sven_ref as sr
from sven_ref.errors import ArgumentError, NonFiniteError
from sven_ref.nets import flat

BATCH = np.linspace(-1, 1, 6)[:, None], np.linspace(1, 0, 6)[:, None] ** 2


def net_and_theta(dtype=np.float64):
    net = sr.MLP((1, 4, 1))
    return net, net.init(0, dtype)


def test_the_step_is_five_lines():
    net, theta = net_and_theta()
    problem = sr.Problem(net, kappa=1.0)
    R = problem.residuals(theta, BATCH)
    J = problem.jacobian(theta, BATCH)
    J_pinv = sr.truncated_pinv(J, k=3, rtol=1e-3)
    by_hand = theta - 0.05 * (J_pinv @ R)
    new, info = sr.step(problem, theta, BATCH, lr=0.05, k=3, rtol=1e-3)
    np.testing.assert_allclose(new, by_hand, rtol=1e-12)
    assert (info.rank, info.solver) == (J_pinv.rank, "svds")


@given(net_problems(st.just(np.float64), per_output=True, kappas=(1.0, 2.0)), st.none() | st.integers(1, 5), SEEDS)
def test_the_step_agrees_with_the_oracle(drawn, k, seed):
    problem, theta, batch, options = drawn
    R, J = sr.oracle.residuals_and_jacobian(problem.model, theta, *batch, **options)
    s = np.linalg.svd(J, compute_uv=False)
    q = int(((s > 0.01 * s[0]) & (np.arange(len(s)) < (k or 99))).sum())
    before = theta.copy()
    new, info = sr.step(problem, theta, batch, lr=0.5, k=k, rtol=0.01, rng=seed, solver="dense", actual=True)
    np.testing.assert_array_equal(theta, before)
    assume(np.abs(R).min() > 1e-3)  # near zero the rows of κ = 1 turn over
    assume(s[0] == 0 or np.abs(s / s[0] - 0.01).min() > 1e-6)  # rounding decides no cut
    assume(q in (0, len(s)) or s[q] < 0.9 * s[q - 1])
    assert info.rank == q
    tol = 0.0
    if q:  # the error of J and R is that of the network, over the smallest residual where R is a root
        relative = tolerances.network(float, problem.model) / min(1, np.abs(R).min())
        tol = relative * s[0] / (s[q - 1] - (s[q] if q < len(s) else 0)) * (info.residual_norm + s[0]) / s[q - 1]
    assert np.linalg.norm(new - sr.oracle.step(theta, R, J, 0.5, k, 0.01)) <= tol
    assert info.update_norm == pytest.approx(np.linalg.norm(new - theta), abs=1e-12 * np.linalg.norm(theta))
    assert info.actual_norm == pytest.approx(np.linalg.norm(problem.residuals(new, batch)))


# ---- parameter subsets, SPEC §5 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "mask"), [(0.1, "elementwise"), (0.5, "elementwise"), (0.5, "rows"), (0.01, "rows")]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=SEEDS)
def test_only_the_subset_moves_and_as_the_dense_form_says(fraction, mask, dtype, seed):
    net, theta = net_and_theta(dtype)
    problem = sr.Problem(net, kappa=1)
    new, info = sr.step(
        problem, theta, BATCH, lr=0.5, k=2, rtol=0, param_fraction=fraction, mask=mask, rng=seed, solver="dense"
    )
    S = info.columns
    assert (np.diff(S) > 0).all()
    others = np.setdiff1d(np.arange(net.n_params), S)
    assert new[others].tobytes() == theta[others].tobytes()
    R, J = sr.oracle.residuals_and_jacobian(net, theta.astype(float), *BATCH, kappa=1, rows="signed")
    s = np.linalg.svd(J[:, S], compute_uv=False)
    if info.rank == len(s) or s[info.rank] < 0.9 * s[info.rank - 1]:
        delta = sr.oracle.truncated_pinv(J[:, S], info.rank, rtol=0)[0] @ R
        tol = tolerances.update(dtype, J.shape, s, info.rank) * info.residual_norm / s[info.rank - 1] * 10
        assert np.linalg.norm(theta[S] - new[S] - 0.5 * delta) <= tol
    again, _ = sr.step(
        problem, theta, BATCH, lr=0.5, k=2, rtol=0, param_fraction=fraction, mask=mask, rng=seed, solver="dense"
    )
    assert again.tobytes() == new.tobytes()


@given(seed=SEEDS, fraction=st.floats(0.08, 1))
def test_elementwise_takes_exactly_the_floor(seed, fraction):
    net, theta = net_and_theta()
    _, info = sr.step(sr.Problem(net), theta, BATCH, lr=0.1, param_fraction=fraction, rng=seed, solver="dense")
    size = int(np.floor(fraction * 13))
    assert (info.columns is None and size == 13) or len(info.columns) == size


def test_rows_take_a_units_weights_and_bias_together():
    net = sr.MLP((3, 4, 2))
    theta, batch = net.init(0), (np.ones((2, 3)), np.ones((2, 2)))
    for seed in range(10):
        _, info = sr.step(sr.Problem(net), theta, batch, lr=0.1, param_fraction=0.5, mask="rows", rng=seed)
        chosen = np.zeros(net.n_params)
        chosen[info.columns] = 1
        W1, b1, W2, b2 = flat.unravel(chosen, net.shapes)
        assert b1.sum() == 2
        assert b2.sum() == 1
        np.testing.assert_array_equal(W1, np.tile(b1, (3, 1)))
        np.testing.assert_array_equal(W2, np.tile(b2, (4, 1)))


def test_every_coordinate_has_its_chance():
    net, theta = net_and_theta()
    counts = np.zeros(13)
    for seed in range(300):
        _, info = sr.step(sr.Problem(net), theta, BATCH, lr=0.1, k=1, param_fraction=0.5, rng=seed, solver="dense")
        counts[info.columns] += 1
    expected, spread = 300 * 6 / 13, np.sqrt(300 * 6 / 13 * 7 / 13)
    assert np.abs(counts - expected).max() < 5 * spread


# ---- the run's state -------------------------------------------------------------------------------------------------


def test_sven_holds_options_and_counts_steps():
    net, theta = net_and_theta()
    problem, options = sr.Problem(net), {"lr": 0.1, "k": 3, "rtol": 1e-3, "param_fraction": 0.7}
    opt = sr.Sven(**options, seed=5)
    trajectory = [theta]
    for t in range(4):
        new, _ = opt.step(problem, trajectory[-1], BATCH)
        same, _ = sr.step(problem, trajectory[-1], BATCH, rng=[5, t], **options)
        assert new.tobytes() == same.tobytes()
        assert opt.n_steps == t + 1
        trajectory.append(new)
    resumed = sr.Sven(**options, seed=5, n_steps=2)
    theta = trajectory[2]
    for t in (3, 4):
        theta, _ = resumed.step(problem, theta, BATCH)
        assert theta.tobytes() == trajectory[t].tobytes()


def test_a_step_that_raises_changes_nothing():
    net, theta = net_and_theta()
    opt, problem = sr.Sven(lr=0.1, param_fraction=0.5), sr.Problem(net)
    before = theta.copy()
    with pytest.raises(NonFiniteError):
        opt.step(problem, theta, (BATCH[0], BATCH[1] * np.nan))
    assert (opt.n_steps, theta.tobytes()) == (0, before.tobytes())
    clean = sr.Sven(lr=0.1, param_fraction=0.5).step(problem, theta, BATCH)[0]
    assert opt.step(problem, theta, BATCH)[0].tobytes() == clean.tobytes()


def test_a_zero_jacobian_moves_nothing_and_says_so():
    net = sr.MLP((1, 2, 1), "relu")
    theta = np.zeros(net.n_params)
    theta[-1] = 0.0
    problem = sr.Problem(lambda th, x: anp.outer(x[:, 0], th[:1] ** 2), kappa=2)
    for solver in sr.SOLVERS:
        new, info = sr.step(problem, theta, BATCH, lr=0.5, solver=solver)
        assert new.tobytes() == theta.tobytes()
        assert (info.rank, info.gap, info.update_norm) == (0, 0.0, 0.0)
        assert info.predicted_norm == info.residual_norm > 0


@pytest.mark.parametrize("kappa", [0.5, 1.0, 1.4, 2.0])
@pytest.mark.parametrize("rows", ["unsigned", "signed"])
def test_at_zero_loss_nothing_moves(kappa, rows):
    net, theta = net_and_theta()
    batch = BATCH[0], net(theta, BATCH[0])
    new, info = sr.step(sr.Problem(net, kappa=kappa, rows=rows), theta, batch, lr=1.0)
    assert new.tobytes() == theta.tobytes()
    assert info.residual_norm == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", list(sr.SOLVERS))
def test_dtypes_stay(dtype, solver):
    net, theta = net_and_theta(dtype)
    for fraction in (1.0, 0.5):
        new, info = sr.step(sr.Problem(net), theta, BATCH, lr=0.1, k=2, solver=solver, param_fraction=fraction)
        assert new.dtype == info.residuals.dtype == dtype


@pytest.mark.parametrize(("M", "P"), [(1, 1), (1, 5), (5, 1)])
@pytest.mark.parametrize("solver", list(sr.SOLVERS))
def test_the_smallest_problems(M, P, solver):
    x = np.arange(1.0, M + 1)[:, None] ** np.arange(P)
    problem = sr.Conditions(lambda theta, X: anp.dot(X, theta) - 1)
    new, info = sr.step(problem, np.full(P, 3.0), x, lr=1.0, solver=solver)
    np.testing.assert_allclose(new, 3 - np.linalg.pinv(x) @ (x @ np.full(P, 3.0) - 1), atol=1e-12)
    assert info.rank == 1


def test_norms_at_extreme_scales():
    for scale in (1e-170, 1e170):
        problem = sr.Conditions(lambda theta, c: c * (theta - 1))
        new, info = sr.step(problem, np.array([3.0, 4]), scale, lr=0.5, solver="dense", actual=True)
        np.testing.assert_allclose(new, [2, 2.5])
        np.testing.assert_allclose([info.residual_norm / scale, info.predicted_norm / scale], [13**0.5, 13**0.5 / 2])
        np.testing.assert_allclose(info.actual_norm, info.predicted_norm)


def test_theta_at_an_odd_address(monkeypatch):
    """As arrays lie in a message. `np.vdot` would hand that address to BLAS, which with some kernels crashes."""
    vdot = np.vdot

    def of_aligned(a, b):
        assert a.flags.aligned
        assert b.flags.aligned
        return vdot(a, b)

    monkeypatch.setattr(np, "vdot", of_aligned)
    net, theta = net_and_theta()
    odd = np.frombuffer(b"." + theta.tobytes(), theta.dtype, offset=1)
    assert not odd.flags.aligned
    new, _ = sr.step(sr.Problem(net), odd, BATCH, lr=0.1)
    assert np.array_equal(new, sr.step(sr.Problem(net), theta, BATCH, lr=0.1)[0])


def test_an_mlp_with_parameters_of_its_own_has_no_rows_to_choose():
    class Scaled(sr.MLP):
        def __init__(self):
            super().__init__((1, 4, 1))
            self.n_params += 0

        def __call__(self, theta, x):
            return theta[-1] * super().__call__(theta[:-1], x)

    theta = np.append(sr.MLP((1, 4, 1)).init(0), 1.0)
    with pytest.raises(ArgumentError, match="mask = 'rows': must go with an MLP"):
        sr.step(sr.Problem(Scaled()), theta, BATCH, lr=0.1, param_fraction=0.5, mask="rows")


# ---- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", ["layered", "general"])
@pytest.mark.parametrize("solver", ["svds", "gram", "randomized"])
def test_a_step_never_holds_m_times_p_numbers(solver, operator):
    """M = 512, P = 100,000, k = 8: at most half of what J would take, with every temporary of every part."""
    M, P, k = 512, 100_000, 8
    rng = np.random.default_rng(0)
    if operator == "layered":
        net = sr.MLP((97, 500, 100, 10, 10), "tanh")
        P = net.n_params
        x = 0.03 * rng.standard_normal((M, 2)) @ rng.standard_normal((2, 97))  # two directions: a spectrum that decays
        problem, batch, theta = sr.Problem(net, "cross_entropy"), (x, rng.integers(0, 10, M)), net.init(0)
    else:
        if solver == "gram":
            return  # 512 products with each of J and Jᵀ here; the layered case shows the same code
        points, scale = np.linspace(0, 1, M), 1.0 / (1 + np.arange(P) % 50) ** 4

        def conditions(theta, t):
            coefficients = anp.sum(anp.reshape(theta * scale, (-1, 50)), axis=0)
            return anp.dot(anp.cos(anp.outer(t, anp.arange(50))), coefficients) - t

        problem, batch, theta = sr.Conditions(conditions), points, rng.standard_normal(P) / 100
    sr.step(problem, theta, batch, lr=0.1, k=1, rtol=1e-3, solver="svds")  # imports and caches
    tracemalloc.start()
    try:
        _, info = sr.step(problem, theta, batch, lr=0.1, k=k, rtol=1e-3, solver=solver)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert P >= 100_000
    assert info.solver == solver
    assert info.rank > 0
    assert peak < M * P * 8 / 2


@pytest.mark.parametrize("solver", ["dense", "svds", "gram"])
def test_update_is_the_step_for_residuals_and_a_jacobian_that_are_given(solver):
    net = sr.MLP((2, 4, 1))
    theta, batch = net.init(0), (np.arange(12.0).reshape(6, 2) / 6, np.ones((6, 1)))
    problem = sr.Problem(net)
    expected, info = sr.step(problem, theta, batch, lr=0.3, k=4, solver=solver)
    R, J = problem.linearise(theta, batch)
    new, J_pinv, size = sr.update(theta, R, J, lr=0.3, k=4, solver=solver)
    np.testing.assert_array_equal(new, expected)
    assert (J_pinv.rank, size) == (info.rank, info.update_norm)
    columns = np.array([0, 3, 7])
    R, A = sr.oracle.residuals_and_jacobian(net, theta, *batch, kappa=2, rows="signed")
    new, J_pinv, _ = sr.update(theta, R, A, lr=1.0, rtol=1e-6, columns=columns)
    moved = np.zeros(theta.size)
    moved[columns] = sr.oracle.truncated_pinv(A[:, columns], rtol=1e-6)[0] @ R
    np.testing.assert_allclose(theta - new, moved, rtol=1e-9, atol=1e-12)
