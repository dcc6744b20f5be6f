"""Rows on many workers: the same update, whatever the shards, whoever is quick, and whoever dies."""

import ast
import gc
import math
import os
import re
import signal
import socket
import sys
import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.sparse.linalg
from clusters import briefly, dask, needs_dask, separate_cluster

import sven_ref as sr
import sven_ref.sharded
from sven_ref.errors import ArgumentError, MissingExtraError, NonFiniteError, ShapeError
from sven_ref.sharded import ClusterError, ShardedLinearOperator, ShardedProblem, connect
from sven_ref.sharded import shard as on_worker
from sven_ref.sharded.operator import ShardProducts
from sven_ref.sharded.workers import Workers

NET = sr.MLP((3, 8, 8, 1), "tanh")
THETA = NET.init(0)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((23, 3))
BATCH = (X, np.sin(X[:, :1]))
PROBLEM = sr.Problem(NET, kappa=1.0)
STEP = {"lr": 0.1, "k": 6, "rtol": 1e-6}
SOLVERS = [*sr.SOLVERS, "auto"]


@pytest.fixture(scope="module")
def client():
    with connect(2) as client:
        yield client


def cut(batch, *sizes):
    edges = np.cumsum([0, *sizes])
    return [tuple(a[i:j] for a in batch) for i, j in pairwise(edges)]


def same(ours, theta):
    """‖θ'_sharded − θ'‖ within 1e-12 of the update."""
    return lambda new: np.linalg.norm(new - ours) <= 1e-12 * np.linalg.norm(ours - theta)


@needs_dask
@pytest.mark.parametrize("n_shards", [1, 2, 4])
@pytest.mark.parametrize("solver", ["gram", "tsqr", "randomized", "auto"])
def test_the_update_is_that_of_one_process(client, solver, n_shards):
    one, expected = sr.step(PROBLEM, THETA, BATCH, solver=solver, actual=True, **STEP)
    new, info = sr.step(ShardedProblem(PROBLEM, client, n_shards), THETA, BATCH, solver=solver, actual=True, **STEP)
    assert same(one, THETA)(new)
    assert (info.rank, info.solver, info.n_jvp, info.n_vjp) == (
        expected.rank,
        expected.solver,
        expected.n_jvp,
        expected.n_vjp,
    )
    np.testing.assert_allclose(info.residuals, expected.residuals, rtol=1e-12)
    np.testing.assert_allclose(info.singular_values, expected.singular_values, rtol=1e-12)
    np.testing.assert_allclose(info.actual_norm, expected.actual_norm, rtol=1e-12)


@needs_dask
@pytest.mark.parametrize("sizes", [(6,), (3, 3), (2, 1, 2, 1)])
@pytest.mark.parametrize("solver", ["svds", "dense"])
def test_the_update_by_products_alone(client, solver, sizes):
    """Round trips: J; the columns of `dense`; of `svds` one for each J Jᵀu, and Jᵀw."""
    batch, options = tuple(a[:6] for a in BATCH), {**STEP, "k": 1}
    one, expected = sr.step(PROBLEM, THETA, batch, solver=solver, **options)
    sharded = ShardedProblem(PROBLEM, client)
    new, info = sr.step(sharded, THETA, sharded.scatter(cut(batch, *sizes)), solver=solver, **options)
    assert same(one, THETA)(new)
    assert info.solver == solver
    assert sharded.round_trips == (2 if solver == "dense" else 2 + info.n_jvp)
    assert (info.n_jvp, info.n_vjp) == (expected.n_jvp, expected.n_vjp)


@needs_dask
@pytest.mark.parametrize("sizes", [(20, 1, 2), (1, 22), (17, *(1,) * 6)])
@pytest.mark.parametrize("solver", ["gram", "tsqr", "randomized", "auto"])
def test_uneven_shards_and_shards_of_one_row(client, solver, sizes):
    one, _ = sr.step(PROBLEM, THETA, BATCH, solver=solver, **STEP)
    sharded = ShardedProblem(PROBLEM, client)
    new, _ = sr.step(sharded, THETA, sharded.scatter(cut(BATCH, *sizes)), solver=solver, **STEP)
    assert same(one, THETA)(new)


@needs_dask
@pytest.mark.parametrize("mask", ["elementwise", "rows"])
@pytest.mark.parametrize("solver", ["gram", "tsqr"])
def test_parameter_subsets(client, mask, solver):
    options = {"param_fraction": 0.5, "mask": mask, "rng": 3, "solver": solver, **STEP}
    one, expected = sr.step(PROBLEM, THETA, BATCH, **options)
    new, info = sr.step(ShardedProblem(PROBLEM, client, 3), THETA, BATCH, **options)
    assert same(one, THETA)(new)
    assert np.array_equal(info.columns, expected.columns)


def tiny_loss(f, y):
    return 1e-170 * (f[:, 0] - y[:, 0]) ** 2 + 0 * f[:, 1]


@needs_dask
def test_units_that_are_dead_in_one_shard_say_nothing_of_the_scale(client):
    """Of a loss of 1e-170, where a scale of 1 would leave a Gram matrix of zeros."""
    problem = sr.Problem(sr.MLP((2, 3, 2), "relu"), tiny_loss)  # of two outputs, of which the loss sees one
    theta = np.concatenate([[1, 2, 0.5, 0.3, 1, -0.2], np.zeros(3), [1, 1, 1, 1, -1, 1], [0.5, 0.5]])
    x = np.array([[-1, -9], [-2, -11], [-1.5, -12], [1, 0.1], [2, 0.3], [0.5, -0.1]])
    batch, ranks = (x, np.outer([1, 2, 0.3, -1, 0.2, 2], [1, 1])), []
    for seed in range(8):
        options = {"lr": 0.1, "k": 2, "solver": "gram", "param_fraction": 0.4, "mask": "rows", "rng": seed}
        one, expected = sr.step(problem, theta, batch, **options)
        new, info = sr.step(ShardedProblem(problem, client, 2), theta, batch, **options)
        assert info.rank == expected.rank
        assert same(one, theta)(new)
        ranks.append(info.rank)
    assert max(ranks) == 2


CLASSES, CLASSIFIER = (X, RNG.integers(0, 3, 23)), sr.MLP((3, 5, 3))
LINEAR = sr.MLP((3, 1), "identity")


def tanh_model(theta, x):
    return anp.tanh(x @ theta)[:, None]


KINDS = [
    ("cross-entropy", sr.Problem(CLASSIFIER, "cross_entropy"), CLASSIFIER.init(1), CLASSES),
    (
        "micro-batches",
        sr.Problem(CLASSIFIER, "label_regression", micro_batch=2),
        CLASSIFIER.init(1),
        (X[:22], CLASSES[1][:22]),
    ),
    (
        "per output",
        sr.Problem(CLASSIFIER, "label_regression", kappa=1, rows="per_output"),
        CLASSIFIER.init(1),
        CLASSES,
    ),
    ("P < M", sr.Problem(LINEAR, kappa=1), LINEAR.init(1), BATCH),
    ("a model of one's own", sr.Problem(tanh_model, kappa=1), np.array([0.1, -0.2, 0.3]), BATCH),
]


@needs_dask
@pytest.mark.parametrize("case", KINDS, ids=lambda case: case[0])
def test_every_kind_of_rows(client, case):
    _, problem, theta, batch = case
    for solver in ("tsqr",) if problem.rows == "per_output" else ("gram", "tsqr"):  # gram: 38 product pairs there
        one, _ = sr.step(problem, theta, batch, solver=solver, lr=0.1, k=3)
        new, _ = sr.step(ShardedProblem(problem, client, 3), theta, batch, solver=solver, lr=0.1, k=3)
        assert same(one, theta)(new)
    np.testing.assert_allclose(
        ShardedProblem(problem, client, 3).losses(theta, batch), problem.losses(theta, batch), rtol=1e-13
    )


@needs_dask
def test_conditions_of_ones_own_and_parts_that_workers_load(client):
    def conditions(theta, t):
        return anp.exp(-theta[0] * t) + theta[1] * t - 1

    t = np.linspace(0, 1, 9)
    problem, theta = sr.Conditions(conditions), np.array([1.0, 0.5])
    sharded = ShardedProblem(problem, client)
    one, _ = sr.step(problem, theta, t, lr=1, solver="dense")
    new, _ = sr.step(sharded, theta, sharded.scatter([lambda: np.linspace(0, 1, 9)[:4], t[4:]]), lr=1, solver="dense")
    assert same(one, theta)(new)


@needs_dask
def test_it_is_a_linear_operator_of_scipy(client):
    R, J = ShardedProblem(PROBLEM, client, 2).linearise(THETA, BATCH)
    whole = PROBLEM.jacobian(THETA, BATCH)
    assert isinstance(J, ShardedLinearOperator)
    rng = np.random.default_rng(1)
    V, U = rng.standard_normal((THETA.size, 3)), rng.standard_normal((23, 3))
    np.testing.assert_allclose(J @ V, whole @ V, rtol=0, atol=1e-12)
    np.testing.assert_allclose(J.T @ U, whole.T @ U, rtol=0, atol=1e-12)
    np.testing.assert_allclose(J.row_norms(), whole.row_norms(), rtol=1e-12)
    sr.checks.dot_test(J)
    few = ShardedProblem(PROBLEM, client, 2).jacobian(THETA, tuple(a[:5] for a in BATCH))
    s = scipy.sparse.linalg.svds(few, k=1, return_singular_vectors=False, rng=np.random.default_rng(0))
    np.testing.assert_allclose(s, np.linalg.norm(few.gather() @ np.eye(THETA.size), 2), rtol=1e-10)
    x, *_ = scipy.sparse.linalg.lsmr(J, R, maxiter=3)
    y, *_ = scipy.sparse.linalg.lsmr(whole, R, maxiter=3)
    np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


@needs_dask
def test_float32_factors_give_products_in_float64(client):
    """What the dual form asks for where float32 would cancel: the workers' factors are the same, their sums are not."""
    theta, batch = THETA.astype(np.float32), tuple(a.astype(np.float32) for a in BATCH)
    J = ShardedProblem(PROBLEM, client, 2).jacobian(theta, batch)
    fine, U = J.float64(), np.random.default_rng(1).standard_normal((23, 2))
    assert (J.dtype, fine.dtype, fine.counts) == (np.float32, np.float64, J.counts)
    gathered = J.gather().float64()
    np.testing.assert_allclose(fine.T @ U, gathered.T @ U, rtol=0, atol=1e-13)
    assert fine.counts["vjp"] == J.counts["vjp"] == 2


@needs_dask
def test_round_trips(client):
    """A block is one round trip; a Gram step: J with R, JJᵀ, Jᵀw; one of svds: J with R, each J Jᵀu, Jᵀw."""
    sharded = ShardedProblem(PROBLEM, client, 4)
    J = sharded.jacobian(THETA, BATCH)
    before = sharded.round_trips
    J @ np.ones((THETA.size, 7))
    assert sharded.round_trips == before + 1
    J.T @ np.ones((23, 7))
    assert sharded.round_trips == before + 2
    sr.step(sharded, THETA, BATCH, solver="gram", **STEP)
    assert sharded.round_trips == before + 5
    _, info = sr.step(sharded, THETA, BATCH, solver="svds", **STEP)
    assert sharded.round_trips == before + 5 + info.n_jvp + 2


@needs_dask
def test_arrays_may_be_overwritten_once_they_are_scattered(client):
    sharded, (expected, _) = ShardedProblem(PROBLEM, client), sr.step(PROBLEM, THETA, BATCH, solver="gram", **STEP)
    for _ in range(5):
        x, y = (a.copy() for a in BATCH)
        whole, parts = sharded.scatter((x, y)), sharded.scatter(cut((x, y), 11, 12))
        x *= 2
        y[:] = np.nan
        for batch in (whole, parts):
            new, _ = sr.step(sharded, THETA, batch, solver="gram", **STEP)
            assert same(expected, THETA)(new)


class Recorded(Workers):
    """Workers 0 … n − 1 without a cluster: a future is the worker that makes it, and the future it is made from."""

    def __init__(self, n):
        self.addresses = list(range(n))

    def submit(self, place, task, *args):
        return (self.addresses[int(place * len(self.addresses))], *args)


@pytest.mark.parametrize("S", [1, 2, 3, 5, 8, 49, 100])
def test_what_all_shards_need_is_handed_on_in_a_tree(S):
    """Each worker has it once, at most ⌈log2 n⌉ copies go out of one worker, or one after the other to another."""
    for n in range(1, 60):
        workers = Recorded(n)
        copies = workers.everywhere(workers.submit(0, None), S)
        users, depth, fetched = min(n, S), {}, {}
        for i, (copy, (user, *_)) in enumerate(zip(copies, workers.map(None, copies), strict=True)):
            assert user == i * n // S  # in integers: 1/49 · 49 rounds to less than 1
            chain = [user] if copy[0] != user else []
            while copy:
                chain.append(copy[0])
                copy = copy[1] if len(copy) > 1 else None
            for here, there in pairwise(chain):
                assert fetched.setdefault(here, there) == there
            depth[user] = len(chain) - 1
        assert len(fetched) == users - 1
        most = math.ceil(math.log2(users))
        assert max(depth.values()) <= most
        assert all(list(fetched.values()).count(worker) <= most for worker in fetched.values())


class Slow:
    """A loss that keeps the worker of one shard busy."""

    def __init__(self, value):
        self.value = value

    def __call__(self, f, y):
        if np.any(y[0] == self.value):
            time.sleep(0.1)
        return anp.sum((f - y) ** 2, axis=1)


@needs_dask
def test_the_order_of_summation_does_not_depend_on_who_is_quick(client):
    updates = []
    for first in (0, 18):
        problem = ShardedProblem(sr.Problem(NET, Slow(BATCH[1][first])), client, 4)
        updates += [sr.step(problem, THETA, BATCH, solver="gram", **STEP)[0].tobytes() for _ in range(2)]
    assert len(set(updates)) == 1


def odd(a):
    """The same numbers where a message may have them: at an address that is no multiple of their size."""
    return np.frombuffer(b"." + a.tobytes(), a.dtype, offset=1).reshape(a.shape)


@pytest.mark.parametrize("rows", ["unsigned", "per_output"])
def test_bits_do_not_depend_on_where_a_message_lies(rows):
    """NumPy hands BLAS a copy of what lies at an odd address, by another routine at times, which rounds otherwise."""
    net, rng = sr.MLP((20, 60, 60, 3), "tanh"), np.random.default_rng(0)
    theta, part = net.init(0), (rng.standard_normal((150, 20)), rng.standard_normal((150, 3)))
    problem = sr.Problem(net, kappa=1.0, rows=rows)
    shard = on_worker.on_part(problem, "linearise", theta, part)
    V, U = rng.standard_normal((net.n_params, 2)), rng.standard_normal((len(shard.R), 2))

    def bits(shard, V, U):
        results = shard.R, on_worker.apply(shard, V), on_worker.apply_adjoint(shard, U)
        assert all(a.flags.aligned for a in results)
        return [a.tobytes() for a in results]

    expected = bits(shard, V, U)
    odd_part = tuple(map(odd, part))
    assert not odd_part[0].flags.aligned
    received = on_worker.on_part(problem, "linearise", odd(theta), odd_part)
    assert bits(received, odd(V), odd(U)) == expected
    again, arguments = shard.__reduce__()
    if again is on_worker.from_factors:
        R, inputs, signals, m, columns = arguments
        moved = again(odd(R), list(map(odd, inputs)), list(map(odd, signals)), m, columns)
    else:
        moved = again((problem, odd(theta), odd_part))
    assert bits(moved, V, U) == expected
    nested = on_worker.aligned({"a": [odd(theta), (odd(theta), 1)]})
    assert nested["a"][0].flags.aligned
    assert (type(nested["a"]), type(nested["a"][1]), nested["a"][1][1]) == (list, tuple, 1)
    for method in ("residuals", "losses"):
        one, other = (on_worker.on_part(problem, method, *a) for a in ((theta, part), (odd(theta), odd_part)))
        assert one.tobytes() == other.tobytes()


def results_of(client):
    """Keys of what the workers hold; number 0 of a group is None and stays."""
    return [key for keys in client.has_what().values() for key in keys if key[1] > 0]


@needs_dask
def test_what_is_let_go_is_freed_on_the_workers(client):
    gc.collect()
    gc.disable()  # no cycle may hold a shard
    try:
        sharded = ShardedProblem(PROBLEM, client, 2)
        for solver in ("gram", "tsqr"):
            sr.step(sharded, THETA, BATCH, solver=solver, **STEP)
        deadline = time.monotonic() + 5
        while results_of(client) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not results_of(client)
    finally:
        gc.enable()


def nan_loss(f, y):
    return anp.sum((f - y) ** 2, axis=1) * anp.nan


def no_such_part():
    raise FileNotFoundError("part-3.npy")


@needs_dask
def test_an_error_of_a_part_is_no_lost_cluster(client):
    """Both are OSErrors: what a task raised passes as it is."""
    sharded = ShardedProblem(PROBLEM, client)
    with pytest.raises(FileNotFoundError, match=r"part-3\.npy"):
        sr.step(sharded, THETA, sharded.scatter([no_such_part, BATCH]), lr=0.1)


@needs_dask
def test_products_that_are_not_finite_are_refused(client):
    J = ShardedProblem(PROBLEM, client, 2).jacobian(THETA, BATCH)
    for product, size in ((J.matvec, THETA.size), (J.rmatvec, 23), (J.gram_matvec, 23)):
        with pytest.raises(NonFiniteError, match="Jacobian product J"):
            product(np.full(size, np.inf))


@needs_dask
def test_errors_of_a_shard_are_those_of_the_problem(client):
    sharded = ShardedProblem(PROBLEM, client, 2)
    with pytest.raises(NonFiniteError, match="theta"):
        sharded.residuals(THETA * np.nan, BATCH)
    with pytest.raises(NonFiniteError, match=r"losses: .* values are not finite"):
        sr.step(ShardedProblem(sr.Problem(NET, nan_loss), client, 2), THETA, BATCH, lr=0.1)
    with pytest.raises(ShapeError, match="x has shape"):
        sharded.residuals(THETA, (X[:, :2], BATCH[1]))
    with pytest.raises(ShapeError, match="batch is a NoneType: must be a pair"):
        sharded.residuals(THETA, None)
    with pytest.raises(ShapeError, match=r"parts = \[\]"):
        sharded.scatter([])
    with pytest.raises(ArgumentError, match="n_shards = 0: must be an integer ≥ 1"):
        ShardedProblem(PROBLEM, client, 0)
    with pytest.raises(ArgumentError, match="micro_batch = 2: must divide the batch size B = 23"):
        ShardedProblem(sr.Problem(NET, micro_batch=2), client).losses(THETA, BATCH)
    with pytest.raises(ArgumentError, match="batch: conditions of one's own can't be cut"):
        ShardedProblem(sr.Conditions(lambda t, b: t), client).residuals(THETA, None)
    coupled = sr.Problem(NET, lambda f, y: anp.sum((f - anp.mean(f)) ** 2, axis=1))
    with pytest.raises(ArgumentError, match="loss: couples samples"):
        ShardedProblem(coupled, client, 2).jacobian(THETA, BATCH)


@needs_dask
def test_what_is_no_client_no_problem_no_part(client):
    for wrong in (connect(2), "tcp://127.0.0.1:8786", None):
        with pytest.raises(ArgumentError, match=r"client is a .*: must be a distributed.Client, as of `with connect"):
            ShardedProblem(PROBLEM, wrong)
    sharded = ShardedProblem(PROBLEM, client)
    for wrong, kind in ((NET, "MLP"), (None, "NoneType"), (sharded, "ShardedProblem")):
        with pytest.raises(ArgumentError, match=f"problem is a {kind}: must be a Problem"):
            ShardedProblem(wrong, client)
    for wrong, kind in ((X, "ndarray"), (None, "NoneType"), ({"x": X}, "dict")):
        with pytest.raises(ArgumentError, match=f"parts is a {kind}: must be a batch"):
            sharded.scatter(wrong)
    with pytest.raises(ArgumentError, match=r"parts\[0\] is a ndarray: must be a pair \(x, y\)"):
        sharded.scatter(list(BATCH))


@needs_dask
def test_a_client_that_is_closed():
    with connect(1) as client:
        sharded = ShardedProblem(PROBLEM, client)
    with pytest.raises(ClusterError, match=r"θ is as it was before the step.*\(the client is closed\)"):
        sr.step(sharded, THETA, BATCH, lr=0.1)
    with pytest.raises(ClusterError, match="the client is closed"):
        ShardedProblem(PROBLEM, client)


@needs_dask
def test_workers_of_another_version_or_without_the_package(client, monkeypatch):
    """A task they can't read would be waited for in vain; other code would give another update."""
    monkeypatch.setattr(sr, "__version__", "9.9")
    with pytest.raises(ClusterError, match=r"tcp://.* has sven_ref [\d.]+; install sven_ref 9.9 there"):
        ShardedProblem(PROBLEM, client)
    monkeypatch.undo()

    def forget():
        import sys

        sys.modules["sven_ref"] = None

    def remember():
        import sys

        del sys.modules["sven_ref"]

    client.run(forget)
    try:
        with pytest.raises(ClusterError, match=r"tcp://.* has no sven_ref; install sven_ref"):
            ShardedProblem(PROBLEM, client)
    finally:
        client.run(remember)


@needs_dask
def test_workers_that_do_not_come_back():
    with dask.config.set({"distributed.scheduler.no-workers-timeout": "0.3s"}), connect(1) as client:
        sharded = ShardedProblem(PROBLEM, client)
        batch = sharded.scatter(BATCH)
        look = sharded.workers.look

        def leave():
            look()
            client.cluster.scale(0)
            client.sync(client.cluster._correct_state)

        sharded.workers.look = leave
        with pytest.raises(ClusterError, match="the cluster is lost; θ is as it was before the step"):
            sr.step(sharded, THETA, batch, lr=0.1)


@needs_dask
def test_a_task_that_kills_its_workers():
    us = os.getpid()

    def loss(f, y):
        if os.getpid() != us:
            os.kill(os.getpid(), signal.SIGKILL)
        return anp.sum((f - y) ** 2, axis=1)

    with connect(1) as client:
        with pytest.raises(ClusterError, match=r"one task took several workers with it.*n_shards"):
            sr.step(ShardedProblem(sr.Problem(NET, loss), client), THETA, BATCH, lr=0.1)
        client.wait_for_workers(1, timeout=20)


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sven-ref\[dask\]'"), connect(2):
        pass


@needs_dask
@pytest.mark.parametrize("victims", ["one", "all"])
@pytest.mark.parametrize(("when", "solver"), [("J", "gram"), ("vjp", "gram"), ("gram_matvec", "svds")])
def test_workers_killed_in_the_middle_of_a_step_are_replaced(client, tmp_path, when, solver, victims, monkeypatch):
    """SIGKILL: what they held is made again from θ and the samples, and the update has the same bits."""
    options, pids = STEP | {"solver": solver, "k": 2}, client.run(os.getpid)
    doomed = list(pids.values())[: 1 if victims == "one" else 2]
    us, once = os.getpid(), tmp_path / "killed"

    def kill():
        once.touch()
        for pid in reversed(doomed):  # the worker that runs this last
            os.kill(pid, signal.SIGKILL)

    def loss(f, y):
        if when == "J" and os.getpid() == doomed[0] != us and not once.exists():
            kill()
        return anp.sum((f - y) ** 2, axis=1)

    sharded = ShardedProblem(sr.Problem(NET, loss), client, 4)
    batch = sharded.scatter(cut(tuple(a[:12] for a in BATCH), 3, 3, 3, 3))
    if when != "J":
        product, calls = getattr(ShardProducts, when), []

        def dying(self, U):  # J is made, and products with it
            calls.append(U)
            if len(calls) == (1 if solver == "gram" else 5):
                kill()
            return product(self, U)

        monkeypatch.setattr(ShardProducts, when, dying)
    new, _ = sr.step(sharded, THETA, batch, **options)
    assert once.exists()
    client.wait_for_workers(2, timeout=20)
    assert not set(doomed) & set(client.run(os.getpid).values())
    again, _ = sr.step(sharded, THETA, batch, **options)  # and no one is killed
    assert np.array_equal(new, again)
    one, _ = sr.step(sr.Problem(NET, loss), THETA, tuple(a[:12] for a in BATCH), **options)
    assert same(one, THETA)(new)


@needs_dask
def test_a_lost_scheduler_is_a_clear_error_and_the_run_goes_on_from_its_checkpoint(tmp_path):
    opt, theta = sr.Sven(lr=0.1, k=6, rtol=1e-6, solver="gram", param_fraction=0.9), THETA
    (tmp_path / "a").mkdir()
    with separate_cluster(tmp_path / "a") as (address, scheduler), connect(scheduler=address) as client:
        client.wait_for_workers(1, timeout=30)
        sharded = ShardedProblem(PROBLEM, client, 2)
        for _ in range(2):
            theta, _ = opt.step(sharded, theta, BATCH)
        np.savez(tmp_path / "checkpoint.npz", theta=theta, n_steps=opt.n_steps)
        before = theta.copy()
        scheduler.send_signal(signal.SIGKILL)
        with pytest.raises(ClusterError, match="the cluster is lost; θ is as it was before the step"):
            opt.step(sharded, theta, BATCH)
        assert np.array_equal(theta, before)
        assert opt.n_steps == 2

    with np.load(tmp_path / "checkpoint.npz") as saved:
        theta, n_steps = saved["theta"], int(saved["n_steps"])
    resumed = sr.Sven(lr=0.1, k=6, rtol=1e-6, solver="gram", param_fraction=0.9, n_steps=n_steps)
    new, _ = resumed.step(PROBLEM, theta, BATCH)
    straight, opt = THETA, sr.Sven(lr=0.1, k=6, rtol=1e-6, solver="gram", param_fraction=0.9)
    for _ in range(3):
        straight, _ = opt.step(PROBLEM, straight, BATCH)
    np.testing.assert_allclose(new, straight, rtol=0, atol=1e-12)


@needs_dask
@pytest.mark.parametrize("who", ["nobody", "one who is silent"])
def test_no_scheduler_at_the_address(who):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if who == "nobody":
            server.close()
        with (
            briefly(),
            pytest.raises(ClusterError, match="no Dask scheduler answers there"),
            connect(scheduler=address),
        ):
            pass


DOCS = Path(__file__).parent.parent / "docs"


def python_of(page):
    """The blocks of code of a page of docs/."""
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def calls_of_step(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "sr.step"]


@needs_dask
def test_the_code_of_the_docs_runs_and_goes_to_a_cluster_by_one_argument(client, monkeypatch):
    (code,) = python_of("scale.md")
    one, many = calls_of_step(ast.parse(code))
    assert ast.unparse(many) == ast.unparse(one).replace("(problem,", "(ShardedProblem(problem, client),", 1)
    monkeypatch.setattr(sven_ref.sharded, "connect", lambda workers: nullcontext(client))  # this one, and no second
    assert "assert" in code
    exec(compile(code, "scale.md", "exec"), {"__name__": "__main__"})


@needs_dask
def test_the_lesson_goes_to_a_cluster_by_the_same_argument(client):
    """All of its code and its asserts, with that argument of every step changed."""
    namespace, changed = {"client": client, "ShardedProblem": ShardedProblem}, 0
    for code in python_of("lessons/10-beyond-one-machine.md"):
        tree = ast.parse(code)
        for call in calls_of_step(tree):
            assert ast.unparse(call.args[0]) == "problem"
            call.args[0] = ast.parse("ShardedProblem(problem, client)", mode="eval").body
            changed += 1
        exec(compile(ast.fix_missing_locations(tree), "lesson 10", "exec"), namespace)
    assert changed == 1


@needs_dask
@pytest.mark.parametrize("case", KINDS, ids=lambda case: case[0])
def test_the_mean_loss_and_its_gradient(client, case):
    _, problem, theta, batch = case
    loss, gradient = problem.loss_and_gradient(theta, batch)
    sharded = ShardedProblem(problem, client, 3)
    assert sharded.kappa == problem.kappa
    before = sharded.round_trips
    found, of_parts = sharded.loss_and_gradient(theta, batch)
    assert sharded.round_trips == before + 1
    np.testing.assert_allclose(found, loss, rtol=1e-12)
    np.testing.assert_allclose(of_parts, gradient, rtol=0, atol=1e-12 * np.abs(gradient).max())
    with pytest.raises(ArgumentError, match="must be the Problem that it was made of"):
        sharded.residual_function(batch)


@needs_dask
def test_a_loss_that_couples_samples_has_no_gradient_of_parts(client):
    coupled = sr.Problem(NET, lambda f, y: anp.sum((f - y) ** 2, axis=1) + anp.mean(f) ** 2)
    with pytest.raises(ArgumentError, match="couples samples"):
        ShardedProblem(coupled, client, 3).loss_and_gradient(THETA, BATCH)
