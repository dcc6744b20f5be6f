"""The demo as a user runs it, made short: its files, its table, its errors; and the training loop under it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import sven_ref as sr
from sven_ref import cli
from sven_ref.errors import ArgumentError, MissingExtraError
from sven_ref.lab import demo
from sven_ref.lab.optimizers import Adam
from sven_ref.lab.tasks import Task, toy_1d
from sven_ref.lab.training import loop

SHORT = ["demo", "--epochs", "1"]


def test_the_command_without_a_display(tmp_path):
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    command = [sys.executable, "-m", "sven_ref", *SHORT, "--out", str(tmp_path / "out")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    for text in ("Sven  epoch  1/1", "Adam  epoch  1/1", "training time", "median rank kept", "products with J, Jᵀ"):
        assert text in done.stdout
    results = json.loads((tmp_path / "out" / "demo.json").read_text())
    histories = results["histories"]
    start, end = histories["Sven"]["epochs"]
    assert start["val_loss"] == histories["Adam"]["epochs"][0]["val_loss"]  # the same initialisation
    assert end["val_loss"] < 0.1 * histories["Adam"]["epochs"][1]["val_loss"]
    assert end["n_products"] > 0
    assert len(end["spectrum"]) == 32
    assert (tmp_path / "out" / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_prints_the_same_losses(tmp_path):
    def numbers(**options):
        histories = demo.run(epochs=1, out=tmp_path, **options)["histories"]
        return json.dumps(histories, default=str).replace(" ", ""), [
            [epoch["val_loss"] for epoch in h["epochs"]] for h in histories.values()
        ]

    one, two, other = (numbers(seed=seed)[1] for seed in (3, 3, 4))
    assert one == two != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "0"], "k = 0: must be an integer ≥ 1"),
        (["--rtol", "1"], "rtol = 1.0: must be a finite number ≥ 0 and < 1"),
        (["--epochs", "0"], "epochs = 0: must be an integer ≥ 1"),
        (["--kappa", "-1"], "kappa = -1.0: must be a finite number > 0"),
        (["--lr", "nan"], "lr = nan: must be a finite number ≥ 0"),
        (["--adam-lr", "-1"], "adam_lr = -1.0: must be a finite number ≥ 0"),
        (["--out", "/dev/null/x"], "out = '/dev/null/x': must be a directory to write to"),
    ],
)
def test_wrong_options_end_before_training_in_one_line(options, message, capsys, monkeypatch):
    monkeypatch.setattr(demo, "train", lambda *args, **kwargs: pytest.fail("training began"))
    assert cli.main(["demo", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sven-ref: error: {message}")
    assert error.count("\n") == 1


def test_a_missing_package_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib: not installed.*pip install 'sven-ref\[app\]'"):
        demo.run(out=tmp_path)


def test_help_version_and_interruption(capsys, monkeypatch):
    assert cli.main([]) == 2
    assert "demo" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert sr.__version__ in capsys.readouterr().out

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train", interrupt)
    assert cli.main(SHORT) == 130


# ---- the loop --------------------------------------------------------------------------------------------------------


def small_task(n=70):
    task = toy_1d(0, n_train=n, n_val=50, n_test=10, dtype=np.float64)
    return task, sr.MLP((1, 4, 1)), sr.Problem(sr.MLP((1, 4, 1)))


def test_splits_do_not_move_each_other():
    one, two = toy_1d(5), toy_1d(5, n_train=100, n_test=7)
    np.testing.assert_array_equal(one.val[0], two.val[0])
    np.testing.assert_array_equal(one.train[0][:100], two.train[0])
    assert one.train[1].dtype == np.float32
    assert abs(one.train[1].mean()) < 1e-6
    assert abs(one.train[1].std() - 1) < 1e-6
    assert abs(one.std - 0.134018) < 0.003  # the population value; its sampling error over 10,000 points is 0.001


def test_epochs_see_every_example_once_and_the_online_loss_is_weighted_by_example():
    task, net, problem = small_task()
    seen, theta = [], net.init(0)

    class Still:
        def step(self, problem, theta, batch):
            seen.append(batch[0])
            return theta, sr.step(problem, theta, batch, lr=0, k=1)[1]

    history = loop.train(problem, theta, Still(), task, epochs=2, batch_size=32, seed=1)
    assert [len(x) for x in seen] == [32, 32, 6] * 2
    for epoch in (seen[:3], seen[3:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch), axis=0), np.sort(task.train[0], axis=0))
    assert not np.array_equal(seen[0], seen[3])
    exact = problem.losses(theta, task.train).mean()
    assert history.epochs[1].train_loss == pytest.approx(exact, rel=1e-12)
    assert history.epochs[1].val_loss == pytest.approx(problem.losses(theta, task.val).mean(), rel=1e-12)


@pytest.mark.parametrize("opt", [lambda: sr.Sven(lr=0.1, k=2), lambda: Adam(1e-2)], ids=["Sven", "Adam"])
def test_divergence_is_a_result_with_a_reason(opt):
    task, net, problem = small_task()
    x, y = task.train
    broken = Task("broken", (x, np.where(np.arange(len(y)) == 3, np.nan, y.T).T), task.val, task.test, 0.0, 1.0)
    history = loop.train(problem, net.init(0), opt(), broken, epochs=3, batch_size=32, seed=0)
    assert history.diverged
    assert "y: 1 of" in history.reason or "not finite" in history.reason
    assert len(history.epochs) == 1  # the untrained one
    json.dumps(history.to_dict(), allow_nan=False)


def test_ten_times_the_untrained_loss_is_divergence():
    task, net, problem = small_task()
    history = loop.train(problem, net.init(0), Adam(lr=100.0), task, epochs=1, batch_size=32, seed=0)
    assert history.diverged
    assert "10 × the untrained" in history.reason


def test_adam_reads_as_its_paper():
    """Three steps by hand on L = mean (θ·x − y)²."""
    x, y = np.array([[1.0, 2], [3, -1]]), np.array([[1.0], [0]])
    problem = sr.Problem(lambda theta, x: (x @ theta)[:, None])
    theta = ours = np.array([0.5, -0.3])
    m = v = np.zeros(2)
    opt = Adam(lr=0.1)
    for t in range(1, 4):
        g = 2 * x.T @ (x @ theta - y[:, 0]) / 2
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        ours, info = opt.step(problem, ours, (x, y))
        np.testing.assert_allclose(ours, theta, rtol=1e-12)
    assert info.loss > 0


@pytest.mark.parametrize("options", [{"lr": -1}, {"betas": (0.9, 1.0)}, {"betas": (0.9,)}, {"eps": 0}])
def test_adam_refuses(options):
    with pytest.raises(ArgumentError, match=r"lr|betas|eps"):
        Adam(**options)
