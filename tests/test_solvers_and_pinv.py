"""One suite over every solver: the same contract, whatever finds the triplets."""

import measure_floors
import numpy as np
import pytest
import scipy.sparse.linalg
import tolerances
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import DTYPES, SEEDS, matrices, with_spectrum

import sven_ref as sr
from sven_ref.errors import ConvergenceError, NonFiniteError, SolverFloorError
from sven_ref.factored.layers import LayeredLinearOperator
from sven_ref.scaling import power_of_two
from sven_ref.solvers.contract import Triplets

every_solver = pytest.mark.parametrize("solver", list(sr.SOLVERS))
SQUARED = ("svds", "gram")  # they work on JJᵀ or JᵀJ
REFUSING = ("gram", "randomized")  # by name they raise, where others hand over or can do it


def check_against_oracle(A, solver, k, rtol):
    """δ, q, the kept σ and the gap against the dense sum over triplets in float64 (SPEC 3.6)."""
    J, R = A.J, A.R
    exact, kept = sr.oracle.truncated_pinv(J.astype(np.float64), k, rtol)
    q, n = len(kept), min(J.shape)
    s = A.s
    power = 2 if solver in SQUARED else 1
    noise, floor = tolerances.value(A.dtype, J.shape), tolerances.value(A.dtype, J.shape) ** (1 / power)
    assume(all(abs(t**power - (rtol * s[0]) ** power) > noise * s[0] ** power for t in s))  # rounding decides no cut
    assume(q == 0 or q == n or s[q] < 0.9 * s[q - 1])  # no cut inside a cluster: the answer is unique
    assume(rtol > floor or (s > floor * s[0]).all())  # what lies below a floor has tests of its own
    J_pinv = sr.truncated_pinv(J, k, rtol, solver=solver)
    assert J_pinv.rank == q
    assert J_pinv.shape == J.shape[::-1]
    delta = J_pinv @ R
    assert delta.dtype == J.dtype
    tol = tolerances.update(A.dtype, J.shape, s, q, solver in SQUARED)
    assert np.linalg.norm(delta - exact @ R.astype(np.float64)) <= tol * A.scale(q)
    assert np.abs(J_pinv.singular_values**power - kept**power).max(initial=0) <= noise * s[0] ** power
    if 0 < q < n:
        assert abs(J_pinv.gap - s[q] / s[q - 1]) <= 2 * floor * s[0] / s[q - 1]
    else:
        assert J_pinv.gap == 0
    X = np.eye(len(J), dtype=J.dtype)
    np.testing.assert_allclose(
        J_pinv.T @ (J_pinv @ X), (J_pinv @ X).T @ (J_pinv @ X), rtol=0, atol=10 * tol / s[q - 1] ** 2
    )


@every_solver
@given(A=matrices(), k=st.none() | st.integers(1, 12), rtol=st.sampled_from([1e-6, 1e-3, 0.03, 0.3, 0.7]))
def test_update_rank_and_values(solver, A, k, rtol):
    check_against_oracle(A, solver, k, rtol)


@pytest.mark.parametrize("shape", [(40, 200), (200, 40), (60, 60)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 7, 20, 39])
@every_solver
def test_larger_matrices_with_a_decaying_spectrum(solver, shape, dtype, k):
    rng = np.random.default_rng(k)
    s = np.geomspace(1, 1e-2, min(shape))
    J = with_spectrum(*shape, s, rng, dtype)
    R = rng.standard_normal(shape[0]).astype(dtype)
    s = np.linalg.svd(J.astype(np.float64), compute_uv=False)
    J_pinv = sr.truncated_pinv(J, k, 1e-3, solver=solver)
    exact = sr.oracle.truncated_pinv(J.astype(np.float64), k, 1e-3)[0] @ R
    tol = tolerances.update(dtype, shape, s, k, solver in SQUARED)
    assert np.linalg.norm(J_pinv @ R - exact) <= tol * np.linalg.norm(R) / s[k - 1]
    certificate = J_pinv.certificate()
    assert max(certificate) <= tolerances.update(dtype, shape, s, k, solver in SQUARED) * s[0] / s[k - 1]


# ---- the edges of SPEC §3 ----------------------------------------------------------------------------------------


@every_solver
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (2, 9), (3, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_k_at_and_above_the_smaller_dimension(solver, shape, dtype):
    rng = np.random.default_rng(3)
    J = with_spectrum(*shape, np.linspace(2, 1, min(shape)), rng, dtype)
    R = rng.standard_normal(shape[0]).astype(dtype)
    exact = np.linalg.pinv(J.astype(np.float64)) @ R
    for k in (None, min(shape), min(shape) + 1, 10**9):
        J_pinv = sr.truncated_pinv(J, k, rtol=1e-3, solver=solver)
        assert J_pinv.rank == min(shape)
        tol = tolerances.update(dtype, shape, np.linspace(2, 1, min(shape)), min(shape), solver in SQUARED)
        assert np.linalg.norm(J_pinv @ R - exact) <= tol * np.linalg.norm(R)


@every_solver
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (4, 9), (30, 8)])
@pytest.mark.parametrize("k", [1, 2, None])
def test_a_zero_jacobian_gives_a_zero_update(solver, shape, k):
    J_pinv = sr.truncated_pinv(np.zeros(shape), k, solver=solver)
    assert (J_pinv.rank, J_pinv.gap, J_pinv.singular_values.size) == (0, 0.0, 0)
    np.testing.assert_array_equal(J_pinv @ np.ones(shape[0]), 0)
    np.testing.assert_array_equal(J_pinv.T @ np.ones(shape[1]), 0)
    np.testing.assert_array_equal(J_pinv.project(np.ones(shape[0])), 0)
    assert J_pinv.certificate() == (0, 0, 0)


@every_solver
@pytest.mark.parametrize("scale", [1e-200, 1e-150, 1e150, 1e200])
@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (1, 4)])
def test_scales_from_1e_minus_200_to_1e200(solver, scale, shape):
    rng = np.random.default_rng(5)
    J, R = with_spectrum(*shape, np.geomspace(1, 0.1, min(shape)), rng), rng.standard_normal(shape[0])
    k = min(3, min(shape))
    one, other = (sr.truncated_pinv(c * J, k, solver=solver) for c in (1.0, scale))
    tol = tolerances.update(float, shape, one.singular_values, k, solver in SQUARED)
    np.testing.assert_allclose(
        (other @ R) * scale, one @ R, rtol=0, atol=tol * np.linalg.norm(R) / one.singular_values[-1]
    )
    np.testing.assert_allclose(other.singular_values / scale, one.singular_values, rtol=tol)
    assert max(other.certificate()) <= tol


@every_solver
def test_at_the_threshold_a_singular_value_is_dropped(solver):
    """diag(4, 2, 1): exact whatever the solver. Strict cuts at rtol = 1/4, 1/2 and at atol."""
    J = np.diag([4.0, 2, 1])
    rank = [
        sr.truncated_pinv(J, rtol=rtol, atol=atol, solver="dense").rank
        for rtol, atol in [(0.25, 0), (0.2499, 0), (0.5, 0), (0, 1), (0, 0.999), (0, 4), (0.25, 2)]
    ]
    assert rank == [2, 3, 1, 2, 3, 0, 1]
    assert sr.truncated_pinv(J, rtol=0.3, atol=0, solver=solver).rank == 2
    assert sr.truncated_pinv(J, rtol=0, atol=1.5, solver=solver).rank == 2


@pytest.mark.parametrize(("copies", "n", "k"), [((5, 5, 10), 20, 5), ((10, 5, 10), 34, 10), ((8, 6, 16), 30, 8)])
@pytest.mark.parametrize("shape", ["wide", "tall", "diagonal"])
@every_solver
def test_repeated_singular_values_are_all_found(solver, shape, copies, n, k):
    """A Krylov space sees one copy of a repeated σ; every copy must come back. ARPACK alone misses most of these."""
    s = np.full(n, 0.1)
    s[: sum(copies)] = np.repeat([1.0, 0.7, 0.4], copies)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        J = np.eye(n, n + 20) * s[:, None] if shape == "diagonal" else with_spectrum(n, n + 20, s, rng)
        J = J.T if shape == "tall" else J
        R = rng.standard_normal(len(J))
        J_pinv = sr.truncated_pinv(J, k, solver=solver, rng=seed)
        np.testing.assert_allclose(J_pinv.singular_values, s[:k], rtol=1e-7)
        np.testing.assert_allclose(J_pinv.gap, s[k] / s[k - 1], rtol=1e-6)
        np.testing.assert_allclose(J_pinv @ R, sr.oracle.truncated_pinv(J, k, rtol=0)[0] @ R, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(15))
def test_a_linear_net_with_a_row_per_output_repeats_every_singular_value(seed):
    """J = [x, 1] ⊗ I_C: k a multiple of C cuts no cluster."""
    net, rng = sr.MLP((20, 10)), np.random.default_rng(seed)
    problem = sr.Problem(net, kappa=1, rows="per_output")
    batch, theta = (rng.standard_normal((32, 20)), rng.standard_normal((32, 10))), net.init(seed)
    one, other = (sr.step(problem, theta, batch, lr=1, k=20, solver=s, rng=seed)[0] for s in ("svds", "dense"))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize("shape", [(12, 20), (20, 12)])
def test_below_its_floor_a_squaring_solver_refuses(shape):
    J = with_spectrum(*shape, np.geomspace(1, 1e-10, 8), np.random.default_rng(0))
    message = r"solver = 'gram'.*use solver='dense', rtol ≥ 3\.9e-08 or k ≤ 6"
    for k, rtol in ((10, 0), (8, 1e-10), (7, 0)):
        with pytest.raises(SolverFloorError, match=message):
            sr.truncated_pinv(J, k, rtol, solver="gram")
    assert sr.truncated_pinv(J, 10, 4e-8, solver="gram").rank == 6
    assert sr.truncated_pinv(J, 6, 0, solver="gram").rank == 6


@pytest.mark.parametrize("shape", [(12, 20), (20, 12)])
@pytest.mark.parametrize("factors", [False, True])
def test_at_its_floor_svds_hands_over_to_what_squares_nothing(shape, factors):
    A, R = with_spectrum(*shape, np.geomspace(1, 1e-10, 8), np.random.default_rng(0)), np.ones(shape[0])
    J = layered(A) if factors else A
    for k, rtol in ((10, 0), (8, 5e-11), (7, 0)):
        J_pinv = sr.truncated_pinv(J, k, rtol)
        exact, kept = sr.oracle.truncated_pinv(A, k, rtol)
        assert J_pinv.solver == ("tsqr" if factors else "randomized")
        assert J_pinv.rank == len(kept)
        tol = tolerances.update(float, shape, np.geomspace(1, 1e-10, 8), len(kept))
        assert np.linalg.norm(J_pinv @ R - exact @ R) <= tol * np.linalg.norm(R) / kept[-1]
    assert sr.truncated_pinv(J, 10, 4e-8).solver == "svds"
    assert sr.truncated_pinv(J, 6, 0).solver == "svds"


def test_rank_deficiency_with_no_cut_is_refused_not_guessed():
    J = with_spectrum(9, 20, np.ones(3), np.random.default_rng(1))
    with pytest.raises(SolverFloorError):
        sr.truncated_pinv(J, 6, rtol=0, solver="gram")
    for solver in SQUARED:
        assert sr.truncated_pinv(J, 6, rtol=1e-6, solver=solver).rank == 3
    assert sr.truncated_pinv(J, 6, rtol=0).rank == 3


def test_svds_hands_over_to_dense_where_a_sketch_does_not_converge():
    """Nine σ far above the floor and hundreds below, nearly alike: a sketch separates none of them."""
    s = np.r_[np.geomspace(1, 0.1, 9), np.linspace(2e-9, 1e-9, 391)]
    J = with_spectrum(400, 500, s, np.random.default_rng(0))
    with pytest.raises(ConvergenceError):
        sr.truncated_pinv(J, 12, 0, solver="randomized")
    J_pinv = sr.truncated_pinv(J, 12, 0)
    assert (J_pinv.solver, J_pinv.rank) == ("dense", 12)


def layered(A):
    """A as the factors of a layer with x̃ = 1."""
    return LayeredLinearOperator([np.ones((len(A), 1), A.dtype)], [A])


# ---- a σ that is not there is never kept -----------------------------------------------------------------------------


@st.composite
def deficient_matrices(draw):
    """(J, rank): exactly of that rank, with sums that are not exact; an array or factors, wide or tall."""
    n, dtype, rng = draw(st.integers(2, 40)), draw(DTYPES), np.random.default_rng(draw(SEEDS))
    r = draw(st.sampled_from([n - 1, max(1, n // 2), max(1, n // 8)]))
    A = measure_floors.deficient(rng, n, n + draw(st.integers(0, 200)), r, dtype)
    A = A if draw(st.booleans()) else np.ascontiguousarray(A.T)
    return (layered(A) if draw(st.booleans()) else A), A.astype(np.float64), r


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
@given(deficient_matrices(), st.integers(0, 3), st.sampled_from([0.0, 1e-9, 4e-8, 4e-4]))
def test_a_sigma_that_is_not_there_is_never_kept(solver, drawn, more, rtol):
    """With k at the rank and beyond, and a cut at and below what squares leave of a zero σ."""
    J, A, r = drawn
    try:
        J_pinv = sr.truncated_pinv(J, r + more, rtol, solver=solver)
    except (SolverFloorError, ConvergenceError):  # to refuse is right for these two, asked for by name
        assert solver in REFUSING
        return
    assert J_pinv.rank <= r
    s = np.linalg.svd(A, compute_uv=False)
    floor = 10 * tolerances.eps(J.dtype) * np.sqrt(max(A.shape)) * s[0]
    if rtol == 0 and s[r - 1] > floor:
        assert J_pinv.rank == r


@pytest.mark.parametrize("seed", range(118, 128))
@pytest.mark.parametrize("shape", [(3, 5), (30, 100)])
def test_one_row_twice_and_nothing_cut(shape, seed):
    """Noise kept for σ_n made this update 32 times too large, at (3, 5) and seed 118."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(shape)
    A[-1] = A[0]
    R = rng.standard_normal(shape[0])
    exact = sr.oracle.truncated_pinv(A, rtol=0)[0] @ R
    for solver in ("svds", "auto", "dense", "tsqr", "randomized"):
        np.testing.assert_allclose(sr.truncated_pinv(A, rtol=0, solver=solver) @ R, exact, rtol=0, atol=1e-12)
    for J in (A, A.T, layered(A)):
        with pytest.raises(SolverFloorError, match=r"solver = 'gram'.*use solver='dense'"):
            sr.truncated_pinv(J, rtol=0, solver="gram")


def test_defaults_keep_no_zero_of_a_large_float32_jacobian():
    """1500 × 3000 of rank 399, k = 400: ARPACK's σ_400 is noise of up to 1.4e-3 σ_1, above the default rtol."""
    M, P, k = 1500, 3000, 400
    J = np.random.default_rng(1).standard_normal((M, P)).astype(np.float32)
    J[k - 1 :] = J[np.arange(M - k + 1) % (k - 1)]
    R = np.random.default_rng(0).standard_normal(M).astype(np.float32)
    J_pinv = sr.truncated_pinv(J, k)
    assert J_pinv.rank == k - 1
    U, s, Vt = np.linalg.svd(J[: k - 1].astype(np.float64), full_matrices=False)
    copies = np.bincount(np.arange(M - k + 1) % (k - 1), minlength=k - 1) + 1.0  # of each row
    summed = np.zeros(k - 1)
    np.add.at(summed, np.r_[np.arange(k - 1), np.arange(M - k + 1) % (k - 1)], R)
    exact = Vt.T @ ((U.T @ (summed / copies)) / s)  # J is full in rows there: copies ask for their mean
    assert np.linalg.norm(J_pinv @ R - exact) <= 1e-5 * np.linalg.norm(exact)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("length", [300, 30_000])
def test_long_sums_of_equal_terms_leave_no_sigma(length, tall, order, dtype):
    """Equal terms are rounded alike, and one after another they err in proportion to L, not to √L."""
    rng = np.random.default_rng(0)
    values = np.round(rng.standard_normal((2, 1)), 3), 0.1 * np.sign(rng.standard_normal((2, length)))
    for base, rank in ((np.repeat(values[0], length, axis=1), 1), (values[1], 2)):
        A = np.asarray(base.T[:, [0, 1, 0, 1]] if tall else base[[0, 1, 0, 1]], dtype, order=order)
        for solver in [*sr.SOLVERS, "auto"]:
            for J in (A, layered(A)):
                J_pinv = answer(lambda: sr.truncated_pinv(J, 3, rtol=0, solver=solver))  # noqa: B023 (called at once)
                if isinstance(J_pinv, type):
                    assert solver in REFUSING
                else:
                    assert J_pinv.rank <= rank, solver


def test_a_kept_sigma_that_no_product_attains_is_refused(monkeypatch):
    """A solver that squares J and whose sums erred more than its floor says: σ_2 = 1e-6 σ_1 where it is 0."""

    def wrong(J, k, rng):
        t = sr.SOLVERS["dense"](J, k)
        return Triplets(t.U, t.s[0] * np.array([1, 1e-6, 0]), None, t.c, "wrong", 1e-8, squared=True)

    monkeypatch.setitem(sr.SOLVERS, "wrong", wrong)
    J = np.ones((3, 100_000))
    with pytest.raises(SolverFloorError, match=r"solver = 'wrong': sigma_2 = 1e-06 sigma_1 is rounding error.*k ≤ 1"):
        sr.truncated_pinv(J, 2, 0, solver="wrong")
    assert sr.truncated_pinv(J, 1, 0, solver="wrong").rank == 1


@given(SEEDS)
def test_rounding_of_a_float32_net_is_no_sigma(seed):
    """A linear net has σ = 0 beyond n_in + 1; its float32 factors say 1e-7 σ_1, and float64 sums resolve that."""
    kind, J, r = measure_floors.network(np.random.default_rng(seed))
    for solver in ("gram", "tsqr", "auto"):
        try:
            assert sr.truncated_pinv(J, rtol=0, solver=solver).rank <= r, kind
        except SolverFloorError:  # to refuse is right where it is asked for by name
            assert solver == "gram"


@pytest.mark.parametrize("solver", ["dense", "randomized"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unsquared_solvers_take_noise_for_zero(solver, dtype):
    rng = np.random.default_rng(2)
    for rows, columns in [(1, 2), (3, 20), (9, 9), (32, 64), (32, 5000)]:
        J = rng.standard_normal((rows, columns)).astype(dtype)
        for duplicated in (np.vstack([J, J]), np.vstack([J, J]).T, np.vstack([J, np.zeros_like(J)])):
            assert sr.truncated_pinv(duplicated, rtol=0, solver=solver).rank == rows


def test_dense_resolves_what_squaring_cannot():
    s = np.geomspace(1, 1e-8, 8)
    rng = np.random.default_rng(0)
    J, R = with_spectrum(8, 30, s, rng), rng.standard_normal(8)
    exact = sr.oracle.truncated_pinv(J, rtol=0)[0] @ R
    delta = sr.truncated_pinv(J, rtol=0, solver="dense") @ R
    assert np.linalg.norm(delta - exact) <= tolerances.update(float, J.shape, s, 8) * np.linalg.norm(R) / s[-1]


def test_randomized_refuses_a_spectrum_that_does_not_decay():
    J = np.random.default_rng(0).standard_normal((300, 400))
    with pytest.raises(
        ConvergenceError, match=r"solver = 'randomized'.*decay too slowly; use solver='svds' or 'dense'"
    ):
        sr.truncated_pinv(J, 4, solver="randomized")


def test_randomized_adds_directions_until_it_is_certain():
    rng = np.random.default_rng(0)
    J = with_spectrum(100, 150, np.geomspace(1, 1e-6, 100), rng)
    J_pinv = sr.truncated_pinv(J, 10, solver="randomized")
    np.testing.assert_allclose(J_pinv.singular_values, np.geomspace(1, 1e-6, 100)[:10], rtol=1e-12)
    assert max(J_pinv.certificate()) < 1e-12


# ---- what SciPy's svds can't do takes the documented other way -------------------------------------------------------


@pytest.mark.parametrize(("shape", "k"), [((6, 9), 6), ((6, 9), 5), ((1, 9), 1), ((9, 1), 1), ((1, 1), 1), ((2, 5), 1)])
def test_svds_hands_over_to_dense_where_it_needs_every_triplet(shape, k):
    J = np.random.default_rng(0).standard_normal(shape)
    J_pinv = sr.truncated_pinv(J, k)
    assert J_pinv.solver == "dense"
    assert J_pinv.rank == k


@pytest.mark.parametrize("shape", [(8, 12), (12, 8)])
def test_arpack_is_what_runs_otherwise(monkeypatch, shape):
    """On JJᵀ where J is wide, so that no P × k numbers are made; as SciPy's svds does it where J is tall."""
    calls = []
    true = scipy.sparse.linalg.eigsh
    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", lambda *a, **kw: calls.append(kw["k"]) or true(*a, **kw))
    J = np.random.default_rng(0).standard_normal(shape)
    J_pinv = sr.truncated_pinv(J, 3)
    U, s, Vt = scipy.sparse.linalg.svds(J, k=4, rng=0)
    np.testing.assert_allclose(J_pinv.spectrum, np.sort(s)[::-1], rtol=1e-12)
    np.testing.assert_allclose(J_pinv @ J[:, 0], (Vt.T / s @ U.T - np.outer(Vt[0], U[:, 0]) / s[0]) @ J[:, 0])
    assert (J_pinv.solver, calls[0]) == ("svds", 4)  # then one more eigenvalue, to see that none was missed
    assert (J_pinv.Vt is None) == (shape == (8, 12))


@pytest.mark.parametrize("shape", [(8, 12), (12, 8)])
def test_svds_hands_over_where_arpack_does_not_converge(monkeypatch, shape):
    def fail(*args, **kwargs):
        raise scipy.sparse.linalg.ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", fail)
    assert sr.truncated_pinv(np.random.default_rng(0).standard_normal(shape), 3).solver == "dense"


@pytest.mark.parametrize("shape", [(8, 12), (12, 8)])
def test_svds_hands_over_where_the_look_for_missed_copies_does_not_converge(monkeypatch, shape):
    true = scipy.sparse.linalg.eigsh

    def fail(*args, k, **kwargs):
        if k == 1:
            raise scipy.sparse.linalg.ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))
        return true(*args, k=k, **kwargs)

    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", fail)
    assert sr.truncated_pinv(np.random.default_rng(0).standard_normal(shape), 3).solver == "dense"


def test_dense_falls_back_to_qr_iteration(monkeypatch):
    def fail(*args, **kwargs):
        raise np.linalg.LinAlgError("SVD did not converge")

    J = np.random.default_rng(0).standard_normal((8, 12))
    expected = sr.truncated_pinv(J, solver="dense") @ np.ones(8)
    monkeypatch.setattr(np.linalg, "svd", fail)
    np.testing.assert_allclose(sr.truncated_pinv(J, solver="dense") @ np.ones(8), expected, rtol=1e-12)


@every_solver
@given(seed=SEEDS)
def test_the_same_seed_gives_the_same_bits(solver, seed):
    J, R = np.random.default_rng(0).standard_normal((9, 12)), np.arange(9.0)
    one, two = (sr.truncated_pinv(J, 4, solver=solver, rng=seed) @ R for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("solver", ["svds", "gram", "randomized"])
def test_products_are_counted(solver):
    J = sr.as_product_operator(np.random.default_rng(0).standard_normal((12, 30)))
    sr.truncated_pinv(J, 3, solver=solver)
    if solver == "svds":  # the probe, then every product with JJᵀ is a pair
        assert 1 + 4 < J.counts["vjp"] == J.counts["jvp"] <= 1 + 4 * 12
    elif solver == "gram":  # the probe, then a pair for each row
        assert (J.counts["jvp"], J.counts["vjp"]) == (1 + 12, 1 + 12)
    else:  # the probe, a sketch of k + oversample = 12 columns, and a certificate of k + 1
        assert (J.counts["jvp"], J.counts["vjp"]) == (1 + 12 + 4, 1 + 12)
    dense = sr.as_product_operator(np.ones((12, 30)))
    sr.truncated_pinv(dense, 3, solver="dense")
    assert (dense.counts["jvp"], dense.counts["vjp"]) == (0, 12)


@given(st.floats(1e-320, 1e308))
def test_power_of_two(x):
    c = power_of_two(x)
    assert c <= x < 2 * c
    assert np.frexp(c)[0] == 0.5
    assert power_of_two(0.0) == 1.0


@pytest.mark.parametrize("solver", ["dense", "svds", "gram", "randomized", "auto"])
def test_an_overflow_is_an_error_and_no_warning(solver):
    with pytest.raises(NonFiniteError, match="are not finite"):
        sr.truncated_pinv(np.eye(4) * 1e-300, k=2, rtol=0, solver=solver) @ np.full(4, 1e200)
    problem, theta = sr.Conditions(lambda theta, _: 1e-200 * theta + 1e150), np.ones(4)
    with pytest.raises(NonFiniteError, match="are not finite"):
        sr.step(problem, theta, None, lr=1.0, k=1, solver=solver)
    assert theta.tolist() == [1, 1, 1, 1]


# ---- every product of J⁺, at every scale, under every np.seterr ------------------------------------------------------

PRODUCTS = {  # of J⁺ with a vector that is scaled by 2^b where J is by 2^a, and the power of two of what comes out
    "J⁺R": (lambda J_pinv, R, x: J_pinv @ R, lambda a, b: b - a),
    "(J⁺)ᵀx": (lambda J_pinv, R, x: J_pinv.H @ x, lambda a, b: b - a),
    "J⁺ of a block": (lambda J_pinv, R, x: J_pinv @ np.outer(R, [1, 2.0**-300, 0]), lambda a, b: b - a),
    "project": (lambda J_pinv, R, x: J_pinv.project(R), lambda a, b: b),
    "U": (lambda J_pinv, R, x: J_pinv.vectors()[0], lambda a, b: 0),
    "V": (lambda J_pinv, R, x: J_pinv.vectors()[1], lambda a, b: 0),
    "spectrum": (lambda J_pinv, R, x: J_pinv.spectrum, lambda a, b: a),
}


def answer(call):
    """What a call gives, or the class of the package's error that it raises."""
    try:
        return call()
    except sr.errors.SvenError as error:
        return type(error)


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
@given(
    A=matrices(dtypes=st.just(np.float64)),
    k=st.integers(1, 9),
    a=st.integers(-498, 498),
    b=st.integers(-650, 900),
    factors=st.booleans(),
)
def test_powers_of_two_change_no_bit_of_any_product(solver, A, k, a, b, factors):
    """J from 1e-150 to 1e150 and R, x of any size: exactly the answer at scale 1, or an error where that overflows."""
    R, x = np.round(A.R * 2**20) / 2**20, np.round(A.rng.standard_normal(A.J.shape[1]) * 2**20) / 2**20
    make = layered if factors else np.asarray
    one = answer(lambda: sr.truncated_pinv(make(A.J), k, 1e-6, solver=solver))
    other = answer(lambda: sr.truncated_pinv(make(np.ldexp(A.J, a)), k, 1e-6, solver=solver))
    assume(not isinstance(one, type))
    assert one.rank == other.rank
    for name, (product, power) in PRODUCTS.items():
        with np.errstate(all="ignore"):
            expected = np.ldexp(product(one, R, x), power(a, b))
        got = answer(lambda: product(other, np.ldexp(R, b), np.ldexp(x, b)))  # noqa: B023 (called at once)
        if np.isfinite(expected).all():
            np.testing.assert_array_equal(got, expected, err_msg=name)
        else:
            assert got is NonFiniteError, name


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
def test_products_between_tiny_numbers_are_not_lost(solver):
    A, x = np.random.default_rng(0).standard_normal((4, 6)), np.arange(1.0, 7)
    expected = sr.truncated_pinv(A, 3, 1e-6, solver=solver).H @ x
    np.testing.assert_array_equal(
        sr.truncated_pinv(A * 2.0**-540, 3, 1e-6, solver=solver).H @ (x * 2.0**-540), expected
    )


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
@pytest.mark.parametrize("size", [1.7e308, 1e308])
def test_an_overflow_in_the_last_sum_is_refused(solver, size):
    H = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    J_pinv = sr.truncated_pinv((H * [1, 0.9, 0.8, 0.7]).T, rtol=1e-6, solver=solver)
    with pytest.raises(NonFiniteError, match="product with the pseudoinverse"):
        J_pinv @ np.full(4, size)
    np.testing.assert_allclose(J_pinv @ np.full(4, 1e307), H @ (1e307 / np.array([1, 0.9, 0.8, 0.7])), atol=1e294)


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
@pytest.mark.parametrize("c", [2.0**-540, 1.0, 2.0**500])
def test_the_predicted_norm_at_every_scale(solver, c):
    A, b = np.random.default_rng(0).standard_normal((4, 6)), np.arange(1.0, 5)

    def predicted(c):
        problem = sr.Conditions(lambda theta, _: c * (A @ theta + b))
        return sr.step(problem, np.zeros(6), None, lr=0.5, k=3, solver=solver)[1].predicted_norm

    assert predicted(c) == pytest.approx(c * predicted(1.0), rel=1e-14)


SETERR = ["ignore", "warn", "raise"]


def everything(J, R, x, solver):
    """All that `truncated_pinv` and its result compute."""
    J_pinv = answer(lambda: sr.truncated_pinv(J, 3, 1e-6, solver=solver))
    if J_pinv is SolverFloorError:
        return []
    error = answer(lambda: sr.checks.check_pinv(J, J_pinv))
    products = [answer(lambda p=p: p(J_pinv, R, x)) for p, _ in PRODUCTS.values()]
    return [J_pinv.rank, J_pinv.gap, J_pinv.certificate(), error, *products]


@pytest.mark.parametrize("factors", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (1, 3)])
@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
def test_every_solver_runs_under_every_seterr(solver, shape, dtype, factors):
    """Graded to where squares and products underflow, scaled to both ends of the range, and with zeros."""
    rng, far = np.random.default_rng(0), 1e-150 if dtype is np.float64 else 1e-18
    for c in (1, far, 1 / far):
        for grades in (np.ones(shape[1]), np.geomspace(1, far, shape[1])):
            A = (c * rng.standard_normal(shape) * grades).astype(dtype)
            for size in (1, far, 1 / far, 0):
                R, x = (size * rng.standard_normal(n) for n in shape)
                results = []
                for mode in SETERR:
                    with np.errstate(all=mode):
                        results.append(everything(layered(A) if factors else A, R, x, solver))
                for other in results[1:]:
                    np.testing.assert_equal(other, results[0])


@pytest.mark.parametrize("mode", SETERR)
@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
def test_what_is_not_finite_is_refused_under_every_seterr(solver, mode):
    bad = np.ones((3, 5))
    bad[1, 2] = np.nan
    jacobians = [bad, np.where(np.isnan(bad), np.inf, bad), np.full((3, 5), 1e308), np.full((5, 3), -1.7e308)]
    huge = LayeredLinearOperator([np.full((3, 2), 1e200)], [np.full((3, 2), 1e200)])  # entries of 1e400
    with np.errstate(all=mode):
        for J in [*jacobians, *map(layered, jacobians), huge]:
            with pytest.raises(NonFiniteError):
                sr.truncated_pinv(J, 2, solver=solver) @ np.ones(J.shape[0])
        J_pinv = sr.truncated_pinv(np.eye(3), 2, solver=solver)
        for value in (np.nan, np.inf):
            for call in (J_pinv.matvec, J_pinv.rmatvec, J_pinv.project):
                with pytest.raises(NonFiniteError):
                    call(np.full(3, value))


@pytest.mark.parametrize("shape", [(512, 600), (700, 520)])
@pytest.mark.parametrize("factors", [False, True])
def test_a_part_of_the_eigenvectors_of_a_large_matrix(shape, factors):
    """From n = 512 on, and k + 1 ≤ n/8, gram takes no more than it may keep."""
    s = np.geomspace(1, 1e-4, 100)
    A = with_spectrum(*shape, s, np.random.default_rng(0))
    J, R = layered(A) if factors else A, np.random.default_rng(1).standard_normal(shape[0])
    for k in (1, 60):
        J_pinv = sr.truncated_pinv(J, k, 0, solver="gram")
        exact, kept = sr.oracle.truncated_pinv(A, k)
        assert (J_pinv.rank, len(J_pinv.spectrum)) == (k, k + 1)
        np.testing.assert_allclose(J_pinv.gap, s[k] / s[k - 1], rtol=1e-6)
        tol = 10 * tolerances.update(float, shape, s, k)
        assert np.linalg.norm(J_pinv @ R - exact @ R) <= tol * np.linalg.norm(R) / kept[-1]


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_the_same_seed_gives_the_same_bits_where_the_rank_is_low(solver, shape):
    """A Krylov space is exhausted after one vector; what ARPACK draws then is of the seed as well."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        J, R = np.outer(rng.standard_normal(shape[0]), rng.standard_normal(shape[1])), rng.standard_normal(shape[0])
        made = [sr.truncated_pinv(J.copy(), 1, 1e-6, solver=solver, rng=3) for _ in range(4)]
        assert len({(J_pinv @ R).tobytes() + J_pinv.spectrum.tobytes() for J_pinv in made}) == 1


FLAT = np.ones(100)
SPECTRA_LEFT_OPEN = {  # σ, and whether ARPACK is enough
    "decays": (np.geomspace(1, 1e-6, 60), True),
    "a step": (np.r_[np.ones(5), np.full(60, 1e-5)], False),  # copies below the cut do not converge either
    "flat": (FLAT, False),
    "one above": (np.r_[1, 2e-3 * FLAT], False),
    "low rank": (np.geomspace(1, 1e-2, 4), True),
}


@pytest.mark.parametrize("shape", [(150, 220), (220, 150)])
@pytest.mark.parametrize("name", SPECTRA_LEFT_OPEN)
def test_svds_with_k_left_open(name, shape):
    """By products alone, as many triplets as the cut needs, and never many more products than a J made whole takes."""
    s, arpack = SPECTRA_LEFT_OPEN[name]
    A, R = with_spectrum(*shape, s, np.random.default_rng(0)), np.random.default_rng(1).standard_normal(shape[0])
    J = sr.as_product_operator(scipy.sparse.linalg.aslinearoperator(A))
    J_pinv = sr.truncated_pinv(J)
    exact, kept = sr.oracle.truncated_pinv(A, rtol=1e-3)
    assert (J_pinv.rank, J_pinv.solver) == (len(kept), "svds" if arpack else "dense")
    np.testing.assert_allclose(J_pinv.singular_values, kept, rtol=1e-6)
    np.testing.assert_allclose(J_pinv.gap, np.r_[s, 0][len(kept)] / kept[-1], atol=1e-6)
    tol = 10 * tolerances.update(float, shape, s, len(kept))
    assert np.linalg.norm(J_pinv @ R - exact @ R) <= tol * np.linalg.norm(R) / kept[-1]
    assert sum(J.counts.values()) <= 6 * min(shape)
