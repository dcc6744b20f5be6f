"""Bad input: a clear error that names the argument, the value and what is allowed; θ keeps every bit."""

import autograd.numpy as anp
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

import sven_ref as sr
from sven_ref import errors

NET = sr.MLP((2, 3, 2))
THETA = NET.init(0)
X, Y = np.ones((4, 2)), np.zeros((4, 2))
LABELS = np.array([0, 1, 1, 0])
P = NET.n_params


def step(problem=None, theta=THETA, batch=(X, Y), **options):
    return sr.step(problem or sr.Problem(NET), theta, batch, **{"lr": 0.1, **options})


def bad(array, index, value=np.nan):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


CASES = {
    # the step's options
    "k = 0": (lambda: step(k=0), r"k = 0: must be an integer ≥ 1"),
    "k = -3": (lambda: step(k=-3), r"k = -3: must be an integer ≥ 1"),
    "k = 2.5": (lambda: step(k=2.5), r"k = 2.5: must be an integer ≥ 1"),
    "k = 2.0": (lambda: step(k=2.0), r"k = 2.0: must be an integer ≥ 1"),
    "k = True": (lambda: step(k=True), r"k = True: must be an integer ≥ 1"),
    "k = '3'": (lambda: step(k="3"), r"k = '3': must be an integer ≥ 1"),
    "rtol = 1": (lambda: step(rtol=1), r"rtol = 1: must be a finite number ≥ 0 and < 1"),
    "rtol < 0": (lambda: step(rtol=-0.1), r"rtol = -0.1: must be a finite number ≥ 0 and < 1"),
    "rtol nan": (lambda: step(rtol=np.nan), r"rtol = nan: must be a finite number ≥ 0 and < 1"),
    "rtol None": (lambda: step(rtol=None), r"rtol = None: must be a finite number ≥ 0 and < 1"),
    "rtol array": (lambda: step(rtol=np.ones(2)), r"rtol = array\(\[1., 1.\]\): must be a finite number"),
    "atol < 0": (lambda: step(atol=-1e-9), r"atol = -1e-09: must be a finite number ≥ 0"),
    "atol inf": (lambda: step(atol=np.inf), r"atol = inf: must be a finite number ≥ 0"),
    "lr nan": (lambda: step(lr=np.nan), r"lr = nan: must be a finite number ≥ 0"),
    "lr < 0": (lambda: step(lr=-1), r"lr = -1: must be a finite number ≥ 0"),
    "lr str": (lambda: step(lr="0.1"), r"lr = '0.1': must be a finite number ≥ 0"),
    "solver": (
        lambda: step(solver="lobpcg"),
        rf"solver = 'lobpcg': must be one of {', '.join(map(repr, [*sr.SOLVERS, 'auto']))}",
    ),
    "fraction 0": (lambda: step(param_fraction=0), r"param_fraction = 0: must be a finite number > 0 and ≤ 1"),
    "fraction 1.1": (lambda: step(param_fraction=1.1), r"param_fraction = 1.1: must be a finite number > 0 and ≤ 1"),
    "fraction tiny": (
        lambda: step(param_fraction=0.01),
        rf"param_fraction = 0.01: must keep at least one of the P = {P}",
    ),
    "mask": (lambda: step(mask="tensor"), r"mask = 'tensor': must be one of 'elementwise', 'rows'"),
    "mask rows": (
        lambda: step(sr.Problem(lambda th, x: NET(th, x)), mask="rows", param_fraction=0.5),
        r"mask = 'rows': must go with an MLP",
    ),
    "seed": (lambda: sr.Sven(lr=0.1, seed=-1), r"seed = -1: must be an integer ≥ 0"),
    # θ
    "theta nan": (
        lambda: step(theta=bad(THETA, 5)),
        r"theta: 1 of 17 values are not finite, the first at index \(5,\) is nan",
    ),
    "theta inf": (lambda: step(theta=bad(THETA, 0, np.inf)), r"theta: 1 of 17 values are not finite.*is inf"),
    "theta 2-D": (lambda: step(theta=THETA[:, None]), r"theta has shape \(17, 1\): must be \(P,\), one flat vector"),
    "theta empty": (lambda: step(theta=np.empty(0)), r"theta has shape \(0,\): must be \(P,\), one flat vector"),
    "theta short": (lambda: step(theta=THETA[1:]), r"theta has shape \(16,\): must be \(17,\) for MLP\(\(2, 3, 2\)"),
    "theta int": (lambda: step(theta=np.ones(P, int)), r"theta has dtype int64: must be float32 or float64"),
    "theta complex": (lambda: step(theta=THETA + 0j), r"theta has dtype complex128: must be float32 or float64"),
    # data
    "x nan": (
        lambda: step(batch=(bad(X, (1, 0)), Y)),
        r"x: 1 of 8 values are not finite, the first at index \(1, 0\) is nan",
    ),
    "y inf": (lambda: step(batch=(X, bad(Y, (3, 1), -np.inf))), r"y: 1 of 8 values are not finite.*\(3, 1\) is -inf"),
    "x width": (lambda: step(batch=(np.ones((4, 3)), Y)), r"x has shape \(4, 3\): must be \(B, 2\), samples first"),
    "x 1-D": (lambda: step(batch=(np.ones(4), Y)), r"x has shape \(4,\): must be \(B, 2\), samples first"),
    "y short": (
        lambda: step(batch=(X, Y[1:])),
        r"x, y have shapes \(4, 2\), \(3, 2\): must have the same number ≥ 1 of samples",
    ),
    "empty batch": (
        lambda: step(batch=(X[:0], Y[:0])),
        r"x, y have shapes \(0, 2\), \(0, 2\): must have the same number ≥ 1",
    ),
    "y 1-D": (lambda: step(batch=(X, Y[:, 0])), r"y has shape \(4,\): must be \(4, 2\), that of the model's outputs"),
    "y broadcasts": (lambda: step(batch=(X, Y[:, :1])), r"y has shape \(4, 1\): must be \(4, 2\)"),
    "x object": (lambda: step(batch=(np.full((4, 2), None), Y)), r"x has dtype object: must be real numbers"),
    "batch": (lambda: step(batch=X), r"batch is a ndarray: must be a pair \(x, y\) of arrays"),
    "labels float": (
        lambda: step(sr.Problem(NET, "cross_entropy"), batch=(X, LABELS * 1.0)),
        r"y has shape \(4,\) and dtype float64: must be \(4,\) integer class labels",
    ),
    "labels range": (
        lambda: step(sr.Problem(NET, "label_regression"), batch=(X, LABELS + 1)),
        r"y has labels 1 to 2: must be in 0 … 1, one per output",
    ),
    # the problem
    "no model": (
        lambda: sr.Problem(),
        r"model = None: must be callable; residuals of one's own, without a model, are Conditions\(fun\)",
    ),
    "both": (
        lambda: sr.Problem(NET, residuals=lambda th, b: th),
        r"model, loss, kappa, rows, micro_batch: must not be given",
    ),
    "not callable": (lambda: sr.Problem(3), r"model = 3: must be callable"),
    "loss": (
        lambda: sr.Problem(NET, "mse"),
        r"loss = 'mse': must be one of 'squared_error', 'label_regression', 'cross_entropy'",
    ),
    "kappa 0": (lambda: sr.Problem(NET, kappa=0), r"kappa = 0: must be a finite number > 0"),
    "kappa inf": (lambda: sr.Problem(NET, kappa=np.inf), r"kappa = inf: must be a finite number > 0"),
    "rows": (
        lambda: sr.Problem(NET, rows="both"),
        r"rows = 'both': must be one of None, 'unsigned', 'signed', 'per_output'",
    ),
    "rows loss": (
        lambda: sr.Problem(NET, "cross_entropy", rows="signed"),
        r"rows = 'signed': must go with micro_batch = 1 and a loss of squared_error, label_regression",
    ),
    "rows kappa": (
        lambda: sr.Problem(NET, kappa=2, rows="per_output"),
        r"kappa = 2: must be 1 when rows = 'per_output'",
    ),
    "rows micro": (
        lambda: sr.Problem(NET, kappa=1, rows="per_output", micro_batch=2),
        r"rows = 'per_output': must go with micro_batch = 1",
    ),
    "signed outputs": (
        lambda: step(sr.Problem(NET, rows="signed")),
        r"rows = 'signed': must go with one output; the model returned shape \(4, 2\)",
    ),
    "micro 0": (lambda: sr.Problem(NET, micro_batch=0), r"micro_batch = 0: must be an integer ≥ 1"),
    "micro divides": (
        lambda: step(sr.Problem(NET, micro_batch=3)),
        r"micro_batch = 3: must divide the batch size B = 4",
    ),
    "own kappa": (
        lambda: sr.Problem(residuals=lambda th, b: th, kappa=2),
        r"loss, kappa, rows, micro_batch: must not be given with residuals=",
    ),
    "activation": (
        lambda: sr.MLP((1, 1), "silu"),
        r"activation = 'silu': must be one of 'tanh', 'relu', 'gelu', 'sine', 'identity'",
    ),
    "sizes": (lambda: sr.MLP((1,)), r"sizes = \(1,\): must have at least two entries"),
    "width": (lambda: sr.MLP((1, 0, 1)), r"sizes\[1\] = 0: must be an integer ≥ 1"),
    # losses and residuals
    "scalar loss": (
        lambda: step(sr.Problem(NET, lambda f, y: anp.mean((f - y) ** 2))),
        r"loss returned shape \(\): must be \(B,\) = \(4,\), a loss per sample",
    ),
    "loss (B, C)": (
        lambda: step(sr.Problem(NET, lambda f, y: (f - y) ** 2)),
        r"loss returned shape \(4, 2\): must be \(B,\)",
    ),
    "loss < 0": (
        lambda: step(sr.Problem(NET, lambda f, y: anp.sum(f, axis=1) - 100)),
        r"loss returned -10.*: per-sample losses must be ≥ 0",
    ),
    "loss nan": (
        lambda: step(sr.Problem(NET, lambda f, y: anp.sum(f, axis=1) * np.nan)),
        r"losses: 4 of 4 values are not finite, the first at index \(0,\) is nan",
    ),
    "loss nan, losses()": (
        lambda: sr.Problem(NET, lambda f, y: anp.sum(f, axis=1) * np.nan).losses(THETA, (X, Y)),
        r"losses: 4 of 4 values are not finite",
    ),
    "model 1-D": (lambda: step(sr.Problem(lambda th, x: anp.dot(x, th[:2]))), r"model returned shape \(4,\): must be"),
    "model 1-D, own loss": (
        lambda: step(sr.Problem(lambda th, x: anp.dot(x, th[:2]), lambda f, y: f**2)),
        r"model returned shape \(4,\): must be \(B, C\) = \(4, C\), samples first",
    ),
    "residual nan": (
        lambda: step(sr.Conditions(lambda th, b: th[:3] * np.array([1, np.inf, 1]))),
        r"residuals: 1 of 3 values are not finite, the first at index \(1,\)",
    ),
    "scalar residual": (
        lambda: sr.jacobian(lambda th: anp.sum(th**2), THETA),
        r"residuals have shape \(\): must be \(M,\), one entry per condition, not a scalar loss",
    ),
    "column residual": (
        lambda: sr.jacobian(lambda th: th[:, None], THETA),
        r"residuals have shape \(17, 1\): must be \(M,\)",
    ),
    "no residuals": (lambda: sr.jacobian(lambda th: th[:0], THETA), r"residuals have shape \(0,\): must be \(M,\)"),
    "int residuals": (
        lambda: sr.jacobian(lambda th: np.ones(2, int), THETA),
        r"residuals have dtype int64: must be real floating",
    ),
    # the Jacobian
    "J nan": (
        lambda: sr.truncated_pinv(bad(np.ones((3, 4)), (0, 0))),
        r"Jacobian product Jᵀ u: .* values are not finite",
    ),
    "J inf, svds": (
        lambda: sr.truncated_pinv(bad(np.eye(4), (0, 0), np.inf), 2),
        r"Jacobian product J v: 1 of 4 values",
    ),
    "J of R": (
        lambda: step(sr.Conditions(lambda th, b: anp.sqrt(anp.abs(th[:3] - THETA[:3])))),
        r"Jacobian product Jᵀ u: .* values are not finite",
    ),
    "J 1-D": (lambda: sr.truncated_pinv(np.ones(3)), r"J has shape \(3,\): must be \(M, P\) with M, P ≥ 1"),
    "J empty": (lambda: sr.truncated_pinv(np.ones((0, 3))), r"J has shape \(0, 3\): must be \(M, P\)"),
    "J complex": (lambda: sr.truncated_pinv(np.eye(2) * 1j), r"J has dtype complex128: must be real numbers"),
    "J complex op": (
        lambda: sr.truncated_pinv(LinearOperator((2, 2), matvec=lambda v: v, dtype=complex)),
        r"J has dtype complex128: must be real numbers",
    ),
    "R complex": (
        lambda: sr.truncated_pinv(np.eye(3)) @ (np.ones(3) * 1j),
        r"the argument of a product has dtype complex128: must be real",
    ),
    "projected R complex": (
        lambda: sr.truncated_pinv(np.eye(3)).project(np.ones(3) * 1j),
        r"residuals has dtype complex128: must be real",
    ),
    "kappa infinite in float32": (
        lambda: sr.Problem(sr.MLP((1, 1)), kappa=np.float32("inf")),
        r"kappa = .*inf.*: must be a finite number > 0",
    ),
    "R length, project": (
        lambda: sr.truncated_pinv(np.eye(3)).project(np.ones(4)),
        r"residuals have shape \(4,\): must be \(3,\)",
    ),
    "x nan, transposed": (lambda: sr.truncated_pinv(np.eye(3)).T @ bad(np.ones(3), 2), r"x: 1 of 3 values are not"),
    "lr huge": (lambda: step(lr=10**400), r"lr = 10+: must be a finite number ≥ 0"),
    "sizes int": (lambda: sr.MLP(5), r"sizes = 5: must have at least two entries"),
    "init dtype": (lambda: NET.init(0, int), r"dtype = <class 'int'>: must be float32 or float64"),
    "own loss": (
        lambda: sr.Problem(residuals=lambda th, b: th, loss="cross_entropy"),
        r"model, loss, kappa, rows, micro_batch: must not be given with residuals=",
    ),
    "R nan": (lambda: sr.truncated_pinv(np.eye(3)) @ bad(np.ones(3), 2), r"residuals: 1 of 3 values are not finite"),
    "overflow": (lambda: step(batch=(X, Y + 1e3), lr=1e308), r"updated theta: .* values are not finite"),
    # relatives
    "g length": (
        lambda: sr.natural_gradient.natural_gradient(np.eye(2), np.ones(3)),
        r"gradient has shape \(3,\): must be \(2,\)",
    ),
    "R length": (
        lambda: sr.natural_gradient.gauss_newton(np.eye(2), np.ones(3)),
        r"R has shape \(3,\): must be \(2,\)",
    ),
    "R nan, damped": (
        lambda: sr.natural_gradient.damped_dual(np.eye(2), bad(np.ones(2), 0), 1),
        r"R: 1 of 2 values are not finite",
    ),
    "mu": (lambda: sr.natural_gradient.damped_primal(np.eye(2), np.ones(2), 0), r"mu = 0: must be a finite number > 0"),
    "tau": (
        lambda: sr.natural_gradient.half_inverse(np.eye(2), np.ones(2), 1),
        r"tau = 1: must be a finite number ≥ 0 and < 1",
    ),
    "F singular": (
        lambda: sr.natural_gradient.natural_gradient(np.ones((2, 3)), np.ones(3)),
        r"the 3 × 3 matrix is singular to working precision: J must have full column rank \(P ≤ M\)",
    ),
    "trials": (lambda: sr.checks.dot_test(np.eye(2), trials=0), r"trials = 0: must be an integer ≥ 1"),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    call, message = CASES[name]
    before = THETA.tobytes()
    with pytest.raises(errors.SvenError, match=message):
        call()
    assert THETA.tobytes() == before


def test_argument_errors_are_value_errors():
    with pytest.raises(ValueError, match="k = 0"):
        step(k=0)
    with pytest.raises(FloatingPointError, match="theta"):
        step(theta=bad(THETA, 0))
