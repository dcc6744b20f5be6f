"""J is one matrix, and it is what u -> Jᵀu says (SPEC 7a)."""

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.sparse
from autograd import elementwise_grad
from autograd.builtins import tuple as atuple
from autograd.extend import defvjp, primitive
from autograd.scipy.integrate import odeint
from autograd.tracer import getval
from scipy.sparse.linalg import LinearOperator

import sven_ref as sr
from sven_ref import one_matrix
from sven_ref.errors import AdjointError, ArgumentError
from sven_ref.foreign import adjoint_tested
from sven_ref.operators import ProductLinearOperator

SOLVERS = (*sr.SOLVERS, "auto")
A = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, -1.0], [1.0, 0.0, 1.5]])
SPARSE = scipy.sparse.csr_array(A)


def own(vjp, forward=lambda x: A @ np.asarray(x)):
    """A primitive x -> A x of one's own with this VJP."""
    fun = primitive(forward)
    defvjp(fun, lambda ans, x: vjp)
    return fun


def filled(g):
    out = np.zeros(3)
    for i in range(3):
        out[i] = A[:, i] @ g
    return out


def filled_by_slice(g):
    out = np.zeros(3)
    out[:] = A.T @ g
    return out


def in_place(g):
    g *= 1.0
    return anp.dot(A.T, g)


def overwriting(g):
    result = A.T @ np.array(g, dtype=float)
    g[:] = 0
    return result


BUFFER = np.empty(3)

# VJPs of x -> A x, right as maps u -> Aᵀu; what autograd makes of their derivative is another matter
RIGHT = {
    "autograd.numpy": lambda g: anp.dot(A.T, g),
    "np.dot": lambda g: np.dot(A.T, g),  # HIPS/autograd#557, #430
    "np.array": lambda g: A.T @ np.array(g),
    "scipy.sparse": lambda g: SPARSE.T @ g,  # HIPS/autograd#80
    "spsolve": lambda g: scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(np.linalg.inv(A).T), g),  # angler#31
    "float": lambda g: np.array([sum(float(A[i, j]) * float(g[i]) for i in range(3)) for j in range(3)]),
    "filled in place": filled,
    "filled by a slice": filled_by_slice,
    "its argument in place": in_place,
    "its argument overwritten": overwriting,
    "a buffer": lambda g: np.dot(A.T, np.asarray(g, float), out=BUFFER),
    "branches at 0": lambda g: anp.dot(A.T, g) if anp.any(g) else np.zeros(3),
    "a part at 0": lambda g: (anp.dot(A[:2].T, g[:2]) if anp.any(g[:2]) else 0.0) + anp.dot(A[2:].T, g[2:]),
    "a part off the tape": lambda g: anp.dot(A[:2].T, g[:2]) + np.dot(A[2:].T, getattr(g, "_value", g)[2:]),
}


def step(residuals, theta, **options):
    return sr.step(sr.Conditions(residuals), np.array(theta), None, **{"lr": 1.0, "rtol": 0.0} | options)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", RIGHT)
def test_whatever_the_vjp_is_written_in(name, solver):
    fun = own(RIGHT[name])
    theta, info = step(lambda t, _: fun(t) - 1, [0.3, 0.7, -0.2], solver=solver)
    np.testing.assert_allclose(theta, np.linalg.solve(A, np.ones(3)), rtol=1e-12)
    assert info.rank == 3


@pytest.mark.parametrize("name", RIGHT)
def test_both_products_and_what_is_made_of_them(name):
    fun = own(RIGHT[name])
    J = sr.jacobian(lambda t: anp.concatenate([fun(t), anp.sin(t[:1])]), np.array([0.3, 0.7, -0.2]))
    true, R = np.vstack([A, [np.cos(0.3), 0, 0]]), np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(J @ np.eye(3), true, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(J.H @ np.eye(4), true.T, rtol=1e-14, atol=1e-15)
    assert sr.checks.dot_test(J) < 1e-14
    relatives = sr.natural_gradient
    np.testing.assert_allclose(relatives.fisher(J) @ np.eye(3), true.T @ true, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(relatives.gauss_newton(J, R), np.linalg.lstsq(true, R)[0], rtol=1e-12)
    damped = np.linalg.solve(true.T @ true + 0.1 * np.eye(3), true.T @ R)
    np.testing.assert_allclose(relatives.damped_primal(J, R, 0.1), damped, rtol=1e-12)
    np.testing.assert_allclose(relatives.damped_dual(J, R, 0.1), damped, rtol=1e-12)


NOT_LINEAR = {
    "positive part": lambda g: anp.dot(A.T, g * (g > 0)),
    "absolute value": lambda g: anp.dot(A.T, anp.abs(g)),
    "clipped": lambda g: anp.dot(A.T, anp.clip(g, -0.1, 0.1)),
    "normalised": lambda g: anp.dot(A.T, g) / anp.sqrt(anp.sum(g**2)),
    "clipped off the tape": lambda g: A.T @ np.clip(np.array(g, dtype=float), -0.1, 0.1),
    "with a constant": lambda g: anp.dot(A.T, g) + 1,
    "clipped where it is large": lambda g: anp.dot(A.T, anp.clip(g, -50, 50)),
    "its norm clipped": lambda g: anp.dot(A.T, g) / anp.maximum(1.0, anp.sqrt(anp.sum(g**2)) / 50),
    "zero where it is small": lambda g: anp.dot(A.T, g * (anp.abs(g) > 1e-6)),
    "twice where it is large": lambda g: anp.dot(A.T, g) * (1 + (anp.sum(g**2) > 9)),
    "sign alone": lambda g: anp.dot(A.T, anp.sign(g)),
    "its largest entry alone": lambda g: anp.dot(A.T, g * (anp.abs(g) == anp.max(anp.abs(g)))),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", NOT_LINEAR)
def test_a_vjp_that_is_no_linear_map_is_refused(name, solver):
    fun = own(NOT_LINEAR[name])
    with pytest.raises(AdjointError, match=r"the VJP of <lambda> is not linear.*must be linear in its cotangent"):
        step(lambda t, _: fun(t) - 1, [0.3, 0.7, -0.2], solver=solver)


@pytest.mark.parametrize("name", ["positive part", "absolute value", "with a constant"])
def test_one_condition_is_enough_to_see_it(name):
    row, vjp = A[:1], NOT_LINEAR[name]
    fun = primitive(lambda x: row @ np.asarray(x))
    defvjp(fun, lambda ans, x: lambda g: vjp(anp.concatenate([g, np.zeros(2)])))
    with pytest.raises(AdjointError, match="is not linear"):
        step(lambda t, _: fun(t) - 1, [0.3, 0.7, -0.2], solver="gram")


@pytest.mark.parametrize("solver", SOLVERS)
def test_eigenvalues_and_an_eigenvector_as_conditions(solver):
    """HIPS/autograd#527: eigh's own rule leaves the eigenvector's part out where the cotangent is zero."""

    def conditions(t, _):
        w, v = anp.linalg.eigh(anp.array([[2 + t[1], t[0]], [t[0], 1 - t[1]]]))
        return anp.concatenate([w - np.array([0.5, 2.5]), v[:1, 0] ** 2 - 0.3])

    theta, info = step(conditions, [0.2, 0.1], solver=solver)
    np.testing.assert_allclose(theta, [1.35728113, 0.10166551], rtol=1e-8)
    assert info.rank == 2
    J = sr.jacobian(lambda t: conditions(t, None), np.array([0.2, 0.1]))
    assert sr.checks.check_jacobian(lambda t: conditions(t, None), np.array([0.2, 0.1]), J) < 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_at_any_scale_and_dtype(dtype, scale):
    fun = own(lambda g: np.dot(scale * A.T, g), lambda x: scale * (A @ np.asarray(x)))
    J = sr.jacobian(lambda t: (fun(t)).astype(dtype), np.ones(3, dtype))
    np.testing.assert_allclose(J @ np.eye(3), scale * A, rtol=1e-6, atol=1e-7 * scale)


def test_a_jacobian_too_large_for_rows_names_the_vjp(monkeypatch):
    monkeypatch.setattr(one_matrix, "ROWS", 8)
    fun = own(RIGHT["filled in place"])
    with pytest.raises(AdjointError, match=r"the VJP of <lambda> can't be differentiated .* too large .* row by row"):
        step(lambda t, _: fun(t) - 1, [0.3, 0.7, -0.2])


def test_derivatives_inside_conditions():
    def conditions(t, _):
        x = np.linspace(0, 1, 4)
        return elementwise_grad(lambda x: anp.sin(t[0] * x) + t[1] * x**2)(x) - 1

    J = sr.jacobian(lambda t: conditions(t, None), np.array([0.7, 0.2]))
    assert sr.checks.check_jacobian(lambda t: conditions(t, None), np.array([0.7, 0.2]), J) < 1e-8


# Operators that were not made here. B is A with something wrong; `kind` says which product has it.
TALL = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
WRONG = {
    "a row forgotten": lambda T: np.where(np.arange(len(T))[:, None] == len(T) - 1, 0, T),  # scipy/scipy#23860
    "a column forgotten": lambda T: np.where(np.arange(T.shape[1]) == 0, 0, T),
    "zero": lambda T: 0 * T,
    "a sign": lambda T: T * np.where(np.arange(len(T)) == 0, -1, 1)[:, None],
    "a factor": lambda T: 2 * T,
    "a factor near one": lambda T: (1 + 1e-5) * T,
    "rows turned": lambda T: T[::-1],
    "one entry": lambda T: T + 1e-5 * (np.arange(T.size) == 1).reshape(T.shape),
}


def foreign(forward, backward):
    return LinearOperator(forward.shape, matvec=lambda v: forward @ v, rmatvec=lambda u: backward.T @ u, dtype=float)


@pytest.mark.parametrize("shape", ["tall", "wide"])
@pytest.mark.parametrize("where", ["matvec", "rmatvec"])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_pair_is_refused_by_everything(name, where, shape):
    true = TALL if shape == "tall" else TALL.T
    wrong = WRONG[name](true)
    pair = (wrong, true) if where == "matvec" else (true, wrong)
    R = np.ones(len(true))
    uses = [lambda J, s=s: sr.truncated_pinv(J, solver=s) @ R for s in SOLVERS]
    uses += [lambda J, f=f: f(J, R, 0.1) for f in (sr.natural_gradient.damped_primal, sr.natural_gradient.damped_dual)]
    uses += [
        sr.natural_gradient.fisher,
        lambda J: sr.natural_gradient.gauss_newton(J, R),
        lambda J: sr.natural_gradient.natural_gradient(J, np.ones(true.shape[1])),
        lambda J: sr.natural_gradient.half_inverse(J, R),
    ]
    for use in uses:
        with pytest.raises(AdjointError, match="rmatvec is not the adjoint of matvec"):
            use(foreign(*pair))
        with pytest.raises(AdjointError, match="rmatvec is not the adjoint of matvec"):
            use(ProductLinearOperator(true.shape, float, lambda v: pair[0] @ v, lambda u: pair[1].T @ u, blocks=True))


def test_a_right_pair_is_tried_once():
    J = sr.as_product_operator(foreign(TALL, TALL))
    assert not J.tested
    assert adjoint_tested(J) is J
    assert (J.tested, dict(J.counts)) == (True, {"jvp": 1, "vjp": 1})
    adjoint_tested(J)
    assert J.counts == {"jvp": 1, "vjp": 1}
    np.testing.assert_allclose(sr.truncated_pinv(J) @ np.ones(3), np.linalg.pinv(TALL) @ np.ones(3))


def test_an_operator_without_an_adjoint():
    J = LinearOperator((3, 2), matvec=lambda v: TALL @ v, dtype=float)
    with pytest.raises(ArgumentError, match=r"J is a .*LinearOperator without both products: must have matvec"):
        sr.truncated_pinv(J)


class Foreign:
    """An operator as PyLops has it since it left SciPy's class (PyLops/pylops#328, #482)."""

    def __init__(self, matrix):
        self.matrix, self.shape, self.dtype = matrix, matrix.shape, matrix.dtype

    def matvec(self, v):
        return self.matrix @ v

    def rmatvec(self, u):
        return self.matrix.T @ u


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("matrix", [np.diag([1.0, 2.0]), TALL, TALL.T.astype(np.float32)])
def test_operators_of_other_libraries(matrix, solver):
    R = np.ones(len(matrix))
    expected = np.linalg.pinv(matrix.astype(float)) @ R
    np.testing.assert_allclose(sr.truncated_pinv(Foreign(matrix), solver=solver) @ R, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1e-310, 4e-317, 5e-324])
@pytest.mark.parametrize("solver", ["svds", "gram", "randomized"])
def test_products_too_small_to_have_digits_say_so(size, solver):
    with pytest.raises(ArgumentError, match=r"its products are of size .*: must be ≥ 2\.2e-308"):
        sr.truncated_pinv(size * np.random.default_rng(0).integers(1, 3, (4, 6)).astype(float), 2, solver=solver)


def test_a_complex_product_is_no_real_one():
    J = LinearOperator((2, 2), matvec=lambda v: 1j * v, rmatvec=lambda u: u, dtype=float)
    with pytest.raises(ArgumentError, match=r"Jacobian product J v has dtype complex128: must be real numbers"):
        sr.truncated_pinv(J)
    with pytest.raises(ArgumentError, match=r"the argument of a product has dtype complex128"):
        sr.as_product_operator(np.eye(2)) @ np.array([1j, 0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_subset_of_columns_takes_no_vjp_on_trust(solver):
    fun = own(NOT_LINEAR["positive part"])
    with pytest.raises(AdjointError, match="is not linear"):
        step(lambda t, _: fun(t) - 1, [0.3, 0.7, -0.2], solver=solver, param_fraction=0.7)


def test_an_operator_in_float32_that_says_float64_is_told_so():
    S = TALL.astype(np.float32) / 3
    J = LinearOperator(
        (3, 2), matvec=lambda v: S @ v.astype("f4"), rmatvec=lambda u: 1.0000001 * (S.T @ u.astype("f4")), dtype=float
    )
    with pytest.raises(AdjointError, match=r"computed in float32\? then the operator's dtype must be float32"):
        sr.truncated_pinv(J)


def test_real_parameters_in_complex_numbers():
    for fun in (
        lambda t: anp.abs(anp.concatenate([t, 1j * t])),
        lambda t: anp.real(anp.where(t > 0.5, t + 1j, t)),
        lambda t: anp.abs(anp.append(t, 1j * t)),
    ):
        theta = np.array([0.3, 0.7, -0.2])
        J = sr.jacobian(fun, theta)
        assert sr.checks.check_jacobian(fun, theta, J) < 1e-8
        assert sr.checks.dot_test(J) < 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_small_jacobians_are_no_nonlinear_ones(fraction, dtype):
    """Down to where products have no digits: there `check_range` speaks."""
    scale = float(np.finfo(dtype).tiny) ** fraction
    B = A.astype(dtype) * dtype(scale)
    J = sr.jacobian(lambda t: anp.dot(B, anp.sin(t)), np.array([0.3, 0.7, -0.2], dtype))
    expected = B.astype(float) * np.cos([0.3, 0.7, -0.2])
    np.testing.assert_allclose(J @ np.eye(3), expected, rtol=1e-5, atol=1e-6 * scale)


def test_a_jacobian_of_rows_asks_the_vjp_no_more():
    """Both products are of the rows then: a VJP that changes its mind has no say."""
    asked = []

    def vjp(g):
        asked.append(g)
        return np.dot(A.T, g)

    J = sr.jacobian(own(vjp), np.ones(3))
    J @ np.ones(3)
    asked.clear()
    np.testing.assert_allclose(J.H @ np.eye(3), A.T)
    np.testing.assert_allclose(J @ np.eye(3), A)
    assert not asked


FORGETFUL = own(lambda g: A.T @ getval(g))  # its VJP is plain NumPy, so that the VJP of the VJP sees nothing of it


@pytest.mark.parametrize("neighbours", [1, 100])
@pytest.mark.parametrize("M", [20, 200, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_part_off_the_tape_among_many_rows(dtype, M, neighbours):
    """A row's own say in ⟨Jv, u⟩ is 1/M of it, and less beside larger rows."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        B = (neighbours * rng.standard_normal((M, 30)) / np.sqrt(30)).astype(dtype)
        B[:, :3] *= dtype(1e-2)
        at = int(rng.integers(M))

        def conditions(t, B=B, at=at):
            y = anp.dot(B, t)
            return anp.concatenate([y[:at], (FORGETFUL(t[:3]) + t[3:6]).astype(dtype), y[at:]])

        J = sr.jacobian(conditions, rng.standard_normal(30).astype(dtype))
        exact = np.insert(B, [at] * 3, np.hstack([A, np.eye(3), np.zeros((3, 24))]), axis=0)
        v = rng.standard_normal(30).astype(dtype)
        np.testing.assert_allclose((J @ v)[at : at + 3], (exact @ v)[at : at + 3], rtol=1e-4, atol=1e-4)
        fisher = sr.natural_gradient.fisher(J) @ np.eye(30, dtype=dtype)
        np.testing.assert_allclose(fisher, exact.T @ exact, rtol=1e-3, atol=1e-4 * np.abs(fisher).max())


@pytest.mark.parametrize(("shape", "size"), [((200, 300), 0.1), ((100, 150), 0.03), ((1000, 1200), 1.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_operator_that_forgets_one_row_of_many(dtype, shape, size):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        A = (rng.standard_normal(shape) / np.sqrt(shape[1])).astype(dtype)
        A[7] *= dtype(size)
        B = A.copy()
        B[7] = 0
        J = LinearOperator(shape, matvec=lambda v, B=B: B @ np.ravel(v), rmatvec=lambda u, A=A: A.T @ u, dtype=dtype)
        with pytest.raises(AdjointError):
            adjoint_tested(J)


@pytest.mark.parametrize("solver", SOLVERS)
def test_conditions_computed_in_float32_of_a_float64_theta(solver):
    """ε is that of what the conditions are computed in: no digits are asked for that they do not have."""
    theta = np.array([0.3, 0.7])
    for fun in (
        lambda t: anp.sin(t.astype(np.float32)) - np.float32(0.1),
        lambda t: anp.array(t, dtype=np.float32) - 1,
        lambda t: anp.dot(np.eye(2, dtype=np.float32), t.astype(np.float32)) ** 2,
    ):
        R, J = sr.linearise(fun, theta)
        assert J.eps == np.finfo(np.float32).eps
        exact = np.linalg.solve(sr.linearise(fun, theta)[1] @ np.eye(2), R)
        np.testing.assert_allclose(sr.truncated_pinv(J, solver=solver) @ R, exact, rtol=1e-4)


def test_a_vjp_that_is_exact_to_a_tolerance():
    """autograd's own odeint solves its adjoint to 1.5e-8: a linear map to that, and J is made of its rows."""
    times = np.array([0.0, 0.5, 1.0])
    start = np.array([1.0])

    def decay(t):
        return odeint(lambda y, s, a: -a * y, start, times, atuple((t[0],)))[1:, 0] - np.exp(-times[1:])

    J = sr.jacobian(decay, np.array([0.3])) @ np.eye(1)
    np.testing.assert_allclose(J[:, 0], -times[1:] * np.exp(-0.3 * times[1:]), rtol=1e-6)
    theta, _ = sr.step(sr.Conditions(decay), np.array([0.3]), None, lr=1)
    assert 0.8 < theta[0] < 0.85


@pytest.mark.parametrize(("M", "dtype"), [(1000, np.float32), (100_000, np.float32), (100_000, np.float64)])
def test_an_operator_that_forgets_an_unknowns_only_row(M, dtype):
    rng = np.random.default_rng(0)
    W = scipy.sparse.random_array((M, 50), density=0.02, rng=rng, dtype=dtype).tolil()
    W[:, 7] = 0
    W[7] = 0
    W[7, 7] = 0.5
    right, B = W.tocsr(), W.copy()
    B[7] = 0
    wrong = B.tocsr()
    adjoint_tested(LinearOperator(W.shape, matvec=lambda v: right @ v, rmatvec=lambda u: right.T @ u, dtype=dtype))
    with pytest.raises(AdjointError):
        adjoint_tested(LinearOperator(W.shape, matvec=lambda v: wrong @ v, rmatvec=lambda u: right.T @ u, dtype=dtype))
