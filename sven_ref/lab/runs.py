"""One run, named by its settings: built, trained, recorded in a folder, resumed after a kill.

    FOLDER/run.json         the settings and the versions of what ran them first
    FOLDER/history.jsonl    one line an epoch, appended as it goes; for readers, it is never read back
    FOLDER/checkpoints/     the last two epochs: θ, the optimizer's fields, the history
    FOLDER/result.json      written last; where it is, the run is finished
    FOLDER/lock             while a process is at it: see `lock`

Killed at any moment, the run goes on from the last epoch that has a checkpoint, whose history replaces
history.jsonl, and ends with the same bits as one never interrupted; `seconds` alone differ. All that is read back
carries its SHA-256. Settings are checked, one step made on trial, before anything is written.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ArgumentError, NonFiniteError, SvenError, check_choice, check_integer
from ..mlp import MLP
from ..residuals import Problem
from ..sharded import ShardedProblem
from . import records
from .checkpoint import Checkpoints, differences, optimizer_state, restore_optimizer, write_durably
from .console import writable
from .lock import alone
from .options import OPTIMIZERS, check_options
from .tasks import TASKS, Task
from .training import Epoch, History, measure, train

TRAIN_EVALUATED = 10_000  # the first examples of the training split, on which the trained model is evaluated
TRIAL = 64  # samples at most of the step that is made on trial
NO_RESULT = "move it away: the same command makes it again from the run's last checkpoint"
NO_SETTINGS = "move it away: the run goes on without it"


@dataclass(frozen=True)
class Run:
    """The settings of a run; all of them JSON knows.

    options : of the optimizer; problem : of `Problem`, kappa, rows, micro_batch; task_options : n_train and the like
    seed : of θ, of the order of the batches and of Sven's generator; data_seed : of the task
    """

    task: str
    optimizer: str
    options: dict[str, Any] = field(default_factory=dict)
    problem: dict[str, Any] = field(default_factory=dict)
    task_options: dict[str, Any] = field(default_factory=dict)
    epochs: int = 20
    batch_size: int = 32
    drop_last: bool = True
    seed: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        check_choice("task", self.task, TASKS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)

    def settings(self) -> dict[str, Any]:
        """As JSON gives them back: a pair is a list."""
        return dict(json.loads(json.dumps(asdict(self))))

    def build(self) -> tuple[Problem, Any, Any, Task]:
        """problem, θ, optimizer and task; raise `ArgumentError` for settings that can't be."""
        check_options(self.optimizer, self.options, self.problem)
        own = {"seed": self.seed, "solver": "auto"} if self.optimizer == "sven" else {}
        opt = OPTIMIZERS[self.optimizer](**own | self.options)
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0), ("data_seed", 0)):
            check_integer(name, getattr(self, name), least)
        task = load_task(self.task, self.data_seed, json.dumps(self.task_options, sort_keys=True))
        net = MLP(task.sizes, task.activation)
        return Problem(net, task.loss, **self.problem), net.init(self.seed, np.float32), opt, task

    def check(self) -> None:
        """What `build` raises, and an `ArgumentError` for settings with which no step can be made: one is, on trial."""
        problem, theta, opt, task = self.build()
        n, m = len(task.train[0]), problem.micro_batch
        if self.drop_last and self.batch_size > n:
            raise ArgumentError(f"batch_size = {self.batch_size}: must be at most {n}, the examples to train on")
        if self.batch_size % m:
            raise ArgumentError(f"micro_batch = {m}: must divide the batch size B = {self.batch_size}")
        few = min(self.batch_size, max(m, TRIAL - TRIAL % m))
        try:
            with np.errstate(all="ignore"):
                opt.step(problem, theta, tuple(a[:few] for a in task.train))
        except ArgumentError:
            raise
        except (SvenError, np.linalg.LinAlgError):  # a diverged run is a result, with its reason
            pass


@lru_cache(maxsize=1)  # a worker does many runs of a task
def load_task(name: str, data_seed: int, options: str) -> Task:
    """A task of float32; `options` as JSON."""
    try:
        return TASKS[name](data_seed, **json.loads(options))
    except TypeError as error:
        raise ArgumentError(f"task_options = {options}: {error}") from None


def use_data(folder: str | None) -> None:
    """Have the tasks of this process, and of those it starts, find their data in `folder`."""
    if folder is not None:
        if not folder or not Path(folder).is_dir():
            why = "it starts with ~, which only an unquoted shell word expands" if folder.startswith("~") else ""
            why = why or ("is a variable not set?" if not folder else "there is none of that name")
            raise ArgumentError(f"data = {folder!r}: must be a directory ({why})")
        os.environ["SVEN_REF_DATA"] = str(Path(folder).resolve())


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    packages = {package: version(package) for package in ("numpy", "scipy", "autograd")}
    return {"python": platform.python_version(), "sven_ref": __version__} | packages


def execute(
    run: Run,
    folder: str | Path | None = None,
    *,
    resume: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    client: Any = None,
) -> dict[str, Any]:
    """The result of a run, in types that JSON knows; with `folder`, recorded there and resumed from there.

    A finished run is not done again. Without `resume`, a folder that holds a run is an `ArgumentError`, as are settings
    that can't be, before anything is written. `on_note` is told when a run goes on with other versions than it began
    with: the result has them all. With `client`, Dask's workers make the steps (`sven_ref.sharded`): no setting of the
    run, which may go on with others or none.
    """
    if folder is None:
        problem, theta, opt, task = run.build()
        sharded = client and ShardedProblem(problem, client)
        history = train(problem, theta, opt, task, on_epoch=on_epoch, **loop(run, sharded))
        return result_of(run, problem, task, history)

    folder, settings = Path(folder), run.settings()
    if not resume and holds_run(folder):
        raise ArgumentError(f"out = {str(folder)!r}: holds a run already; resume it or choose another directory")
    if (done := finished(folder, settings)) is not None:
        return done

    run.check()
    problem, theta, opt, task = run.build()
    sharded = client and ShardedProblem(problem, client)
    with alone(writable(folder)):
        if (done := finished(folder, settings)) is not None:  # by the one who had the lock
            return done
        if (folder / "run.json").exists():
            same_settings(folder, records.read(folder / "run.json", NO_SETTINGS).get("settings"), settings)
        checkpoints, history = Checkpoints(folder / "checkpoints", settings), History(type(opt).__name__)
        used = [versions()]  # the last are those of now
        if (state := checkpoints.load()) is not None:
            restore_optimizer(opt, state["optimizer"])
            epochs = [Epoch(**e) for e in state["history"].pop("epochs")]
            history = History(epochs=epochs, theta=state["theta"], **state["history"])
            used = [*(v for v in state.get("versions", ()) if v != used[-1]), *used]
            if len(used) > 1 and on_note is not None:
                on_note(f"the epochs until {len(epochs) - 1} were run by {changed(used[-2], used[-1])}")
        elif (n := epochs_in(folder / "history.jsonl")) > 1:  # a kill leaves one at most without its checkpoint
            raise ArgumentError(
                f"out = {str(folder)!r}: has a history of {n} epochs and no checkpoint to go on from; put its "
                "checkpoints back, or move history.jsonl away to begin anew"
            )
        if not (folder / "run.json").exists():
            records.write(folder / "run.json", {"settings": settings, "versions": used[0]})
        checkpoints.clear()
        write_durably(folder / "history.jsonl", b"".join(line(e) for e in history.epochs))

        with (folder / "history.jsonl").open("ab") as file:

            def record(epoch: Epoch) -> None:
                file.write(line(epoch))
                file.flush()
                os.fsync(file.fileno())
                past = {n: x for n, x in vars(history).items() if n not in ("epochs", "theta", "diverged", "reason")}
                past["epochs"] = [vars(e) for e in history.epochs]
                state = {"theta": history.theta, "optimizer": optimizer_state(opt), "history": past, "versions": used}
                checkpoints.save(epoch.epoch, state)
                if on_epoch is not None:
                    on_epoch(epoch)

            train(problem, theta, opt, task, history=history, on_epoch=record, **loop(run, sharded))
        result = result_of(run, problem, task, history) | {"earlier_versions": used[:-1]}
        records.write(folder / "result.json", result)
    return result


def holds_run(folder: Path) -> bool:
    """Whether a run has begun there."""
    return any((folder / name).exists() for name in ("run.json", "result.json", "checkpoints"))


def finished(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The result of the run of these settings if it is finished; raise if it is another's or damaged."""
    if not (folder / "result.json").exists():
        return None
    done = records.read(folder / "result.json", NO_RESULT)
    if (folder / "run.json").exists():
        same_settings(folder, records.read(folder / "run.json", NO_SETTINGS).get("settings"), done.get("settings", {}))
    same_settings(folder, done.get("settings"), settings)
    return done


def epochs_in(path: Path) -> int:
    """Whole lines of a history, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def same_settings(folder: Path, theirs: Any, ours: dict[str, Any]) -> None:
    """Raise `ArgumentError` unless the settings of the run in `folder` are ours, by value."""
    if differ := differences(theirs, ours):
        raise ArgumentError(f"out = {str(folder)!r}: holds a run of other settings: {differ}; choose another directory")


def changed(before: dict[str, str], now: dict[str, str]) -> str:
    """numpy 2.0.0 (now 2.4.6), of versions that differ."""
    names = [n for n in {**before, **now} if before.get(n) != now.get(n)]
    return ", ".join(f"{n} {before.get(n)} (now {now.get(n)})" for n in names)


def loop(run: Run, sharded: Problem | None = None) -> dict[str, Any]:
    """What the loop takes: the run's settings, and its problem on workers, if it is there."""
    settings = {"epochs": run.epochs, "batch_size": run.batch_size, "seed": run.seed, "drop_last": run.drop_last}
    return settings | {"sharded": sharded}


def result_of(run: Run, problem: Problem, task: Task, history: History) -> dict[str, Any]:
    """Settings, versions, the history, and the losses of the trained model on all three splits (None if diverged)."""
    start, final = perf_counter(), {}
    splits = {"val": task.val, "test": task.test, "train": tuple(a[:TRAIN_EVALUATED] for a in task.train)}
    for name, split in splits.items():
        try:
            with np.errstate(all="ignore"):
                loss, accuracy = measure(problem, history.theta, split)
        except NonFiniteError:  # a diverged run is a result, recorded as such
            loss, accuracy = math.nan, None
        final[name] = {"loss": loss if math.isfinite(loss) and not history.diverged else None, "accuracy": accuracy}
    return {
        "settings": run.settings(),
        "versions": versions(),
        "earlier_versions": [],
        "n_params": int(problem.model.n_params),
        "final": final,
        "seconds": history.epochs[-1].seconds if history.epochs else None,
        "evaluation_seconds": perf_counter() - start,
        "history": history.to_dict(),
    }


def line(epoch: Epoch) -> bytes:
    """An epoch of history.jsonl."""
    return json.dumps(epoch.to_dict(), allow_nan=False).encode() + b"\n"


def made_by_others(results: Sequence[dict[str, Any]]) -> list[str]:
    """A remark for each set of versions, other than those of now, with which some of these were made."""
    now = versions()
    counts: Counter[str] = Counter()
    for result in results:
        counts.update({changed(v, now) for v in (result["versions"], *result.get("earlier_versions", ())) if v != now})
    return [f"[versions] {n} of {len(results)} were made with {what}" for what, n in counts.items()]
