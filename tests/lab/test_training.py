"""The loop beyond what the demo shows: labels, dropped batches, continuation, failures of LAPACK. See test_demo.py."""

import json

import numpy as np
import pytest

import sven_ref as sr
from sven_ref.errors import ArgumentError
from sven_ref.lab.optimizers import Adam
from sven_ref.lab.tasks import toy_1d
from sven_ref.lab.threads import THREADS, one_blas_thread
from sven_ref.lab.training import loop
from sven_ref.lab.training.loop import History, measure, train

NET = sr.MLP((1, 4, 1))


def small():
    return toy_1d(0, n_train=70, n_val=50, n_test=10, dtype=np.float64), sr.Problem(NET), NET.init(0)


class Still:
    """Moves nothing; remembers the batches."""

    def __init__(self):
        self.seen = []

    def step(self, problem, theta, batch):
        self.seen.append(batch[0])
        return theta, sr.step(problem, theta, batch, lr=0, k=1)[1]


def test_drop_last_drops_the_shorter_batch_and_weighs_what_is_left():
    task, problem, theta = small()
    opt = Still()
    history = train(problem, theta, opt, task, epochs=2, batch_size=32, seed=1, drop_last=True)
    assert [len(x) for x in opt.seen] == [32, 32] * 2
    x = np.concatenate(opt.seen[2:])
    y = np.array([task.train[1][np.flatnonzero(task.train[0] == value)[0]] for value in x])
    assert history.epochs[2].train_loss == pytest.approx(problem.losses(theta, (x, y)).mean(), rel=1e-12)
    with pytest.raises(ArgumentError, match="batch_size = 71: must be at most the 70 examples"):
        train(problem, theta, opt, task, epochs=1, batch_size=71, seed=1, drop_last=True)


@pytest.mark.parametrize(
    ("kappa", "rows", "m"), [(1, None, 1), (2, None, 1), (3, "unsigned", 1), (2, None, 8), (1, "per_output", 1)]
)
def test_the_online_loss_is_the_mean_of_the_losses_whatever_the_rows(kappa, rows, m):
    task, _, theta = small()
    problem = sr.Problem(NET, kappa=kappa, rows=rows, micro_batch=m)
    history = train(problem, theta, Still(), task, epochs=1, batch_size=32, seed=1, drop_last=True)
    opt = Still()
    train(sr.Problem(NET), theta, opt, task, epochs=1, batch_size=32, seed=1, drop_last=True)
    x = np.concatenate(opt.seen)
    y = np.array([task.train[1][np.flatnonzero(task.train[0] == value)[0]] for value in x])
    assert history.epochs[1].train_loss == pytest.approx(problem.losses(theta, (x, y)).mean(), rel=1e-12)


def test_continued_from_a_history_a_run_has_the_same_bits():
    task, problem, theta = small()
    whole = train(problem, theta, Adam(0.05), task, epochs=4, batch_size=32, seed=2)
    opt = Adam(0.05)
    part = train(problem, theta, opt, task, epochs=2, batch_size=32, seed=2)
    seen = []
    end = train(problem, theta, opt, task, epochs=4, batch_size=32, seed=2, history=part, on_epoch=seen.append)
    assert end is part
    assert [e.epoch for e in seen] == [3, 4]
    assert end.theta.tobytes() == whole.theta.tobytes()
    for a, b in zip(end.epochs, whole.epochs, strict=True):
        assert vars(a) | {"seconds": 0} == vars(b) | {"seconds": 0}
        assert a.seconds >= 0
    again = train(problem, theta, opt, task, epochs=4, batch_size=32, seed=2, history=end)
    assert again.theta.tobytes() == whole.theta.tobytes()


def test_losses_and_accuracy_over_a_split_count_every_example_once(monkeypatch):
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 7)
    rng = np.random.default_rng(0)
    net = sr.MLP((3, 5, 4))
    problem, theta = sr.Problem(net, "cross_entropy"), net.init(1)
    x, y = rng.normal(size=(30, 3)), rng.integers(0, 4, 30)
    loss, accuracy = measure(problem, theta, (x, y))
    assert loss == pytest.approx(problem.losses(theta, (x, y)).mean(), rel=1e-12)
    assert accuracy == np.mean(net(theta, x).argmax(axis=1) == y)
    assert measure(sr.Problem(NET), NET.init(0), (x[:, :1], x[:, :1])).accuracy is None


@pytest.mark.parametrize("error", [np.linalg.LinAlgError("SVD did not converge"), sr.errors.ConvergenceError("ARPACK")])
def test_a_step_that_cannot_be_computed_is_divergence_and_theta_is_the_last_one(error):
    class Failing(Still):
        def step(self, problem, theta, batch):
            if len(self.seen) == 4:
                raise error
            return super().step(problem, theta, batch)

    task, problem, theta = small()
    history = train(problem, theta, Failing(), task, epochs=3, batch_size=32, seed=0)
    assert history.diverged
    assert history.reason == f"epoch 2: {error}"
    assert len(history.epochs) == 2
    assert history.theta.tobytes() == theta.tobytes()
    assert train(problem, theta, Failing(), task, epochs=3, batch_size=32, seed=0, history=history) is history
    assert len(history.epochs) == 2


def test_what_json_does_not_know_is_none():
    epoch = loop.Epoch(1, float("inf"), 1.0, 0.1, None, 0, 1.0, None)
    assert epoch.to_dict()["train_loss"] is None
    json.dumps(History("Adam", [epoch]).to_dict(), allow_nan=False)


def test_blas_has_one_thread_unless_the_environment_says_otherwise(monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(2, "blas"):
        with one_blas_thread():
            assert set(threads()) == {1}
        assert set(threads()) != {1}
        monkeypatch.setenv(THREADS[0], "2")
        with one_blas_thread():
            assert set(threads()) != {1}
