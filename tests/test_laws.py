"""Laws that a correct implementation obeys: SPEC §4, §6 and §7, one test a law, its clause in its name or docstring."""

from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
import tolerances
from autograd import grad
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SEEDS, matrices, net_problems, nets, with_spectrum

import sven_ref as sr

K = st.none() | st.integers(1, 10)
RTOL = st.sampled_from([0.0, 1e-3, 0.1, 0.4])
SOLVER = st.sampled_from(["dense", "svds"])
FLOAT64 = st.just(np.float64)


def pinv_and_tolerance(A, k, rtol, solver):
    """J⁺ with a cut that is unique and above the floor, and the tolerance of δ relative to ‖R‖/σ_q."""
    cond_floor = np.sqrt(tolerances.eps(A.dtype))
    assume(solver == "dense" or rtol > 2 * cond_floor or A.s[-1] > 2 * cond_floor * A.s[0])
    J_pinv = sr.truncated_pinv(A.J, k, rtol, solver=solver)
    q = J_pinv.rank
    assume(q > 0 and J_pinv.gap < 0.9)
    decided = np.abs(A.s / A.s[0] - rtol) > tolerances.value(A.dtype, A.J.shape)
    assume(decided.all() or rtol == 0)  # rounding decides no cut
    return J_pinv, tolerances.update(A.dtype, A.J.shape, A.s, q, solver == "svds")


def close(a, b, tol):
    """‖a − b‖ ≤ tol."""
    return np.linalg.norm(np.asarray(a, np.float64) - np.asarray(b, np.float64)) <= tol


# ---- J and its products ----------------------------------------------------------------------------------------------


@given(net_problems(per_output=True), SEEDS)
def test_adjoint(drawn, seed):
    """⟨Jv, u⟩ = ⟨v, Jᵀu⟩, for the factors and for the definition."""
    problem, theta, batch, _ = drawn
    bound = tolerances.network(theta.dtype, problem.model) + tolerances.product(theta.dtype, theta.size, len(batch[0]))
    for J in (problem.jacobian(theta, batch), sr.jacobian(problem.residual_function(batch), theta)):
        sr.checks.dot_test(J, rng=seed, rtol=bound)


@given(matrices(), st.floats(-3, 3), SEEDS)
def test_linearity(A, c, seed):
    rng = np.random.default_rng(seed)
    v, w = rng.standard_normal((2, A.J.shape[1])).astype(A.dtype)
    J = sr.jacobian(lambda theta: anp.dot(A.J, theta), np.zeros(A.J.shape[1], A.dtype))
    c = A.dtype.type(c)
    tol = tolerances.product(A.dtype, *A.J.shape) * np.linalg.norm(A.J) * (abs(c) + 1) * np.linalg.norm([v, w])
    assert close(J @ (c * v + w), c * (J @ v) + J @ w, tol)


@given(net_problems(dtypes=FLOAT64, per_output=True), SEEDS)
def test_finite_differences_agree_with_products(drawn, seed):
    problem, theta, batch, _ = drawn
    R = problem.residuals(theta, batch)
    assume(problem.model.activation != "relu")  # its kinks have no derivative to compare with; the oracle covers it
    assume(np.abs(R).min() > 1e-2)  # nor have the kinks of |r|^κ; test_residuals covers R = 0
    J = problem.jacobian(theta, batch)
    norm = np.linalg.norm(J @ np.eye(theta.size))
    assume(norm > 1e-3)
    scale = max(1, 1 / np.abs(R).min()) ** 2  # third derivatives of |r|^κ
    sr.checks.check_jacobian(
        problem.residual_function(batch), theta, J, rng=seed, rtol=tolerances.finite_difference(float) * scale * 100
    )


# ---- Moore–Penrose ---------------------------------------------------------------------------------------------------


@given(matrices(), K, RTOL, SOLVER)
def test_moore_penrose_conditions_of_the_kept_part(A, k, rtol, solver):
    J_pinv, tol = pinv_and_tolerance(A, k, rtol, solver)
    X = J_pinv @ np.eye(len(A.J), dtype=A.dtype)
    U, s, Vt = np.linalg.svd(A.J.astype(float), full_matrices=False)
    q = J_pinv.rank
    J = (U[:, :q] * s[:q]) @ Vt[:q]
    amplified = 4 * tol * len(A.J) ** 0.5 * s[0] / s[q - 1]
    assert close(J @ X @ J, J, amplified * s[0])
    assert close(X @ J @ X, X, amplified / s[q - 1])
    assert close(J @ X, (J @ X).T, amplified)
    assert close(X @ J, (X @ J).T, amplified)
    sr.checks.check_pinv(A.J, J_pinv, rtol=8 * amplified)


@given(matrices(), K, RTOL, SOLVER, SEEDS)
def test_the_step_is_the_shortest_with_its_effect(A, k, rtol, solver, seed):
    """δ lies in the row space of J; every x with the same Jx is δ plus a null vector, and longer."""
    J_pinv, tol = pinv_and_tolerance(A, k, rtol, solver)
    J, delta = A.J.astype(float), (J_pinv @ A.R).astype(float)
    _, s, Vt = np.linalg.svd(J)
    null = Vt[int((s > 1e-5 * s[0]).sum()) :].T  # every drawn σ is above 1e-3 σ_1 or zero
    size = np.linalg.norm(A.R) / s[J_pinv.rank - 1]
    assert np.linalg.norm(null.T @ delta) <= tol * size + 1e-5 * size * (A.dtype == np.float32)
    if null.shape[1]:
        n = null @ np.random.default_rng(seed).standard_normal(null.shape[1])
        n *= max(size, 1e-3) / np.linalg.norm(n)
        assert close(J @ (delta + n), J @ delta, tolerances.product(A.dtype, *J.shape) * s[0] * np.linalg.norm(n))
        assert np.linalg.norm(delta + n) > np.linalg.norm(delta)


@given(matrices(), K, RTOL, SOLVER)
def test_the_step_projects_the_residuals(A, k, rtol, solver):
    """J δ = P_q R with P_q = U_q U_qᵀ."""
    J_pinv, tol = pinv_and_tolerance(A, k, rtol, solver)
    U = np.linalg.svd(A.J.astype(float))[0][:, : J_pinv.rank]
    expected = U @ (U.T @ A.R)
    amplified = 2 * tol * A.s[0] / A.s[J_pinv.rank - 1] * np.linalg.norm(A.R)
    assert close(A.J @ (J_pinv @ A.R), expected, amplified)
    assert close(J_pinv.project(A.R), expected, amplified)


@given(matrices(dtypes=FLOAT64))
def test_more_triplets_never_leave_more_residual(A):
    """‖R − Jδ‖ does not rise with k."""
    left = [
        np.linalg.norm(A.R - sr.truncated_pinv(A.J, k, 0, solver="dense").project(A.R))
        for k in range(1, min(A.J.shape) + 1)
    ]
    slack = tolerances.product(float, *A.J.shape) * np.linalg.norm(A.R)
    assert all(b <= a + slack for a, b in pairwise(left))


# ---- symmetries ------------------------------------------------------------------------------------------------------


@given(matrices(), K, RTOL, SOLVER, st.floats(-140, 140))
def test_scaling_the_jacobian_divides_the_step(A, k, rtol, solver, exponent):
    """J → cJ at fixed rtol divides δ by c."""
    J_pinv, tol = pinv_and_tolerance(A, k, rtol, solver)
    c = A.dtype.type(10.0 ** (exponent if A.dtype == np.float64 else exponent / 7))
    scaled = sr.truncated_pinv(A.J * c, k, rtol, solver=solver)
    assert scaled.rank == J_pinv.rank
    assert close((scaled @ A.R) * c, J_pinv @ A.R, 2 * tol * A.scale(J_pinv.rank))


@given(matrices(), K, RTOL, SOLVER)
def test_rotations_of_rows_and_columns(A, k, rtol, solver):
    """An orthogonal change of rows, with R, leaves δ; one of columns rotates it."""
    J_pinv, tol = pinv_and_tolerance(A, k, rtol, solver)
    M, P = A.J.shape
    Q, W = (np.linalg.qr(A.rng.standard_normal((n, n)))[0] for n in (M, P))
    J, R, delta = A.J.astype(float), A.R.astype(float), J_pinv @ A.R
    rows = sr.truncated_pinv((Q @ J).astype(A.dtype), k, rtol, solver=solver)
    columns = sr.truncated_pinv((J @ W).astype(A.dtype), k, rtol, solver=solver)
    assert rows.rank == columns.rank == J_pinv.rank
    bound = 4 * tol * A.scale(J_pinv.rank)
    assert close(rows @ (Q @ R).astype(A.dtype), delta, bound)
    assert close(columns @ A.R, W.T @ delta, bound)


@given(matrices(shape="wide", ranks="full"), st.integers(1, 3), SOLVER)
def test_duplicating_a_sample_changes_nothing(A, copies, solver):
    """Full row rank and no cut: R lies in the range of J, and the duplicate asks for what is already met."""
    J_pinv, tol = pinv_and_tolerance(A, None, 0.0, solver)
    i = int(A.rng.integers(len(A.J)))
    J, R = np.vstack([A.J] + [A.J[i : i + 1]] * copies), np.concatenate([A.R] + [A.R[i : i + 1]] * copies)
    duplicated = sr.truncated_pinv(J, rtol=0, solver="dense")
    assert duplicated.rank == len(A.J)
    assert close(duplicated @ R, J_pinv @ A.R, 4 * tol * A.scale(J_pinv.rank))


# ---- losses ----------------------------------------------------------------------------------------------------------


@given(nets(outputs=1, dtypes=FLOAT64), st.floats(0.01, 100), st.floats(0.1, 10))
def test_scaling_the_loss_leaves_the_kappa_2_step_and_adding_a_constant_does_not(drawn, c, constant):
    net, theta, rng = drawn
    batch = rng.standard_normal((5, net.sizes[0])), rng.standard_normal((5, 1))

    def step(loss):
        return sr.step(sr.Problem(net, loss), theta, batch, lr=1, k=3, rtol=0.05, solver="dense")

    one, info = step(lambda f, y: anp.sum((f - y) ** 2, axis=1))
    scaled, _ = step(lambda f, y: c * anp.sum((f - y) ** 2, axis=1))
    shifted, _ = step(lambda f, y: constant + anp.sum((f - y) ** 2, axis=1))
    assume(info.rank > 0 and info.gap < 0.9)
    s = info.spectrum
    assume(np.abs(s / s[0] - 0.05).min() > 1e-6)
    tol = tolerances.update(float, (5, net.n_params), s, info.rank) * info.residual_norm / s[info.rank - 1]
    assert close(scaled, one, 10 * tol)
    J_pinv = sr.truncated_pinv(sr.Problem(net, rows="unsigned").jacobian(theta, batch), 3, 0.05, solver="dense")
    assert close(shifted - one, -(J_pinv @ np.full(5, constant)), 100 * tol * (1 + constant))
    assume(np.linalg.norm(J_pinv @ np.ones(5)) > 1e-3)
    assert not close(shifted, one, 1e-5 * constant)


@given(nets(dtypes=FLOAT64), st.integers(1, 6))
def test_one_micro_batch_is_a_polyak_step(drawn, B):
    """κ = 2: η L̄ g/‖g‖², the Polyak step with f* = 0; κ = 1: twice that."""
    net, theta, rng = drawn
    batch = rng.standard_normal((B, net.sizes[0])), rng.standard_normal((B, net.sizes[-1]))
    problem = sr.Problem(net, kappa=2, micro_batch=B, rows="unsigned")

    def mean_loss(t):
        return anp.mean(anp.sum((net(t, batch[0]) - batch[1]) ** 2, axis=1))

    g = grad(mean_loss)(theta)
    polyak = 0.3 * mean_loss(theta) * g / (g @ g)
    tol = 10 * tolerances.network(float, net) * np.linalg.norm(polyak)
    for kappa, factor in ((2, 1), (1, 2)):
        problem = sr.Problem(net, kappa=kappa, micro_batch=B, rows="unsigned")
        assert close(
            theta - sr.step(problem, theta, batch, lr=0.3)[0], factor * polyak, tol * (1 + 1 / np.linalg.norm(polyak))
        )


# ---- models linear in θ ----------------------------------------------------------------------------------------------


def linear_problem(A, kappa):
    """One output, f = A.J θ, targets A.R: r = A.J θ − A.R."""
    return sr.Problem(lambda theta, x: anp.reshape(anp.dot(x, theta), (-1, 1)), kappa=kappa), (A.J, A.R[:, None])


@given(
    matrices(shape="wide", ranks="full", dtypes=FLOAT64), st.sampled_from([1.0, 1.5, 2.0, 3.0]), st.floats(0.05, 2.4)
)
def test_residuals_decay_exactly(A, kappa, ratio):
    """r_t = (1 − η/κ)^t r_0: full row rank, no cut, full batch; stable for 0 < η < 2κ."""
    problem, batch = linear_problem(A, kappa)
    theta, eta = np.zeros(A.J.shape[1]), ratio * kappa
    assume(abs(ratio - 1) > 0.05)  # at η = κ the first step solves it, and the rows of the next are all rounding
    r0 = A.J @ theta - A.R
    assume(np.abs(r0).min() > 1e-2)  # rows scale with |r|^{κ−1}: smaller ones would dominate the condition number
    for t in range(1, 5):
        theta, info = sr.step(problem, theta, batch, lr=eta, rtol=0, solver="dense")
        assert info.rank == len(A.J)
        s = info.singular_values
        tol = 20 * t * tolerances.C * tolerances.eps(float) * max(A.J.shape) * (A.s[0] / A.s[-1]) * s[0] / s[-1] * ratio
        assert close(A.J @ theta - A.R, (1 - ratio) ** t * r0, tol * max(1, abs(1 - ratio)) ** t * np.linalg.norm(r0))
    grows = np.linalg.norm(A.J @ theta - A.R) > np.linalg.norm(r0)
    assert grows == (eta > 2 * kappa) or abs(ratio - 2) < 1e-6


@given(matrices(shape="tall", ranks="full"), SOLVER)
def test_one_step_lands_on_least_squares(A, solver):
    """Full column rank, κ = 1, η = 1, linear model."""
    problem, batch = linear_problem(A, 1.0)
    start = A.rng.standard_normal(A.J.shape[1]).astype(A.dtype)
    assume(solver == "dense" or A.dtype == np.float64 or A.s[-1] > 1e-2 * A.s[0])
    theta, info = sr.step(problem, start, batch, lr=1, rtol=0, solver=solver)
    assert info.rank == A.J.shape[1]
    solution = np.linalg.lstsq(A.J.astype(float), A.R.astype(float))[0]
    condition = A.s[0] / A.s[-1]
    tol = tolerances.update(A.dtype, A.J.shape, A.s, info.rank, solver == "svds")
    size = (np.linalg.norm(A.R) + np.linalg.norm(A.J @ start)) / A.s[-1]
    assert close(theta, solution, 2 * tol * size * condition)


# ---- primal and dual -------------------------------------------------------------------------------------------------


@given(nets(max_width=4, outputs=1, dtypes=FLOAT64), st.sampled_from([1.0, 2.0]), st.integers(2, 5))
def test_parameter_space_and_sample_space_give_the_same_five_steps(drawn, kappa, k):
    """V S⁻² Vᵀ (JᵀR) from the P × P matrix, by hand, against Jᵀ (U S⁻² UᵀR) from the M × M one."""
    net, theta, rng = drawn
    x, y = rng.standard_normal((6, net.sizes[0])), rng.standard_normal((6, 1))
    problem = sr.Problem(net, kappa=kappa)
    primal = dual = theta
    error = 0.0
    for _ in range(5):
        R, J = sr.oracle.residuals_and_jacobian(net, primal, x, y, kappa=kappa, rows="signed")
        eigenvalues, V = np.linalg.eigh(sr.oracle.fisher(J))
        s = np.sqrt(np.maximum(eigenvalues[::-1], 0))
        q = int(((s > 0.02 * s[0]) & (np.arange(len(s)) < k)).sum())
        assume(np.abs(s[: k + 1] / s[0] - 0.02).min() > 1e-3 and (q == len(s) or s[q] < 0.9 * s[q - 1]))
        V = V[:, ::-1][:, :q]
        primal = primal - 0.1 * V @ ((V.T @ (J.T @ R)) / s[:q] ** 2)
        dual, info = sr.step(problem, dual, (x, y), lr=0.1, k=k, rtol=0.02, solver="gram")
        assert info.rank == q
        step_error = tolerances.update(float, J.shape, s, q, squared=True) * info.residual_norm / s[q - 1]
        error = (
            error * 10 + step_error
        )  # one step may stretch what came before by about σ_1/σ_q and the net's curvature
        assume(error < 1e-4)
        assert close(primal, dual, error)


# ---- natural gradient, SPEC §6 ---------------------------------------------------------------------------------------


def under_parametrized(drawn, kappa=1.0, B=40):
    net, theta, rng = drawn
    x, y = rng.standard_normal((B, net.sizes[0])), rng.standard_normal((B, net.sizes[-1]))
    rows = "per_output" if net.sizes[-1] > 1 else "signed"
    R, J = sr.oracle.residuals_and_jacobian(net, theta, x, y, kappa=kappa, rows=rows)
    s = np.linalg.svd(J, compute_uv=False)
    assume(len(J) >= net.n_params and s[-1] > 1e-4 * s[0])  # full column rank
    return sr.Problem(net, kappa=kappa, rows=rows), theta, (x, y), R, J, s


SMALL = nets(max_width=3, dtypes=FLOAT64)


@given(SMALL, st.sampled_from(["dense", "gram", "svds"]))
def test_natural_gradient_is_recovered_in_the_under_parametrized_limit(drawn, solver):
    """κ = 1, full column rank: the step is −(η/2) F⁻¹∇L (SPEC 6.1), from the oracle's Fisher, and is least squares."""
    problem, theta, batch, R, J, s = under_parametrized(drawn)
    new, info = sr.step(problem, theta, batch, lr=0.7, rtol=0, solver=solver)
    assert info.rank == theta.size
    condition = s[0] / s[-1]
    size = np.linalg.norm(R) / s[-1]
    tol = 10 * tolerances.solve(float, max(J.shape), condition**2) * size
    assert close(theta - new, 0.35 * sr.oracle.natural_gradient(J, R), tol)
    assert close(theta - new, 0.7 * np.linalg.lstsq(J, R)[0], tol if solver != "dense" else tol / condition * 10)
    R, operator = problem.linearise(theta, batch)
    assert close(theta - new, 0.35 * sr.natural_gradient.natural_gradient(operator, 2 * operator.T @ R), tol)
    assert close(theta - new, 0.7 * sr.natural_gradient.gauss_newton(operator, R), tol)


@given(SMALL)
def test_natural_gradient_is_recovered_along_five_steps(drawn):
    problem, theta, (x, y), *_ = under_parametrized(drawn)
    ours = theirs = theta
    error = 0.0
    for _ in range(5):
        R, J = sr.oracle.residuals_and_jacobian(problem.model, theirs, x, y, kappa=1, rows=problem.rows)
        s = np.linalg.svd(J, compute_uv=False)
        assume(s[-1] > 1e-4 * s[0])
        theirs = theirs - 0.05 * sr.oracle.natural_gradient(J, R) / 2
        ours, _ = sr.step(problem, ours, (x, y), lr=0.05, rtol=0, solver="dense")
        error = 10 * error + tolerances.solve(float, max(J.shape), (s[0] / s[-1]) ** 2) * np.linalg.norm(R) / s[-1]
        assume(error < 1e-3)
        assert close(ours, theirs, error)


@given(SEEDS, st.sampled_from([1.5, 2.0, 3.0]))
def test_natural_gradient_is_not_recovered_for_other_kappa(seed, kappa):
    """κ ≠ 1 and P < M: JᵀR = ½∇Σℓ^κ, so that the fixed points are those of Σℓ^κ, not of L (SPEC 6.2)."""
    rng = np.random.default_rng(seed)
    X, noise = rng.standard_normal((40, 3)), rng.standard_t(3, 40)
    y = X @ [1.0, -2, 0.5] + noise
    problem = sr.Problem(lambda theta, x: anp.reshape(anp.dot(x, theta), (-1, 1)), kappa=kappa)
    batch = X, y[:, None]
    ols = np.linalg.lstsq(X, y)[0]
    R, J = problem.linearise(ols, batch)

    def power_sum(theta):
        return anp.sum(anp.abs(anp.dot(X, theta) - y) ** (2 * kappa))

    g = grad(power_sum)(ols) / 2
    assert close(J.T @ R, g, 1e-12 * np.linalg.norm(J @ np.eye(3)) * np.linalg.norm(R))
    moved = ols - sr.step(problem, ols, batch, lr=1, rtol=0, solver="dense")[0]
    assert np.linalg.norm(moved) > 1e-3 * np.linalg.norm(ols)  # the minimum of L is left
    still, _ = sr.step(sr.Problem(problem.model, kappa=1), ols, batch, lr=1, rtol=0, solver="dense")
    assert close(still, ols, 1e-12 * (1 + np.linalg.norm(ols)))
    theta = ols
    for _ in range(60):  # with this η the step is Newton's on Σℓ^κ near its minimum
        theta, _ = sr.step(problem, theta, batch, lr=kappa / (2 * kappa - 1), rtol=0, solver="dense")
    assert np.linalg.norm(grad(power_sum)(theta)) < 1e-6 * power_sum(theta)  # a minimum of Σℓ^κ,
    assert np.sum((X @ theta - y) ** 2) > np.sum((X @ ols - y) ** 2)  # and not of L


@given(nets(outputs=1, dtypes=FLOAT64), st.sampled_from([0.7, 1.0, 1.4, 3.0]))
def test_kappa_rescales_the_step_iff_full_row_rank_and_no_cut(drawn, kappa):
    """SPEC 6.3: 2/κ times the step for κ = 2; not a rescaling once something is cut."""
    net, theta, rng = drawn
    batch = rng.standard_normal((4, net.sizes[0])), rng.standard_normal((4, 1))
    other, two = (sr.Problem(net, kappa=p) for p in (kappa, 2))
    R = two.residuals(theta, batch)
    s = [np.linalg.svd(p.jacobian(theta, batch) @ np.eye(theta.size), compute_uv=False) for p in (other, two)]
    assume(theta.size >= 4 and np.abs(R).min() > 1e-3 and all(t[3] > 1e-5 * t[0] for t in s))
    a, b = (sr.step(p, theta, batch, lr=1, rtol=0, solver="dense")[0] - theta for p in (other, two))
    condition = max(t[0] / t[3] for t in s)
    assert close(
        a, 2 / kappa * b, 100 * tolerances.network(float, net) * condition * (np.linalg.norm(a) + np.linalg.norm(b))
    )


def test_kappa_does_not_rescale_the_step_once_something_is_cut():
    rng = np.random.default_rng(0)
    net = sr.MLP((2, 8, 1))
    theta, batch = net.init(rng), (rng.standard_normal((12, 2)), rng.standard_normal((12, 1)))
    a, b = (sr.step(sr.Problem(net, kappa=p), theta, batch, lr=1, k=4)[0] - theta for p in (1, 2))
    scalar = (a @ b) / (b @ b)
    assert np.linalg.norm(a - scalar * b) > 0.1 * np.linalg.norm(a)


@given(matrices(dtypes=FLOAT64, ranks="full"), st.floats(-6, 1))
def test_damped_primal_is_damped_dual(A, exponent):
    mu = 10.0**exponent * A.s[0] ** 2
    primal, dual = (f(A.J, A.R, mu) for f in (sr.natural_gradient.damped_primal, sr.natural_gradient.damped_dual))
    exact = sr.oracle.damped(A.J, A.R, mu)
    tol = 4 * tolerances.solve(float, max(A.J.shape), 1 + A.s[0] ** 2 / mu) * np.linalg.norm(A.R) * A.s[0] / mu
    assert close(primal, exact, tol)
    assert close(dual, exact, tol)


@given(matrices(dtypes=FLOAT64, ranks="full"))
def test_damped_forms_tend_to_the_pseudoinverse(A):
    """μ → 0: the distance to J⁺R is at most (μ/σ_n²) ‖J⁺R‖ (SPEC 6.4)."""
    limit = sr.truncated_pinv(A.J, rtol=0, solver="dense") @ A.R
    for ratio in (1e-1, 1e-2, 1e-3):
        mu = ratio * A.s[-1] ** 2
        bound = ratio * np.linalg.norm(limit) + tolerances.solve(float, max(A.J.shape), A.s[0] ** 2 / mu) * A.scale(
            len(A.s)
        )
        assert close(sr.natural_gradient.damped_primal(A.J, A.R, mu), limit, bound)


@given(SEEDS, st.sampled_from([(12, 4), (4, 12)]))
def test_reparametrisation(seed, shape):
    """θ = Aφ, A invertible: the κ = 1 step in function space is the same for P < M, and is not for P > M (SPEC §7)."""
    rng = np.random.default_rng(seed)
    J, R = with_spectrum(*shape, np.geomspace(1, 0.1, 4), rng), rng.standard_normal(shape[0])
    A = with_spectrum(shape[1], shape[1], np.geomspace(10, 1, shape[1]), rng)
    one, other = (sr.truncated_pinv(X, rtol=0, solver="dense") @ R for X in (J, J @ A))
    tol = tolerances.product(float, *shape) * 1e3 * np.linalg.norm(R)
    assert close(J @ one, J @ A @ other, tol)  # what one asks of the batch is reached either way,
    elsewhere = rng.standard_normal((5, shape[1]))  # but on other samples of the function
    same = close(elsewhere @ one, elsewhere @ A @ other, 1e-10 * np.linalg.norm(R) * 1e3)
    assert same == (shape[1] < shape[0])


# ---- the step's record -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [1.0, 2.0])
def test_the_prediction_is_right_to_first_order(kappa):
    """‖R(θ')‖ = ‖R − ηP_qR‖ + O(η²): a tenth of η, a hundredth of the error (SPEC 4.2)."""
    rng = np.random.default_rng(0)
    net = sr.MLP((1, 8, 8, 1))
    theta, batch = net.init(rng), (rng.uniform(-1, 1, (10, 1)), rng.standard_normal((10, 1)))
    errors = []
    for lr in (1e-2, 1e-3):
        _, info = sr.step(sr.Problem(net, kappa=kappa), theta, batch, lr=lr, k=4, actual=True)
        errors.append(abs(info.actual_norm - info.predicted_norm))
        assert info.predicted_norm < info.residual_norm
    assert errors[1] < 0.02 * errors[0]
