"""One run, named by its settings: built, trained, recorded in a folder, resumed after a kill.

    FOLDER/run.json         the settings and the versions of what ran them
    FOLDER/history.jsonl    one line an epoch, appended as it goes
    FOLDER/checkpoints/     the last two epochs: θ, the optimizer's fields, the history
    FOLDER/result.json      written last; where it is, the run is finished

Killed at any moment, the run goes on from the last epoch that has a checkpoint, whose history replaces
history.jsonl, and ends with the same bits as one never interrupted; `seconds` alone differ.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ArgumentError, NonFiniteError, check_choice
from ..mlp import MLP
from ..residuals import Problem
from ..sharded import ShardedProblem
from ..step import Sven
from .baselines import BASELINES
from .checkpoint import Checkpoints, optimizer_state, restore_optimizer, write_durably
from .tasks import TASKS, Task
from .training import Epoch, History, measure, train

OPTIMIZERS: dict[str, Any] = {"sven": Sven, **BASELINES}
TRAIN_EVALUATED = 10_000  # the first examples of the training split, on which the trained model is evaluated


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
        task = load_task(self.task, self.data_seed, json.dumps(self.task_options, sort_keys=True))
        net = MLP(task.sizes, task.activation)
        own = {"seed": self.seed, "solver": "auto"} if self.optimizer == "sven" else {}
        try:
            opt = OPTIMIZERS[self.optimizer](**own | self.options)
            problem = Problem(net, task.loss, **self.problem)
        except TypeError as error:
            raise ArgumentError(f"options = {self.options}, problem = {self.problem}: {error}") from None
        return problem, net.init(self.seed, np.float32), opt, task


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
        if not Path(folder).is_dir():
            raise ArgumentError(f"data = {folder!r}: must be a directory")
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
    client: Any = None,
) -> dict[str, Any]:
    """The result of a run, in types that JSON knows; with `folder`, recorded there and resumed from there.

    A finished run is not done again. Without `resume`, a folder that holds a run is an `ArgumentError`. With `client`,
    Dask's workers make the steps (`sven_ref.sharded`): no setting of the run, which may go on with others or none.
    """
    if folder is None:
        problem, theta, opt, task = run.build()
        sharded = client and ShardedProblem(problem, client)
        history = train(problem, theta, opt, task, on_epoch=on_epoch, **loop(run, sharded))
        return result_of(run, problem, task, history)

    folder, settings = Path(folder), run.settings()
    if not resume and (folder / "run.json").exists():
        raise ArgumentError(f"out = {str(folder)!r}: holds a run already; resume it or choose another directory")
    if (folder / "result.json").exists():
        done = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        if done["settings"] != settings:
            raise ArgumentError(f"out = {str(folder)!r}: holds a run of other settings; choose another directory")
        return dict(done)

    problem, theta, opt, task = run.build()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"out = {str(folder)!r}: must be a directory to write to ({error.strerror})") from None
    checkpoints, history = Checkpoints(folder / "checkpoints", settings), History(type(opt).__name__)
    if (state := checkpoints.load()) is not None:
        restore_optimizer(opt, state["optimizer"])
        epochs = [Epoch(**e) for e in state["history"].pop("epochs")]
        history = History(epochs=epochs, theta=state["theta"], **state["history"])
    else:
        dump(folder / "run.json", {"settings": settings, "versions": versions()})
    write_durably(folder / "history.jsonl", b"".join(line(e) for e in history.epochs))

    with (folder / "history.jsonl").open("ab") as file:

        def record(epoch: Epoch) -> None:
            file.write(line(epoch))
            file.flush()
            os.fsync(file.fileno())
            past = {n: x for n, x in vars(history).items() if n not in ("epochs", "theta", "diverged", "reason")}
            past["epochs"] = [vars(e) for e in history.epochs]
            checkpoints.save(epoch.epoch, {"theta": history.theta, "optimizer": optimizer_state(opt), "history": past})
            if on_epoch is not None:
                on_epoch(epoch)

        sharded = client and ShardedProblem(problem, client)
        train(problem, theta, opt, task, history=history, on_epoch=record, **loop(run, sharded))
    result = result_of(run, problem, task, history)
    dump(folder / "result.json", result)
    return result


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
        "n_params": int(problem.model.n_params),
        "final": final,
        "seconds": history.epochs[-1].seconds if history.epochs else None,
        "evaluation_seconds": perf_counter() - start,
        "history": history.to_dict(),
    }


def line(epoch: Epoch) -> bytes:
    """An epoch of history.jsonl."""
    return json.dumps(epoch.to_dict(), allow_nan=False).encode() + b"\n"


def dump(path: Path, data: Any) -> None:
    """Write JSON, whole or not at all."""
    write_durably(path, json.dumps(data, indent=1, allow_nan=False).encode() + b"\n")
