"""Old names work, and warn; and what every operator can be asked for, whatever it knows."""

import numpy as np
import pytest

import sven_ref as sr
from sven_ref.errors import ArgumentError
from sven_ref.residuals import Residuals

NET = sr.MLP((1, 3, 1))
THETA, BATCH = NET.init(0), (np.linspace(-1, 1, 4)[:, None], np.ones((4, 1)))


def test_old_names():
    problem = sr.Problem(NET)
    R, J = problem.linearise(THETA, BATCH)
    with pytest.warns(DeprecationWarning, match=r"Problem\(residuals=fun\) is now Conditions\(fun\)"):
        conditions = sr.Problem(residuals=lambda t, b: t**2)
    assert isinstance(conditions, sr.Conditions)
    with pytest.warns(DeprecationWarning, match="linearise"):
        np.testing.assert_array_equal(problem.jacobian(THETA, BATCH).value, R)
    with pytest.warns(DeprecationWarning, match="linearise"):
        np.testing.assert_array_equal(sr.jacobian(lambda t: t**2, np.ones(2)).value, [1, 1])
    with pytest.warns(DeprecationWarning, match="residual_function"):
        np.testing.assert_array_equal(problem.function(BATCH)(THETA), R)
    with pytest.warns(DeprecationWarning, match="vectors"):
        U, _ = sr.truncated_pinv(J, solver="gram").factors()
    assert U.shape[0] == 4


def test_what_every_operator_can_be_asked_for():
    A = np.arange(6.0).reshape(2, 3)
    for matrix in (A, A.T):
        J = sr.as_product_operator(matrix)
        np.testing.assert_array_equal(J.to_dense(), matrix)
        np.testing.assert_allclose(J.gram(), matrix @ matrix.T)
        np.testing.assert_allclose(J.normal_matrix(2.0), matrix.T @ matrix / 4)
        np.testing.assert_array_equal(np.hstack(list(J.column_blocks())), matrix)
        np.testing.assert_array_equal(np.vstack(list(J.row_blocks())), matrix)
        assert (J.compressed() is J, J.float64() is J, J.summed_size()) == (True, True, 0.0)
        assert J.gram_cost() == 2 * 2 * 6
        assert J.factored is False


def test_a_problem_of_ones_own_says_what_its_functions_are():
    for call in (lambda p: p.residual_function(None), lambda p: p.describe()):
        with pytest.raises(NotImplementedError):
            call(Residuals())
    with pytest.raises(ArgumentError, match="must not be given with residuals="):
        sr.Problem(NET, residuals=lambda t, b: t)
