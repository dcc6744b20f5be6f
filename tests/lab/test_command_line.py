"""The command line as it is typed: numbers, names, refusals that leave nothing, every end, every encoding, figures."""

import argparse
import errno
import io
import itertools
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import sven_ref as sr
from sven_ref import cli, streams
from sven_ref.arguments import did_you_mean
from sven_ref.errors import ArgumentError
from sven_ref.lab import demo, train
from sven_ref.lab.claims.registry import CLAIMS
from sven_ref.lab.commands import OPTIONS
from sven_ref.lab.console import FigureError, save_figures
from sven_ref.lab.optimizers import options
from sven_ref.lab.paper import protocols
from sven_ref.lab.paper.study_cells import STUDIES, Cell
from sven_ref.lab.tasks import TASKS, toy_1d
from sven_ref.lab.training import execution
from sven_ref.lab.training.run import Run

TRAIN = ["train", "--task", "toy", "--optimizer", "adam", "--n-train", "64", "--epochs", "1"]
SVEN = ["train", "--task", "toy", "--optimizer", "sven", "--n-train", "64", "--epochs", "1"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(sr.__file__).parent.parent)}


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    """Where what a command leaves by default can be seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SVEN_REF_DATA", raising=False)


def run(arguments):
    """The exit status, whether it is handed back or argparse's."""
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return end.code


def quick_demo(monkeypatch):
    monkeypatch.setattr(demo, "toy_1d", lambda seed: toy_1d(seed, n_train=64, n_val=50, n_test=10))
    return ["demo", "--epochs", "1"]


def quick_reproduce(monkeypatch):
    monkeypatch.setattr(protocols, "QUICK", {"epochs": 1, "task_options": {"n_train": 64}})
    return ["reproduce", "toy", "--quick", "--optimizers", "adam,sgd", "--workers", "0"]


def quick_study(monkeypatch):
    def cells(settings, seeds, quick):
        small = {"epochs": 1, "task_options": {"n_train": 64}}
        return [Cell({"line": "k 1, κ 2", "x": x, "seed": 0}, Run("toy", "adam", {"lr": x}, **small)) for x in (1, 9.0)]

    monkeypatch.setitem(STUDIES, "kappa", cells)
    return ["study", "kappa", "--quick", "--workers", "0"]


# ---- values typed as text (emqx/hocon#19, hydra-ecosystem/hydra#999, ClarkSource/k8t#96) -----------------------------

VALUES = {
    ".05": 0.05,
    "5e-2": 0.05,
    "5E-2": 0.05,
    "0.05": 0.05,
    "+.05": 0.05,
    "1.": 1.0,
    " 1 ": 1,
    "1_000": 1000,
    "1_0.5": 10.5,
    "+1": 1,
    "-1": -1,
    "007": 7,
    "1e3": 1000.0,
    "true": True,
    "True": True,
    "FALSE": False,
    "none": None,
    "None": None,
    "null": None,
    "NULL": None,
    "gram": "gram",
    '"gram"': "gram",
    '"0.05"': 0.05,
    ' "none" ': None,
    '"\\"8\\""': 8,
    '"[0.9, 0.99]"': [0.9, 0.99],
    "'0.05'": "'0.05'",
    "(.9, .99)": (0.9, 0.99),
    "[.9, .99]": [0.9, 0.99],
    "(0.9, ...)": "(0.9, ...)",
    "(1j, .9)": "(1j, .9)",
    "(b'x', .9)": "(b'x', .9)",
    "({1}, .9)": "({1}, .9)",
    "[{[]: 1}]": "[{[]: 1}]",
    "[1if 2else 3]": "[1if 2else 3]",
    "(" * 5000: "(" * 5000,
    "[/nope]": "[/nope]",
    "[0.9, 0.99]": [0.9, 0.99],
    "[]": [],
    "": "",
    "1,5": "1,5",
    "0x10": "0x10",
    "1 2": "1 2",
    "[" * 100_000: "[" * 100_000,
}


@pytest.mark.parametrize("text", VALUES, ids=lambda text: text[:20])
def test_a_value_typed_as_text(text):
    (value,) = options.parse([f"lr={text}"]).values()
    assert (value, type(value)) == (VALUES[text], type(VALUES[text]))


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "NaN", "Infinity", "1e999", "-1", "1e400", "9" * 5000])
@pytest.mark.parametrize("spelling", ["--lr", "--set"])
def test_a_number_that_is_not_allowed_is_named(text, spelling, capsys):
    """`--set lr=NaN` was a traceback, in a directory that was then taken."""
    assert run([*SVEN, *(["--set", f"lr={text}"] if spelling == "--set" else [f"--lr={text}"])]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sven-ref: error: lr = {options.value_of(text)!r}: must be a finite number ≥ 0")
    assert error.count("\n") == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize("spelling", ["lr=.05", "lr=5e-2", "lr=0.05", "lr=+.0_5", "LR=.05", " lr =0.05"])
def test_all_spellings_of_a_number_are_one_run(spelling):
    assert train.run_from("toy", "sven", options.parse([spelling])).options["lr"] == 0.05


@pytest.mark.parametrize("name", ["param-fraction", "param_fraction", "Param_Fraction"])
def test_names_are_alike_with_a_dash_and_with_an_underscore(name):
    assert options.parse([f"{name}=.5"]) == {"param_fraction": 0.5}


def test_options_of_train_are_those_of_demo(capsys):
    """One spelling for both: `demo --lr .05` worked where `train --set lr=.05` did not."""
    typed = ["--lr", ".001", "--k", "8", "--rtol", "1e-3", "--kappa", "2", "--solver", "gram", "--micro_batch=2"]
    assert run([*SVEN, *typed, "--out", "run"]) == 0
    settings = json.loads(Path("run/run.json").read_text())["settings"]
    assert settings["options"] == {"lr": 0.001, "k": 8, "rtol": 1e-3, "solver": "gram"}
    assert settings["problem"] == {"kappa": 2, "micro_batch": 2}
    defaults = {a.dest for a in parser_of("demo")._actions} - {"help", "out", "adam_lr"}
    flags = {s for a in parser_of("train")._actions for s in a.option_strings}
    assert {f"--{name.replace('_', '-')}" for name in defaults} <= flags


# ---- refused before anything is written (manaakiwhenua/vector2dggs#153, itmat/rum#128) -------------------------------

WRONG = {  # of train: what is typed, the status, what the message says
    "lr -1": (["--lr", "-1"], 1, "lr = -1: must be a finite number ≥ 0"),
    "lr text": (["--lr", "fast"], 1, "lr = 'fast': must be a finite number ≥ 0"),
    "lr none": (["--lr", "none"], 1, "lr = None: must be a finite number ≥ 0"),
    "lr true": (["--set", "lr=true"], 1, "lr = True: must be a finite number ≥ 0"),
    "k 0": (["--k", "0"], 1, "k = 0: must be an integer ≥ 1"),
    "k 2.5": (["--k", "2.5"], 1, "k = 2.5: must be an integer ≥ 1"),
    "k text": (["--k", "many"], 1, "k = 'many': must be an integer ≥ 1"),
    "rtol 1": (["--rtol", "1"], 1, "rtol = 1: must be a finite number ≥ 0 and < 1"),
    "atol nan": (["--atol", "nan"], 1, "atol = nan: must be a finite number ≥ 0"),
    "solver": (["--solver", "grm"], 1, "solver = 'grm': must be one of"),
    "solver, hint": (["--solver", "grm"], 1, "did you mean 'gram'?"),
    "kappa 0": (["--kappa", "0"], 1, "kappa = 0: must be a finite number > 0"),
    "rows": (["--rows", "sined"], 1, "did you mean 'signed'?"),
    "rows and kappa": (["--rows", "per_output", "--kappa", "2"], 1, "kappa = 2: must be 1 when rows = 'per_output'"),
    "micro-batch": (["--micro-batch", "5"], 1, "micro_batch = 5: must divide the batch size B = 32"),
    "micro-batch 0": (["--micro-batch", "0"], 1, "micro_batch = 0: must be an integer ≥ 1"),
    "param-fraction": (["--param-fraction", "2"], 1, "param_fraction = 2: must be a finite number > 0 and ≤ 1"),
    "param-fraction small": (["--param-fraction", "1e-9"], 1, "must keep at least one of the P = 593 parameters"),
    "mask": (["--mask", "row"], 1, "did you mean 'rows'?"),
    "an unknown name": (["--set", "param_fractoin=1"], 1, "did you mean 'param_fraction'?"),
    "another's name": (["--set", "betas=[0.9,0.9]"], 1, "betas: must be one of lr, k, rtol"),
    "a field": (["--set", "n_steps=3"], 1, "n_steps: must be one of lr, k, rtol"),
    "the command's name": (
        ["--set", "batch-size=3"],
        1,
        "batch_size: must be given as an option of its own, --batch-size",
    ),
    "no value": (["--set", "lr"], 1, "set = 'lr': must be NAME=VALUE, as in lr=0.05"),
    "no name": (["--set", "=3"], 1, "set = '=3': must be NAME=VALUE"),
    "epochs": (["--epochs", "0"], 1, "epochs = 0: must be an integer ≥ 1"),
    "epochs text": (["--epochs", "ten"], 2, "argument --epochs: invalid int value: 'ten'"),
    "batch size": (["--batch-size", "65"], 1, "batch_size = 65: must be at most 64, the examples to train on"),
    "batch size 0": (["--batch-size", "0"], 1, "batch_size = 0: must be an integer ≥ 1"),
    "seed": (["--seed", "-1"], 1, "seed = -1: must be an integer ≥ 0"),
    "data seed": (["--data-seed", "-1"], 1, "seed = -1: must be an integer ≥ 0"),
    "n_train": (["--n-train", "10001"], 1, "n_train = 10001: must be at most 10000"),
    "n_train 0": (["--n-train", "0"], 1, "n_train = 0: must be an integer ≥ 1"),
    "data": (["--data", "nowhere"], 1, "data = 'nowhere': must be a directory"),
    "out": (["--out", "/dev/null/x"], 1, "out = '/dev/null/x': must be a directory to write to"),
    "no data": (["--task", "mnist-ce", "--data", "."], 1, "data = "),
    "resume": (["--resume"], 1, "out = 'sven-run': holds no run to resume; without --resume one begins there"),
    "resume there": (["--resume", "--out", "new"], 1, "out = 'new': holds no run to resume"),
    "workers": (["--workers", "0"], 1, "workers"),
    "scheduler": (["--scheduler", "tcp://127.0.0.1:1"], 1, "scheduler = "),
    "both": (["--workers", "1", "--scheduler", "tcp://127.0.0.1:1"], 2, "not allowed with"),
}


def distributed_config():
    """Dask's settings, as nested dicts, with those of `distributed` in them."""
    import dask
    import distributed

    return dask.config.config[distributed.__name__]


@pytest.mark.parametrize("case", WRONG)
def test_what_train_refuses_leaves_nothing_and_the_corrected_command_runs(case, capsys, monkeypatch):
    wrong, status, message = WRONG[case]
    if case in ("workers", "scheduler") and find_spec("distributed") is None:
        message = "pip install 'sven-ref[dask]'"
    elif case == "scheduler":
        monkeypatch.setitem(distributed_config()["comm"]["timeouts"], "connect", "1s")
    if "--data" in wrong and "." in wrong:
        Path("data").mkdir()
        wrong = [*wrong[:-1], "data"]
    before = list(Path().iterdir())
    assert run([*SVEN, *wrong]) == status
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert status == 2 or error.count("\n") == 1
    assert list(Path().iterdir()) == before
    if case in ("lr -1", "micro-batch", "resume", "epochs"):
        assert run([*SVEN, "--lr", "0.01"]) == 0


@pytest.mark.parametrize("optimizer", options.OPTIMIZERS)
@pytest.mark.parametrize(("name", "value"), [("lr", "-1"), ("nothing", "1"), ("betas", "5"), ("eps", "0"), ("m", "1")])
def test_every_optimizer_refuses_in_one_line(optimizer, name, value, capsys):
    arguments = ["train", "--task", "toy", "--optimizer", optimizer, "--n-train", "64", "--set", f"{name}={value}"]
    assert run(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sven-ref: error: {name}")
    assert error.count("\n") == 1
    assert not list(Path().iterdir())


BRACKETS = ["[/nope]", "[[/x]]", "[red]", "[", "\\[", "[link=x]", "[]", "[[]]", "(", "()", "{}", "{", "{0}", "%s"]
NO_JSON = ["(0.9, ...)", "(1j, .9)", "(b'x', .9)", "({1}, .9)", "[...]", "({}, set())", "(0.9, '\\x00')", "(1e999, .9)"]


@pytest.mark.parametrize("optimizer", options.OPTIMIZERS)
def test_no_text_is_markup_and_what_is_no_json_is_a_wrong_value(optimizer, capsys):
    """`--set solver=[/nope]` was an error of what colours the output, `--set betas=(1j,.9)` one of what records it."""
    for name, text in itertools.product(options.option_names(optimizer), BRACKETS + NO_JSON):
        assert (
            run(["train", "--task", "toy", "--optimizer", optimizer, "--n-train", "64", "--set", f"{name}={text}"]) == 1
        )
        out, error = capsys.readouterr()
        assert error.startswith(f"sven-ref: error: {name}"), text
        assert error.count("\n") == 1
        assert f"{name} {options.value_of(text)}" in out or "must be given" in error
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    "command", [TRAIN, quick_demo, quick_reproduce, quick_study, ["claims", "minimum_norm", "--quick"]]
)
def test_nothing_that_is_printed_is_markup(command, monkeypatch, capsys):
    markup = pytest.importorskip("rich.markup", reason="markup is rich's: pip install '.[app]'")
    monkeypatch.setattr(markup, "render", lambda text, **options: pytest.fail(f"markup: {text}"))
    monkeypatch.setattr("rich.console.render_markup", lambda text, **options: pytest.fail(f"markup: {text}"))
    out = "[red]out[/red]"
    assert run([*(command if isinstance(command, list) else command(monkeypatch)), "--out", out]) == 0
    assert out in capsys.readouterr().out


OTHERS = {
    "reproduce toy --seeds 0": "seeds = 0: must be an integer ≥ 1",
    "reproduce toy --data-seeds 0": "data_seeds = 0: must be an integer ≥ 1",
    "reproduce toy --workers -1": "workers = -1: must be an integer ≥ 0",
    "reproduce mnist-ce --quick --data data": "data = ",
    "reproduce all --quick --data data": "data = ",
    "reproduce mnist-ce --optimizers lm": "optimizers = 'lm': must have a protocol of the task 'mnist-ce'",
    "reproduce toy --optimizers ,": "must be names separated by commas",
    "reproduce toy --out /dev/null/x": "out = '/dev/null/x': must be a directory to write to",
    "study kappa --seeds 0": "seeds = 0: must be an integer ≥ 1",
    "study kappa --workers -1": "workers = -1: must be an integer ≥ 0",
    "study kappa --data data": "data = ",
    "study kappa --data nowhere": "data = 'nowhere': must be a directory",
    "study kappa --out /dev/null/x": "out = '/dev/null/x': must be a directory to write to",
    "claims minimum_norm --workers -1": "workers = -1: must be an integer ≥ 0",
    "claims --write --quick": "write = True: must go without quick",
    "claims minimum_norm --data nowhere": "data = 'nowhere': must be a directory",
    "claims minimum_norm --out /dev/null/x": "out = '/dev/null/x': must be a directory to write to",
    "demo --lr nan": "lr = nan: must be a finite number ≥ 0",
    "demo --k 0": "k = 0: must be an integer ≥ 1",
    "demo --epochs 0": "epochs = 0: must be an integer ≥ 1",
    "demo --solver grm": "did you mean 'gram'?",
    "demo --seed -1": "seed = -1: must be an integer ≥ 0",
    "demo --rtol 1e-9 --solver gram": "gram",
    "demo --out /dev/null/x": "out = '/dev/null/x': must be a directory to write to",
}


@pytest.mark.parametrize("typed", OTHERS)
def test_what_other_commands_refuse_leaves_nothing(typed, capsys):
    Path("data").mkdir()
    assert run(shlex.split(typed)) in (1, 2)
    error = capsys.readouterr().err
    assert OTHERS[typed] in error
    assert "Traceback" not in error
    assert [p.name for p in Path().iterdir()] == ["data"]
    assert not list(Path("data").iterdir())


def test_a_directory_that_can_not_be_written_to_is_refused_first(monkeypatch, capsys):
    Path("closed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("closed"))  # root may write anywhere
    monkeypatch.setattr(Run, "build", lambda self: pytest.fail("the task was built"))
    for out in ("closed", "closed/deep/run"):
        assert run([*TRAIN, "--out", out]) == 1
        assert f"out = '{out}': must be a directory to write to (Permission denied)" in capsys.readouterr().err
    assert not list(Path("closed").iterdir())


def test_a_step_on_trial_changes_nothing():
    tried = Run("toy", "lbfgs", {"lr": 0.1, "max_iter": 2}, epochs=1, task_options={"n_train": 64})
    first = execution.execute(tried)
    tried.check()
    assert execution.execute(tried)["final"] == first["final"]


# ---- every task with every optimizer ---------------------------------------------------------------------------------


PAIRS = [*itertools.product(TASKS, options.OPTIMIZERS)]


def has_settings(task, optimizer):
    return optimizer in getattr(protocols.read()[1].get(task), "methods", {}) or not options.required(optimizer)


@pytest.mark.parametrize(("task", "optimizer"), [pair for pair in PAIRS if has_settings(*pair)])
def test_a_task_and_an_optimizer_have_settings(task, optimizer):
    assert set(options.required(optimizer)) <= set(train.run_from(task, optimizer, {}).options)


@pytest.mark.parametrize(("task", "optimizer"), [pair for pair in PAIRS if not has_settings(*pair)])
def test_or_it_is_said_which_settings_they_need(task, optimizer):
    with pytest.raises(ArgumentError, match=f"lr: must be given, since no .* of {optimizer!r} for {task!r}") as error:
        train.run_from(task, optimizer, {})
    for name in options.option_names(optimizer):
        assert name in str(error.value)
    example = str(error.value).partition("for example sven-ref ")[2]
    typed = parser_of("train").parse_args(shlex.split(example)[1:])
    assert (typed.task, typed.optimizer) == (task, optimizer)
    assert train.run_from(task, optimizer, options.parse(typed.set)).options == {"lr": 0.1}


def test_options_of_an_optimizer_are_fields_and_no_state():
    assert options.option_names("sven")[:7] == ["lr", "k", "rtol", "atol", "solver", "param_fraction", "mask"]
    assert options.option_names("adam") == ["lr", "betas", "eps", *options.PROBLEM]
    assert options.option_names("lm") == ["tau", "nu", *options.PROBLEM]
    for protocol in protocols.read()[1].values():
        for name, method in protocol.methods.items():
            assert set(method.options) <= set(options.option_names(name))


# ---- names -----------------------------------------------------------------------------------------------------------

NEAR = {
    "train --task tyo --optimizer sven": "task = 'tyo': must be one of 'toy', .*; did you mean 'toy'",
    "train --task mnist --optimizer sven": "did you mean 'mnist-",
    "train --task toy --optimizer admaw": "did you mean 'adamw'",
    "train --task toy --optimizer sevn": "did you mean 'sven'",
    "train --task toy --optimizer l-bfgs": "did you mean 'lbfgs'",
    "reproduce polynomail": "did you mean 'polynomial'",
    "reproduce toy --optimizers adam,svne": "optimizers = 'svne': must be one of .*did you mean 'sven'",
    "study divergance": "did you mean 'divergence'",
    "study micro_btch": "did you mean 'micro-batch'",
    "claims minimun_norm": "did you mean 'minimum_norm'",
    "demo --solver svd": "did you mean 'svds'",
    "trian --task toy": "command = 'trian': must be one of 'demo', 'train', .*did you mean 'train'",
    "reporduce toy": "did you mean 'reproduce'",
}


@pytest.mark.parametrize("typed", NEAR)
def test_did_you_mean(typed, capsys):
    assert run(shlex.split(typed)) == 2
    assert re.search(NEAR[typed], capsys.readouterr().err)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("value", "choices", "hint"),
    [
        ("per-output", ("signed", "per_output"), "; did you mean 'per_output'?"),
        ("GRAM", ("gram", "svds"), "; did you mean 'gram'?"),
        ("xyz", ("gram", "svds"), ""),
        (3, ("gram",), ""),
        ("none", (None, "gram"), ""),
        ("", ("gram",), ""),
    ],
)
def test_a_hint_is_given_where_a_name_is_near(value, choices, hint):
    assert did_you_mean(value, choices) == hint


SPELLINGS = {
    "train --task mnist_ce --optimizer gauss_newton": {"task": "mnist-ce", "optimizer": "gauss-newton"},
    "train --task TOY --optimizer Sven --batch_size 8": {"task": "toy", "optimizer": "sven", "batch_size": 8},
    "train --task toy --optimizer sven --n_train=8 --data_seed=1": {"n_train": 8, "data_seed": 1},
    "reproduce polynomial_paper --optimizers Adam,SGD": {"task": "polynomial-paper", "optimizers": ["adam", "sgd"]},
    "study param_fraction": {"name": "param-fraction"},
    "claims minimum-norm KAPPA_STEP": {"names": ["minimum_norm", "kappa_step"]},
    "demo --adam_lr .01 --solver TSQR": {"adam_lr": 0.01, "solver": "tsqr"},
}


@pytest.mark.parametrize("typed", SPELLINGS)
def test_names_however_they_are_written(typed):
    top = cli.parser()
    found = vars(top.parse_args(cli.with_underscores(shlex.split(typed))))
    assert SPELLINGS[typed].items() <= found.items()


def test_values_keep_their_underscores():
    assert cli.with_underscores(["a_b", "--c_d=e_f", "--set", "g_h=1", "--", "--i_j"]) == [
        "a_b",
        "--c-d=e_f",
        "--set",
        "g_h=1",
        "--",
        "--i_j",
    ]


# ---- what lies in the place of a file (each was a bare [Errno 21] or [Errno 40]) -------------------------------------


def a_directory(path):
    path.mkdir(parents=True)


def a_link_to_itself(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)


def a_link(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/null")


OBSTACLES = [
    *itertools.product(["lock"], [a_directory, a_link, a_link_to_itself]),
    *itertools.product(["run.json", "result.json", "history.jsonl"], [a_directory]),
    *itertools.product(["run.json.partial", "history.jsonl.partial", "result.json.partial"], [a_directory]),
    *itertools.product(["checkpoints/epoch-000001.checkpoint"], [a_directory, a_link_to_itself]),
    *itertools.product(["checkpoints/epoch-000001.checkpoint.partial"], [a_directory]),
    ("checkpoints", Path.touch),
]


ONCE = ("run.json.partial", "checkpoints")  # no file is made there, or read, by a run that goes on


@pytest.mark.parametrize(
    ("there", "name", "put"),
    [("before", *o) for o in OBSTACLES] + [("beside a run", *o) for o in OBSTACLES if o[0] not in ONCE],
)
def test_what_lies_in_the_place_of_a_file_is_named_with_a_remedy(there, name, put, capsys):
    path = Path("run") / name
    if there == "beside a run":
        assert run([*TRAIN, "--out", "run"]) == 0
        Path("run/result.json").unlink()
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    else:
        Path("run").mkdir()
    put(path)
    arguments = [*TRAIN, "--out", "run", *(["--resume"] if execution.holds_run(Path("run")) else [])]
    capsys.readouterr()
    assert run(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("sven-ref: error: ")
    assert error.count("\n") == 1
    assert "[Errno" not in error
    assert f"{path}" in error
    assert "move it away" in error or "move the other away" in error
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()  # the remedy
    assert run([*TRAIN, "--out", "run", *(["--resume"] if execution.holds_run(Path("run")) else [])]) == 0


@pytest.mark.parametrize("quick", [quick_demo, quick_reproduce, quick_study])
def test_so_it_is_where_other_commands_write(quick, monkeypatch, capsys):
    command = quick(monkeypatch)
    assert run([*command, "--out", "out"]) == 0
    for file in [path for path in Path("out").rglob("*") if path.is_file() and path.suffix != ".png"]:
        if {"checkpoints", "history.jsonl"} & {*file.parts}:
            continue  # of a run that is finished
        whole = file.read_bytes()
        file.unlink()
        file.mkdir()
        capsys.readouterr()
        assert run([*command, "--out", "out"]) == 1, file
        error = capsys.readouterr().err
        assert re.fullmatch(rf"sven-ref: error: .*{file}.*move it away.*\n", error), error
        file.rmdir()
        file.write_bytes(whole)


def test_a_disk_that_is_full_is_named(monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert run([*TRAIN, "--out", "run"]) == 1
    assert capsys.readouterr().err == "sven-ref: error: out = 'run': No space left on device\n"


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


def default_interrupt():
    """A shell has what it starts in the background ignore SIGINT, and all that is started by that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def slow_to_import(folder, name):
    """A module of that name, found before the real one, which takes a minute."""
    (folder / f"{name}.py").write_text("import time; print('importing', flush=True); time.sleep(60)")
    return ENVIRONMENT | {"PYTHONPATH": f"{folder}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}


def script(folder):
    """What pip makes of the entry point."""
    path = folder / "sven-ref"
    path.write_text("import sys\nfrom sven_ref.cli import main\nsys.exit(main())")
    return [str(path)]


@pytest.mark.parametrize("name", ["numpy", "scipy", "autograd", "rich", "argparse"])
@pytest.mark.parametrize("how", ["-m sven_ref", "-W error -m sven_ref", "-msven_ref", "the script"])
def test_an_interrupt_while_it_imports_is_one_line(name, how, tmp_path):
    """It was a traceback of 17 to 47 lines, in the first second."""
    started = script(tmp_path) if how == "the script" else how.split()
    command = [sys.executable, *started, "demo", "--epochs", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    env = slow_to_import(tmp_path, name)
    with subprocess.Popen(command, env=env, preexec_fn=default_interrupt, **pipes) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "sven-ref: interrupted\n"
    assert process.returncode == 130


@pytest.mark.parametrize("before", ["signal.SIG_IGN", "signal.default_int_handler", "signal.SIG_DFL", "print"])
def test_who_imports_the_package_keeps_his_handler(before):
    code = f"import signal; signal.signal(signal.SIGINT, {before}); import sven_ref; from sven_ref import cli, lab\n"
    code += f"assert signal.getsignal(signal.SIGINT) is {before}; cli.main(['vectors', 'path'])\n"
    code += f"assert signal.getsignal(signal.SIGINT) is {before}"
    for command in (["-c", code, "-m", "sven_ref"], ["-c", code, "sven-ref"]):
        subprocess.run([sys.executable, *command], env=ENVIRONMENT, check=True, capture_output=True)


def test_an_interrupt_that_is_ignored_stays_so(tmp_path):
    for started in (["-m", "sven_ref"], script(tmp_path)):
        code = "import os, signal, sys; signal.signal(2, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
        (tmp_path / "autograd.py").write_text("import os; os.kill(os.getpid(), 2); raise SystemExit('went on')")
        env = ENVIRONMENT | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
        command = [sys.executable, "-c", code, sys.executable, *started, "--version"]
        assert subprocess.run(command, env=env, capture_output=True, text=True).stderr == "went on\n"


# ---- help ------------------------------------------------------------------------------------------------------------

OURS = ("demo", "train", "reproduce", "study", "claims")


def parser_of(command):
    return cli.parsers()[1][command]


@pytest.mark.parametrize("command", OURS)
def test_help_shows_defaults_as_they_are_and_an_example_that_runs(command):
    parser = parser_of(command)
    text = " ".join(parser.format_help().split())
    for absent in ("default: None", "default: False", "default: []", "default: ()"):
        assert absent not in text
    for action in parser._actions:
        if action.default not in (None, False, [], (), argparse.SUPPRESS):
            assert f"(default: {action.default})" in text
    examples = [line.strip() for line in parser.format_help().splitlines() if line.startswith("  sven-ref ")]
    assert len(examples) >= 2
    for example in examples:
        typed = vars(cli.parser().parse_args(shlex.split(example)[1:]))
        assert typed["command"]
        if command == "train":
            train.run_from(typed["task"], typed["optimizer"], options.parse(typed["set"]))
    assert "exit status: 0" in text


def test_help_of_train_has_the_names_that_set_takes():
    text = parser_of("train").format_help()
    for optimizer in options.OPTIMIZERS:
        (line,) = (line for line in text.splitlines() if line.split()[:1] == [optimizer])
        for name in options.option_names(optimizer)[: -len(options.PROBLEM)]:
            assert name in line
    for name in options.PROBLEM:
        assert name in text.partition("names that --set takes")[2]
    assert set(OPTIONS) == set(options.option_names("sven"))


def test_the_first_help_has_an_example_and_every_exit_status(capsys):
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert "examples:\n  sven-ref demo" in out
    for status in (0, 1, 2, train.DIVERGED, streams.UNWRITABLE, streams.CLOSED, 130):
        assert f"\n    {status:<4}" in out


def test_claims_are_listed_and_nothing_is_written(capsys):
    assert run(["claims", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CLAIMS)
    assert all(len(line.split()) > 2 for line in lines)
    assert run(["claims", "--list", "kappa_step"]) == 0
    assert capsys.readouterr().out.startswith("kappa_step ")
    assert not list(Path().iterdir())


# ---- exit status of what diverged ------------------------------------------------------------------------------------


def test_a_diverged_run_says_so_by_its_status(capsys):
    typed = [*TRAIN, "--set", "lr=1e3", "--out", "run"]
    assert run(typed) == train.DIVERGED == 3
    assert "diverged: the final validation loss exceeds 10 × the untrained one" in capsys.readouterr().out
    assert json.loads(Path("run/result.json").read_text())["history"]["diverged"]
    assert run([*typed, "--resume"]) == train.DIVERGED


def test_a_diverged_demo_says_so_by_its_status(monkeypatch):
    typed = quick_demo(monkeypatch)
    assert run([*typed, "--adam-lr", "1e4"]) == train.DIVERGED
    assert Path("sven-demo/demo.json").exists()
    assert run(typed) == 0


def test_diverged_runs_of_a_comparison_are_counted_and_no_error(monkeypatch, capsys):
    assert run(quick_study(monkeypatch)) == 0
    assert "0/1" in capsys.readouterr().out
    adam = protocols.read()[1]["toy"].methods["adam"]
    monkeypatch.setitem(adam.options, "lr", 1e4)
    assert run([*quick_reproduce(monkeypatch)[:-4], "--optimizers", "adam", "--workers", "0"]) == 0
    assert "0/1" in capsys.readouterr().out


# ---- encodings (Textualize/rich#212, #826; argrento/huami-token#5) ---------------------------------------------------


def printed(arguments, encoding, monkeypatch):
    """(status, standard output, standard error) of a process whose outputs have that encoding and are strict."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, "strict") for _ in range(2))
    with monkeypatch.context() as m:
        m.setattr(sys, "stdout", out)
        m.setattr(sys, "stderr", err)
        status = run(arguments)
    return status, *(s.buffer.getvalue().decode(encoding) for s in (out, err))


HELPS = [["--help"], *([c, "--help"] for c in cli.parsers()[1]), ["vectors", "list", "--help"]]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp1252", "shift_jis"])
@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_in_every_encoding(arguments, encoding, monkeypatch):
    status, out, err = printed(arguments, encoding, monkeypatch)
    assert (status, err) == (0, "")
    assert "usage" in out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_commands_in_every_encoding(encoding, monkeypatch):
    typed = [["vectors", "list"], ["vectors", "questions"], ["vectors"], ["claims", "--list"]]
    typed += [quick_demo(monkeypatch), quick_reproduce(monkeypatch), quick_study(monkeypatch)]
    typed += [["claims", "rows_are_scalars", "--quick", "--workers", "0"], [*TRAIN, "--set", "lr=1e-3"]]
    for arguments in typed:
        status, out, err = printed(arguments, encoding, monkeypatch)
        assert (status, err) == (0, ""), arguments
        assert out
    status, out, _ = printed([*TRAIN, "--set", "lr=1e3", "--out", "two"], encoding, monkeypatch)
    assert status == train.DIVERGED
    assert ("exceeds 10 \\xd7 the" if encoding == "ascii" else "exceeds 10 × the") in out
    status, _, err = printed([*TRAIN, "--set", "lr=-1", "--out", "three"], encoding, monkeypatch)
    assert (status, err) == (1, "sven-ref: error: lr = -1: must be a finite number \\u2265 0\n")


LOCALES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    "arguments", ["-m sven_ref vectors list", "-m sven_ref train --help", "-m sven_ref.lab.scale --help"]
)
def test_processes_in_other_locales(arguments, locale):
    done = subprocess.run([sys.executable, *arguments.split()], env=ENVIRONMENT | LOCALES[locale], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


# ---- a closed pipe, a full disk (Backblaze/B2_Command_Line_Tool#1071, pypa/pip#13881) --------------------------------

PRINTS = [
    "-m sven_ref --help",
    "-m sven_ref vectors list",
    "-m sven_ref.lab.scale --csv",
    "-m sven_ref.lab.scale --help",
]
PRINTS += ["-m sven_ref train --task toy --optimizer adam --n-train 64 --epochs 1 --out run"]


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("arguments", PRINTS)
def test_output_that_no_one_reads_any_more(arguments, buffered):
    env = ENVIRONMENT | {"PYTHONUNBUFFERED": "" if buffered else "1"}
    command = [sys.executable, *arguments.split()]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        p.stdout.close()
        assert p.stderr.read() == b""
    assert p.returncode == streams.CLOSED == 141
    if "train" in arguments:
        assert Path("run/result.json").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("arguments", PRINTS)
def test_output_on_a_full_disk(arguments, buffered):
    env = ENVIRONMENT | {"PYTHONUNBUFFERED": "" if buffered else "1"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, *arguments.split()], env=env, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == streams.UNWRITABLE == 74
    assert done.stderr.startswith(b"sven-ref: error: standard output can't be written (No space left on device)")
    assert done.stderr.count(b"\n") == 1
    if "train" in arguments:
        assert Path("run/result.json").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_an_error_that_can_not_be_said_keeps_its_status():
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "sven_ref", *TRAIN, "--set", "lr=-1"]
        assert subprocess.run(command, env=ENVIRONMENT, stdout=full, stderr=full).returncode == 1
        assert subprocess.run([*command, "--nothing"], env=ENVIRONMENT, stdout=full, stderr=full).returncode == 2
    assert not list(Path().iterdir())


class Broken(io.StringIO):
    """Fails at the n-th write, as a disk that is full by then."""

    def __init__(self, error, n):
        super().__init__()
        self.failure, self.left = error, n

    def write(self, text):
        self.left -= 1
        if self.left < 0:
            raise self.failure
        return super().write(text)


@pytest.mark.parametrize(
    ("error", "n", "status"), [(BrokenPipeError(32, "Broken pipe"), 0, 141), (OSError(28, "No space"), 1, 74)]
)
def test_results_are_written_though_nothing_can_be_printed(error, n, status, monkeypatch):
    typed = [quick_demo(monkeypatch), quick_reproduce(monkeypatch), quick_study(monkeypatch)]
    typed += [["claims", "rows_are_scalars", "--quick", "--workers", "0"], [*TRAIN, "--set", "lr=1e-3"]]
    for arguments in typed:
        with monkeypatch.context() as m:
            m.setattr(sys, "stdout", Broken(error, n))
            assert run(arguments) == status
    for path in ("sven-demo/demo.json", "sven-reproduce-quick/toy/summary.json", "sven-study-quick/kappa/study.json"):
        assert Path(path).exists()
    assert Path("sven-run/result.json").exists()
    assert Path("sven-claims-quick/claims.md").exists()
    assert {p.suffix for p in Path().rglob("*.*g")} == {".png", ".svg"}


def test_a_process_without_standard_output_runs(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert run(["vectors", "questions"]) == 0


def test_main_gives_the_streams_back():
    before = sys.stdout, sys.stderr
    assert run(["--version"]) == 0
    assert run(["nothing"]) == 2
    assert (sys.stdout, sys.stderr) == before


# ---- figures ---------------------------------------------------------------------------------------------------------


def a_figure():
    from matplotlib.figure import Figure

    fig = Figure(figsize=(2, 2))
    fig.subplots().set(title=r"$\sigma_1$ and η", xlabel="x_y & z %")
    return fig


def pixels(folder):
    folder.mkdir()
    save_figures({folder / "a.png": a_figure}, dpi=50)
    return (folder / "a.png").read_bytes()


STYLES = [
    {"text.usetex": True},
    {"text.usetex": True, "text.latex.preamble": r"\usepackage{nothing}"},
    {"font.family": "no such font"},
    {"figure.facecolor": "black", "axes.prop_cycle": "cycler(color=['red'])", "savefig.dpi": 10},
    {"savefig.format": "pdf", "savefig.bbox": "tight", "figure.autolayout": True},
    {"path.sketch": (1, 100, 2)},
]


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_a_figure_is_the_same_whatever_the_users_style(style, tmp_path):
    import matplotlib

    plain = pixels(tmp_path / "plain")
    with matplotlib.rc_context(style):
        assert pixels(tmp_path / "styled") == plain
        assert matplotlib.rcParams["text.usetex"] == style.get("text.usetex", False)  # the user's own, afterwards


ENVIRONMENTS = {
    "a backend that there is not": {"MPLBACKEND": "nonsense"},
    "a backend that is not installed": {"MPLBACKEND": "qtagg"},
    "a notebook's": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "a matplotlibrc with LaTeX": {"MATPLOTLIBRC": "matplotlibrc"},
    "a configuration that is no directory": {"MPLCONFIGDIR": "/dev/null"},
}


@pytest.mark.parametrize("which", ENVIRONMENTS)
def test_a_figure_is_drawn_whatever_the_environment_says(which):
    Path("matplotlibrc").write_text("text.usetex: True\nfont.family: nothing\nsavefig.format: pdf\n")
    code = "from pathlib import Path; from sven_ref.lab.console import save_figures\ndef figure():\n"
    code += "  from matplotlib.figure import Figure; f = Figure(); f.subplots().set(title='x_y & z %'); return f\n"
    code += "save_figures({Path('a.png'): figure})"
    env = ENVIRONMENT | ENVIRONMENTS[which]
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_fails_keeps_no_other_from_being_drawn(tmp_path):
    def fails():
        raise RuntimeError("Failed to process string with tex\nbecause latex could not be found")

    with pytest.raises(FigureError, match=r"not drawn: .*b.png \(Failed to process string with tex because"):
        save_figures({tmp_path / f"{n}.png": f for n, f in (("a", a_figure), ("b", fails), ("c", a_figure))})
    assert {p.name for p in tmp_path.iterdir()} == {"a.png", "c.png"}


@pytest.mark.parametrize("before", [b"of the last run", None])
def test_a_figure_that_can_not_be_written_to_its_end_is_as_it_was(tmp_path, before):
    """A file was left cut by a disk that was full."""
    figure = tmp_path / "a.png"
    if before is not None:
        figure.write_bytes(before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(FigureError, match=r"not drawn: .*a.png \(.*File too large\)"):
            save_figures({figure: a_figure})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({} if before is None else {"a.png": before})


def test_results_are_kept_where_a_figure_fails(monkeypatch, capsys):
    """`text.usetex: True` without LaTeX ended the demo after its training, with a traceback and no numbers."""

    def fails(*args, **kwargs):
        raise RuntimeError("no latex")

    typed = [quick_demo(monkeypatch), quick_reproduce(monkeypatch), quick_study(monkeypatch)]
    typed += [["claims", "rows_are_scalars", "kappa_step", "--quick", "--workers", "0"]]
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fails)
    for arguments in typed:
        assert run(arguments) == 1
        out, err = capsys.readouterr()
        assert err.startswith("sven-ref: error: not drawn: ")
        assert err.count("\n") == 1
        assert "no latex" in err
        assert out
    demo_results = json.loads(Path("sven-demo/demo.json").read_text())
    assert set(demo_results["histories"]) == {"Sven", "Adam"}
    for path in ("sven-reproduce-quick/toy/table.md", "sven-reproduce-quick/toy/summary.json"):
        assert Path(path).stat().st_size
    for path in ("sven-study-quick/kappa/table.md", "sven-study-quick/kappa/study.json", "sven-claims-quick/claims.md"):
        assert Path(path).stat().st_size
    assert set(json.loads(Path("sven-claims-quick/claims.json").read_text())) == {"rows_are_scalars", "kappa_step"}


def test_what_is_not_installed_is_said_before_anything_is_run(monkeypatch, capsys):
    for package in ("matplotlib", "rich"):
        with monkeypatch.context() as m:
            m.setitem(sys.modules, package, None)
            for typed in (["demo"], ["reproduce", "toy"], ["study", "kappa"], ["claims"]):
                assert run(typed) == 1
                assert f"{package}: not installed" in capsys.readouterr().err
    assert not list(Path().iterdir())
