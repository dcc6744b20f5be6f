"""Arguments as other libraries hand them out: read as they are, or refused by name, with θ untouched."""

import array
import decimal
import fractions

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator

import sven_ref as sr
from sven_ref.errors import ArgumentError, NonFiniteError, ShapeError, SvenError

NET = sr.MLP((2, 3, 1))
THETA = NET.init(0)
X, Y = np.arange(8.0).reshape(4, 2) / 8, np.arange(4.0)[:, None] / 4
A, R = np.arange(6.0).reshape(3, 2) ** 2 - 3, np.array([1.0, -2.0, 0.5])
MISSING = -999.0


def some_masked(a):
    return np.ma.masked_array(np.asarray(a, float), np.arange(np.size(a)).reshape(np.shape(a)) == 1)


def step(theta=THETA, x=X, y=Y, **options):
    return sr.step(sr.Problem(NET), theta, (x, y), **{"lr": 0.1} | options)


class Unreadable:
    """A tensor on a device: `np.asarray` raises what its library likes."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


# Where an array goes in, by the name that a message must have. Each takes the array's replacement.
PLACES = {
    "theta": (THETA, lambda a: step(theta=a)),
    "x": (X, lambda a: step(x=a)),
    "y": (Y, lambda a: step(y=a)),
    "J": (A, lambda a: sr.truncated_pinv(a)),
    "R": (R, lambda a: sr.natural_gradient.gauss_newton(A, a)),
    "gradient": (np.ones(2), lambda a: sr.natural_gradient.natural_gradient(A, a)),
    "g": (R, lambda a: sr.natural_gradient.half_inverse(A, a)),
    "the argument of a product": (np.ones(2), lambda a: sr.as_product_operator(A).matvec(a)),
    "the argument of a product ": (np.ones(2), lambda a: sr.as_product_operator(A) @ a),
    "the argument of a product  ": (R, lambda a: sr.truncated_pinv(A) @ a),
    "residuals ": (R, lambda a: sr.truncated_pinv(A).matvec(a)),
    "residuals  ": (R, lambda a: sr.truncated_pinv(A).project(a)),
    "x ": (np.ones(2), lambda a: sr.truncated_pinv(A).rmatvec(a)),
    "the argument of a product   ": (R, lambda a: sr.as_product_operator(A).H @ a),
    "the argument of a product    ": (R, lambda a: sr.as_product_operator(A).T @ a),
    "the argument of a product     ": (R, lambda a: a @ sr.as_product_operator(A)),
    "the argument of a product      ": (np.ones(2), lambda a: sr.truncated_pinv(A).H @ a),
}


@pytest.mark.parametrize("place", PLACES)
def test_masks_are_refused_and_not_dropped(place):
    """astropy/astropy#4824, sherpa/sherpa#695, kevin218/Eureka#167: what is behind a mask was used."""
    right, use = PLACES[place]
    use(right)
    use(np.ma.masked_array(right))  # nothing is masked: an array like others
    with pytest.raises(
        ArgumentError, match=rf"^{place.strip()} is a masked array with 1 of {right.size} values masked: leave"
    ):
        use(some_masked(right))


@pytest.mark.parametrize("place", ["theta", "x", "y", "J", "R"])
def test_masks_in_lists_are_seen(place):
    right, use = PLACES[place]
    with pytest.raises(ArgumentError, match=rf"^{place} is given with 1 values masked: leave them out or fill them"):
        use(list(some_masked(right)) if right.ndim == 2 else [*right[:-1], np.ma.masked])


@given(st.integers(1, 5), st.data())
def test_any_mask_is_seen(n, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))[:, None]
    y = np.ma.masked_array(np.full((n, 1), MISSING), mask)
    problem = sr.Problem(NET)
    if mask.any():
        with pytest.raises(ArgumentError, match=f"y is a masked array with {mask.sum()} of {n} values masked"):
            problem.residuals(THETA, (np.ones((n, 2)), y))
    else:
        problem.residuals(THETA, (np.ones((n, 2)), y))


@pytest.mark.parametrize("place", ["theta", "x", "y", "J", "R", "gradient", "g"])  # SciPy looks at those of products
def test_what_is_no_array_is_named(place):
    _, use = PLACES[place]
    named = rf"^{place} (is a|has dtype) .*must be"
    for wrong in (
        None,
        "abc",
        {"w": 1.0},
        {1.0},
        object(),
        Unreadable(),
        [[1.0, 2.0], [3.0]],
        ["a", "b"],
        len,
        1j * np.ones(3),
    ):
        with pytest.raises(ArgumentError, match=named):
            use(wrong)
    before = THETA.copy()
    with pytest.raises(ArgumentError, match=r"which NumPy can't make an array: .*requires grad") as raised:
        use(Unreadable())
    assert isinstance(raised.value.__cause__, RuntimeError)
    np.testing.assert_array_equal(THETA, before)


@pytest.mark.parametrize("place", ["x", "y", "J", "R", "theta"])
def test_what_can_be_read_is_read(place):
    right, use = PLACES[place]
    result = use(right)
    alike = [np.asfortranarray(right), right.astype(">f8"), right.tolist(), np.ma.masked_array(right)]
    if right.ndim == 1:
        alike += [np.repeat(right, 2)[::2], array.array("d", right), tuple(right), memoryview(right)]
    else:
        alike += [np.repeat(right, 2, axis=0)[::2], np.repeat(right, 2, axis=1)[:, ::2], right[::-1][::-1]]
    for same in alike:
        got = use(same)
        for a, b in zip(*(map(answer, (result, got))), strict=True):
            assert a.tobytes() == b.tobytes()


def answer(result):
    """The arrays in what a use returned."""
    if isinstance(result, tuple):
        return [result[0], result[1].residuals]
    return [result @ R] if isinstance(result, sr.TruncatedPinv) else [result]


@pytest.mark.parametrize("solver", [*sr.SOLVERS, "auto"])
@given(seed=st.integers(0, 10**6))
def test_bits_do_not_depend_on_the_layout(solver, seed):
    rng = np.random.default_rng(seed)
    B, n = int(rng.integers(1, 20)), int(rng.integers(1, 9))
    net = sr.MLP((n, 4, 2))
    x, y, theta = rng.standard_normal((B, n)), rng.standard_normal((B, 2)), net.init(seed)
    expected, _ = sr.step(sr.Problem(net), theta, (x, y), lr=0.1, solver=solver, rtol=0.01)
    wide = np.zeros((B, 2 * n))
    wide[:, ::2] = x
    for x_, y_ in ((np.asfortranarray(x), y), (x, np.asfortranarray(y)), (wide[:, ::2], y[::-1][::-1])):
        got, _ = sr.step(sr.Problem(net), theta, (x_, y_), lr=0.1, solver=solver, rtol=0.01)
        assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["float32", "f4", "single", np.dtype("float32"), np.float32])
def test_a_dtype_by_any_name(name):
    assert NET.init(0, name).dtype == np.float32
    assert NET.init(0, name).tobytes() == NET.init(0, np.float32).tobytes()


@pytest.mark.parametrize("name", ["float16", "int", None, "float33", 32, complex, "c16", object(), [np.float32]])
def test_a_dtype_that_is_none(name):
    with pytest.raises(ArgumentError, match=r"dtype = .*: must be float32 or float64"):
        NET.init(0, name)


USES_OF_RNG = {
    "step": lambda rng: step(rng=rng, param_fraction=0.5),
    "step on all": lambda rng: step(rng=rng),
    "truncated_pinv": lambda rng: sr.truncated_pinv(A, rng=rng),
    "init": lambda rng: NET.init(rng),
    "dot_test": lambda rng: sr.checks.dot_test(A, rng),
    "check_pinv": lambda rng: sr.checks.check_pinv(A, sr.truncated_pinv(A), rng),
}


@pytest.mark.parametrize("use", USES_OF_RNG)
def test_an_rng_that_is_none(use):
    for rng in ("abc", -1, 0.5, [-1], {"seed": 0}, np.random.default_rng):
        with pytest.raises(ArgumentError, match=r"^rng = .*: must be an integer ≥ 0, a list of them, or a numpy"):
            USES_OF_RNG[use](rng)


@pytest.mark.parametrize("problem", [lambda t, b: t, None, NET, "problem", sr.Problem])
def test_what_is_no_problem(problem):
    with pytest.raises(SvenError, match=r"problem is a \w+: must be a Problem, or Conditions\(fun\)"):
        sr.step(problem, THETA, (X, Y), lr=0.1)


@pytest.mark.parametrize("number", [decimal.Decimal("0.1"), fractions.Fraction(1, 10), np.array(0.1), np.float32(0.1)])
def test_numbers_of_every_kind(number):
    np.testing.assert_array_equal(step(lr=number)[0], step(lr=float(number))[0])


@pytest.mark.parametrize("number", ["0.1", [0.1], np.array([0.1]), 1j, True, np.True_, None, decimal.Decimal("nan")])
def test_what_is_no_number_is_named(number):
    with pytest.raises(ArgumentError, match=r"^lr = .*: must be a finite number ≥ 0"):
        step(lr=number)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (3, 3), (4,)])
def test_the_residuals_of_an_update_are_one_vector(shape):
    with pytest.raises(ShapeError, match=r"R has shape .*: must be \(3,\), a number for each row of J"):
        sr.update(np.ones(3), np.ones(shape), np.eye(3), lr=1)


class Masked(np.ndarray):
    """An array with a mask, as another library than NumPy has it."""

    mask = np.array([[False], [True], [False], [False]])


def test_masks_of_other_libraries():
    with pytest.raises(ArgumentError, match="y is a masked array with 1 of 4 values masked"):
        sr.step(sr.Problem(NET), THETA, (X, Y.view(Masked)), lr=0.1)
    da = pytest.importorskip("dask.array", reason="masks of Dask need dask: pip install 'sven-ref[dask]'")
    hidden = da.ma.masked_equal(da.from_array(Y), 0.25)
    with pytest.raises(ArgumentError, match="y is a masked array with 1 of 4 values masked"):
        sr.step(sr.Problem(NET), THETA, (X, hidden), lr=0.1)
    with pytest.raises(ArgumentError, match="masked"):
        sr.truncated_pinv(np.eye(4)) @ hidden
    np.testing.assert_array_equal(step(y=da.from_array(Y))[0], step()[0])
    np.testing.assert_array_equal(step(y=np.ma.masked_equal(Y, 7))[0], step()[0])


@pytest.mark.parametrize("no_matrix", [lambda v: v, {1}, {"a": 1}, None, (i for i in ())])
def test_what_is_no_matrix(no_matrix):
    with pytest.raises(ArgumentError, match=r"J has dtype object and is a .* or an operator with matvec and rmatvec"):
        sr.truncated_pinv(no_matrix)


@pytest.mark.parametrize("mode", ["raise", "warn"])
def test_numbers_that_leave_float32_on_the_way_in(mode):
    J = sr.as_product_operator(np.eye(2, dtype=np.float32))
    with np.errstate(all=mode):
        np.testing.assert_array_equal(J @ np.array([1.0, 1e-60]), [1, 0])
        np.testing.assert_array_equal(J.T @ np.array([1.0, 1e-60]), [1, 0])
        with pytest.raises(NonFiniteError):
            J @ np.array([1.0, 1e60])


def test_an_array_of_objects_is_no_argument_of_a_product():
    with pytest.raises(ArgumentError, match="the argument of a product has dtype object"):
        sr.jacobian(lambda t: t, np.ones(5)) @ np.ones(5, object)


def test_a_matrix_changed_in_place_changes_no_pseudoinverse():
    for solver in (*sr.SOLVERS, "auto"):
        J = A.copy()
        J_pinv = sr.truncated_pinv(J, solver=solver)
        before = J_pinv @ R
        J *= 2
        assert (J_pinv @ R).tobytes() == before.tobytes()


def test_a_batch_that_is_no_pair():
    for batch in (None, X, {"x": X, "y": Y}, (X,), (X, Y, Y), iter([X, Y]), "xy"):
        with pytest.raises(ArgumentError, match=r"batch is a \w+: must be a pair \(x, y\)"):
            sr.step(sr.Problem(NET), THETA, batch, lr=0.1)


def test_shapes_of_products_are_named():
    for J in (sr.as_product_operator(A), sr.truncated_pinv(A).H):
        for wrong in (np.ones(3), np.ones((2, 0)), np.ones((1, 2, 1)), np.ones(0), 7 * [1.0]):
            with pytest.raises(
                ArgumentError, match=r"the argument of a product has shape .*: must be \(2,\), or \(2, any"
            ):
                J @ wrong


@pytest.mark.parametrize("columns", [[2, 2, 5], [5, 2], [-1, 2], [0, 99], [], [True, False], 3, [0.5, 1.5], slice(2)])
@pytest.mark.parametrize("kind", ["products", "factors"])
def test_columns_that_are_none(columns, kind):
    J = sr.as_product_operator(np.ones((3, 13))) if kind == "products" else sr.Problem(NET).jacobian(THETA, (X, Y))
    with pytest.raises(ArgumentError, match="columns"):
        J.restrict(columns)


def test_operators_that_work_in_place():
    d = np.array([1.0, 2.0, 3.0])

    def product(v):
        v *= d
        return v

    J, R3 = LinearOperator((3, 3), matvec=product, rmatvec=product, dtype=float), np.ones(3)
    for solver in (*sr.SOLVERS, "auto"):
        np.testing.assert_allclose(sr.truncated_pinv(J, solver=solver) @ R3, 1 / d, rtol=1e-12)
    relatives = sr.natural_gradient
    np.testing.assert_allclose(relatives.gauss_newton(J, R3), 1 / d, rtol=1e-12)
    np.testing.assert_allclose(relatives.damped_dual(J, R3, 0.5), d / (d**2 + 0.5), rtol=1e-12)
    np.testing.assert_allclose(relatives.damped_primal(J, R3, 0.5), d / (d**2 + 0.5), rtol=1e-12)
    np.testing.assert_array_equal(R3, 1)


@given(a=st.integers(-500, 500), b=st.integers(-400, 400), dtype=st.sampled_from([np.float32, np.float64]))
def test_relatives_at_any_scale(a, b, dtype):
    """A power of two in J or R comes out as one, to the bit, or the answer leaves the range."""
    a, b = (a // 9, b // 9) if dtype == np.float32 else (a, b)
    J, r, g = A.astype(dtype), R.astype(dtype), np.array([1.0, -2.0], dtype)
    relatives = sr.natural_gradient
    for use, vector, power in (
        (relatives.gauss_newton, r, b - a),
        (relatives.natural_gradient, g, b - 2 * a),
        (lambda J, v: relatives.half_inverse(J, v), r, None),
    ):
        expected = use(J, vector)
        try:
            got = use(np.ldexp(J, a), np.ldexp(vector, b))
        except NonFiniteError:  # right where the answer leaves the range, and nowhere else
            assert b - 2 * a > np.finfo(dtype).maxexp - 12
            continue
        if power is not None:
            np.testing.assert_array_equal(got, np.ldexp(expected, power))
        elif a % 2 == 0:
            np.testing.assert_allclose(got, np.ldexp(expected, b - a // 2), rtol=1e-5 if dtype == np.float32 else 1e-12)


@given(a=st.integers(-500, 500), b=st.integers(-300, 300))
def test_damped_forms_at_any_scale(a, b):
    mu = 0.5
    exact = sr.oracle.damped(A, R, mu)
    if abs(2 * a) < 900:
        for f in (sr.natural_gradient.damped_primal, sr.natural_gradient.damped_dual):
            got = f(np.ldexp(A, a), np.ldexp(R, b), float(np.ldexp(mu, 2 * a)))
            np.testing.assert_allclose(got, np.ldexp(exact, b - a), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int8, int])
def test_columns_of_every_integer_dtype(dtype):
    J = sr.Problem(NET).jacobian(THETA, (X, Y))
    for order in ([3, 1], [1, 1], [9, 2, 5]):
        with pytest.raises(ArgumentError, match="must be ascending integers"):
            J.restrict(np.array(order, dtype))
    np.testing.assert_array_equal(J.restrict(np.array([1, 3], dtype)).to_dense(), J.to_dense()[:, [1, 3]])


@pytest.mark.parametrize("columns", [None, [0, 1]])
def test_theta_keeps_its_digits_beside_a_float32_jacobian(columns):
    theta = np.array([1e8 + 1.25, 0.1])
    new, _, _ = sr.update(theta, np.ones(2), np.eye(2, dtype=np.float32), lr=0, columns=columns)
    assert new.dtype == np.float64
    np.testing.assert_array_equal(new, theta)


@pytest.mark.parametrize("option", [{"mask": np.array([True, False])}, {"param_fraction": np.array([0.5, 0.5])}])
def test_options_that_are_arrays(option):
    with pytest.raises(ArgumentError, match=f"^{next(iter(option))} = .*must be"):
        step(**option)


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f8"])
def test_dtypes_of_another_byte_order(dtype):
    assert sr.MLP((1, 1)).init(0, dtype).dtype == np.dtype(dtype).newbyteorder("=")
