"""`sven-ref train`: one run, with the protocol's settings for its task and optimizer where none are given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..cluster import connect
from ..errors import ArgumentError, ClusterError, check_choice
from .console import bar, require, writable
from .protocols import read
from .report import number, settings
from .runs import OPTIMIZERS, Run, execute, use_data
from .tasks import TASKS
from .training import Epoch

BATCH_SIZE, EPOCHS = 32, 20  # where no protocol says
SHARDED = ("sven",)  # optimizers whose steps need no more of a problem than its residuals and J
PROBLEM = ("kappa", "rows", "micro_batch")  # of the options, those that are the problem's and not the optimizer's


def parse(assignments: Sequence[str]) -> dict[str, Any]:
    """["lr=0.1", "solver=gram"] as {"lr": 0.1, "solver": "gram"}: values are JSON, else text."""
    options: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ArgumentError(f"set = {text!r}: must be NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except ValueError:  # no JSON: a string without its quotes
            options[name] = value
    return options


def run_from(
    task: str,
    optimizer: str,
    options: dict[str, Any],
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    data_seed: int | None = None,
    n_train: int | None = None,
) -> Run:
    """The `Run` of these settings; what is None or absent is the protocol's."""
    check_choice("task", task, TASKS)
    check_choice("optimizer", optimizer, OPTIMIZERS)
    protocol = read()[1].get(task)
    method = protocol.methods.get(optimizer) if protocol else None
    problem = {name: value for name, value in options.items() if name in PROBLEM}
    own = {name: value for name, value in options.items() if name not in PROBLEM}
    defaults = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "seed": 0, "data_seed": 0}
    given = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "data_seed": data_seed}
    return Run(
        task,
        optimizer,
        (method.options if method else {}) | own,
        (method.problem if method else {}) | problem,
        {} if n_train is None else {"n_train": n_train},
        **{n: getattr(protocol, n, default) if given[n] is None else given[n] for n, default in defaults.items()},  # type: ignore[arg-type]
    )


@contextmanager
def cluster(run: Run, folder: Path, workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """A client of Dask, of `workers` processes here or of the scheduler at an address; None where neither is given."""
    if workers is None and scheduler is None:
        yield None
        return
    if workers is not None and scheduler is not None:
        raise ArgumentError(f"workers, scheduler = {workers!r}, {scheduler!r}: must be one of the two, not both")
    if run.optimizer not in SHARDED:
        only = ", ".join(map(repr, SHARDED))
        raise ArgumentError(
            f"optimizer = {run.optimizer!r}: has no sharded form; with workers or scheduler, use {only}"
        )
    with connect(**{"scheduler": scheduler} if workers is None else {"workers": workers}) as client:
        try:
            yield client
        except ClusterError as error:
            raise ClusterError(f"{error}; --resume goes on with {folder} from its last epoch") from error


def train_one(
    task: str,
    optimizer: str,
    *,
    set: Sequence[str] = (),
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    data_seed: int | None = None,
    n_train: int | None = None,
    data: str | None = None,
    out: str | Path = "sven-run",
    resume: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Train, print an epoch a line (a bar on a terminal), record the run in `out`; its result.

    `set` holds NAME=VALUE, options of the optimizer or kappa, rows, micro_batch. With `resume`, a run in `out` is gone
    on with; without, finding one there is an `ArgumentError`. With `workers` or `scheduler`, Dask's workers make Sven's
    steps, and a `ClusterError` says that they are lost.
    """
    require("rich", purpose="train")
    from rich.console import Console

    use_data(data)
    run = run_from(
        task,
        optimizer,
        parse(set),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        data_seed=data_seed,
        n_train=n_train,
    )
    folder, console = writable(out), Console(highlight=False)
    console.print(
        f"{run.task}, {run.optimizer}: {settings(run.options | run.problem)}; seed {run.seed}", soft_wrap=True
    )
    with cluster(run, folder, workers, scheduler) as client, bar(console, "epochs", run.epochs) as update:

        def on_epoch(e: Epoch) -> None:
            accuracy = "" if e.val_accuracy is None else f"  accuracy {e.val_accuracy:.2%}"
            note = f"validation loss {e.val_loss:.3e}{accuracy}"
            update(e.epoch, note)
            if not console.is_terminal:
                console.print(f"epoch {e.epoch:2}/{run.epochs}  {note}")

        result = execute(run, folder, resume=resume, on_epoch=on_epoch, client=client)
    history, final = result["history"], result["final"]
    if history["diverged"]:
        console.print(f"diverged: {history['reason']}", markup=False, soft_wrap=True)
    for split in ("val", "test", "train"):
        accuracy = final[split]["accuracy"]
        shown = "" if accuracy is None else f"  accuracy {accuracy:.2%}"
        console.print(f"{split:5}  loss {number(final[split]['loss'], 4)}{shown}")
    console.print(f"{result['seconds'] or 0:.1f} s of training; {folder / 'result.json'}", markup=False, soft_wrap=True)
    return result
