"""J held as its factors: equal to the general operator, and to itself in every form it is handed out in."""

import gc
import tracemalloc
import weakref

import autograd.numpy as anp
import numpy as np
import pytest
import tolerances
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SEEDS, net_problems

import sven_ref as sr
from sven_ref.errors import SolverFloorError
from sven_ref.factored import blocks as blocks_room
from sven_ref.factored.columns import ColumnsLinearOperator
from sven_ref.factored.layers import LayeredLinearOperator
from sven_ref.subsets import draw_columns

FLOAT64 = st.just(np.float64)


@st.composite
def subsets(draw, dtypes=FLOAT64):
    """(problem, θ, batch, columns or None, rng): the whole J, an elementwise subset or whole units."""
    problem, theta, batch, _ = draw(net_problems(dtypes=dtypes))
    mask = draw(st.sampled_from([None, "elementwise", "rows"]))
    rng = np.random.default_rng(draw(SEEDS))
    fraction = draw(st.floats(0.3, 1))
    assume(int(fraction * theta.size) > 0)
    columns = None if mask is None else draw_columns(problem.model, theta.size, fraction, mask, rng)
    return problem, theta, batch, columns, rng


@given(subsets(), st.integers(1, 3))
def test_factors_equal_the_general_operator(drawn, n):
    """Relative 1e-12 in float64, over depth, width, activation, loss, κ, micro-batch and subset."""
    problem, theta, batch, columns, rng = drawn
    R, J = problem.linearise(theta, batch)
    general_R, general = sr.linearise(problem.residual_function(batch), theta)
    assert isinstance(J, LayeredLinearOperator)
    if columns is not None:
        J, general = J.restrict(columns), general.restrict(columns)
    M, P = J.shape
    matrix = general.rmatmat(np.eye(M)).T
    size = max(np.abs(matrix).max(), 1e-300)
    V, U = rng.standard_normal((P, n)), rng.standard_normal((M, n))
    np.testing.assert_allclose(R, general_R, rtol=1e-12)
    np.testing.assert_allclose(J.rmatmat(np.eye(M)).T, matrix, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(J @ V, matrix @ V, rtol=0, atol=1e-12 * size * P)
    np.testing.assert_allclose(J.T @ U, matrix.T @ U, rtol=0, atol=1e-12 * size * M)
    np.testing.assert_allclose(J @ V[:, 0], (J @ V)[:, 0], rtol=0, atol=1e-12 * size * P)
    np.testing.assert_allclose(J.T @ U[:, 0], (J.T @ U)[:, 0], rtol=0, atol=1e-12 * size * M)
    np.testing.assert_allclose(J.gram(), matrix @ matrix.T, rtol=0, atol=1e-12 * size**2 * P)
    c = J.scale() or 1.0
    np.testing.assert_allclose(J.gram(c) * c**2, J.gram(), rtol=1e-12, atol=1e-14 * size**2)
    np.testing.assert_allclose(J.row_norms(), np.linalg.norm(matrix, axis=1), rtol=0, atol=1e-12 * size * P)
    np.testing.assert_allclose(J.float64() @ V, matrix @ V, rtol=0, atol=1e-12 * size * P)


@pytest.mark.parametrize("block", [1, 50, 1 << 19])
@given(drawn=subsets())
def test_blocks_put_together_are_the_matrix(block, drawn):
    problem, theta, batch, columns, _ = drawn
    J = problem.jacobian(theta, batch)
    J = J if columns is None else J.restrict(columns)
    matrix = J.rmatmat(np.eye(J.shape[0])).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_room, "BLOCK", block)
        parts, rows = list(J.column_blocks()), list(J.row_blocks())
    tol = 1e-13 * max(np.abs(matrix).max(), 1e-300)
    np.testing.assert_allclose(np.hstack(parts), matrix, rtol=0, atol=tol)
    np.testing.assert_allclose(np.vstack(rows), matrix, rtol=0, atol=tol)


def test_whole_units_keep_their_factors_and_scattered_entries_do_not():
    net = sr.MLP((3, 4, 2))
    problem, batch = sr.Problem(net), (np.ones((5, 3)), np.ones((5, 2)))
    J = problem.jacobian(net.init(0), batch)
    rng = np.random.default_rng(0)
    units = J.restrict(draw_columns(net, net.n_params, 0.5, "rows", rng))
    assert isinstance(units, LayeredLinearOperator)
    assert [(x.shape[1], g.shape[1]) for x, g, _ in units.layers] == [(4, 2), (5, 1)]
    assert isinstance(J.restrict(np.array([0, 5, 20])), ColumnsLinearOperator)


def test_products_run_no_network_pass():
    """After J is made, neither the model nor the loss is called again."""
    calls = []

    def loss(f, y):
        calls.append(1)
        return ((f - y) ** 2).sum(axis=1)

    net = sr.MLP((2, 3, 1))
    R, J = sr.Problem(net, loss).linearise(net.init(0), (np.ones((4, 2)), np.ones((4, 1))))
    assert len(calls) == 1  # and one backward pass tried that it keeps samples apart
    sr.truncated_pinv(J, 2) @ R
    sr.truncated_pinv(J, 2, solver="gram") @ R
    assert len(calls) == 1


@pytest.mark.parametrize("m", [1, 2])
def test_a_loss_that_couples_samples_is_found_and_takes_the_general_operator(m):
    def centred(f, y):
        return anp.sum((f - anp.mean(f) - y) ** 2, axis=1)

    def apart(f, y):
        return anp.sum((f - y) ** 2, axis=1)

    net, rng = sr.MLP((2, 3, 1)), np.random.default_rng(0)
    theta, batch = net.init(0), (rng.standard_normal((4, 2)), rng.standard_normal((4, 1)))
    for loss, factored in ((centred, False), (apart, True)):
        problem = sr.Problem(net, loss, micro_batch=m)
        J = problem.jacobian(theta, batch)
        assert isinstance(J, LayeredLinearOperator) == factored
        sr.checks.check_jacobian(problem.residual_function(batch), theta, J)


def layered_with_spectrum(s, out, dtype=np.float64, seed=0):
    """A one-layer J with x̃ = 1, so that J is its signals: any matrix can be given."""
    rng, B = np.random.default_rng(seed), len(s)
    U, V = np.linalg.qr(rng.standard_normal((B, B)))[0], np.linalg.qr(rng.standard_normal((out, out)))[0][:, :B]
    J = LayeredLinearOperator([np.ones((B, 1), dtype)], [((U * s) @ V.T).astype(dtype)])
    return J, rng.standard_normal(B).astype(dtype)


def exact_update(J, R):
    U, s, Vt = np.linalg.svd(J.float64() @ np.eye(J.shape[1]), full_matrices=False)
    return Vt.T @ ((U.T @ R.astype(np.float64)) / s), s


@pytest.mark.parametrize("block", [100, 1 << 19])
@given(st.floats(0, 8), SEEDS)
def test_tsqr_is_as_exact_as_a_dense_svd(block, log_condition, seed):
    """Up to condition 1e8: the error is that of backward stability, ε times the condition."""
    J, R = layered_with_spectrum(np.geomspace(1, 10**-log_condition, 12), 30, seed=seed)
    exact, s = exact_update(J, R)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_room, "BLOCK", block)
        J_pinv = sr.truncated_pinv(J, rtol=0, solver="tsqr")
    assert J_pinv.rank == 12
    tol = 2 * tolerances.update(float, J.shape, s, 12) * np.linalg.norm(R) / s[-1]  # of either side
    assert np.linalg.norm(J_pinv @ R - exact) <= tol


# Relative errors of an update, float32 and float64 factors, by condition number: at most. Measured by this test; the
# middle column is what the cast of w to float32 would cost, and is why products go to float64 beyond CANCELLATION.
#              condition    dense    gram     tsqr
PRECISION = {
    np.float32: [(1e1, 1e-6, 1e-5, 1e-5), (1e3, 1e-6, 1e-4, 1e-4), (1e5, 1e-6, 1e-6, 1e-6), (1e7, None, None, None)],
    np.float64: [
        (1e1, 1e-14, 1e-13, 1e-13),
        (1e3, 1e-12, 1e-9, 1e-11),
        (1e5, 1e-10, 1e-5, 1e-9),
        (1e7, 1e-8, 0.1, 1e-7),
    ],
}


@pytest.mark.parametrize("dtype", PRECISION)
def test_error_by_precision_and_condition(dtype):
    """float32 nets with float64 sums: they resolve σ as far as float32 factors are known, 5e-7 σ_1, and not to 3e-4."""
    for condition, *bounds in PRECISION[dtype]:
        for seed in range(5):
            J, R = layered_with_spectrum(np.geomspace(1, 1 / condition, 24), 40, dtype, seed)
            exact, _ = exact_update(J, R)
            for solver, bound in zip(("dense", "gram", "tsqr"), bounds, strict=True):
                if bound is None and solver == "gram":
                    with pytest.raises(SolverFloorError):
                        sr.truncated_pinv(J, rtol=0, solver=solver)
                    continue
                if bound is None:  # the smallest σ is no more than what float32 entries are known to: it counts as zero
                    assert sr.truncated_pinv(J, rtol=0, solver=solver).rank < 24
                    continue
                error = np.linalg.norm(sr.truncated_pinv(J, rtol=0, solver=solver) @ R - exact)
                assert error <= bound * np.linalg.norm(exact), (condition, solver, seed)


def test_float64_products_of_a_float32_jacobian_are_counted():
    J, R = layered_with_spectrum(np.geomspace(1, 1e-4, 24), 40, np.float32)
    sr.truncated_pinv(J, rtol=0, solver="gram") @ R
    assert J.counts == {"jvp": 0, "vjp": 1}


def test_float32_sums_would_be_useless_beyond_condition_1e3():
    J, R = layered_with_spectrum(np.geomspace(1, 1e-4, 24), 40, np.float32)
    exact, _ = exact_update(J, R)
    A = J.rmatmat(np.eye(24, dtype=np.float32)).T
    eigenvalues, W = np.linalg.eigh(A @ A.T)
    assert np.linalg.norm(A.T @ (W @ ((W.T @ R) / eigenvalues)) - exact) > 0.1 * np.linalg.norm(exact)


# ---- auto ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(12, 30), (30, 12)])
def test_auto_takes_tsqr_where_gram_meets_its_floor(shape):
    J, R = layered_with_spectrum(np.geomspace(1, 1e-9, 12), 30)
    if shape[0] > shape[1]:
        A = J @ np.eye(30)
        J = LayeredLinearOperator([np.ones((30, 1))], [A.T.copy()])
        R = np.random.default_rng(0).standard_normal(30)
    with pytest.raises(SolverFloorError):
        sr.truncated_pinv(J, rtol=0, solver="gram")
    J_pinv = sr.truncated_pinv(J, rtol=0, solver="auto")
    assert (J_pinv.solver, J_pinv.rank) == ("tsqr", 12)
    exact, s = exact_update(J, R)
    assert (
        np.linalg.norm(J_pinv @ R - exact) <= 2 * tolerances.update(float, J.shape, s, 12) * np.linalg.norm(R) / s[-1]
    )
    assert sr.truncated_pinv(J, rtol=1e-3, solver="auto").solver == "gram"


@pytest.mark.parametrize("smallest", [1e-4, 1e-5, 1e-6, 1e-7, 2e-8])
def test_auto_has_three_digits_wherever_the_spectrum_ends(smallest):
    """Squaring leaves σ with ε(σ_1/σ)² of itself, at most 1e-4 where `auto` still takes gram."""
    J, R = layered_with_spectrum(np.geomspace(1, smallest, 12), 30)
    J_pinv = sr.truncated_pinv(J, rtol=0, solver="auto")
    exact, _ = exact_update(J, R)
    assert J_pinv.rank == 12
    assert J_pinv.solver == ("gram" if smallest > 1.5e-6 else "tsqr")
    assert np.linalg.norm(J_pinv @ R - exact) <= 1e-3 * np.linalg.norm(exact)


def test_auto_by_products_alone():
    rng = np.random.default_rng(0)
    assert sr.truncated_pinv(rng.standard_normal((20, 50)), 3, solver="auto").solver == "dense"
    assert sr.truncated_pinv(rng.standard_normal((100, 150)), 3, solver="auto").solver == "svds"


def test_auto_is_in_the_steps_record():
    net = sr.MLP((1, 16, 16, 1))
    x = np.linspace(-1, 1, 32)[:, None]
    _, info = sr.step(sr.Problem(net), net.init(0), (x, x**2), lr=0.1, k=16, solver="auto")
    assert (info.solver, info.n_jvp, info.n_vjp) == ("gram", 0, 1)


@pytest.mark.parametrize("B", [8, 120])
@pytest.mark.parametrize("mask", ["elementwise", "rows"])
def test_auto_takes_parameter_subsets(mask, B):
    """Wide and tall: the update is that of the dense solver on the same subset."""
    net, rng = sr.MLP((2, 6, 6, 1)), np.random.default_rng(0)
    problem, theta = sr.Problem(net, kappa=1), net.init(0)
    batch = rng.standard_normal((B, 2)), rng.standard_normal((B, 1))
    options = {"lr": 0.5, "k": 5, "param_fraction": 0.5, "mask": mask}
    for solver in ("auto", "gram", "tsqr"):
        one, info = sr.step(problem, theta, batch, solver=solver, **options)
        other, _ = sr.step(problem, theta, batch, solver="dense", **options)
        assert info.n_jvp + info.n_vjp > 0
        assert info.solver in ("gram", "tsqr", "svds")
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize("solver", ["svds", "tsqr"])
def test_right_vectors_are_never_stored(solver):
    """M = 128, P = 1e6, k = 64: neither P × k numbers nor more than one block beside the factors."""
    net = sr.MLP((3000, 330, 10), "tanh")
    rng = np.random.default_rng(0)
    R, J = sr.Problem(net, "cross_entropy").linearise(
        net.init(0, np.float32), (rng.standard_normal((128, 3000), np.float32), rng.integers(0, 10, 128))
    )
    P = J.shape[1]
    assert P > 990_000
    tracemalloc.start()
    try:
        J_pinv = sr.truncated_pinv(J, 64, solver=solver)
        J_pinv @ R
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (J_pinv.solver, J_pinv.rank) == (solver, 64)
    block = 8 * blocks_room.BLOCK
    assert peak < 4 * (4 * P) + 5 * block  # some vectors of length P; a block, its copies in QR
    assert peak < 0.5 * 64 * P * 4


def test_what_is_let_go_is_freed_at_once():
    """An operator that referred to itself would keep its factors until the garbage collector runs."""
    net = sr.MLP((2, 3, 1))
    x = np.ones((4, 2))
    J = sr.Problem(net).jacobian(net.init(0), (x, x[:, :1]))
    operators = [J, J.restrict(np.arange(3)), J.float64(), J.compressed()]
    assert all(A @ np.ones(A.shape[1]) is not None for A in operators)
    gone = [weakref.ref(A) for A in operators]
    gc.disable()
    try:
        del J, operators
        assert [ref() for ref in gone] == [None] * 4
    finally:
        gc.enable()


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_samples_that_cancel(dtype, rtol, size):
    """Balanced classes and small weights: J's rows are 1/size smaller than what they are sums of. No wrong rank."""
    net, rng = sr.MLP((2, 3, 2), "tanh"), np.random.default_rng(0)
    theta, x, y = (net.init(0) * size).astype(dtype), rng.standard_normal((8, 2)), np.tile([0, 1], 4)
    R, J = sr.Problem(net, "cross_entropy", micro_batch=2).linearise(theta, (x, y))
    inputs, signals = ([a.astype(np.float64) for a in factors] for factors in J.factors())
    exact = LayeredLinearOperator(inputs, signals, 2).to_dense()
    s = np.linalg.svd(exact, compute_uv=False)
    np.testing.assert_allclose(J.row_norms(), np.linalg.norm(exact, axis=1), rtol=1e-6 + 1e-15 * J.summed_size() / s[0])
    for solver in (*sr.SOLVERS, "auto"):
        try:
            J_pinv = sr.truncated_pinv(J, rtol=rtol, solver=solver)
        except SolverFloorError:  # an answer too, of the solver that squares: a refusal is no wrong rank
            assert solver == "gram"
            continue
        q = J_pinv.rank
        resolved = tolerances.eps(dtype) * max(1, J.summed_size() / s[0])  # what is known of σ/σ_1
        assert q == np.sum(s > rtol * s[0]) or s[q - 1] <= 100 * resolved * s[0] or s[q] <= 100 * resolved * s[0]
        if q and s[q - 1] > 1e3 * resolved * s[0]:
            expected = np.linalg.pinv(exact, rcond=1.01 * s[q] / s[0] if q < len(s) else 1e-16) @ R
            error = resolved * s[0] / s[q - 1]
            if J_pinv.solver in ("gram", "svds"):
                error += tolerances.eps(float) * (J.summed_size() / s[q - 1]) ** 2
            assert np.linalg.norm(J_pinv @ R - expected) <= 100 * error * np.linalg.norm(expected)
