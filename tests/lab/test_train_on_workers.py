"""`sven-ref train --workers N | --scheduler ADDRESS`: the run of one process, on workers; lost, and gone on with."""

import json
import re
import shutil
import signal
import sys

import numpy as np
import pytest
from clusters import briefly, needs_dask, separate_cluster

import sven_ref as sr
from sven_ref import cli
from sven_ref.errors import ArgumentError
from sven_ref.lab.optimizers import BASELINES
from sven_ref.lab.train import DIVERGED, train_one
from sven_ref.lab.training import checkpoint
from sven_ref.sharded import connect

SVEN = ["train", "--task", "toy", "--optimizer", "sven", "--n-train", "96", "--epochs", "3", "--seed", "3"]
SVEN += [word for option in ("lr=0.02", "k=8", "kappa=1") for word in ("--set", option)]
STEPS = 3  # an epoch


@pytest.fixture(autouse=True)
def in_float64(monkeypatch):
    """Runs of θ in float64, in which what is said of 1e-12 can be seen."""
    init = sr.MLP.init
    monkeypatch.setattr(sr.MLP, "init", lambda self, rng=0, dtype=None: init(self, rng, np.float64))


@pytest.fixture(scope="module")
def address():
    """A scheduler with two workers."""
    with connect(2) as client:
        yield client.scheduler.address


def train(folder, *options):
    assert cli.main([*SVEN, "--out", str(folder), *options]) == 0
    return record(folder)


def record(folder):
    """(θ, the history and the result without their seconds)."""
    result = json.loads((folder / "result.json").read_text())
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for entry in [result, *result["history"]["epochs"], *lines]:
        del entry["seconds"]
    del result["evaluation_seconds"], result["sha256"]
    last = checkpoint.load(sorted((folder / "checkpoints").iterdir())[-1])["state"]
    assert last["theta"].dtype == np.float64
    return last["theta"], [lines, result]


@pytest.fixture
def one_process(tmp_path, monkeypatch):
    """The run without workers, and how far its θ moves when its start moves by one rounding."""
    theta, history = train(tmp_path / "one")
    init = sr.MLP.init

    def rounded(self, rng=0, dtype=None):
        start = init(self, rng, dtype)
        return start * (1 + np.finfo(start.dtype).eps / 2 * np.random.default_rng(0).choice([-1, 1], start.size))

    with monkeypatch.context() as m:
        m.setattr(sr.MLP, "init", rounded)
        moved, _ = train(tmp_path / "rounded")
    return theta, history, np.linalg.norm(moved - theta)


def same_run(ours, one_process):
    """The same steps, with θ as near as rounding lets it be."""
    (theta, (lines, result)), (expected, (theirs, other), rounding) = ours, one_process
    assert 0 < rounding < 1e-6 * np.linalg.norm(expected)
    assert np.linalg.norm(theta - expected) <= rounding
    assert result["settings"] == other["settings"]
    assert result["history"]["solvers"] == other["history"]["solvers"] == {"gram": 3 * STEPS}
    for a, b in zip(lines, theirs, strict=True):
        assert (a["epoch"], a["median_rank"], a["n_products"]) == (b["epoch"], b["median_rank"], b["n_products"])
        assert a["val_loss"] == pytest.approx(b["val_loss"], rel=1e-6)


@needs_dask
def test_workers_make_the_run_of_one_process_and_the_same_number_the_same_bits(tmp_path, address, one_process):
    ours = train(tmp_path / "workers", "--workers", "2")
    same_run(ours, one_process)
    theta, history = train(tmp_path / "scheduler", "--scheduler", address)
    assert theta.tobytes() == ours[0].tobytes()
    assert history == ours[1]


@needs_dask
def test_a_run_that_loses_its_scheduler_goes_on_as_if_it_never_had(tmp_path, address, one_process, monkeypatch, capsys):
    """Lost in epoch 2: θ is untouched, the last line says so, and the run goes on from epoch 1, here or on workers."""
    whole = train(tmp_path / "whole", "--scheduler", address)
    lost, step, at = tmp_path / "lost", sr.Sven.step, []
    with separate_cluster(tmp_path, workers=2) as (theirs, scheduler), connect(scheduler=theirs) as client:
        client.wait_for_workers(2, timeout=30)

        def dying(self, problem, theta, batch):
            at.append((theta, theta.tobytes()))
            if len(at) == STEPS + 2:
                scheduler.send_signal(signal.SIGKILL)
                scheduler.wait()
            return step(self, problem, theta, batch)

        capsys.readouterr()
        with monkeypatch.context() as m, briefly():
            m.setattr(sr.Sven, "step", dying)
            assert cli.main([*SVEN, "--out", str(lost), "--scheduler", theirs]) == 1
        client.close()
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("sven-ref: error: client: the cluster is lost; θ is as it was before the step")
    assert error.endswith(f"--resume goes on with {lost} from its last epoch")
    assert len(at) == STEPS + 2
    assert at[-1][0].tobytes() == at[-1][1]
    assert len((lost / "history.jsonl").read_text().splitlines()) == 2
    assert not (lost / "result.json").exists()

    shutil.copytree(lost, tmp_path / "alone")
    same_run(train(tmp_path / "alone", "--resume"), one_process)
    theta, history = train(lost, "--resume", "--scheduler", address)
    assert theta.tobytes() == whole[0].tobytes()
    assert history == whole[1]


@needs_dask
def test_a_run_diverges_on_workers_as_it_does_here(tmp_path, address):
    reasons = []
    for name, where in (("here", []), ("there", ["--scheduler", address])):
        assert cli.main([*SVEN, "--set", "lr=1e200", "--out", str(tmp_path / name), *where]) == DIVERGED
        reasons.append(json.loads((tmp_path / name / "result.json").read_text())["history"]["reason"])
    assert all(re.match("epoch 1: residuals: .* not finite", reason) for reason in reasons)


def refused(folder, *options):
    """The one line of a command that does nothing."""
    assert cli.main([*SVEN, "--out", str(folder), *options]) == 1
    assert not list(folder.glob("*"))


@needs_dask
@pytest.mark.parametrize(
    ("scheduler", "why"),
    [
        ("tcp://127.0.0.1:9", "no Dask scheduler answers there (Timed out trying to connect"),
        ("nonsense", "must be tcp://HOST:PORT"),
        ("tls://127.0.0.1:9", "must be tcp://HOST:PORT"),
        ("tcp://127.0.0.1:x", "must be tcp://HOST:PORT"),
    ],
)
def test_a_scheduler_that_nobody_is(tmp_path, capsys, scheduler, why):
    with briefly():
        refused(tmp_path, "--scheduler", scheduler)
    out, error = capsys.readouterr()
    assert error.startswith(f"sven-ref: error: scheduler = '{scheduler}': {why}")
    assert error.count("\n") == 1
    assert out.splitlines()[1:] == [f"connecting to {scheduler}"] * ("no Dask" in why)


@needs_dask
def test_a_number_of_workers_that_can_not_be(tmp_path, capsys):
    refused(tmp_path, "--workers", "0")
    assert capsys.readouterr().err == "sven-ref: error: workers = 0: must be an integer ≥ 1\n"


@pytest.mark.parametrize("where", [["--workers", "2"], ["--scheduler", "tcp://127.0.0.1:9"]])
@pytest.mark.parametrize("optimizer", BASELINES)
def test_an_optimizer_without_a_sharded_form(tmp_path, capsys, optimizer, where):
    command = ["train", "--task", "toy", "--optimizer", optimizer, "--n-train", "96", "--out", str(tmp_path), *where]
    assert cli.main(command) == 1
    message = f"optimizer = '{optimizer}': has no sharded form; with workers or scheduler, use 'sven'"
    assert capsys.readouterr().err == f"sven-ref: error: {message}\n"
    assert not list(tmp_path.iterdir())


def test_workers_or_a_scheduler_and_not_both(tmp_path, capsys):
    both = {"workers": 2, "scheduler": "tcp://127.0.0.1:9"}
    with pytest.raises(SystemExit) as status:
        cli.main([*SVEN, "--workers", "2", "--scheduler", both["scheduler"]])
    assert status.value.code == 2
    assert "argument --scheduler: not allowed with argument --workers" in capsys.readouterr().err
    with pytest.raises(ArgumentError, match=r"workers, scheduler = 2, 'tcp://127.0.0.1:9': must be one of the two"):
        train_one("toy", "sven", n_train=96, out=tmp_path, **both)


def test_without_dask_the_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused(tmp_path, "--workers", "2")
    assert "pip install 'sven-ref[dask]'" in capsys.readouterr().err
