"""Checkpoints: what goes in comes out; what is damaged is refused; a killed run ends as if it never was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import killed
import numpy as np
import pytest

import sven_ref as sr
from sven_ref.errors import ArgumentError
from sven_ref.lab.optimizers import BASELINES
from sven_ref.lab.optimizers.options import OPTIMIZERS
from sven_ref.lab.training import checkpoint
from sven_ref.lab.training.checkpoint import CheckpointError, Checkpoints
from sven_ref.lab.training.execution import execute

# ---- the format ------------------------------------------------------------------------------------------------------

STATE = {
    "theta": np.array([0.1, -np.inf, 3e-42], np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3)),
    "scalar": np.float64(0.1),
    "small": np.float32(0.1),
    "nested": [1, (2.5, None, [np.arange(3)]), {"a": True, "b": "text"}, ()],
    "special": [float("nan"), float("-inf"), -0.0, 1e-320, 2**70],
}


def test_what_goes_in_comes_out_in_type_and_bit(tmp_path):
    checkpoint.save(tmp_path / "c", STATE)
    out = checkpoint.load(tmp_path / "c")

    def same(a, b):
        assert type(a) is type(b)
        if isinstance(a, np.ndarray | np.generic):
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes()
        elif isinstance(a, dict):
            assert list(a) == list(b)
            for key in a:
                same(a[key], b[key])
        elif isinstance(a, list | tuple):
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                same(x, y)
        else:
            assert repr(a) == repr(b)  # NaN, and the sign of zero

    same(STATE, out)
    assert out["fortran"].flags.f_contiguous
    assert not (tmp_path / "c.partial").exists()


@pytest.mark.parametrize("state", [{"a": object()}, {"a": {1: 2}}, [np.array([None])], {"$array": 0}, {"a": {1, 2}}])
def test_what_is_neither_arrays_nor_json_is_refused(tmp_path, state):
    with pytest.raises(ArgumentError, match="state holds"):
        checkpoint.save(tmp_path / "c", state)
    assert not list(tmp_path.iterdir())


def flip(data, i):
    return data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]


DAMAGES = {
    "truncated": (lambda d: d[:-1], "truncated"),
    "half": (lambda d: d[: len(d) // 2], "truncated"),
    "empty": (lambda d: b"", "not a checkpoint"),
    "longer": (lambda d: d + b"x", "truncated"),
    "altered at its end": (lambda d: flip(d, len(d) - 30), "altered"),
    "altered in an array": (lambda d: flip(d, len(d) // 2), "altered"),
    "altered head": (lambda d: flip(d, 4), "not a checkpoint"),
    "another sum": (lambda d: d.replace(b'"sha256": "', b'"sha256": "0', 1), "altered"),
    "a pickle": (lambda d: b"\x80\x04N.", "not a checkpoint"),
    "json of another kind": (lambda d: b"[1, 2]\n", "not a checkpoint"),
    "another version": (lambda d: d.replace(b'"version": 1', b'"version": 2', 1), "version 2; this program reads 1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_there(tmp_path, damage):
    change, message = DAMAGES[damage]
    points = Checkpoints(tmp_path, {"lr": 0.1})
    for epoch in range(4):
        points.save(epoch, {"epoch": epoch, "theta": np.full(50, epoch)})
    newest, before = points.paths()
    newest.write_bytes(change(newest.read_bytes()))
    with pytest.raises(CheckpointError, match=f"{newest.name}.*{message}.*{before.name} is whole"):
        points.load()
    newest.unlink()
    assert points.load()["epoch"] == 2


def test_every_altered_byte_is_found(tmp_path):
    checkpoint.save(tmp_path / "c", {"theta": np.arange(3)})
    data = (tmp_path / "c").read_bytes()
    spaces = {i for i in range(data.index(b"\n")) if data[i : i + 1] == b" "}  # JSON's own, which mean nothing
    for i in sorted(set(range(len(data))) - spaces):
        (tmp_path / "c").write_bytes(flip(data, i))
        with pytest.raises(CheckpointError):
            checkpoint.load(tmp_path / "c")


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    Checkpoints(tmp_path, {"lr": 0.1, "seed": 0, "betas": (0.9, 0.999)}).save(0, 1)
    assert Checkpoints(tmp_path, {"seed": 0, "lr": 0.1, "betas": (0.9, 0.999)}).load() == 1
    with pytest.raises(CheckpointError, match=r"of another run: lr is 0.1 there and 0.2 here$"):
        Checkpoints(tmp_path, {"lr": 0.2, "seed": 0, "betas": (0.9, 0.999)}).load()
    checkpoint.save(tmp_path / "epoch-000001.checkpoint", [1])
    with pytest.raises(CheckpointError, match=r"not the checkpoint of a run; epoch-000000.checkpoint is whole"):
        Checkpoints(tmp_path, {"lr": 0.1, "seed": 0, "betas": (0.9, 0.999)}).load()


def test_of_no_checkpoint_there_is_no_state(tmp_path):
    assert Checkpoints(tmp_path / "nowhere", {}).load() is None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_from_its_fields(name, tmp_path):
    """Two steps, then one more, by the optimizer itself and by one restored from a file."""
    rng = np.random.default_rng(0)
    net = sr.MLP((1, 4, 1))
    problem, theta = sr.Problem(net), net.init(0, np.float32)
    x = rng.uniform(-1, 1, (3, 8, 1)).astype(np.float32)
    batches = [(b, np.sin(3 * b)) for b in x]
    make = OPTIMIZERS[name] if name in BASELINES else lambda: sr.Sven(lr=0.1, solver="auto", param_fraction=0.5)
    opt, other = make(), make()
    for batch in batches[:2]:
        theta, _ = opt.step(problem, theta, batch)
    checkpoint.save(tmp_path / "c", {"theta": theta, "optimizer": checkpoint.optimizer_state(opt)})
    state = checkpoint.load(tmp_path / "c")
    checkpoint.restore_optimizer(other, state["optimizer"])
    ours, theirs = opt.step(problem, theta, batches[2])[0], other.step(problem, state["theta"], batches[2])[0]
    assert ours.tobytes() == theirs.tobytes()
    assert ours.dtype == theirs.dtype


def test_an_optimizer_of_another_class_is_refused():
    state = checkpoint.optimizer_state(sr.Sven(lr=0.1))
    with pytest.raises(CheckpointError, match="of Sven with other fields than this Adam"):
        checkpoint.restore_optimizer(BASELINES["adam"](), state)
    with pytest.raises(ArgumentError, match="must be a dataclass"):
        checkpoint.optimizer_state(object())


# ---- killed at a named point -----------------------------------------------------------------------------------------


def child(folder, optimizer, point, n=0):
    command = [sys.executable, killed.__file__, str(folder), optimizer, point, str(n)]
    env = os.environ | {"PYTHONPATH": str(Path(sr.__file__).parent.parent)}  # this package, installed or not
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def record(folder):
    """history.jsonl and result.json without seconds and versions, and the bytes of the last state."""
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    result = json.loads((folder / "result.json").read_text())
    for epoch in [*lines, *result["history"]["epochs"]]:
        del epoch["seconds"]
    for name in ("seconds", "evaluation_seconds", "sha256"):
        del result[name]
    last = checkpoint.load(sorted((folder / "checkpoints").glob("*.checkpoint"))[-1])["state"]
    return lines, result, last["theta"].tobytes(), repr(last["optimizer"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Runs that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return {name: (execute(killed.run_of(name), folder / name), record(folder / name))[1] for name in killed.SETTINGS}


CASES = [("sven", point) for point in killed.POINTS] + [("lbfgs", "in a step"), ("adam", "in a checkpoint")]


@pytest.mark.parametrize(("optimizer", "point"), CASES)
def test_a_killed_run_ends_as_if_never_interrupted(optimizer, point, tmp_path, whole):
    n = 14 if point == "in a step" else 3
    dead = child(tmp_path, optimizer, point, n)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert not (tmp_path / "result.json").exists()
    if point == "in a checkpoint":
        assert (tmp_path / "checkpoints" / "epoch-000002.checkpoint.partial").exists()
    execute(killed.run_of(optimizer), tmp_path)
    assert record(tmp_path) == whole[optimizer]


def test_a_run_killed_many_times_ends_as_if_never_interrupted(tmp_path, whole):
    for n in (8, 4, 9, 2):  # the first step is made on trial
        assert child(tmp_path, "sven", "in a step", n).returncode == -signal.SIGKILL
    assert child(tmp_path, "sven", "none").returncode == 0
    assert record(tmp_path) == whole["sven"]


def test_a_damaged_checkpoint_stops_a_run_until_it_is_moved_away(tmp_path, whole):
    assert child(tmp_path, "sven", "after a line", 4).returncode == -signal.SIGKILL
    newest = sorted((tmp_path / "checkpoints").glob("*.checkpoint"))[-1]
    newest.write_bytes(newest.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="truncated"):
        execute(killed.run_of("sven"), tmp_path)
    newest.unlink()
    execute(killed.run_of("sven"), tmp_path)
    assert record(tmp_path) == whole["sven"]
