"""Every tolerance of the tests, by operation and dtype, and where it comes from.

ε is the spacing of the dtype at 1 and n the longest sum an operation takes; a sum of n rounded terms is off by at most
n ε times the sum of their sizes (Higham, Accuracy and Stability, §3.1). C = 10 covers the handful of such operations
that one result passes through.
"""

import numpy as np

C = 10


def eps(dtype):
    return float(np.finfo(dtype).eps)


def product(dtype, *shape):
    """‖J v − exact‖ / (‖J‖_F ‖v‖): one sum of at most max(shape) terms."""
    return C * eps(dtype) * max(shape)


def network(dtype, net):
    """Residuals or Jacobian entries of a net, relative to their scale: one sum per layer, forward and backward."""
    return C * eps(dtype) * 2 * sum(n + 1 for n in net.sizes)


def finite_difference(dtype):
    """Central differences at h = ε^{1/3}: truncation h² and rounding ε/h are both ε^{2/3}."""
    return 100 * eps(dtype) ** (2 / 3)


def value(dtype, shape):
    """|σ − exact|/σ_1 (Weyl), or |σ² − exact|/σ_1² for a solver that squares J."""
    return C * eps(dtype) * max(shape)


def update(dtype, shape, s, q, squared=False):
    """‖δ − exact‖ / (‖R‖/σ_q) for a cut after σ_q.

    A backward error E with ‖E‖ ≤ n ε σ_1 turns the kept subspace by ‖E‖/(σ_q − σ_{q+1}) (Wedin) and changes 1/σ_q by
    ‖E‖/σ_q²; both are at most n ε σ_1/(σ_q − σ_{q+1}) of ‖R‖/σ_q. A solver that squares J has an E of n ε σ_1² against
    a gap of σ_q² − σ_{q+1}².
    """
    if q == 0:
        return 0.0
    s = np.asarray(s, dtype=np.float64)
    below = s[q] if q < len(s) else 0.0
    power = 2 if squared else 1
    return C * eps(dtype) * max(shape) * s[0] ** power / (s[q - 1] ** power - below**power)


def solve(dtype, n, condition):
    """‖x − exact‖/‖x‖ of an n × n linear system by Cholesky: n ε times the condition number."""
    return C * eps(dtype) * n * condition
