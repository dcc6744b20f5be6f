"""What is read back from disk is what was written, or an error that names the file; one process at a time."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import killed
import numpy as np
import pytest

import sven_ref as sr
from sven_ref import cli
from sven_ref.errors import ArgumentError, SvenError
from sven_ref.lab import versions
from sven_ref.lab.claims import ledger
from sven_ref.lab.console import check_out
from sven_ref.lab.optimizers.options import PROBLEM, parse
from sven_ref.lab.paper import reproduce, studies, study_cells
from sven_ref.lab.tasks import TASKS
from sven_ref.lab.training import checkpoint, execution, lock, records
from sven_ref.lab.training.checkpoint import Checkpoints, differences, fingerprint
from sven_ref.lab.training.execution import execute
from sven_ref.lab.training.lock import LockedError, alone
from sven_ref.lab.training.records import RecordError
from sven_ref.lab.training.run import Run, differing, in_full, of_task, use_data
from sven_ref.problem import Problem

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(sr.__file__).parent.parent)}
TINY = {"epochs": 1, "task_options": {"n_train": 64}}


def altered(text, name):
    """With another first digit in the first number of that name."""
    new, n = re.subn(rb'("%s": \[*)\d' % name, rb"\g<1>7", text, count=1)
    assert n
    assert new != text
    return new


def run_of(**changes):
    return Run("toy", "adam", {"lr": 1e-3}, **TINY | changes)


# ---- records ---------------------------------------------------------------------------------------------------------

DATA = {"a": [1, 2.5, None, {"b": "σ"}], "loss": 0.1, "pair": (1, 2), "ten": {"10": 1, "9": 2}}
SPOILT = {
    "empty": lambda text: b"",
    "blank": lambda text: b"\n\n",
    "half": lambda text: text[: len(text) // 2],
    "without its end": lambda text: text[:-4],
    "[]": lambda text: b"[]",
    "{}": lambda text: b"{}",
    "null": lambda text: b"null",
    "a string": lambda text: b'"loss"',
    "a number": lambda text: b"1",
    "nested without end": lambda text: b"[" * 100_000,
    "not UTF-8": lambda text: b"\xff" + text,
    "zeros": lambda text: bytes(len(text)),
    "twice": lambda text: text + text,
    "an altered number": lambda text: text.replace(b"0.1", b"0.2"),
    "an altered name": lambda text: text.replace(b'"a"', b'"c"'),
    "a name more": lambda text: text.replace(b"{", b'{"more": 1, ', 1),
    "another digest": lambda text: text.replace(b'"sha256": "', b'"sha256": "0'),
    "no digest": lambda text: json.dumps(DATA).encode(),
    "a digest that is none": lambda text: json.dumps(DATA | {"sha256": None}).encode(),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_record_is_refused(how, tmp_path):
    path = tmp_path / "record.json"
    records.write(path, DATA)
    assert records.read(path, "make it again") == json.loads(json.dumps(DATA))
    path.write_bytes(SPOILT[how](path.read_bytes()))
    with pytest.raises(RecordError, match=r"record.json: is truncated, altered or no record.*; make it again$"):
        records.read(path, "make it again")


def test_every_altered_byte_of_a_record_is_found(tmp_path):
    path = tmp_path / "record.json"
    records.write(path, {"loss": 0.25, "k": [1, True]})
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        if whole[i : i + 1] in b" \n":  # JSON's own, which mean nothing
            continue
        with pytest.raises(RecordError):
            records.read(path, "")


@pytest.mark.parametrize("how", sorted(set(SPOILT) - {"without its end", "half"}))
def test_a_spoilt_line_is_named_by_its_number(how, tmp_path):
    path = tmp_path / "lines.jsonl"
    with records.appending(path) as add:
        for i in range(3):
            add(DATA | {"i": i})
    lines = path.read_bytes().splitlines()
    middle = SPOILT[how](lines[1])
    path.write_bytes(b"\n".join([lines[0], middle, lines[2], b""]))
    with pytest.raises(RecordError, match=r"lines.jsonl, line 2: is truncated, altered.*delete this line"):
        records.lines(path)


def test_a_line_that_a_kill_cut_short_is_dropped_and_nothing_is_glued_to_it(tmp_path):
    path = tmp_path / "lines.jsonl"
    with records.appending(path) as add:
        for i in range(3):
            add({"i": i})
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for size in range(last, len(whole)):
        path.write_bytes(whole[:size])
        assert [r["i"] for r in records.lines(path)] == [0, 1]
        with records.appending(path) as add:
            add({"i": 2})
        assert path.read_bytes() == whole


def test_numbers_that_json_does_not_know_come_back_in_lines(tmp_path):
    with records.appending(tmp_path / "lines.jsonl") as add:
        add({"loss": [np.inf, -np.inf, np.nan]})
    (back,) = records.lines(tmp_path / "lines.jsonl")
    assert repr(back) == "{'loss': [inf, -inf, nan]}"


# ---- the files of a run ----------------------------------------------------------------------------------------------

IN_A_RUN = {how: SPOILT[how] for how in ("empty", "half", "[]", "{}", "null", "not UTF-8", "zeros", "twice")} | {
    "an altered loss": lambda text: altered(text, b"loss"),
    "an altered setting": lambda text: text.replace(b'"lr": 0.001', b'"lr": 0.002', 1),
}


@pytest.mark.parametrize("name", ["result.json", "run.json"])
@pytest.mark.parametrize("how", sorted(set(IN_A_RUN) - {"an altered loss"}))
def test_a_spoilt_file_of_a_run_is_never_used(name, how, tmp_path, capsys):
    run, folder = run_of(), tmp_path / "run"
    whole = execute(run, folder)
    if name == "run.json":
        (folder / "result.json").unlink()
    path = folder / name
    path.write_bytes(IN_A_RUN[how](path.read_bytes()))
    with pytest.raises(RecordError, match=f"{name}: .*; move it away"):
        execute(run, folder)
    arguments = ["train", "--task", "toy", "--optimizer", "adam", "--seed", "0", "--data-seed", "0", "--epochs", "1"]
    assert cli.main([*arguments, "--n-train", "64", "--resume", "--out", str(folder)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sven-ref: error: ")
    assert error.count("\n") == 1
    assert name in error
    path.unlink()  # the remedy
    again = execute(run, folder)
    assert again["final"] == whole["final"]
    assert {p.name for p in folder.iterdir()} == {"run.json", "result.json", "history.jsonl", "checkpoints"}


OF_OTHERS = {
    "run.json": {"settings": {}, "versions": {}},
    "result.json": None,
    "summary.json": {"task": "toy", "target": None, "versions": {}, "methods": {}},
    "study.json": {"settings": {}, "versions": {}, "points": []},
    "a line of results.jsonl": {"key": "0", "at": {}, "result": {}, "versions": {}},
    "a line of trained.jsonl": {"key": "0", "result": {}, "versions": {}},
    "nothing": {},
}


@pytest.mark.parametrize(("name", "other"), [(a, b) for a in ("run.json", "result.json") for b in OF_OTHERS if a != b])
def test_a_record_of_another_kind_is_refused_in_a_run(name, other, tmp_path, capsys):
    """run.json in the place of result.json, whole and with its digest, was a KeyError."""
    run = run_of(seed=0, data_seed=0)
    whole = json.loads(json.dumps(execute(run, tmp_path)))
    record = whole if other == "result.json" else OF_OTHERS[other]
    records.write(tmp_path / name, record | ({"settings": run.settings()} if "settings" in record else {}))
    with pytest.raises(RecordError, match=f"{name}: .*\\(it is of another kind: it has .*; move it away"):
        execute(run, tmp_path)
    arguments = ["train", "--task", "toy", "--optimizer", "adam", "--epochs", "1", "--n-train", "64", "--resume"]
    assert cli.main([*arguments, "--seed", "0", "--data-seed", "0", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sven-ref: error: {tmp_path / name}: is truncated, altered or no record of this program (")
    assert error.count("\n") == 1
    (tmp_path / name).unlink()  # the remedy
    assert execute(run, tmp_path)["final"] == whole["final"]


def test_reproduce_refuses_a_record_of_another_kind(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sven_ref.lab.paper.protocols.QUICK", TINY)
    arguments = ["reproduce", "toy", "--quick", "--optimizers", "adam", "--workers", "0", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    (path,) = tmp_path.rglob("result.json")
    path.write_bytes((path.parent / "run.json").read_bytes())
    assert cli.main(arguments) == 1
    assert (
        f"error: {path}: is truncated, altered or no record of this program (it is of another"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("other", OF_OTHERS)
@pytest.mark.parametrize("name", ["results.jsonl", "trained.jsonl"])
def test_a_record_of_another_kind_is_refused_among_lines(name, other, tmp_path):
    from sven_ref.lab.claims import arms
    from sven_ref.lab.claims.claim import Effort

    with records.appending(tmp_path / name) as add:
        add(OF_OTHERS[other] or {"settings": {}, "final": {}, "history": {}})

    def read():
        if name == "trained.jsonl":
            return arms.trained(Effort(True, 0, tmp_path), [])
        return studies.read_cells(tmp_path / name)

    if name in other:
        read()
        return
    with pytest.raises(RecordError, match=rf"{name}, line 1: .*\(it is of another kind: it has .*delete this line"):
        read()


def test_a_result_of_before_other_versions_were_recorded_is_read(tmp_path):
    first = execute(run_of(), tmp_path)
    del first["earlier_versions"]
    records.write(tmp_path / "result.json", first)
    assert execute(run_of(), tmp_path) == json.loads(json.dumps(first))


def test_a_history_that_was_altered_is_written_again_from_the_checkpoint(tmp_path):
    assert child(tmp_path, "in a step", 12).returncode == -signal.SIGKILL
    whole = (tmp_path / "history.jsonl").read_bytes()
    for spoilt in (b"", b"null\n", whole[:-20], whole.replace(b"0.", b"1.")):
        (tmp_path / "history.jsonl").write_bytes(spoilt)
        assert child(tmp_path, "in a step", 2).returncode == -signal.SIGKILL  # one step is made on trial
        assert (tmp_path / "history.jsonl").read_bytes() == whole
    result = execute(killed.run_of("sven"), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert lines == result["history"]["epochs"]


def test_an_altered_loss_is_never_used(tmp_path):
    execute(run_of(), tmp_path)
    path = tmp_path / "result.json"
    path.write_bytes(IN_A_RUN["an altered loss"](path.read_bytes()))
    with pytest.raises(RecordError, match=r"result.json: is truncated, altered"):
        execute(run_of(), tmp_path)


def test_reproduce_refuses_an_altered_loss(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sven_ref.lab.paper.protocols.QUICK", TINY)
    arguments = ["reproduce", "toy", "--quick", "--optimizers", "adam", "--workers", "0", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    (path,) = tmp_path.rglob("result.json")
    path.write_bytes(altered(path.read_bytes(), b"loss"))
    assert cli.main(arguments) == 1
    assert f"{path}: is truncated, altered" in capsys.readouterr().err


def test_a_finished_run_is_not_done_again(tmp_path, monkeypatch):
    first = execute(run_of(), tmp_path)
    monkeypatch.setattr(Run, "build", lambda self: pytest.fail("it was built again"))
    assert execute(run_of(), tmp_path) == json.loads(json.dumps(first))


def test_a_study_refuses_an_altered_cell(tmp_path, monkeypatch):
    cells = [study_cells.Cell({"line": "a", "x": 1, "seed": 0}, run_of())]
    path = tmp_path / "results.jsonl"
    path.parent.mkdir(exist_ok=True)
    studies.run_cells("kappa", cells, path, 0, quiet())
    path.write_bytes(altered(path.read_bytes(), b"val"))
    with pytest.raises(RecordError, match=r"results.jsonl, line 1: is truncated, altered"):
        studies.run_cells("kappa", cells, path, 0, quiet())


def quiet():
    from rich.console import Console

    return Console(quiet=True)


def test_claims_refuse_an_altered_run_and_results_that_are_none(tmp_path):
    from sven_ref.lab.claims import arms
    from sven_ref.lab.claims.claim import Effort

    arm, effort = arms.Arm(run_of()), Effort(True, 0, tmp_path)
    first = arms.trained(effort, [arm])
    path = tmp_path / "trained.jsonl"
    arms.KEPT.clear()
    assert arms.trained(effort, [arm]) == json.loads(json.dumps(first))
    path.write_bytes(altered(path.read_bytes(), b"val"))
    arms.KEPT.clear()
    with pytest.raises(RecordError, match=r"trained.jsonl, line 1"):
        arms.trained(effort, [arm])
    for text in ("", "{", "[]", "null", '{"minimum_norm": null}', '{"minimum_norm": {}}', '{"minimum_norm": [1]}'):
        (tmp_path / "claims.json").write_text(text)
        with pytest.raises(RecordError, match=r"claims.json: is truncated, altered or no file of results"):
            ledger.read(tmp_path / "claims.json")
    assert ledger.read(tmp_path / "nowhere.json") == {}


# ---- settings as values ----------------------------------------------------------------------------------------------

SAME = [
    ({"lr": 1}, {"lr": 1.0}),
    ({"lr": 0.1, "k": 8}, {"k": 8.0, "lr": 0.1}),
    ({"options": {"betas": (0.0, 1)}}, {"options": {"betas": [0, 1.0]}}),
    ({"lr": 1e3}, {"lr": 1000}),
    ({"lr": -0.0}, {"lr": 0}),
]
OTHER = [
    ({"lr": 1}, {"lr": 1.5}, "lr is 1 there and 1.5 here"),
    ({"flag": True}, {"flag": 1}, "flag is True there and 1 here"),
    (
        {"options": {"lr": 0.1}},
        {"options": {"lr": 0.2, "k": 3}},
        "k is not set there and 3 here, lr is 0.1 there and 0.2",
    ),
    ({"solver": "gram"}, {"solver": "svds"}, "solver is 'gram' there and 'svds' here"),
    ({"k": None}, {}, "k is None there and not set here"),
    (None, {"lr": 1}, "lr is not set there and 1 here, settings is None there"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_settings_are_compared_as_values(a, b):
    """1 and 1.0 are one run (wandb/sweeps#109, mir-group/nequip#462)."""
    assert differences(a, b) == ""
    assert fingerprint(a) == fingerprint(b)


@pytest.mark.parametrize(("a", "b", "message"), OTHER)
def test_settings_that_differ_are_listed_with_both_values(a, b, message):
    assert message in differences(a, b)


def test_a_run_is_resumed_by_settings_of_the_same_value(tmp_path):
    short = {"epochs": 2, "task_options": {"n_train": 64}}
    Checkpoints(tmp_path / "c", {"lr": 1}).save(0, 7)
    assert Checkpoints(tmp_path / "c", {"lr": 1.0}).load() == 7
    first = execute(Run("toy", "adam", {"lr": 1}, **short), tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    assert execute(Run("toy", "adam", {"lr": 1.0}, **short), tmp_path / "run")["final"] == first["final"]
    with pytest.raises(
        ArgumentError, match=r"other settings: epochs is 2 there and 3 here, lr is 1 there and 0.5 here"
    ):
        execute(Run("toy", "adam", {"lr": 0.5}, **short | {"epochs": 3}), tmp_path / "run")


SAID_IN_FULL = {  # optimizer: its defaults in other words
    "sven": [
        "k=none", "rtol=0.001", "rtol=1e-3", "atol=0", "solver=auto", "solver=Auto", "param_fraction=1",
        "mask=elementwise", "mask=Elementwise", "kappa=2", "kappa=2.0", "micro_batch=1", "rows=none", "rows=signed",
        "rows=Signed",
    ],
    "adam": ["betas=[0.9,0.999]", "betas=(.9,.999)", "eps=1e-8", "kappa=2", "rows=signed", "micro_batch=1"],
    "lbfgs": ["max_iter=20", "history_size=100", "line_search=none", "tolerance_grad=1e-7"],
    "momentum": ["momentum=.9"],
}  # fmt: skip
SAID = [(optimizer, words) for optimizer, said in SAID_IN_FULL.items() for words in [*said, " ".join(said)]]


def typed(optimizer, *said, n_train=64):
    """Of no protocol, whose settings are not the defaults."""
    options = parse(["lr=0.001", *said])
    problem = {name: options.pop(name) for name in PROBLEM if name in options}
    return Run("toy", optimizer, options, problem, {"n_train": n_train} if n_train else {}, epochs=2)


@pytest.mark.parametrize("done", ["an epoch", "all"])
@pytest.mark.parametrize(("optimizer", "words"), SAID)
def test_a_run_is_resumed_by_the_same_settings_said_in_full(optimizer, words, done, tmp_path):
    """`solver=Gram`, `k=none`, `rtol=0.001` were other settings than none."""
    short, full = typed(optimizer), typed(optimizer, *words.split())
    for first, second, folder in ((short, full, tmp_path / "a"), (full, short, tmp_path / "b")):
        whole = execute(first, folder)
        if done == "an epoch":
            (folder / "result.json").unlink()
            sorted((folder / "checkpoints").iterdir())[-1].unlink()
        assert execute(second, folder)["final"] == whole["final"]


def test_the_spelling_of_a_name_is_no_setting():
    for name, value in {"solver": "Gram", "mask": "ROWS", "rows": "Per-Output", "line_search": "Strong-Wolfe"}.items():
        assert parse([f"{name}={value}"]) == {name: value.lower().replace("-", "_")}
    assert parse(["solver=grm", "mask=3", "rows=None"]) == {"solver": "grm", "mask": 3, "rows": None}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([], ["k=3"], "k is None there and 3 here"),
        (["solver=svds"], [], "solver is 'svds' there and 'auto' here"),
        ([], ["rows=unsigned"], "rows is 'signed' there and 'unsigned' here"),
        (["micro_batch=2"], ["rows=signed", "micro_batch=2"], "rows is 'unsigned' there and 'signed' here"),
        (["kappa=1"], [], "kappa is 1 there and 2 here"),
        (["kappa=1", "rows=unsigned"], [], "kappa is 1 there and 2 here, rows is 'unsigned' there and None here"),
    ],
)
def test_settings_that_are_no_defaults_differ(first, second, said):
    assert differing(typed("sven", *first).settings(), typed("sven", *second).settings()) == said


def test_all_examples_are_as_many_as_there_are():
    settings = [typed("sven", n_train=n).settings() for n in (None, 10_000, 9_999)]
    assert differing(settings[0], settings[1]) == differing(settings[1], settings[0]) == ""
    assert differing(settings[0], settings[2]) == "n_train is 10000 there and 9999 here"


@pytest.mark.parametrize("task", [name for name in TASKS if not name.startswith("mnist")])
@pytest.mark.parametrize("micro_batch", [1, 2])
def test_rows_that_are_not_set_are_those_that_are_named(task, micro_batch):
    run = Run(task, "sven", {"lr": 0.1}, {"micro_batch": micro_batch}, task_options={"n_train": 64})
    rows = of_task(in_full(run.settings()))["problem"]["rows"]
    problem, theta, _, tasks = run.build()
    named = Problem(problem.model, problem.loss, rows=rows, micro_batch=micro_batch)
    batch = tuple(a[:8] for a in tasks.train)
    assert problem.residuals(theta, batch).tobytes() == named.residuals(theta, batch).tobytes()
    assert rows == ("unsigned" if task.startswith("digits") or micro_batch == 2 else "signed")


def test_what_are_no_settings_differ():
    ours = typed("sven").settings()
    for theirs in (None, {}, [], 3, {"optimizer": "sven"}, {"optimizer": "none", "options": {}, "problem": {}}):
        assert differing(theirs, ours)


# ---- versions --------------------------------------------------------------------------------------------------------


def test_a_run_that_other_versions_began_says_so_and_records_both(tmp_path, monkeypatch, capsys):
    assert child(tmp_path / "run", "in a step", 12).returncode == -signal.SIGKILL
    now = versions.versions()
    monkeypatch.setattr(execution, "versions", lambda: now | {"numpy": "9.9.9"})
    run, notes = killed.run_of("sven"), []
    result = execute(run, tmp_path / "run", on_note=notes.append)
    assert notes == [f"the epochs until 2 were run by numpy {now['numpy']} (now 9.9.9)"]
    assert (result["versions"]["numpy"], result["earlier_versions"]) == ("9.9.9", [now])
    assert json.loads((tmp_path / "run" / "result.json").read_text())["earlier_versions"] == [now]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["versions"] == now
    monkeypatch.undo()
    assert versions.made_by_others([result, result]) == [
        f"[versions] 2 of 2 were made with numpy 9.9.9 (now {now['numpy']})"
    ]
    assert versions.made_by_others([result | {"versions": now}]) == []


# ---- the lock --------------------------------------------------------------------------------------------------------


def child(folder, point, n=0):
    command = [sys.executable, killed.__file__, str(folder), "sven", point, str(n)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.2)


def test_of_two_in_one_folder_the_second_is_refused_with_the_name_of_the_first(tmp_path, impatient):
    with (
        alone(tmp_path),
        pytest.raises(LockedError, match=f"is in use by process {os.getpid()} on .*; wait for its end"),
    ):
        execute(run_of(), tmp_path)
    assert not list(tmp_path.iterdir())
    execute(run_of(), tmp_path)
    assert not (tmp_path / "lock").exists()


def holding(folder):
    """A process that holds the lock of a folder."""
    code = "import sys, time; from pathlib import Path; from sven_ref.lab.training.lock import alone\n"
    code += "with alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    p = subprocess.Popen([sys.executable, "-c", code, str(folder)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "held\n"
    return p


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, impatient, capsys):
    arguments = ["train", "--task", "toy", "--optimizer", "adam", "--epochs", "1", "--n-train", "64"]
    arguments += ["--out", str(tmp_path)]
    with holding(tmp_path) as other:
        assert cli.main(arguments) == 1
        assert f"is in use by process {other.pid} on " in capsys.readouterr().err
        assert {p.name for p in tmp_path.iterdir()} == {"lock"}
        other.kill()
    assert (tmp_path / "lock").exists()
    assert cli.main(arguments) == 0
    assert not (tmp_path / "lock").exists()


def test_a_lock_that_is_given_back_is_waited_for(tmp_path):
    """As by workers whose command was killed, which end a moment after it."""
    order = []

    def other():
        with alone(tmp_path):
            held.set()
            time.sleep(0.3)
            order.append("other")

    held = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    with alone(tmp_path):
        order.append("this")
    thread.join()
    assert order == ["other", "this"]


def test_the_lock_is_held_by_one_at_a_time(tmp_path):
    """Eight threads, each many times: a lock that is removed and made anew is still one lock."""
    inside, most = [], []

    def work():
        for _ in range(20):
            with alone(tmp_path):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (len(most), max(most)) == (160, 1)


def of_other_settings(folder):
    execute(run_of(), folder)


def without_settings(folder):
    (folder / "run.json").write_text("{")


def without_a_checkpoint(folder):
    (folder / "history.jsonl").write_text("{}\n" * 2)


def with_a_damaged_checkpoint(folder):
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "epoch-000001.checkpoint").write_text("")


def a_file(folder):
    folder.rmdir()
    folder.touch()


FOUND = {
    a_file: "seed-1101-data-1000': must be a directory to write to",
    of_other_settings: "holds a run of other settings",
    without_settings: "run.json: is truncated, altered",
    without_a_checkpoint: "has a history of 2 epochs and no checkpoint",
    with_a_damaged_checkpoint: "epoch-000001.checkpoint: not a checkpoint",
}


@pytest.mark.parametrize("damage", [*FOUND, None])
def test_reproduce_looks_at_all_its_folders_before_it_trains(damage, tmp_path, impatient, monkeypatch):
    """A run of other settings came to light when those before it had been trained."""
    pytest.importorskip("rich", reason="tables need rich: pip install '.[app]'")
    trained = []
    monkeypatch.setattr(reproduce, "run_plan", lambda *rest: trained.append(rest))
    last = tmp_path / "toy" / "adam" / "seed-1101-data-1000"
    last.mkdir(parents=True)

    def go():
        reproduce.reproduce("toy", quick=True, seeds=2, optimizers=["sven", "adam"], workers=0, out=tmp_path)

    if damage is None:
        with alone(last), pytest.raises(LockedError, match=r"seed-1101-data-1000: is in use by process"):
            go()
    else:
        damage(last)
        with pytest.raises(SvenError, match=FOUND[damage]):
            go()
    assert trained == []
    assert not (tmp_path / "toy" / "sven").exists()


def test_a_study_is_locked_too(tmp_path, impatient):
    (tmp_path / "kappa").mkdir()
    with alone(tmp_path / "kappa"), pytest.raises(LockedError, match="is in use by"):
        studies.study("kappa", quick=True, workers=0, out=tmp_path)


def test_two_that_resume_one_run_leave_one_whole_run(tmp_path):
    """Both at once: one does it, the other waits, is refused, or finds it done; nothing of the record is lost."""
    run = killed.run_of("sven")
    assert child(tmp_path, "in a step", 12).returncode == -signal.SIGKILL
    command = [sys.executable, killed.__file__, str(tmp_path), "sven", "none", "0"]
    both = [subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [p.communicate()[1] for p in both]
    assert 0 in [p.returncode for p in both]
    assert all(p.returncode == 0 or "LockedError" in e for p, e in zip(both, errors, strict=True))
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [e["epoch"] for e in lines] == list(range(run.epochs + 1))
    assert execute(run, tmp_path)["history"]["epochs"] == lines


# ---- links, and what a kill leaves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.json", "result.json", "history.jsonl", "checkpoints/epoch-000001.checkpoint"])
@pytest.mark.parametrize("what", ["a link", "a link that leads nowhere", "a file"])
def test_nothing_is_written_through_a_link(name, what, tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    precious, partial = tmp_path / "precious", tmp_path / "run" / f"{name}.partial"
    precious.write_text("keep me")
    if what == "a file":
        partial.write_text("half")
    else:
        partial.symlink_to(precious if what == "a link" else tmp_path / "nowhere")
    execute(run_of(), tmp_path / "run")
    assert precious.read_text() == "keep me"
    assert not (tmp_path / "nowhere").exists()
    assert not partial.is_symlink()
    assert not partial.exists()


def test_the_lock_is_not_a_link(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / "run" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="lock"):
        execute(run_of(), tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "keep me"


@pytest.mark.parametrize("point", ["after its rename", "before its rename", "in a checkpoint"])
def test_checkpoints_that_a_kill_left_over_go_at_the_next_start(point, tmp_path):
    assert child(tmp_path, point, 5).returncode == -signal.SIGKILL
    folder = tmp_path / "checkpoints"
    (folder / "epoch-000000.checkpoint").write_bytes(b"old")
    (folder / "epoch-000001.checkpoint.partial").write_bytes(b"half")
    execute(killed.run_of("sven"), tmp_path)
    assert {p.name for p in folder.iterdir()} == {"epoch-000003.checkpoint", "epoch-000004.checkpoint"}
    assert {p.name for p in tmp_path.iterdir()} == {"run.json", "result.json", "history.jsonl", "checkpoints"}


def test_reproduce_places_are_apart():
    assert reproduce.place(Path("x"), run_of(seed=1)) != reproduce.place(Path("x"), run_of(seed=2))
    assert checkpoint.KEPT == 2


def toy(folder, **options):
    run = Run("toy", "sgd", {"lr": 0.1}, task_options={"n_train": 64}, epochs=3)
    return execute(run, folder, **options)


def test_a_run_json_altered_beside_its_result_is_refused(tmp_path):
    toy(tmp_path)
    path = tmp_path / "run.json"
    whole = path.read_text()
    for altered in (whole.replace('"seed": 0', '"seed": 7'), "", "null", "[" * 100_000):
        path.write_text(altered)
        with pytest.raises(RecordError, match=r"run\.json"):
            toy(tmp_path)


def test_a_name_twice_in_a_record_is_refused(tmp_path):
    toy(tmp_path)
    for name in ("result.json", "run.json"):
        path = tmp_path / name
        whole = path.read_text()
        path.write_text(whole.replace("{", '{"sha256": "0", "settings": {"seed": 5},', 1))
        with pytest.raises(RecordError, match="twice"):
            toy(tmp_path)
        path.write_text(whole)
    toy(tmp_path)


def test_checkpoints_that_are_gone_are_missed(tmp_path):
    toy(tmp_path)
    (tmp_path / "result.json").unlink()
    for path in (tmp_path / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(ArgumentError, match="has a history of 4 epochs and no checkpoint to go on from"):
        toy(tmp_path)
    (tmp_path / "history.jsonl").unlink()
    toy(tmp_path)


def test_a_folder_without_a_name_is_refused():
    for name in ("", "~/nowhere/mnist"):
        with pytest.raises(ArgumentError, match=r"data = .*must be a directory \("):
            use_data(name)
    with pytest.raises(ArgumentError, match=r"out = '': must be a directory"):
        check_out("")
    assert parse(["betas=(.9, .99)", "tau=[.9,.99]"]) == {"betas": (0.9, 0.99), "tau": [0.9, 0.99]}
