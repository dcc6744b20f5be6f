"""From the command line to the table: reproduce, train, the pool, the protocols, the studies."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from sven_ref import cli
from sven_ref.errors import ArgumentError
from sven_ref.lab.optimizers import options
from sven_ref.lab.paper import best_of, protocols, reproduce, studies, study_cells, tables
from sven_ref.lab.tasks import TASKS
from sven_ref.lab.threads import THREADS
from sven_ref.lab.training import pool
from sven_ref.lab.training.execution import execute
from sven_ref.lab.training.run import Run

TINY = {"epochs": 1, "task_options": {"n_train": 64}}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(protocols, "QUICK", TINY)


# ---- protocols -------------------------------------------------------------------------------------------------------


def test_every_protocol_names_known_tasks_optimizers_sources_and_options():
    sources, tasks = protocols.read()
    for protocol in tasks.values():
        assert protocol.task in TASKS
        assert "sven" in protocol.methods
        for method in protocol.methods.values():
            options.OPTIMIZERS[method.optimizer](**method.options)
            assert method.settings_from in {*sources, "here"}
            assert set(method.published) <= set(sources)
            for figure in method.published.values():
                assert figure.val[0] > 0
                assert figure.val[1] >= 0


def test_the_september_settings_are_those_published():
    methods = {name: p.methods for name, p in protocols.read()[1].items()}
    assert methods["toy"]["sven"].options == {"lr": 0.01, "k": 32, "rtol": 1e-4}
    assert methods["polynomial"]["sven"].options == {"lr": 0.5, "k": 16, "rtol": 0.03}
    assert methods["mnist-ce"]["sven"].options == {"lr": 0.5, "k": 32, "rtol": 0.3}
    assert methods["mnist-lr"]["sven"].options == {"lr": 0.5, "k": 64, "rtol": 1e-3}
    assert methods["mnist-lr"]["adam"].options == {"lr": 1e-3}


def test_all_optimizers_of_a_seed_share_start_and_data():
    protocol = protocols.read()[1]["toy"]
    sven, adam = (protocol.runs(protocol.methods[name], 2, 2) for name in ("sven", "adam"))
    assert [(r.seed, r.data_seed) for r in sven] == [(1100, 1000), (1101, 1000), (1100, 1001), (1101, 1001)]
    for a, b in zip(sven, adam, strict=True):
        assert {**a.settings(), "optimizer": 0, "options": 0} == {**b.settings(), "optimizer": 0, "options": 0}
    mnist = protocols.read()[1]["mnist-lr"]
    assert len(mnist.runs(mnist.methods["hig"], 5)) == 1
    assert all(r.epochs == 20 and r.drop_last for r in sven)


# ---- the table -------------------------------------------------------------------------------------------------------


def fake(val, seconds=1.0, diverged=False, curve=(1.0, 0.1, 0.01)):
    final = {split: {"loss": None if diverged else val, "accuracy": None} for split in ("val", "test", "train")}
    epochs = [{"epoch": i, "val_loss": v, "seconds": i * seconds} for i, v in enumerate(curve)]
    history = {"diverged": diverged, "reason": "why" if diverged else None, "epochs": epochs}
    return {"final": final, "seconds": seconds, "history": history}


def test_diverged_runs_are_counted_and_enter_no_mean():
    s = tables.summarize([fake(1.0), fake(3.0), fake(1e9, diverged=True)], 0.1)
    assert (s["finished"], s["attempted"], s["reasons"]) == (2, 3, ["why"])
    assert s["val"] == [2.0, math.sqrt(2)]  # ddof = 1
    assert s["reached_target"] == 2
    assert s["epochs_to_target"][0] == 1
    assert s["seconds_to_target"][0] == 1.0
    nothing = tables.summarize([fake(1.0, diverged=True)], 0.1)
    assert nothing["val"] is None
    assert nothing["finished"] == 0
    method = protocols.read()[1]["toy"].methods["sven"]
    assert len(tables.row(method, nothing)) == len(tables.row(method, s)) == len(tables.HEAD)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (5.086e-7, "5.09e-7"),
        (0.13876, "0.139"),
        (12.345, "12.3"),
        (0, "0"),
        (1234.5, "1234"),
        (2e10, "2.00e10"),
        (None, "—"),
    ],
)
def test_numbers(x, text):
    assert tables.number(x) == text


# ---- reproduce and train ---------------------------------------------------------------------------------------------


def test_reproduce_writes_its_table_and_runs_nothing_twice(tmp_path, tiny, capsys):
    arguments = ["reproduce", "toy", "--quick", "--seeds", "2", "--optimizers", "sven,adam", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    for text in ("toy 1D", "Sven", "Adam", "2/2", "5.09e-7 ± 1.5e-6 (15/15)", "2.97e-6 ± 3.4e-6 [rerun]", "2026-09"):
        assert text in out
    assert "\x1b" not in out
    folder = tmp_path / "toy"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["methods"]["sven"]["attempted"] == 2
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "| Sven |" in (folder / "table.md").read_text()
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")}
    assert len(times) == 4
    assert cli.main([*arguments, "--workers", "0"]) == 0
    assert times == {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")}
    assert json.loads((folder / "summary.json").read_text()) == summary


def test_two_workers_give_the_bits_of_one(tmp_path, tiny):
    """Each has one BLAS thread; this process may have more, which round sums differently."""
    protocol = protocols.read()[1]["toy"]
    todo = [r for name in ("sven", "adam") for r in protocol.runs(protocol.methods[name], 1, quick=True)]
    losses = [{r.optimizer: x["final"]["val"]["loss"] for r, x in pool.run_all(execute, todo, n)} for n in (1, 2)]
    assert losses[0] == losses[1]


def test_train_prints_records_and_resumes(tmp_path, capsys):
    arguments = ["train", "--task", "toy", "--optimizer", "sven", "--set", "lr=0.01", "--kappa", "2"]
    arguments += ["--epochs", "2", "--n-train", "64", "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "epoch  2/2  validation loss" in out
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert settings["options"] == {"lr": 0.01, "k": 32, "rtol": 1e-4}
    assert settings["problem"] == {"kappa": 2}
    assert (settings["seed"], settings["batch_size"]) == (1100, 32)
    assert cli.main(arguments) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert cli.main([*arguments, "--resume"]) == 0
    assert cli.main([*arguments, "--resume", "--set", "lr=0.06"]) == 1
    assert "holds a run of other settings: lr is 0.01 there and 0.06 here; choose" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "lr"], "set = 'lr': must be NAME=VALUE"),
        (["--set", "lr=-1"], "lr = -1: must be a finite number ≥ 0"),
        (
            ["--set", "nothing=1"],
            "nothing: must be one of lr, k, rtol, atol, solver, param_fraction, mask, kappa, rows",
        ),
        (["--set", "kappa=0"], "kappa = 0: must be a finite number > 0"),
        (["--epochs", "0"], "epochs = 0: must be an integer ≥ 1"),
        (["--seed", "-1"], "seed"),
        (["--data", "/dev/null/x"], "data = '/dev/null/x': must be a directory"),
        (["--out", "/dev/null/x"], "out = '/dev/null/x': must be a directory to write to"),
    ],
)
def test_wrong_options_of_train_are_one_line(options, message, capsys, tmp_path):
    arguments = ["train", "--task", "toy", "--optimizer", "sven", "--n-train", "64", "--epochs", "1"]
    assert cli.main([*arguments, "--out", str(tmp_path), *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sven-ref: error: {message}")
    assert error.count("\n") == 1


def test_reproduce_refuses_before_it_runs(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["reproduce", "toy", "--optimizers", "svne", "--out", str(tmp_path)])
    assert "optimizers = 'svne': must be one of 'sven'" in capsys.readouterr().err
    with pytest.raises(ArgumentError, match="task"):
        reproduce.reproduce("tyo", out=tmp_path)


def test_single_values_are_json_or_text():
    assert options.parse(["lr=1e-3", "solver=gram", "k=null", "betas=[0.9, 0.99]"]) == {
        "lr": 1e-3,
        "solver": "gram",
        "k": None,
        "betas": [0.9, 0.99],
    }


# ---- the pool --------------------------------------------------------------------------------------------------------


def threads(_):
    return [os.environ.get(name) for name in THREADS]


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_have_one_blas_thread_and_the_parent_its_own():
    before = threads(0)
    assert [r for _, r in pool.run_all(threads, [0], 1)] == [["1"] * len(THREADS)]
    assert threads(0) == before


def test_a_worker_that_is_killed_is_an_error_and_not_a_wait():
    with pytest.raises(pool.WorkerError, match="goes on from what is finished"):
        list(pool.run_all(die, [0], 1))


def test_workers_end_with_their_parent(tmp_path):
    code = (
        "import os, time; from sven_ref.lab.training.pool import run_all\n"
        f"def job(i): open({str(tmp_path)!r} + '/' + str(os.getpid()), 'w'); time.sleep(60)\n"
        "if __name__ == '__main__': list(run_all(job, [0], 1))\n"
    )
    (tmp_path / "parent.py").write_text(code)
    env = os.environ | {"PYTHONPATH": str(Path(pool.__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=env)
    for _ in range(300):
        if pids := [int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()]:
            break
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    for _ in range(100):
        try:
            os.kill(pids[0], 0)
        except ProcessLookupError:  # gone, which is what is waited for
            break
        if (state := Path(f"/proc/{pids[0]}/stat").read_text().split()[2]) == "Z":  # dead, not yet collected
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"worker {pids[0]} is still there, in state {state}")


# ---- studies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", study_cells.STUDIES)
def test_cells_differ_and_can_be_built_in_settings(name):
    for quick in (True, False):
        cells = study_cells.STUDIES[name](studies.settings_of(name, quick), 2, quick)
        assert len({cell.key() for cell in cells}) == len(cells)
        for cell in cells:
            options.OPTIMIZERS[cell.run.optimizer](**{"lr": 0.1} | cell.run.options)


def test_matched_steps_of_kappa():
    for cell in study_cells.kappa(studies.settings_of("kappa", False), 1, False):
        assert 2 * cell.run.options["lr"] / cell.run.problem["kappa"] == pytest.approx(cell.at["x"])


def test_the_expected_best_is_the_mean_over_all_subsets():
    losses = [0.1, 0.2, 0.5, 3.0, 4.0]
    for n in range(1, 6):
        subsets = [min(s) for s in combinations(losses, n)]
        assert best_of.expected_best(losses, n) == pytest.approx(np.mean(subsets), rel=1e-14)


SETTINGS_OF = studies.settings_of


def small_settings(name):
    changed = {
        "divergence": {"k": [4, 32], "rtol": [1e-6], "lr": [0.05, 30.0]},
        "micro-batch": {"micro_batch": [1, 4], "tasks": {"toy": {"lr": 0.05, "k": 16, "rtol": 1e-3}}},
        "param-fraction": {"param_fraction": [0.5], "tasks": {"toy": {"lr": 0.05, "k": 16, "rtol": 1e-3}}},
        "kappa": {"task": "digits-lr", "kappa": [1.0, 2.0], "step": [0.5], "k": [64]},
        "over-parametrization": {
            "steps": 2,
            "sven_lr": [0.5],
            "rtol": [1e-3],
            "adam_lr": [1e-2],
            "tasks": {"toy": [40]},
        },
        "tuning-budget": {"trials": 2, "optimizers": ["sven", "adam"]},
    }
    return SETTINGS_OF(name, True) | changed[name]


@pytest.mark.parametrize("name", study_cells.STUDIES)
def test_a_study_concludes_and_runs_no_cell_twice(name, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "settings_of", lambda name, quick: small_settings(name))
    points = studies.study(name, quick=True, workers=0, out=tmp_path)[name]
    assert points
    folder = tmp_path / name
    assert {p.name for p in folder.iterdir()} == {"results.jsonl", "table.md", "study.json", "figure.png"}
    assert json.loads((folder / "study.json").read_text())["points"] == points
    lines = (folder / "results.jsonl").read_bytes()
    (folder / "results.jsonl").write_bytes(lines[:-20])  # a kill cut the last line short
    ran = []
    execute_, full_batch_ = studies.execute, studies.full_batch
    monkeypatch.setattr(studies, "execute", lambda run: ran.append(run) or execute_(run))
    monkeypatch.setattr(studies, "full_batch", lambda cell: ran.append(cell) or full_batch_(cell))
    again = studies.study(name, quick=True, workers=0, out=tmp_path)[name]
    assert len(ran) == 1
    assert [p["val"] for p in again] == [p["val"] for p in points]


def test_a_map_counts_what_diverged(tmp_path):
    cells = [
        study_cells.Cell({"line": "a", "x": 1, "seed": s}, Run("toy", "adam", {"lr": lr}, **TINY))
        for s, lr in enumerate((1e-3, 1e3))
    ]
    results = [cell.at | studies.run_cell(cell) for cell in cells]
    (point,) = studies.conclude("micro-batch", results)
    assert (point["finished"], point["attempted"]) == (1, 2)
    assert point["val"][0] == results[0]["val"]
