"""What is reproduced: the settings and published figures of `protocols.toml`, as objects, and the runs they make.

Every optimizer of a task starts from the same θ and sees the same batches in the same order at a given seed. Sven runs
with κ = 2, the released default, unless a method says otherwise in `problem` (SPEC 2.6).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from ...arguments import check_choice, check_integer
from ..optimizers.options import OPTIMIZERS
from ..training.run import Run

QUICK = {"epochs": 4, "task_options": {"n_train": 9600}}  # a minute's version
SLOW = ("hig",)  # left out of it on MNIST


@dataclass(frozen=True)
class Published:
    """A figure published elsewhere: val (mean, std; std 0 where none was given), None for what wasn't published."""

    val: tuple[float, float]
    test: float | None = None
    acc: float | None = None
    fin: str | None = None
    s: float | None = None
    epochs_to_target: float | None = None
    s_to_target: float | None = None
    same_data: tuple[float, float] | None = None
    settings: str | None = None


@dataclass(frozen=True)
class Method:
    """An optimizer with its settings on one task; `settings_from` names their source, `max_seeds` bounds its runs."""

    optimizer: str
    label: str
    options: dict[str, Any]
    problem: dict[str, Any] = field(default_factory=dict)
    settings_from: str = "2026-09"
    max_seeds: int | None = None
    published: dict[str, Published] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """A task, how it is trained on, and with what; `target` is the validation loss that time-to-target means."""

    task: str
    title: str
    batch_size: int
    epochs: int
    seed: int
    data_seed: int
    methods: dict[str, Method]
    target: float | None = None

    def choose(self, optimizers: list[str] | None, quick: bool = False) -> list[Method]:
        """The methods named, or all; those that take hours are left out of a quick look unless named."""
        for name in optimizers or ():
            check_choice("optimizers", name, OPTIMIZERS)
        slow = SLOW if quick and self.task.startswith("mnist") else ()
        return [m for name, m in self.methods.items() if (name in optimizers if optimizers else name not in slow)]

    def runs(self, method: Method, seeds: int, data_seeds: int = 1, quick: bool = False) -> list[Run]:
        """The runs of a method: seeds × data seeds, counted up from the protocol's."""
        seeds, data_seeds = check_integer("seeds", seeds), check_integer("data_seeds", data_seeds)
        changed = QUICK if quick else {"epochs": self.epochs}
        if method.max_seeds:
            seeds, data_seeds = min(seeds, method.max_seeds), 1
        return [
            Run(
                self.task,
                method.optimizer,
                method.options,
                method.problem,
                batch_size=self.batch_size,
                seed=self.seed + i,
                data_seed=self.data_seed + j,
                **changed,
            )
            for j in range(data_seeds)
            for i in range(seeds)
        ]


@cache
def read() -> tuple[dict[str, str], dict[str, Protocol]]:
    """(sources, protocols): a sentence by its short name, a protocol by its task."""
    data = tomllib.loads((files(__package__) / "protocols.toml").read_text(encoding="utf-8"))
    sources = data.pop("sources")
    protocols = {}
    for task, entries in data.items():
        methods = {}
        for name, entry in entries.pop("methods").items():
            figures = {source: Published(**figure) for source, figure in entry.pop("published", {}).items()}
            methods[name] = Method(name, published=figures, **entry)
        protocols[task] = Protocol(task, methods=methods, **entries)
    return sources, protocols
