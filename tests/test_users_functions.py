"""What users' functions do wrong is named by its cause, never silent (SPEC 2.7, 4.3)."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from autograd import elementwise_grad
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from scipy.integrate import odeint
from scipy.interpolate import CubicSpline
from scipy.special import erf

import sven_ref as sr
from sven_ref.errors import ArgumentError, IndependentOfThetaWarning, NonFiniteError, ShapeError
from sven_ref.tape import RULES

A, THETA = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]), np.array([0.3, 0.7, -0.2])


def step(residuals, theta=THETA, **options):
    return sr.step(sr.Conditions(residuals), theta, None, **{"lr": 1.0} | options)


def assigned(t, _):
    out = np.zeros(3)
    out[0] = t[0]
    return out


def assigned_by_slice(t, _):
    out = np.zeros(3)
    out[:] = t
    return out


def assigned_into_theta(t, _):
    t[0] = 1.0
    return t


def looped(t, _):
    out = np.empty(3)
    for i in range(3):
        out[i] = t[i] ** 2
    return out


# HIPS/autograd#423, #8, #85: ways to leave autograd.numpy, all right as plain functions of θ
OFF_THE_TAPE = {
    "np.dot": lambda t, _: np.dot(A, t) - 1,
    "np.dot of the transposed": lambda t, _: np.dot(t, A.T),
    "A.dot": lambda t, _: A.dot(t) - 1,
    "np.matmul": lambda t, _: np.matmul(A, t),
    "np.einsum": lambda t, _: np.einsum("ij,j->i", A, t),
    "np.tensordot": lambda t, _: np.tensordot(A, t, 1),
    "np.inner": lambda t, _: np.inner(A, t),
    "np.outer": lambda t, _: np.outer(t, t).ravel(),
    "np.where": lambda t, _: np.where(np.arange(3) > 0, t, 0.0),
    "np.clip": lambda t, _: np.clip(t, -1, 1),
    "np.array of traced": lambda t, _: np.array([t[0], t[1]]),
    "np.array of expressions": lambda t, _: np.array([t[0] - 1, t[1] * t[2]]),
    "np.hstack": lambda t, _: np.hstack([t, t]),
    "np.vstack": lambda t, _: np.vstack([t, t]).ravel(),
    "np.concatenate": lambda t, _: np.concatenate([t, t]),
    "np.append": lambda t, _: np.append(t, t[0]),
    "np.stack": lambda t, _: np.stack([t[0], t[1]]),
    "np.full": lambda t, _: np.full(3, t[0]),
    "np.diff": lambda t, _: np.diff(np.array(list(t))),
    "np.interp": lambda t, _: np.interp(np.linspace(0, 1, 4), np.linspace(0, 1, 3), t),
    "np.linalg.norm": lambda t, _: np.array([np.linalg.norm(t)]),
    "np.linalg.solve": lambda t, _: np.linalg.solve(np.eye(3), t),
    "np.cumsum": lambda t, _: np.cumsum([t[0], t[1]]),
    "np.sum of a list": lambda t, _: np.array([np.sum([t[0], t[1]])]),
    "math-like float()": lambda t, _: anp.array([float(t[0]), float(t[1])]),
    "int()": lambda t, _: anp.array([1.0 * int(t[0])]),
    "assigned": assigned,
    "assigned by a slice": assigned_by_slice,
    "assigned in a loop": looped,
    "a list": lambda t, _: [t[0] - 1, t[1] - 2],  # scipy/scipy#12877
    "a tuple": lambda t, _: (t[0] - 1, t[1] - 2),
    "a list of vectors": lambda t, _: [t, t],
    "a generator": lambda t, _: np.array(list(t)),
    "scipy.linalg": lambda t, _: scipy.linalg.solve(np.eye(3), t),
    "scipy.special": lambda t, _: erf(t),
    "scipy.sparse": lambda t, _: scipy.sparse.csr_array(A) @ t,
    "scipy.interpolate": lambda t, _: CubicSpline(np.arange(3), t)(np.linspace(0, 2, 4)),
    "scipy.integrate": lambda t, _: odeint(lambda u, s: -t[0] * u, 1.0, np.linspace(0, 1, 3))[:, 0],
    "astype(object)": lambda t, _: np.asarray([t[0]], dtype=object),
}


@pytest.mark.parametrize("name", OFF_THE_TAPE)
def test_leaving_autograds_numpy_is_told_in_one_sentence(name):
    """Or it does no harm: then J is that of finite differences."""
    fun, before = OFF_THE_TAPE[name], THETA.copy()
    try:
        J = sr.jacobian(lambda t: fun(t, None), THETA)
    except ArgumentError as error:  # refused: its words are looked at below
        told = str(error)
    else:
        told = RULES
        assert sr.checks.check_jacobian(lambda t: fun(t, None), THETA, J) < 1e-8
    assert RULES in told
    np.testing.assert_array_equal(THETA, before)


def test_most_of_them_are_refused_and_the_cause_is_chained():
    refused = 0
    for fun in OFF_THE_TAPE.values():
        try:
            step(fun)
        except ArgumentError:  # counted
            refused += 1
    assert refused >= 25
    with pytest.raises(ArgumentError, match="can't be traced by autograd") as raised:
        step(assigned)
    assert isinstance(raised.value.__cause__, ValueError | TypeError)
    assert raised.value.__cause__.__traceback__ is not None


def test_assigning_into_theta_is_told_too():
    with pytest.raises(ArgumentError, match="assign into no array"):
        step(assigned_into_theta)


def test_nothing_returned():
    def forgot(t, _):
        t - 1

    with pytest.raises(ArgumentError, match=r"forgot returned None: is there a return\?"):
        step(forgot)


RETURNED = {
    "a string": (lambda t, _: "residuals", ArgumentError, "has dtype <U9 and is a str: must be real numbers"),
    "a dict": (lambda t, _: {"r": t}, ArgumentError, "has dtype object and is a dict: must be real numbers"),
    "complex": (lambda t, _: 1j * t, ArgumentError, "residuals have dtype complex128|has dtype complex"),
    "a matrix": (lambda t, _: anp.outer(t, t), ShapeError, r"residuals have shape \(3, 3\)"),
    "a scalar": (lambda t, _: anp.sum(t**2), ShapeError, r"residuals have shape \(\).*not a scalar loss"),
    "a column": (lambda t, _: t[:, None], ShapeError, r"residuals have shape \(3, 1\)"),
    "nothing": (lambda t, _: t[:0], ShapeError, r"residuals have shape \(0,\)"),
    "NaN": (lambda t, _: anp.log(t), NonFiniteError, "residuals: 1 of 3 values are not finite"),
    "infinity": (lambda t, _: 1 / (t - t), NonFiniteError, "residuals: 3 of 3 values are not finite"),
    "a masked array": (
        lambda t, _: np.ma.masked_greater(np.array(getval(t)), 0.5),
        ArgumentError,
        "masked array with 1 of 3 values masked: leave them out or fill them",
    ),
}


@pytest.mark.parametrize("name", RETURNED)
def test_what_a_function_returns(name):
    fun, error, message = RETURNED[name]
    with pytest.raises(error, match=message):
        step(fun)


@pytest.mark.parametrize("error", [KeyError("x0"), ZeroDivisionError("by zero"), RuntimeError("no convergence")])
@pytest.mark.parametrize("how", ["residuals", "model", "loss"])
def test_a_users_own_exception_keeps_its_traceback_and_gains_a_note(error, how):
    def failing(*args):
        raise error

    net = sr.MLP((1, 2, 1))
    problem = {
        "residuals": lambda: sr.Conditions(failing),
        "model": lambda: sr.Problem(failing),
        "loss": lambda: sr.Problem(net, failing),
    }[how]()
    for use in (problem.jacobian, problem.residuals, problem.losses):
        error.__dict__.pop("__notes__", None)
        with pytest.raises(type(error)) as raised:
            use(net.init(0), ([[1.0]], [[2.0]]))
        (note,) = raised.value.__notes__
        assert f"theta of shape ({net.n_params},)" in note
        assert RULES in note
        assert raised.traceback[-1].name == "failing"


# HIPS/autograd#362, #556: J = 0 by accident
INDEPENDENT = {
    "._value": lambda t, _: odeint(lambda u, s, a: -a * u, 1.0, np.linspace(0, 1, 3), args=(t._value[0],))[:, 0],
    "getval": lambda t, _: np.sin(getval(t)),
    "a constant": lambda t, _: np.ones(3),
    "another variable": lambda t, _: np.array(THETA) ** 2,
    "floor": lambda t, _: anp.floor(10 * t) / 10,
    "round": lambda t, _: anp.round(t, 1),
    "sign": lambda t, _: anp.sign(t) * 1.0,
    "compared": lambda t, _: (t > 0) * 1.0,
    "argmax": lambda t, _: np.array([anp.argmax(t) * 1.0]),
    "a list of plain numbers": lambda t, _: [0.5, 0.25],
    "a shape": lambda t, _: np.ones(t.shape),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_residuals_off_the_tape_are_never_silent(name):
    with pytest.warns(IndependentOfThetaWarning, match=r"no path from theta to what <lambda>.*checks\.check_jacobian"):
        theta, info = step(INDEPENDENT[name])
    assert info.rank == 0
    np.testing.assert_array_equal(theta, THETA)


PARTLY_INDEPENDENT = {
    "one value": (lambda t, _: anp.array([t[0]._value, t[1], t[2] - 1]), "0"),
    "a slice": (lambda t, _: anp.concatenate([t[:1] ** 2, np.sin(getval(t))[1:]]), "1, 2"),
    "a solver's row": (lambda t, _: anp.append(t, odeint(lambda u, s: -t[0]._value * u, 1.0, [0.0, 1.0])[1:, 0]), "3"),
    "rounded": (lambda t, _: anp.concatenate([t, anp.round(1e7 * t[:1]) / 1e7]), "3"),
}


@pytest.mark.parametrize("solver", ["svds", "dense", "gram", "auto"])
@pytest.mark.parametrize("name", PARTLY_INDEPENDENT)
def test_rows_off_the_tape_are_not_silent_either(name, solver):
    fun, rows = PARTLY_INDEPENDENT[name]
    with pytest.warns(IndependentOfThetaWarning, match=rf"what <lambda>, in rows {rows} of \d, returned"):
        step(fun, solver=solver)


def test_samples_whose_loss_is_off_the_tape():
    net, batch = sr.MLP((1, 2, 1)), (np.ones((3, 1)), np.zeros((3, 1)))

    def losses(f, y):
        return anp.concatenate([anp.sum((f[:2] - y[:2]) ** 2, axis=1), getval(f)[2] ** 2])

    with pytest.warns(IndependentOfThetaWarning, match="in rows 2 of 3"):
        sr.step(sr.Problem(net, losses), net.init(0), batch, lr=0.1)


def test_rows_that_are_zero_by_mathematics_do_not_warn():
    conditions = {
        "dead": lambda t, _: anp.concatenate([t, (t[:1] > 9) * t[:1] + 1]),
        "a constant": lambda t, _: anp.concatenate([t, np.ones(2)]),
        "stationary": lambda t, _: anp.concatenate([t, (t - THETA) ** 2 + 1]),
        "satisfied": lambda t, _: anp.concatenate([t, anp.abs(t - THETA)]),
    }
    for fun in conditions.values():
        for solver in ("svds", "dense", "gram", "auto"):
            step(fun, solver=solver)
    net = sr.MLP((1, 4, 1), "relu")
    for loss in ("squared_error", lambda f, y: anp.sum((f - y) ** 2, axis=1)):
        sr.step(sr.Problem(net, loss), net.init(0), (np.array([[1.0], [-50.0], [0.0]]), np.ones((3, 1))), lr=0.1)


@pytest.mark.parametrize("how", ["model", "loss"])
def test_a_model_or_a_loss_off_the_tape(how):
    net, batch = sr.MLP((1, 2, 1)), (np.ones((3, 1)), np.zeros((3, 1)))
    problem = {
        "model": lambda: sr.Problem(lambda t, x: net(getval(t), x)),
        "loss": lambda: sr.Problem(net, lambda f, y: np.sum((getval(f) - y) ** 2, axis=1)),
    }[how]()
    with pytest.warns(IndependentOfThetaWarning, match="no path from theta"):
        sr.step(problem, net.init(0), batch, lr=0.1)


def test_a_zero_jacobian_on_the_tape_is_no_accident():
    for residuals in (lambda t, _: 0 * t, lambda t, _: t * (t > 10), lambda t, _: (t - t) ** 2):
        theta, info = step(residuals)
        assert info.rank == 0
        np.testing.assert_array_equal(theta, THETA)


def conditions(t, _):
    """With derivatives inside: each opens traces of its own."""
    x = np.linspace(0, 1, 5)

    def u(x):
        return t[0] * anp.sin(t[1] * x) + t[2] * x**2

    return elementwise_grad(elementwise_grad(u))(x) + u(x) - 1


def test_threads_give_the_bits_of_one():
    """HIPS/autograd#659: autograd counts its traces in one global."""
    expected, info = step(conditions)
    interval, barrier = sys.getswitchinterval(), threading.Barrier(8)

    def work(_):
        barrier.wait()
        return [(*step(conditions), sr.Conditions(conditions).residuals(THETA, None)) for _ in range(8)]

    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            results = [r for rs in pool.map(work, range(8)) for r in rs]
    finally:
        sys.setswitchinterval(interval)
    assert len(results) == 64
    for theta, _, R in results:
        np.testing.assert_array_equal(theta, expected)
        np.testing.assert_array_equal(R, info.residuals)


def test_traces_of_two_threads_are_told_apart():
    """The order in which a count of open traces gives one number twice: one's trace ends inside the other's."""
    opened, inside, ended = threading.Event(), threading.Event(), threading.Event()

    def first(t):
        opened.set()
        assert inside.wait(10)
        return t**2

    def second(t):
        inside.set()
        assert ended.wait(10)
        return conditions(t, None)

    with ThreadPoolExecutor(1) as pool:
        one = pool.submit(lambda: (sr.jacobian(first, THETA), ended.set()))
        assert opened.wait(10)
        of_two, two = sr.linearise(second, THETA)
        assert one.result()
    np.testing.assert_array_equal(of_two, sr.Conditions(conditions).residuals(THETA, None))
    expected = sr.jacobian(lambda t: conditions(t, None), THETA)
    np.testing.assert_array_equal(two @ np.eye(3), expected @ np.eye(3))


def test_a_step_inside_a_function_does_not_lock_itself_out():
    def nested(t, _):
        inner, _ = sr.step(sr.Conditions(lambda s, _: s - 1), np.zeros(2), None, lr=1.0)
        return t - anp.array([inner[0], inner[1], 1.0])

    np.testing.assert_allclose(step(nested)[0], 1)


ACTIVATIONS = ("tanh", "relu", "gelu", "sine", "identity")


@pytest.mark.parametrize("raised", ["raise", "call", "print", "warn", "ignore"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_a_step_runs_under_any_error_state(activation, loss, raised, capfd):
    """theochem/denspart#28, choderalab/perses#184, mwshinn/PyDDM#21: underflow is harmless."""
    net = sr.MLP((1, 3, 2), activation)
    theta, x = np.full(net.n_params, 20.0), np.array([[40.0], [-3.0], [1e-200]])
    batch = (x, np.array([0, 1, 1]) if loss == "cross_entropy" else np.zeros((3, 2)))
    for kappa, rows in ((2, None), (1, None), (1.4, None)):
        problem = sr.Problem(net, loss, kappa=kappa, rows=rows)
        expected, _ = sr.step(problem, theta, batch, lr=0.1, solver="auto")
        with np.errstate(all=raised, call=lambda *args: pytest.fail(str(args))):
            got, _ = sr.step(problem, theta, batch, lr=0.1, solver="auto", actual=True)
            problem.losses(theta, batch)
            net(theta, x)
        np.testing.assert_array_equal(got, expected)
    assert capfd.readouterr() == ("", "")


def test_underflow_in_a_forward_pass():
    with np.errstate(all="raise"):
        _, info = sr.step(sr.Problem(sr.MLP((1, 1, 1))), np.ones(4), ([[40.0]], [[0.0]]), lr=0.1)
    assert info.rank == 1


def in_place(t, _):
    t -= 1.0
    return t * anp.array([1.0, 2.0, 3.0])


def test_what_a_function_writes_to_is_its_own():
    problem, theta = sr.Conditions(in_place), np.array([3.0, 4.0, 5.0])
    expected, _ = sr.step(problem, theta, None, lr=0.5)
    got, _ = sr.step(problem, theta, None, lr=0.5, actual=True)
    np.testing.assert_array_equal(got, expected)
    problem.residuals(theta, None)
    problem.losses(theta, None)
    sr.checks.check_jacobian(lambda t: in_place(t, None), theta, np.diag([1.0, 2.0, 3.0]))
    R = sr.Conditions(lambda t, _: t[:1]).residuals(theta, None)
    R[:] = 7
    np.testing.assert_array_equal(theta, [3, 4, 5])

    def spoiling(f, y):
        y -= 100.0
        return anp.sum((f - y) ** 2, axis=1)

    net, x, y = sr.MLP((1, 2, 1)), np.ones((3, 1)), np.zeros((3, 1))
    spoiled = sr.Problem(net, spoiling)
    for use in (spoiled.losses, spoiled.residuals, spoiled.jacobian):
        use(net.init(0), (x, y))
    np.testing.assert_array_equal(y, 0)


def test_one_buffer_for_all_residuals():
    buffer = np.zeros(2)

    @primitive
    def simulated(t):
        buffer[:] = A @ t
        return buffer

    defvjp(simulated, lambda ans, t: lambda u: A.T @ u)
    problem = sr.Conditions(lambda t, _: simulated(t))
    first, second = problem.residuals(np.ones(3), None), problem.residuals(3 * np.ones(3), None)
    np.testing.assert_array_equal(3 * first, second)
    assert sr.checks.check_jacobian(simulated, np.ones(3), A) < 1e-8
    theta, info = step(lambda t, _: simulated(t) - 1, np.ones(3))
    np.testing.assert_allclose(A @ theta, 1)
    assert info.rank == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-6, 1.0, 20.0, 1000.0, 1e6])
def test_rows_off_the_tape_at_any_size(size, dtype):
    functions = [
        lambda t, _: anp.concatenate([size * (t[:1] - 2), getval(t[1:2]) - 2]),
        lambda t, _: anp.concatenate([t[:1] - size, getval(t[1:2]) - 2]),
        lambda t, _: anp.concatenate([t[:1] / size - 2, getval(t[1:2]) / size - 2]),
        lambda t, _: anp.concatenate([getval(t[:2]) - 2, 0.0 * t]),
    ]
    for fun in functions:
        with pytest.warns(IndependentOfThetaWarning, match="in rows"):
            step(fun, np.array([0.3, 0.7, -0.2], dtype) * dtype(max(size, 1)), rtol=0, solver="dense")


@pytest.mark.parametrize("solver", ["svds", "dense", "gram", "tsqr", "randomized", "auto"])
def test_rows_off_the_tape_with_a_subset_of_parameters(solver):
    def fun(t, _):
        return anp.concatenate([t[:2] - 1, anp.array([float(getval(t[3])) - 2])])

    with pytest.warns(IndependentOfThetaWarning, match="in rows 2 of 3"):
        step(fun, np.linspace(0.1, 0.8, 8), solver=solver, param_fraction=0.75)


def test_a_function_that_asks_threads_of_its_own_does_not_wait_for_ever():
    inner = sr.Conditions(conditions)

    def asking(t, _):
        with ThreadPoolExecutor(3) as pool:
            parts = list(pool.map(lambda i: inner.residuals(THETA + 0.1 * i, None), range(3)))
        return t - parts[0][:3] - parts[1][:3] - parts[2][:3]

    assert np.isfinite(step(asking)[0]).all()


def test_a_batch_filled_anew_changes_no_jacobian():
    b = np.array([[2.0, 1.0], [1.0, 3.0], [0.0, 1.0]])
    problem = sr.Conditions(lambda t, b: anp.dot(b, t) - 1)
    J = problem.jacobian(np.zeros(2), b)
    J_pinv = sr.truncated_pinv(J, solver="gram")
    before = J_pinv @ np.ones(3)
    b *= 2
    np.testing.assert_array_equal(J_pinv @ np.ones(3), before)


def test_residuals_below_the_range_of_theta():
    with pytest.raises(ArgumentError, match="some are outside the range of float32, theta's dtype"):
        step(lambda t, _: 1e-60 * (anp.dot(A, t.astype(float)) - 1), THETA.astype(np.float32))


NO_DERIVATIVE = {
    "cumprod": lambda t, _: anp.cumprod(t),
    "interp": lambda t, _: anp.interp(np.linspace(0, 1, 3), np.linspace(0, 1, 3), t),
    "median": lambda t, _: anp.array([anp.median(t)]),
    "a primitive without one": lambda t, _: primitive(lambda t: 2 * t)(t),
}


@pytest.mark.parametrize("name", NO_DERIVATIVE)
def test_functions_without_a_derivative_are_named(name):
    with pytest.raises(ArgumentError, match=r"VJP of .* not defined.*autograd has no derivative of that function"):
        step(NO_DERIVATIVE[name])


@pytest.mark.parametrize(
    ("theta", "off_the_tape"),
    [
        ([300.0, 1e-6], lambda x: np.log(x) + 10),
        ([300.0, 1e-6], lambda x: np.sin(1e6 * x)),
        ([101325.0, 0.2], lambda x: np.exp(-x) - 0.9),
        ([101325.0, 0.2], lambda x: np.sqrt(x) - 0.9),
        ([-1e12, 3.0], lambda x: x**2),
        ([1e-8, 1e-3], lambda x: 1 / x),
    ],
)
def test_rows_off_the_tape_beside_parameters_of_other_sizes(theta, off_the_tape):
    def conditions(t):
        return anp.array([t[0] - 1, off_the_tape(getval(t)[1])])

    with pytest.warns(IndependentOfThetaWarning, match="in rows 1 of 2"):
        sr.step(sr.Conditions(conditions), np.array(theta), None, lr=1, solver="dense")


def test_rows_that_are_zero_are_not_looked_at_outside_the_domain():
    def conditions(t):
        if (getval(t) < 0).any():
            raise ValueError("negative concentration")
        return anp.concatenate([t[:1] - 0.5, anp.maximum(t[1:] - 2, 0) + 0.3])

    new, _ = sr.step(sr.Conditions(conditions), np.array([0.2, 0.0]), None, lr=1, solver="dense")
    np.testing.assert_allclose(new, [0.5, 0.0])


def test_one_cause_is_warned_of_once():
    with pytest.warns(IndependentOfThetaWarning) as caught:
        sr.step(sr.Conditions(lambda t: np.exp(getval(t)) - 1), np.array([0.5]), None, lr=1)
    assert len(caught) == 1


class Remembering:
    """A model that keeps its last value, as `scipy.optimize` does with functions that return two things."""

    def __init__(self):
        self.last, self.value = None, None

    def __call__(self, theta):
        if self.last is None or not np.array_equal(self.last, getval(theta)):
            self.last, self.value = np.array(getval(theta)), anp.exp(theta)
        return self.value


@pytest.mark.parametrize("use", [lambda y, t: y, lambda y, t: y * t - 2, lambda y, t: anp.concatenate([y, t])])
def test_values_kept_from_an_earlier_call(use):
    model, theta = Remembering(), np.array([0.1, 0.2])
    problem = sr.Conditions(lambda t: use(model(t), t))
    sr.step(problem, theta, None, lr=1)
    with pytest.raises(ArgumentError, match="a value that autograd traced in an earlier call: does it keep results"):
        sr.step(problem, theta, None, lr=1)


HIDDEN = np.ma.masked_equal([1.0, -999.0], -999.0)
WITH_MASKS = {
    "dot": lambda t: anp.dot(np.ma.masked_equal(np.eye(2), 0), t),
    "concatenate": lambda t: anp.concatenate([t[:1], t - HIDDEN]),
    "mask - theta": lambda t: HIDDEN - t,
    "theta - mask": lambda t: t - HIDDEN,
    "mask * theta": lambda t: HIDDEN * t,
    "sum": lambda t: anp.array([anp.sum(t * HIDDEN)]),
}


@pytest.mark.parametrize("name", WITH_MASKS)
def test_masked_arrays_inside_a_function(name):
    with pytest.raises(ArgumentError, match="mask"):
        sr.jacobian(WITH_MASKS[name], np.array([0.5, 1.0]))


def test_conditions_may_take_theta_alone():
    def both(theta, batch=3.0):
        return theta - batch

    np.testing.assert_array_equal(sr.Conditions(lambda t: t - 1).residuals(np.ones(2), "anything"), [0, 0])
    np.testing.assert_array_equal(sr.Conditions(both).residuals(np.ones(2), 1.0), [0, 0])
    np.testing.assert_array_equal(sr.Conditions(np.negative).residuals(np.ones(2), None), [-1, -1])
    for wrong in (lambda: 1, lambda a, b, c: a):
        with pytest.raises(ArgumentError, match=r"must take \(theta, batch\), or theta alone"):
            sr.Conditions(wrong)


def test_losses_of_conditions_that_overflow():
    with pytest.raises(NonFiniteError, match="losses"):
        sr.Conditions(lambda t: t * 1e200).losses(np.ones(2), None)


def test_residuals_above_the_range_of_theta():
    for raised in ("ignore", "raise"):
        with np.errstate(all=raised), pytest.raises(ArgumentError, match="outside the range of float32"):
            sr.jacobian(lambda t: t * np.array([1.0, 1e60]), np.ones(2, np.float32))


def test_a_default_of_the_functions_own_stays_where_there_is_no_batch():
    A = np.array([[1.0, 2], [0, 3]])

    def conditions(theta, transpose=True):
        return (A.T if transpose else A) @ theta - 1

    np.testing.assert_array_equal(sr.Conditions(conditions).residuals(np.ones(2), None), A.T @ np.ones(2) - 1)
    np.testing.assert_array_equal(sr.Conditions(conditions).residuals(np.ones(2), False), A @ np.ones(2) - 1)


@pytest.mark.parametrize(
    "batch", [HIDDEN, (np.ones(2), HIDDEN), {"y": HIDDEN}, [{"y": (HIDDEN,)}]], ids=["array", "tuple", "dict", "nested"]
)
def test_masks_in_the_batch_of_conditions(batch):
    def conditions(theta, batch):
        while not isinstance(batch, np.ndarray):
            batch = batch["y"] if isinstance(batch, dict) else batch[-1]
        return theta - anp.array(batch)

    with pytest.raises(ArgumentError, match=r"batch is (a masked array|given) with 1"):
        sr.step(sr.Conditions(conditions), np.zeros(2), batch, lr=1)


@pytest.mark.parametrize("x", [0.0, 1e-3, 1e-13, -1e-16])
def test_a_parameter_at_rounding_level_moves_too(x):
    with pytest.warns(IndependentOfThetaWarning, match="in rows 1 of 2"):
        sr.step(sr.Conditions(lambda t: anp.array([t[1] - 2, 1 + getval(t[0])])), np.array([x, 1.0]), None, lr=1)


def test_rows_off_the_tape_beside_the_end_of_a_domain():
    def conditions(t):
        if getval(t[0]) >= 1:
            raise ValueError("must be below 1")
        return anp.array([anp.sqrt(1 - t[0]) - 0.1, t[1] - 2, getval(t[1]) - 3])

    with pytest.warns(IndependentOfThetaWarning, match="in rows 2 of 3"):
        sr.step(sr.Conditions(conditions), np.array([1 - 1e-6, 1.0]), None, lr=1)


TAKEN_WRONGLY = {
    "model of one": (lambda: sr.Problem(lambda t: t), r"model = <lambda>: must take \(theta, x\)"),
    "loss of one": (lambda: sr.Problem(lambda t, x: x, lambda f: f), r"loss = <lambda>: must take \(outputs, y\)"),
    "a class": (lambda: sr.Problem(sr.MLP), r"model = MLP: must be an instance"),
    "two": (lambda: sr.linearise(lambda t, b: t, np.ones(2)), r"fun = <lambda>: must be a function of theta alone"),
    "array": (lambda: sr.linearise(np.ones(2), np.ones(2)), r"fun = ndarray: must be a function of theta alone"),
    "conditions": (lambda: sr.linearise(sr.Conditions(lambda t: t), np.ones(2)), r"must be a function of theta alone"),
}


@pytest.mark.parametrize("name", TAKEN_WRONGLY)
def test_functions_of_other_arguments(name):
    call, message = TAKEN_WRONGLY[name]
    with pytest.raises(ArgumentError, match=message):
        call()


LOSSES_RETURNED = {
    "a list": (lambda f, y: [1.0, 2.0], r"loss returned shape \(2,\): must be \(B,\) = \(3,\)"),
    "nothing": (lambda f, y: None, "returned None: is there a return"),
    "traced in a list": (lambda f, y: [f[0, 0], f[1, 0], f[2, 0]], "returned a list of values that autograd traces"),
}


@pytest.mark.parametrize("name", LOSSES_RETURNED)
def test_what_a_loss_returns(name):
    loss, message = LOSSES_RETURNED[name]
    net = sr.MLP((1, 2, 1))
    with pytest.raises(ArgumentError, match=message):
        sr.step(sr.Problem(net, loss), net.init(0), (np.ones((3, 1)), np.ones((3, 1))), lr=1)


def test_a_complex_model():
    net = sr.MLP((1, 2, 1))
    with pytest.raises(ArgumentError, match="model returned complex numbers: must be real"):
        sr.Problem(lambda t, x: net(t, x) * 1j).residuals(net.init(0), (np.ones((3, 1)), np.ones((3, 1))))


@pytest.mark.parametrize("name", ["x", "y"])
def test_data_outside_the_range_of_theta(name):
    net = sr.MLP((1, 2, 1))
    batch = {"x": np.ones((3, 1)), "y": np.ones((3, 1))}
    batch[name] = batch[name] * 1e60
    with pytest.raises(ArgumentError, match=rf"{name}: 1e\+60 is outside the range of float32"):
        sr.step(sr.Problem(net), net.init(0, np.float32), (batch["x"], batch["y"]), lr=1)


@pytest.mark.parametrize("outlier", [1, 1e2, 1e4, 1e6])
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_that_couples_samples_beside_an_outlier(dtype, m, outlier):
    """Each sample's signals are held against its own."""
    net = sr.MLP((1, 4, 1), "tanh")
    theta, x = net.init(1, dtype), np.linspace(-1, 1, 16)[:, None]
    y = np.asarray(net(theta, x.astype(dtype))) + 0.3 * np.sin(9 * x)
    y[5] = outlier

    def loss(f, y):
        return anp.sum((f - y) ** 2, axis=1) + anp.sum(anp.mean(f, axis=0) ** 2)

    problem = sr.Problem(net, loss, micro_batch=m)
    J = problem.jacobian(theta, (x, y))
    assert not J.factored
    sr.checks.check_jacobian(problem.residual_function((x, y)), theta, J)


def test_a_loss_in_float64_of_a_float32_net_keeps_its_factors():
    net = sr.MLP((1, 4, 2), "tanh")
    theta, x = net.init(1, np.float32), np.linspace(-1, 1, 16)[:, None]
    for loss in (
        lambda f, y: anp.sum((f.astype(np.float64) - y) ** 2, axis=1),
        lambda f, y: anp.sum((f - y) ** 2, axis=1).astype(np.float64),
        lambda f, y: np.float64(0.5) * anp.sum((f - y) ** 2, axis=1),
    ):
        R, J = sr.Problem(net, loss).linearise(theta, (x, np.c_[np.sin(3 * x), x]))
        assert (J.factored, R.dtype, J.dtype) == (True, np.float32, np.float32)


def softmax(t):
    return anp.exp(t) / anp.sum(anp.exp(t))


CONSTANT = {  # in mathematics, whatever θ is
    "unit norm": lambda t: anp.array([anp.linalg.norm(t / anp.linalg.norm(t)) - 2]),
    "softmax": lambda t: anp.array([anp.sum(softmax(t)) - 1.5]),
    "both": lambda t: anp.array([anp.sum(softmax(t)) - 1.5, anp.sum((t / anp.linalg.norm(t)) ** 2) + 1]),
    "a rotation": lambda t: anp.array([anp.cos(t[0]) ** 2 + anp.sin(t[0]) ** 2 - 3]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CONSTANT)
@pytest.mark.filterwarnings("ignore::sven_ref.errors.IndependentOfThetaWarning")  # its own test is the next one
def test_a_jacobian_that_is_rounding_moves_nothing(name, dtype):
    """All of J is rounding, and rtol is of σ_1, rounding itself: a step would be 1/ε long."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        theta = rng.standard_normal(3).astype(dtype)
        for solver in ("svds", "dense", "gram"):
            new, _ = sr.step(sr.Conditions(CONSTANT[name]), theta, None, lr=1, solver=solver)
            assert np.abs(new - theta).max() <= 10 * np.abs(theta).max(), (theta, new)


def test_a_jacobian_that_is_rounding_is_warned_of():
    with pytest.warns(IndependentOfThetaWarning, match="the Jacobian of <lambda> is rounding error"):
        sr.step(sr.Conditions(CONSTANT["unit norm"]), np.array([0.1, 0.2, 0.7]), None, lr=1)


@pytest.mark.parametrize("size", [1e-20, 1e-300])
def test_a_small_jacobian_is_no_rounding(size):
    new, _ = sr.step(sr.Conditions(lambda t: size * (t**2 - 2)), np.array([1.0, 2.0]), None, lr=1)
    np.testing.assert_allclose(new, [1.5, 1.5])


@pytest.mark.parametrize("kappa", [1, 2])
def test_losses_below_zero_by_rounding_are_satisfied(kappa):
    p = np.array([[0.2, 0.3, 0.5]])

    def kl(f, y):
        return anp.sum(y * (anp.log(y) - anp.log(f)), axis=1)

    problem = sr.Problem(lambda t, x: softmax(t)[None, :] * np.ones((len(x), 1)), kl, kappa=kappa)
    theta, optimizer = np.array([0.1, 0.2, 0.7]), sr.Sven(lr=0.5)
    for _ in range(100):
        theta, _ = optimizer.step(problem, theta, (np.zeros((1, 1)), p))
    np.testing.assert_allclose(softmax(theta), p[0], atol=1e-7)
    with pytest.raises(ArgumentError, match=r"loss returned -0\.001: per-sample losses must be ≥ 0"):
        sr.Problem(NETWORK, lambda f, y: anp.sum(f * 0, axis=1) - 1e-3).losses(NETWORK.init(0), (np.ones((1, 1)), p))


NETWORK = sr.MLP((1, 3))


@pytest.mark.parametrize("start", [1.0, 1 + 1e-9])
def test_a_satisfied_condition_off_the_tape_is_not_silent(start):
    def conditions(t):
        return anp.array([t[0] + t[1] - 3, float(getval(t[1])) - 1])

    with pytest.warns(IndependentOfThetaWarning, match="in rows 1 of 2"):
        sr.step(sr.Conditions(conditions), np.array([0.5, start]), None, lr=1)


@pytest.mark.parametrize("rows", ["signed", "unsigned"])
@pytest.mark.parametrize("kappa", [0.5, 0.97, 1.0, 1.5])
def test_satisfied_samples_do_not_warn(kappa, rows):
    problem = sr.Problem(lambda t, x: x @ t[:, None], kappa=kappa, rows=rows)
    x = np.array([[1.0, 0], [0, 1.0], [1.0, 1.0]])
    sr.step(problem, np.array([1.0, 2.0]), (x, np.array([[1.0], [3.0], [4.0]])), lr=0.1)


@pytest.mark.parametrize("w", [1e2, 3e3, 1e4, 1e6])
@pytest.mark.parametrize("steep", [lambda w, b: np.sin(w * b), lambda w, b: np.exp(w * (b - 1))])
def test_steep_rows_off_the_tape(steep, w):
    def conditions(t):
        return anp.array([t[0] - 2, float(steep(w, getval(t)[1])) - 0.3])

    with pytest.warns(IndependentOfThetaWarning, match="in rows 1 of 2"):
        sr.step(sr.Conditions(conditions), np.array([0.5, 1.0]), None, lr=1)


C = np.array([[4 + 1j, 1], [1, 3 - 2j]])
COMPLEX_INSIDE = {
    "solve": lambda t: anp.imag(anp.linalg.solve(C, t)) + 0.1,
    "concatenate": lambda t: anp.abs(anp.concatenate([t, 1j * t])) - 1,
    "where": lambda t: anp.real(anp.where(t > 0.35, t * t, 1j * t)) - 1,
    "hstack": lambda t: anp.real(anp.hstack([t, 1j * t]) * (1 - 2j)) - 1,
}


@pytest.mark.parametrize("name", COMPLEX_INSIDE)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")  # autograd's own, where it joins the two
def test_complex_numbers_inside(name):
    fun, theta = COMPLEX_INSIDE[name], np.array([0.3, 0.4])
    R, J = sr.linearise(fun, theta)
    sr.checks.check_jacobian(fun, theta, J)
    sr.checks.dot_test(J)
    _, gradient = sr.Conditions(fun).loss_and_gradient(theta, None)
    np.testing.assert_allclose(gradient, 2 * (J.T @ R) / R.size, atol=1e-12)


WRONG_VJPS = {
    "the sum forgotten": lambda a, t: lambda g: g * a,
    "no function of g": lambda a, t: np.ones(3),
    "the Jacobian": lambda a, t: lambda g: np.ones((5, 3)),
    "a column": lambda a, t: lambda g: np.ones((3, 5)) @ g[:, None],
}


@pytest.mark.parametrize("name", WRONG_VJPS)
def test_a_vjp_of_ones_own_that_is_wrong_is_named(name):
    lift = primitive(lambda t: np.ones((5, 3)) @ t)
    defvjp(lift, WRONG_VJPS[name])
    with pytest.raises((ValueError, TypeError, AssertionError, ArithmeticError)) as raised:
        sr.step(sr.Conditions(lambda t: lift(t * 1.0) - 0.5), np.array([0.8, 0.1, 0.2]), None, lr=1)
    said = str(raised.value) + "".join(getattr(raised.value, "__notes__", ()))
    assert "VJP" in said


class Named(NamedTuple):
    a: np.ndarray


@dataclass
class Classed:
    a: np.ndarray


@pytest.mark.parametrize("kind", [Named, Classed])
def test_batches_of_other_kinds_are_copied_and_looked_at(kind):
    a = np.array([1.0, 2.0])
    _, J = sr.Conditions(lambda t, b: t**2 * b.a).linearise(np.ones(2), kind(a))
    a[:] = 100
    np.testing.assert_array_equal(J @ np.ones(2), [2, 4])
    with pytest.raises(ArgumentError, match="masked"):
        sr.step(sr.Conditions(lambda t, b: t - anp.array(b.a)), np.ones(2), kind(HIDDEN), lr=1)


def test_a_solver_that_keeps_its_last_state_is_left_at_theta():
    """Rows that are zero are looked at nearby; after that the function has been at θ again."""

    class Solver:
        def solve(self, k):
            self.K = np.diag(np.asarray(k) + 1) + 0.3 * np.ones((4, 4))
            self.u = np.linalg.solve(self.K, np.array([1.0, 2, 3, 4]))
            return self.u.copy()

    solver = Solver()
    displacement = primitive(solver.solve)
    defvjp(displacement, lambda ans, k: lambda g: -anp.linalg.solve(solver.K, g) * solver.u)
    theta = np.array([0.5, 0.7, 1.2, 0.9])
    J = sr.jacobian(lambda t: anp.concatenate([displacement(t)[:2] - 0.4, anp.array([7.0])]), theta)
    by_jvp, by_vjp = J @ np.eye(4), (J.T @ np.eye(3)).T
    np.testing.assert_allclose(by_vjp, by_jvp, atol=1e-14)


@pytest.mark.parametrize("mode", ["raise", "warn"])
def test_checks_run_under_any_error_state(mode):
    x, theta = np.linspace(-30, 30, 61), np.array([1.0, 0.3, 1.1])

    def peak(t):
        return t[0] * anp.exp(-((x - t[1]) ** 2) / t[2] ** 2)

    A = np.array([[1.0, 0, 0], [1e-200, 1e-170, 0], [0, 0, 1e-310]])
    with np.errstate(all=mode):
        sr.checks.check_jacobian(peak, theta, sr.jacobian(peak, theta))
        sr.checks.dot_test(A)
        sr.checks.check_pinv(A, sr.truncated_pinv(A, solver="dense"))
