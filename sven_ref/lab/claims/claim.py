"""What a claim is, what its computation may spend, and what a verdict may say.

A claim is a module of its group's folder, named by its subject:

    CLAIM             : `Claim`, what is said, where, and under which conditions
    compute(effort)   : the numbers, plain data that JSON knows; every value by data draw and seed; "draws" and
                        "seeds" say how many of each there are
    verdict(data)     : `Verdict`, by a rule that its docstring states; from the numbers alone
    table(data)       : rows of the claim's section, column -> text
    draw(axes, data)  : its figure, on one matplotlib Axes

Numbers and page are apart: a page is made from stored numbers, and a run is compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...arguments import check_choice
from ..training.pool import run_all

T = TypeVar("T")
WORDS = ("holds", "holds if", "does not hold", "open")


@dataclass(frozen=True)
class Claim:
    """What is said.

    title, statement : in our words
    where : the paper's section, or whose question
    conditions : under which it is put to the test
    settles : rows of `rows.toml`, "criticism 1" or "claim 1"
    exact : algebra, whose numbers are the same on every machine, to rounding; the tests compute it again in full
    """

    title: str
    statement: str
    where: str
    conditions: str
    settles: tuple[str, ...] = ()
    exact: bool = False


@dataclass(frozen=True)
class Verdict:
    """word : one of `WORDS`; line : one sentence with the numbers that decide."""

    word: str
    line: str

    def __post_init__(self) -> None:
        check_choice("word", self.word, WORDS)


@dataclass(frozen=True)
class Effort:
    """How much a computation may spend.

    quick : a look in seconds; fewer draws, seeds and epochs
    workers : processes at a time; 0 means here
    out : a folder in which what is trained may be kept
    """

    quick: bool = False
    workers: int = 0
    out: Path | None = None

    def choose(self, full: T, quick: T) -> T:
        """The first, or under `quick` the second."""
        return quick if self.quick else full

    def map(self, function: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
        """[function(*a) for a in arguments], in that order, in parallel; a function of a module and plain data."""
        jobs = [(i, function, a) for i, a in enumerate(arguments)]
        done = {job[0]: result for job, result in run_all(call, jobs, self.workers)}
        return [done[i] for i in range(len(jobs))]


def call(job: tuple[int, Callable[..., T], tuple[Any, ...]]) -> T:
    """In a worker."""
    _, function, arguments = job
    return function(*arguments)
