"""Only what treats samples one by one is cut into shards: whatever couples them is refused, and nothing else is."""

from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.tracer import getval
from clusters import needs_dask
from hypothesis import example, given
from hypothesis import strategies as st

import sven_ref as sr
from sven_ref.errors import ArgumentError, IndependentOfThetaWarning
from sven_ref.sharded import ShardedProblem, connect
from sven_ref.sharded import shard as on_worker
from sven_ref.sharded.coupling import check_apart, excerpt, keeps_apart

RNG = np.random.default_rng(0)
B = 40
X, Y = RNG.standard_normal((B, 3)), RNG.standard_normal((B, 2))
NET = sr.MLP((3, 4, 2), "tanh")
THETA = NET.init(0)


def cut(batch, sizes):
    edges = np.cumsum([0, *sizes])
    return [tuple(a[i:j] for a in batch) for i, j in pairwise(edges)]


def check(problem, theta, parts, method="linearise"):
    """What `ShardedProblem` does, without workers."""
    made = [on_worker.on_part(problem, method, theta, part) for part in parts]
    if len(parts) > 1 and not keeps_apart(problem):
        excerpts = [excerpt(problem, theta, *pair) for pair in zip(parts, made, strict=True)]
        check_apart(problem, method, theta, excerpts)
    elif method == "linearise" and not all(isinstance(m.whole, sr.ProductLinearOperator) for m in made):
        raise AssertionError


def plain(theta, x):
    return NET(theta, x)


def squares(f, y):
    return anp.sum((f - y) ** 2, axis=1)


def normalised(theta, x):  # pytorch/pytorch#24391, google/flax#319: batch normalisation
    f = NET(theta, x)
    return (f - anp.mean(f, axis=0)) / anp.sqrt(anp.var(f, axis=0) + 1e-5)


MODELS = {
    "mean taken off": lambda t, x: NET(t, x) - anp.mean(NET(t, x), axis=0),
    "batch normalisation": normalised,
    "batch normalisation of the inputs": lambda t, x: NET(t, (x - anp.mean(x, axis=0)) / (anp.std(x, axis=0) + 1e-5)),
    "variance alone": lambda t, x: NET(t, x) / (1 + anp.var(NET(t, x))),
    "divided by the size of the batch": lambda t, x: NET(t, x) / len(x),
    "attention over the batch": lambda t, x: anp.exp(x @ x.T - 9) @ NET(t, x),
    "the neighbour before": lambda t, x: NET(t, x) + anp.concatenate([NET(t, x)[:1], NET(t, x)[:-1]]),
    "the neighbour after": lambda t, x: NET(t, x) + anp.concatenate([NET(t, x)[1:], NET(t, x)[-1:]]),
    "a running sum": lambda t, x: anp.cumsum(NET(t, x), axis=0),
    "halves in pairs": lambda t, x: NET(t, x) * NET(t, anp.roll(x, len(x) // 2, axis=0)),
    "the largest": lambda t, x: NET(t, x) / anp.max(anp.abs(NET(t, x))),
    "the norm": lambda t, x: NET(t, x) / anp.sqrt(anp.sum(NET(t, x) ** 2)),
    "only weakly": lambda t, x: NET(t, x) + 1e-5 * anp.mean(NET(t, x)),
    "a softmax over the batch": lambda t, x: anp.exp(NET(t, x)) / anp.sum(anp.exp(NET(t, x)), axis=0),
    "place in the batch": lambda t, x: NET(t, x) * (1 + anp.arange(len(x))[:, None]),
    "dropout": lambda t, x: NET(t, x) * RNG.integers(0, 2, (len(x), 2)),
}
LOSSES = {  # tensorflow/tensorflow#7439: a loss over the batch mean
    "over the mean of the outputs": lambda f, y: anp.sum((f - anp.mean(f)) ** 2, axis=1),
    "divided by the mean": lambda f, y: squares(f, y) / anp.mean((f - y) ** 2),
    "divided by the mean of y": lambda f, y: squares(f, y) / anp.mean(y**2),
    "divided by the size of the batch": lambda f, y: squares(f, y) / len(y),
    "divided by a part of the batch's size": lambda f, y: squares(f, y) * (1 + 1 / len(y)),
    "contrastive": lambda f, y: anp.sum((f @ f.T - y @ y.T) ** 2, axis=1),
    "the three worst": lambda f, y: squares(f, y) * (squares(f, y) >= anp.sort(squares(f, y))[-3:][0]),
    "shifted by the mean": lambda f, y: squares(f, y) + anp.mean(squares(f, y)),
    "the variance": lambda f, y: squares(f, y) * anp.var(f),
}
SIZES = [(20, 20), (1, 39), (13, 14, 13), (1,) * 12, (2, 1, 37)]
COUPLED = [(f"model: {n}", sr.Problem(m)) for n, m in MODELS.items()]
COUPLED += [(f"model: {n}, a row an output", sr.Problem(m, rows="per_output", kappa=1)) for n, m in MODELS.items()]
COUPLED += [(f"model: {n}, kappa 1", sr.Problem(m, kappa=1)) for n, m in MODELS.items()]
COUPLED += [(f"loss: {n}, MLP", sr.Problem(NET, m)) for n, m in LOSSES.items()]
COUPLED += [(f"loss: {n}, a model of one's own", sr.Problem(plain, m, kappa=1)) for n, m in LOSSES.items()]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("case", COUPLED, ids=lambda case: case[0])
def test_what_couples_samples_is_refused(case, sizes):
    for method in ("linearise", "residuals", "losses"):
        with pytest.raises(ArgumentError, match=r"(model|loss): couples samples.*only .* can be cut into shards"):
            check(case[1], THETA, cut((X, Y), sizes), method)


@pytest.mark.parametrize("case", COUPLED, ids=lambda case: case[0])
def test_micro_batches_of_what_couples_samples(case):
    problem = sr.Problem(case[1].model, case[1].loss, micro_batch=2)
    for sizes in ((20, 20), (2, 38), (2,) * 6):
        with pytest.raises(ArgumentError, match="couples samples"):
            check(problem, THETA, cut((X, Y), sizes))


def centred(theta, x):
    return x @ theta[:, None] - anp.mean(x @ theta[:, None])


def test_coupling_that_only_the_derivative_shows():
    """At θ = 0 all outputs are 0, and so is their mean."""
    with pytest.raises(ArgumentError, match="couples samples"):
        check(sr.Problem(centred), np.zeros(3), cut((X, Y[:, :1]), (20, 20)))
    with pytest.raises(ArgumentError, match="couples samples"):
        check(sr.Problem(centred, kappa=1), np.zeros(3), cut((X, Y[:, :1]), (1,) * 12))


def test_one_shard_is_the_whole_batch():
    for _, problem in COUPLED:
        check(problem, THETA, [(X, Y)])


def absolute(f, y):
    return anp.sum(anp.abs(f - y), axis=1)


def huber(f, y):
    r = anp.sum((f - y) ** 2, axis=1)
    return anp.where(r < 1, r, 2 * anp.sqrt(anp.where(r < 1, 1, r)) - 1)


def per_sample_normalisation(theta, x):
    f = NET(theta, x)
    return f - anp.mean(f, axis=1, keepdims=True)


@given(
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([np.float64, np.float32]),
    model=st.sampled_from([plain, NET, per_sample_normalisation, "wide", "relu"]),
    loss=st.sampled_from(["squared_error", squares, absolute, huber]),
    kappa=st.sampled_from([0.5, 1.0, 1.5, 2.0]),
    distance=st.sampled_from([0.0, 1e-16, 1e-12, 1e-8, 1e-4, 1.0, 1e4]),
    size=st.sampled_from([1e-6, 1e-2, 1.0, 1e2]),
    sizes=st.sampled_from([(20, 20), (1, 39), (1,) * 12]),
)
@example(  # J is zero but for rounding there
    seed=0,
    dtype=np.float64,
    model=per_sample_normalisation,
    loss=absolute,
    kappa=0.5,
    distance=1e-12,
    size=1e-6,
    sizes=(1,) * 12,
)
@example(  # all of R is zero in the shards, and rounding in one batch
    seed=106,
    dtype=np.float64,
    model=per_sample_normalisation,
    loss="squared_error",
    kappa=0.5,
    distance=0.0,
    size=1.0,
    sizes=(1,) * 12,
)
def test_what_keeps_samples_apart_is_never_refused(seed, dtype, model, loss, kappa, distance, size, sizes):
    """Also where it has converged, all of R being rounding, in float32, and in nets whose products sum in blocks."""
    net = {"wide": sr.MLP((3, 300, 300, 2), "gelu"), "relu": sr.MLP((3, 50, 2), "relu")}.get(str(model), NET)
    model = {"wide": lambda t, x: net(t, x), "relu": lambda t, x: net(t, x)}.get(str(model), model)
    rng = np.random.default_rng(seed)
    theta = net.init(rng, dtype) * dtype(size)
    x = rng.standard_normal((B, 3)).astype(dtype)
    y = np.concatenate([np.asarray(model(theta, x[i : i + 1])) for i in range(B)])
    y = (y * (1 + distance * rng.standard_normal(y.shape))).astype(dtype)
    check(sr.Problem(model, loss, kappa=kappa), theta, cut((x, y), sizes))


@pytest.fixture(scope="module")
def client():
    with connect(2) as client:
        yield client


@needs_dask
@pytest.mark.parametrize("parts", ["a batch", "parts", "loaders", "single rows"])
def test_on_workers(client, parts):
    for name, problem in [COUPLED[0], COUPLED[16], *COUPLED[-8:-6]]:
        sharded = ShardedProblem(problem, client, B if parts == "single rows" else None)
        batch = (X, Y)
        if parts == "parts":
            batch = sharded.scatter(cut(batch, (15, 25)))
        elif parts == "loaders":
            batch = sharded.scatter([lambda: (X[:1], Y[:1]), lambda: (X[1:], Y[1:])])
        theta = THETA.copy()
        for call in (step, ShardedProblem.losses, ShardedProblem.residuals):
            with pytest.raises(ArgumentError, match=f"{name.partition(':')[0]}.*: couples samples"):
                call(sharded, theta, batch)
        assert np.array_equal(theta, THETA)


def step(problem, theta, batch):
    sr.step(problem, theta, batch, lr=0.1, solver="dense")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 300.0, 1e4, 101325.0])
def test_coupling_beside_a_parameter_that_is_large(offset, dtype):
    """Residuals are small against J w there: 300 K, 101,325 Pa."""

    def normalised(t, x):
        h = anp.dot(x, t[:3])[:, None]
        return t[3] + t[4] * (h - anp.mean(h)) / anp.std(h)

    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3)) + (np.arange(64)[:, None] > 31)
    theta = np.array([1, 0.5, -0.3, offset, 2], dtype)
    y = normalised(theta.astype(float), x) + 0.3 * x[:, :1]
    for rows in (None, "per_output"):
        with pytest.raises(ArgumentError, match="couples samples"):
            check(sr.Problem(normalised, kappa=1, rows=rows), theta, cut((x, y), (32, 32)))


@needs_dask
def test_rows_off_the_tape_are_told_by_workers(client):
    problem = sr.Conditions(lambda t, b: getval(anp.dot(b, t)) - 1)
    sharded = ShardedProblem(problem, client)
    parts = sharded.scatter([X[:16], X[16:]])
    with pytest.warns(IndependentOfThetaWarning, match="shard [01] of 2: autograd sees no path"):
        sr.step(sharded, np.zeros(3), parts, lr=1.0)
    partly = sr.Problem(lambda t, x: anp.where(x[:, :1] > 1.5, getval(NET(t, x)), NET(t, x)))
    with pytest.warns(IndependentOfThetaWarning, match=r"shard \d of 2: .*in rows"):
        sr.step(ShardedProblem(partly, client, 2), THETA, (X, Y), lr=0.1)


@needs_dask
def test_parts_of_their_own_lengths(client):
    problem = sr.Problem(lambda t, x: t[0] * anp.sum(x, axis=1)[:, None] + t[1])
    sharded = ShardedProblem(problem, client)
    parts = [(RNG.standard_normal((4, n)), RNG.standard_normal((4, 1))) for n in (5, 7)]
    _, info = sr.step(sharded, np.ones(2), sharded.scatter(parts), lr=0.1)
    assert info.residuals.shape == (8,)


class Hiding:
    """Pickled in full, and made again without `inner`."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __call__(self, theta, x):
        return self.inner(theta, x)


@needs_dask
def test_what_can_be_sent_and_not_read_is_named(client):
    with pytest.raises(ArgumentError, match="model is a Hiding that can't be sent to workers"):
        ShardedProblem(sr.Problem(Hiding(NET)), client)


@needs_dask
def test_a_model_that_recurses_or_exits_is_no_lost_worker(client):
    def recursing(theta, x):
        return recursing(theta, x)

    def leaving(theta, x):
        raise SystemExit("bad config")

    for model, error, message in (
        (recursing, RecursionError, "in the model"),
        (leaving, RuntimeError, r"called sys.exit\('bad config'\)"),
    ):
        with pytest.raises(error, match=message):
            sr.step(ShardedProblem(sr.Problem(model), client), THETA, (X, Y), lr=0.1)
