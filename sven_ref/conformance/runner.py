"""Ask an adapter every case, judge the answers, and say what may be claimed.

A *level* holds in a dtype where every case of it that is asked in that dtype passed: nothing failed, nothing skipped.
The claim begins with `core`: a skipped core case is not conformance, whatever else passed.

    core         products, J⁺R and the step, natural gradient, refusals; no automatic differentiation
    strict       the same where it is hard: ill-conditioned, at a threshold, at the edges of the number range
    autodiff     residuals and Jacobian of the models of the specification
    trajectory   several steps in a row
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Protocol

from ..arguments import check_choice
from ..errors import ArgumentError
from . import compare, loader, protocol
from .loader import LEVELS, Case
from .protocol import DTYPES, Answer, Hello

STATUSES = ("passed", "failed", "broken", "skipped")
CONFORMING, FAILED, USAGE, NOT_STARTED, INCOMPLETE, UNABLE = range(6)  # exit codes


class Source(Protocol):
    """Where answers come from: a `Child`, a `Module` or `Answers`."""

    hello: Hello
    notes: list[str]

    def ask(self, question: Mapping[str, Any]) -> Answer:
        """The answer to one case."""

    def close(self) -> None:
        """End it in good order."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(frozen=True)
class Result:
    """One case in one dtype.

    status : "passed", "failed" (a wrong answer), "broken" (no valid answer) or "skipped"
    units : the largest error in units of its tolerance; None where nothing was measured
    message : why, one fact a line; empty where it passed
    """

    id: str
    dtype: str
    op: str
    level: str
    clause: str
    flags: tuple[str, ...]
    status: str
    units: float | None
    message: str
    seconds: float


@dataclass
class Run:
    """All results of one adapter."""

    hello: Hello
    version: str
    levels: tuple[str, ...]
    required: tuple[str, ...]
    dtypes: tuple[str, ...]
    complete: bool
    results: list[Result] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self, level: str | None = None, dtype: str | None = None) -> Counter[str]:
        """How many results have each status."""
        return Counter(r.status for r in self.results if level in (None, r.level) and dtype in (None, r.dtype))

    def holds(self, level: str, dtype: str) -> bool:
        """Whether every case of this level passed in this dtype, and there was one."""
        counts = self.counts(level, dtype)
        return 0 < counts["passed"] == counts.total()

    def open(self) -> list[str]:
        """Levels that have to hold and don't, in a dtype in which they have cases."""
        pairs = [(level, dtype) for level in self.required for dtype in self.dtypes if self.counts(level, dtype)]
        return list(dict.fromkeys(level for level, dtype in pairs if not self.holds(level, dtype)))

    def claim(self) -> str:
        """What may be claimed, e.g. "core + strict of vectors 1.0.1 in float64"; empty where it is nothing."""
        held: dict[str, list[str]] = {}
        for dtype in self.dtypes:
            levels = [level for level in self.levels if self.holds(level, dtype)]
            if self.complete and "core" in levels:
                held.setdefault(" + ".join(levels), []).append(dtype)
        return "; ".join(f"{levels} of vectors {self.version} in {' and '.join(d)}" for levels, d in held.items())

    def exit_code(self) -> int:
        """0 conforming, 1 something failed, 4 nothing failed but a required level has skipped cases or none at all."""
        counts = self.counts()
        if counts["failed"] or counts["broken"]:
            return FAILED
        return INCOMPLETE if self.open() or not counts["passed"] else CONFORMING


def select(
    cases: Iterable[Case], levels: Sequence[str], only: Sequence[str] = (), dtypes: Sequence[str] = DTYPES
) -> list[Case]:
    """The cases of these levels and dtypes whose id matches one of the patterns `only`, if there are any.

    Raises `ArgumentError` for a pattern that fits none of them, and where no case is left.
    """
    cases = list(cases)
    chosen = [case for case in cases if case.level in levels and set(dtypes) & set(case.dtypes)]
    for pattern in only:
        if not any(fnmatchcase(case.id, pattern) for case in chosen):
            elsewhere = any(fnmatchcase(case.id, pattern) for case in cases)
            where = f" of level {', '.join(levels)} in {', '.join(dtypes)}" if elsewhere else ""
            close = get_close_matches(pattern, [case.id for case in chosen], n=1)
            hint = f"; is it {close[0]!r}?" if close else "; `sven-ref vectors list` prints all ids"
            raise ArgumentError(f"only = {pattern!r}: fits no case{where}{hint}")
    chosen = [case for case in chosen if not only or any(fnmatchcase(case.id, pattern) for pattern in only)]
    if not chosen:
        raise ArgumentError(f"level = {list(levels)}, dtype = {list(dtypes)}: no case is left")
    return chosen


def verify(
    source: Source,
    levels: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    only: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Run:
    """Ask `source` every case, and close it.

    Parameters
    ----------
    levels : of `LEVELS`; those named have to hold. None named: all are asked, and `core` has to hold
    dtypes : of `DTYPES`; none named: those the adapter offers
    only : patterns of ids; a part of the cases gives no claim
    progress : called with the number of cases done and of all

    Raises
    ------
    ArgumentError : an unknown level or dtype, a dtype that the adapter does not offer, a pattern that fits no case
    VectorsError : the vectors are missing or altered
    """
    try:
        suite = loader.load()
        for level in levels:
            check_choice("level", level, LEVELS)
        for dtype in dtypes:
            check_choice("dtype", dtype, source.hello.dtypes)
        asked = tuple(level for level in LEVELS if level in (levels or LEVELS))
        used = tuple(dtype for dtype in DTYPES if dtype in (dtypes or source.hello.dtypes))
        cases = select(suite.cases, asked, only, used)
        required = () if only else (asked if levels else ("core",))
        run = Run(source.hello, suite.version, asked, required, used, not only, notes=source.notes)
        todo = [(case, dtype) for dtype in used for case in cases if dtype in case.dtypes]
        for done, (case, dtype) in enumerate(todo):
            progress(done, len(todo))
            run.results.append(result(source, case, dtype))
        source.close()
    except BaseException:  # Ctrl-C too: no child is left behind
        source.kill()
        raise
    return run


def result(source: Source, case: Case, dtype: str) -> Result:
    """One case, asked and judged."""
    question, start = protocol.question(case, dtype), time.perf_counter()
    if question["op"] in source.hello.ops:
        answer = source.ask(question)
    else:
        answer = Answer("skip", f"the adapter does not offer {question['op']}")
    seconds = time.perf_counter() - start
    status, units, message = judge(case, dtype, answer)
    about = (case.id, dtype, question["op"], case.level, case.clause, case.flags)
    return Result(*about, status, units, protocol.printable(message), seconds)


def judge(case: Case, dtype: str, answer: Answer) -> tuple[str, float | None, str]:
    """Status, units and message of an answer."""
    if answer.kind == "broken":
        return "broken", None, answer.value
    if answer.kind == "skip":
        return "skipped", None, answer.value
    verdict = compare.judge(case, dtype, **{answer.kind: answer.value})
    if verdict.passed:
        return "passed", verdict.units, ""
    return "failed", verdict.units if math.isfinite(verdict.units) else None, verdict.message
