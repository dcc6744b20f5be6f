"""What the property tests draw: matrices by their singular values, nets with their batches."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import sven_ref as sr

SEEDS = st.integers(0, 2**32 - 1)
DTYPES = st.sampled_from([np.float32, np.float64])


@dataclass(frozen=True)
class Matrix:
    J: np.ndarray
    R: np.ndarray
    s: np.ndarray  # of J as rounded to its dtype, by LAPACK in float64
    rng: np.random.Generator

    @property
    def dtype(self):
        return self.J.dtype

    def scale(self, q):
        """‖R‖/σ_q, the size of δ that tolerances.update is relative to."""
        return float(np.linalg.norm(self.R) / self.s[q - 1]) if q else 1.0


def with_spectrum(M, P, s, rng, dtype=np.float64):
    """A matrix M × P with the singular values s (missing ones are zero) and random singular vectors."""
    U = np.linalg.qr(rng.standard_normal((M, M)))[0][:, : len(s)]
    V = np.linalg.qr(rng.standard_normal((P, P)))[0][:, : len(s)]
    return ((U * s) @ V.T).astype(dtype)


@st.composite
def matrices(draw, min_rows=1, max_rows=9, min_cols=1, max_cols=9, dtypes=DTYPES, shape="any", ranks="any"):
    """J of any rank, its spectrum geometric (condition up to 1e3), flat, in repeated groups or random."""
    M = draw(st.integers(min_rows, max_rows))
    low, high = min_cols, max_cols
    if shape == "wide":
        low = max(low, M)
    if shape == "tall":
        high = min(high, M)
    P = draw(st.integers(low, max(low, high)))
    rng, dtype, n = np.random.default_rng(draw(SEEDS)), draw(dtypes), min(M, P)
    rank = n if ranks == "full" else draw(st.integers(1, n))
    kind = draw(st.sampled_from(["geometric", "flat", "groups", "random"]))
    s = {
        "geometric": np.geomspace(1, 10.0 ** -draw(st.integers(0, 3)), rank),
        "flat": np.ones(rank),
        "groups": np.repeat([1, 0.5, 0.25], 3)[:rank] if rank <= 9 else np.ones(rank),
        "random": np.sort(rng.uniform(0.05, 1, rank))[::-1],
    }[kind] * 2.0 ** draw(st.integers(-3, 3))
    J = with_spectrum(M, P, s, rng, dtype)
    R = rng.standard_normal(M).astype(dtype)
    return Matrix(J, R, np.linalg.svd(J.astype(np.float64), compute_uv=False), rng)


@st.composite
def nets(draw, max_width=5, outputs=None, dtypes=DTYPES):
    """(net, θ, rng): up to three hidden layers."""
    hidden = draw(st.lists(st.integers(1, max_width), max_size=3))
    n_in = draw(st.integers(1, 3))
    n_out = draw(st.integers(1, 3)) if outputs is None else outputs
    activation = draw(st.sampled_from(sorted(sr.oracle.ACTIVATIONS)))
    rng = np.random.default_rng(draw(SEEDS))
    net = sr.MLP((n_in, *hidden, n_out), activation)
    return net, net.init(rng, draw(dtypes)), rng


@st.composite
def net_problems(draw, dtypes=DTYPES, per_output=False, kappas=(0.7, 1.0, 1.4, 2.0, 3.0)):
    """(problem, θ, batch, what the oracle needs to redo it): every loss, κ, rows and micro-batch."""
    loss = draw(st.sampled_from(["squared_error", "label_regression", "cross_entropy"]))
    net, theta, rng = draw(nets(dtypes=dtypes))
    C = net.sizes[-1]
    choices = ["unsigned"]
    if loss != "cross_entropy":
        choices += ["signed"] * (C == 1) + ["per_output"] * per_output
    rows = draw(st.sampled_from(choices))
    m = draw(st.integers(1, 3)) if rows == "unsigned" else 1
    B = m * draw(st.integers(1, 4))
    kappa = 1.0 if rows == "per_output" else draw(st.sampled_from(kappas))
    x = rng.standard_normal((B, net.sizes[0])).astype(theta.dtype)
    y = rng.standard_normal((B, C)).astype(theta.dtype) if loss == "squared_error" else rng.integers(0, C, B)
    problem = sr.Problem(net, loss, kappa=kappa, rows=rows, micro_batch=m)
    return problem, theta, (x, y), {"loss": loss, "kappa": kappa, "rows": rows, "m": m}
