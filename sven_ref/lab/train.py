"""`sven-ref train`: one run, with the protocol's settings for its task and optimizer where none are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..arguments import check_choice
from ..errors import ArgumentError, ClusterError
from ..sharded.cluster import check_address, connect, dask_extra
from .console import bar, check_out, printer, require
from .optimizers.options import OPTIMIZERS, PROBLEM, option_names, parse, required
from .paper.protocols import read
from .paper.tables import number, settings
from .tasks import TASKS
from .training.execution import execute, holds_run
from .training.loop import Epoch
from .training.run import Run, use_data

BATCH_SIZE, EPOCHS = 32, 20  # where no protocol says
SHARDED = ("sven",)  # optimizers whose steps need no more of a problem than its residuals and J
DIVERGED = 3  # exit status
EXAMPLE = {"lr": 0.1}  # in messages: of a size with which most tasks train


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
    """The `Run` of these settings; what is None or absent is the protocol's.

    Raises `ArgumentError` for names that there are not, and for options that no protocol has and that must be given.
    """
    check_choice("task", task, TASKS)
    check_choice("optimizer", optimizer, OPTIMIZERS)
    protocol = read()[1].get(task)
    method = protocol.methods.get(optimizer) if protocol else None
    problem = {name: value for name, value in options.items() if name in PROBLEM}
    own = {name: value for name, value in options.items() if name not in PROBLEM}
    own = (method.options if method else {}) | own
    if method is None and (missing := [name for name in required(optimizer) if name not in own]):
        others = ", ".join(name for name in option_names(optimizer) if name not in missing)
        example = " ".join(f"--set {name}={EXAMPLE.get(name, '…')}" for name in missing)
        raise ArgumentError(
            f"{', '.join(missing)}: must be given, since no protocol has settings of {optimizer!r} for {task!r}; it "
            f"also takes {others}; for example sven-ref train --task {task} --optimizer {optimizer} {example}"
        )
    defaults = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "seed": 0, "data_seed": 0}
    given = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "data_seed": data_seed}
    return Run(
        task,
        optimizer,
        own,
        (method.problem if method else {}) | problem,
        {} if n_train is None else {"n_train": n_train},
        **{n: getattr(protocol, n, default) if given[n] is None else given[n] for n, default in defaults.items()},  # type: ignore[arg-type]
    )


@contextmanager
def cluster(
    run: Run, folder: Path, workers: int | None, scheduler: str | None, say: Callable[[str], None] = lambda text: None
) -> Iterator[Any]:
    """A client of Dask, of `workers` processes here or of the scheduler at an address; None where neither is given.

    `say` is told what may take half a minute.
    """
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
    dask_extra()
    if scheduler is not None:
        say(f"connecting to {check_address(scheduler)[0]}")
    with connect(**{"scheduler": scheduler} if workers is None else {"workers": workers}) as client:
        try:
            yield client
        except ClusterError as error:
            if not holds_run(folder):  # it never began
                raise
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

    `set` holds NAME=VALUE, options of the optimizer or kappa, rows, micro_batch. With `resume`, the run in `out` is
    gone on with; where there is none, and where there is one without `resume`, that is an `ArgumentError`. With
    `workers` or `scheduler`, Dask's workers make Sven's steps, and a `ClusterError` says that they are lost. What is
    refused leaves nothing behind.
    """
    require("rich", purpose="train")
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
    folder, console = check_out(out), printer()
    if resume and not holds_run(folder):
        raise ArgumentError(f"out = {str(folder)!r}: holds no run to resume; without --resume one begins there")
    console.print(
        f"{run.task}, {run.optimizer}: {settings(run.options | run.problem)}; seed {run.seed}", soft_wrap=True
    )
    with (
        cluster(run, folder, workers, scheduler, partial(console.print, soft_wrap=True)) as client,
        bar(console, "epochs", run.epochs) as update,
    ):

        def on_epoch(e: Epoch) -> None:
            accuracy = "" if e.val_accuracy is None else f"  accuracy {e.val_accuracy:.2%}"
            note = f"validation loss {e.val_loss:.3e}{accuracy}"
            update(e.epoch, note)
            if not console.is_terminal:
                console.print(f"epoch {e.epoch:2}/{run.epochs}  {note}")

        def on_note(note: str) -> None:
            console.print(f"note: {note}", soft_wrap=True)

        result = execute(run, folder, resume=resume, on_epoch=on_epoch, on_note=on_note, client=client)
    history, final = result["history"], result["final"]
    if history["diverged"]:
        console.print(f"diverged: {history['reason']}", soft_wrap=True)
    for split in ("val", "test", "train"):
        accuracy = final[split]["accuracy"]
        shown = "" if accuracy is None else f"  accuracy {accuracy:.2%}"
        console.print(f"{split:5}  loss {number(final[split]['loss'], 4)}{shown}")
    console.print(f"{result['seconds'] or 0:.1f} s of training; {folder / 'result.json'}", soft_wrap=True)
    return result


def command(**options: Any) -> int:
    """`sven-ref train`: the exit status, `DIVERGED` for a run that did."""
    return DIVERGED if train_one(**options)["history"]["diverged"] else 0
