import numpy as np
import pytest
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf
from strategies import SEEDS, nets

import sven_ref as sr
from sven_ref.nets import flat


@given(st.lists(st.lists(st.integers(1, 4), max_size=3), min_size=1, max_size=5), SEEDS)
def test_unravel_inverts_ravel(shapes, seed):
    arrays = [np.random.default_rng(seed).standard_normal(shape) for shape in shapes]
    theta = flat.ravel(arrays)
    assert theta.shape == (flat.size(shapes),)
    for a, b in zip(arrays, flat.unravel(theta, shapes), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layout_is_weights_row_by_row_then_bias():
    net = sr.MLP((2, 3), "identity")
    theta = np.array([1.0, 2, 3, 4, 5, 6, 10, 20, 30])
    np.testing.assert_array_equal(net(theta, np.array([[1.0, 0], [0, 1]])), [[11, 22, 33], [14, 25, 36]])


@pytest.mark.parametrize(
    ("sizes", "P"), [((1, 16, 16, 16, 1), 593), ((6, 16, 16, 16, 1), 673), ((784, 32, 32, 32, 10), 27562)]
)
def test_parameter_counts_of_the_papers_networks(sizes, P):
    assert sr.MLP(sizes).n_params == P


@given(nets())
def test_forward_agrees_with_the_oracle(drawn):
    net, theta, rng = drawn
    x = rng.standard_normal((4, net.sizes[0])).astype(theta.dtype)
    f = net(theta, x)
    exact, _ = sr.oracle.outputs_and_jacobian(net, theta.astype(np.float64), x.astype(np.float64))
    assert f.dtype == theta.dtype
    np.testing.assert_allclose(f, exact, rtol=0, atol=tolerances.network(theta.dtype, net) * (1 + np.abs(exact).max()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_is_exact_and_keeps_its_dtype(dtype):
    z = np.linspace(-5, 5, 101, dtype=dtype)
    gelu = sr.MLP((1, 1, 1)).forward(np.array([1, 0, 1, 0], dtype), z[:, None])[1][1][:, 0]
    assert gelu.dtype == dtype
    exact = z.astype(np.float64) * (1 + erf(z.astype(np.float64) / np.sqrt(2))) / 2
    np.testing.assert_allclose(gelu, exact, rtol=0, atol=5 * tolerances.eps(dtype))


def test_initialisation_is_pytorchs_default():
    net = sr.MLP((400, 300, 5))
    theta = net.init(7)
    for array, n_in in zip(flat.unravel(theta, net.shapes), [400, 400, 300, 300], strict=True):
        bound = 1 / np.sqrt(n_in)
        assert np.abs(array).max() <= bound
        if array.size > 1000:  # uniform on ±b: std b/√3, its own relative error about 0.45/√size
            assert abs(array.std() / (bound / np.sqrt(3)) - 1) < 5 * 0.45 / np.sqrt(array.size)
    np.testing.assert_array_equal(theta, net.init(np.random.default_rng(7)))
    assert net.init(7, np.float32).dtype == np.float32


def test_relu_has_derivative_zero_at_zero():
    net = sr.MLP((1, 1, 1), "relu")
    J = sr.Problem(net, kappa=1).jacobian(np.array([1.0, 0, 1, 0]), (np.zeros((1, 1)), np.ones((1, 1))))
    np.testing.assert_array_equal(J @ np.eye(4), [[0, 0, 0, 1]])


def test_repr_can_be_read():
    assert repr(sr.MLP((1, 2, 3), "tanh")) == "MLP((1, 2, 3), activation='tanh')"
