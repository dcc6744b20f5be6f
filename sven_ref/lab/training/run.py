"""A run by its settings: what task, which optimizer, with which options, how long, from which seeds.

Settings are checked as a whole, by building what they name and making one step on trial, before anything is written.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...arguments import check_choice, check_integer
from ...errors import ArgumentError, ClusterError, SvenError
from ...losses import SQUARES
from ...nets.mlp import MLP
from ...problem import Problem, Residuals
from ..optimizers.options import OPTIMIZERS, check_options
from ..optimizers.options import in_full as options_in_full
from ..tasks import TASKS, Task
from .checkpoint import differences

DEFAULTS: dict[str, dict[str, Any]] = {"sven": {"solver": "auto"}}  # other than the optimizer's own
OF_TASK = ("rows", "n_train")
TRIAL = 64  # samples at most of the step that is made on trial


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
        seed = {"seed": self.seed} if self.optimizer == "sven" else {}
        opt = OPTIMIZERS[self.optimizer](**seed | DEFAULTS.get(self.optimizer, {}) | self.options)
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0), ("data_seed", 0)):
            check_integer(name, getattr(self, name), least)
        task = load_task(self.task, self.data_seed, json.dumps(self.task_options, sort_keys=True))
        net = MLP(task.sizes, task.activation)
        return Problem(net, task.loss, **self.problem), net.init(self.seed, np.float32), opt, task

    def check(self, sharded: Residuals | None = None) -> None:
        """What `build` raises, and an `ArgumentError` for settings with which no step can be made: one is, on trial.

        With `sharded`, by its workers, and a `ClusterError` says that they can't.
        """
        problem, theta, opt, task = self.build()
        n, m = len(task.train[0]), problem.micro_batch
        if self.drop_last and self.batch_size > n:
            raise ArgumentError(f"batch_size = {self.batch_size}: must be at most {n}, the examples to train on")
        if self.batch_size % m:
            raise ArgumentError(f"micro_batch = {m}: must divide the batch size B = {self.batch_size}")
        few = min(self.batch_size, max(m, TRIAL - TRIAL % m))
        try:
            with np.errstate(all="ignore"):
                opt.step(sharded or problem, theta, tuple(a[:few] for a in task.train))
        except (ArgumentError, ClusterError):
            raise
        except (SvenError, np.linalg.LinAlgError):  # a diverged run is a result, with its reason
            pass


def differing(theirs: Any, ours: dict[str, Any]) -> str:
    """`differences` of what two runs' settings stand for, said or not: defaults are filled in.

    What depends on the task, rows and how many examples are all, is looked up where nothing else differs.
    """
    theirs, ours = in_full(theirs), in_full(ours)
    if differences(apart(theirs), apart(ours)) or not differences(theirs, ours):
        return differences(theirs, ours)
    return differences(of_task(theirs), of_task(ours))


def in_full(settings: Any) -> Any:
    """A run's settings with the defaults of what is not set; anything else as it is."""
    try:
        optimizer, options, problem = (settings[name] for name in ("optimizer", "options", "problem"))
        options, problem = options_in_full(optimizer, DEFAULTS.get(optimizer, {}) | options, problem)
    except (KeyError, TypeError):  # settings that fit no task or optimizer have no defaults; `check` names them
        return settings
    return settings | {"options": options, "problem": problem}


def apart(settings: Any) -> Any:
    """The settings whose defaults are known without the task."""
    if not isinstance(settings, dict):
        return settings
    problem, task = (
        {k: v for k, v in settings.get(name, {}).items() if k not in OF_TASK} for name in ("problem", "task_options")
    )
    return settings | {"problem": problem, "task_options": task}


def of_task(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the rows and the number of examples that the task gives where they are not set."""
    task = load_task(settings["task"], settings["data_seed"], json.dumps(settings["task_options"], sort_keys=True))
    problem = settings["problem"]
    signed = task.loss in SQUARES and task.sizes[-1] == 1 and problem["micro_batch"] == 1
    rows = problem["rows"] or ("signed" if signed else "unsigned")
    examples = settings["task_options"] | {"n_train": len(task.train[0])}
    return settings | {"problem": problem | {"rows": rows}, "task_options": examples}


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
        place = Path(os.path.expanduser(folder))
        if not folder or not place.is_dir():
            why = "there is none of that name" if folder else "is a variable not set?"
            raise ArgumentError(f"data = {folder!r}: must be a directory ({why})")
        os.environ["SVEN_REF_DATA"] = str(place.resolve())
