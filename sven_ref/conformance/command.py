"""The commands `sven-ref verify` and `sven-ref vectors`.

The adapter, and what runs under it, ends with the command, whatever ends that. A reader that closes the pipe
(sven-ref verify … | head) changes no exit code.

Exit codes of verify:
    0  conforming: nothing failed, and every level that has to hold does (those named by --level, else core)
    1  an answer was wrong, or there was no valid answer
    2  usage: an option, a pattern that fits no case, a place where no file can be written
    3  the adapter never started
    4  nothing failed, but cases of a level that has to hold were skipped
    5  nothing is said of the adapter: the vectors are altered or missing, or the report could not be written
    130  interrupted, Ctrl-C
    143  ended by SIGTERM; 128 + n by signal n
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any

from ..errors import ArgumentError
from . import loader, protocol, report, runner
from .child import Child, words
from .module_child import ModuleChild
from .output import check_files, complain, progress, show, write
from .protocol import DTYPES, AdapterError
from .runner import LEVELS
from .schema import VectorsError
from .sources import Answers, check_spec


def add_parsers(commands: Any) -> None:
    """Add both commands to the subparsers of `sven-ref`."""
    choice = argparse.ArgumentParser(add_help=False)
    choice.add_argument("--level", nargs="+", choices=LEVELS, default=[], help="only cases of these levels")
    choice.add_argument("--dtype", nargs="+", choices=DTYPES, default=[], help="only in these dtypes")
    choice.add_argument("--only", nargs="+", metavar="PATTERN", default=[], help="only these ids, with * and ?")
    selection = argparse.ArgumentParser(add_help=False)
    selection.add_argument(
        "--level",
        nargs="+",
        choices=LEVELS,
        default=[],
        help="levels that have to hold; all are asked where none is named",
    )
    selection.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=[], help="dtypes to ask in; those offered where none is named"
    )
    selection.add_argument(
        "--only", nargs="+", metavar="PATTERN", default=[], help="ids to ask, with * and ?; gives no claim"
    )

    p = commands.add_parser(
        "verify",
        parents=[selection],
        help="hold an implementation of Sven against the conformance vectors",
        description="Hold an implementation of Sven, in any language, against the conformance vectors.",
        epilog="""examples:
  sven-ref verify --module sven_ref.conformance.adapter:dense
  sven-ref verify --cmd "python adapter.py" --level core --dtype float64
  sven-ref verify --cmd "python adapter.py" --only "step-*" --json results.json

"""
        + (__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--cmd", metavar="COMMAND", help="start this adapter; JSON Lines over its stdin and stdout, no shell"
    )
    source.add_argument("--module", metavar="PKG.MOD:NAME", help="import this adapter, a class or an object")
    source.add_argument("--answers", metavar="FILE", help="read the answers from JSON Lines")
    p.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds an answer of --cmd may take (10)")
    p.add_argument("--json", metavar="FILE", help="write all results as JSON")
    p.add_argument("--junit", metavar="FILE", help="write all results as JUnit XML")
    p.set_defaults(command=verify)

    p = commands.add_parser(
        "vectors",
        help="where the conformance vectors are, and what they hold",
        epilog="examples:\n  sven-ref vectors list\n  sven-ref vectors show pinv-apply-wide",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.set_defaults(command=overview)
    actions = p.add_subparsers(title="actions", metavar="ACTION")
    p = actions.add_parser("path", help="print the directory they are in", epilog="example: sven-ref vectors path")
    p.set_defaults(command=path)
    p = actions.add_parser(
        "list", parents=[choice], help="one line a case", epilog="example: sven-ref vectors list --only 'step-*'"
    )
    p.set_defaults(command=list_cases)
    p = actions.add_parser(
        "show", help="cases as JSON, with what is expected", epilog="example: sven-ref vectors show pinv-apply-wide"
    )
    p.add_argument("ids", nargs="+", metavar="ID")
    p.set_defaults(command=show_cases)
    p = actions.add_parser(
        "questions",
        parents=[choice],
        help="what an adapter is asked, as JSON Lines, for --answers",
        epilog="example: sven-ref vectors questions --dtype float64 > questions.jsonl",
    )
    p.set_defaults(command=questions)


def coded(command: Callable[..., int]) -> Callable[..., int]:
    """The same command, its errors one line on standard error and an exit code."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> int:
        try:
            return command(*args, **options)
        except AdapterError as error:
            return complain(error, runner.NOT_STARTED)
        except ArgumentError as error:
            return complain(error, runner.USAGE)
        except VectorsError as error:
            return complain(error, runner.UNABLE)

    return run


@coded
def verify(
    cmd: str | None,
    module: str | None,
    answers: str | None,
    level: Sequence[str],
    dtype: Sequence[str],
    only: Sequence[str],
    timeout: float,
    json: str | None,
    junit: str | None,
) -> int:
    """Ask, judge, report; the exit code."""
    check_files(files_read(cmd, module, answers), json=json, junit=junit)
    flags = loader.load().flags
    source: Any = (
        Child(cmd, timeout)
        if cmd is not None
        else ModuleChild(module)
        if module is not None
        else Answers(answers or "")
    )
    run = runner.verify(source, level, dtype, only, progress)
    faults = [*write(json, lambda: report.as_json(run)), *write(junit, lambda: report.as_junit(run))]
    faults += show(report.text(run, flags))
    for fault in faults:
        complain(fault, runner.UNABLE)
    return runner.UNABLE if faults else run.exit_code()


def files_read(cmd: str | None, module: str | None, answers: str | None) -> list[str]:
    """Names of the files that answers come from, as far as the command line has them."""
    code = [] if module is None else [check_spec(module)[0].replace(".", "/") + ".py"]
    return [*([] if cmd is None else words(cmd)), *code, *([] if answers is None else [answers])]


@coded
def overview() -> int:
    """Version, place and counts."""
    suite = loader.load()
    print(f"vectors {suite.version}: {len(suite.cases)} cases in {loader.HERE}")
    counts = Counter((case.op, case.level) for case in suite.cases)
    print(f"{'':<18}" + "".join(f"{level:>12}" for level in LEVELS))
    for op in dict.fromkeys(case.op for case in suite.cases):
        print(f"{op:<18}" + "".join(f"{counts[op, level] or '':>12}" for level in LEVELS))
    return 0


def path() -> int:
    """The directory."""
    print(loader.HERE)
    return 0


def chosen(level: Sequence[str], dtype: Sequence[str], only: Sequence[str]) -> list[loader.Case]:
    """The cases of a selection."""
    return runner.select(loader.load().cases, level or LEVELS, only, dtype or DTYPES)


@coded
def list_cases(level: Sequence[str], dtype: Sequence[str], only: Sequence[str]) -> int:
    """Id, level, clause, comment."""
    cases = chosen(level, dtype, only)
    width = max(len(case.id) for case in cases)
    for case in cases:
        print(f"{case.id:<{width}}  {case.level:<10}  SPEC {case.clause:<4} {case.comment}")
    return 0


@coded
def show_cases(ids: Sequence[str]) -> int:
    """Whole cases."""
    suite = loader.load()
    known = {case.id for case in suite.cases}
    if unknown := [id for id in ids if id not in known]:
        raise ArgumentError(f"id = {unknown[0]!r}: must be one of those that `sven-ref vectors list` prints")
    for id in ids:
        print(json.dumps(asdict(suite[id]), indent=1))
    return 0


@coded
def questions(level: Sequence[str], dtype: Sequence[str], only: Sequence[str]) -> int:
    """The lines a child would be sent."""
    cases = chosen(level, dtype, only)
    for name in DTYPES:
        for case in cases:
            if name in case.dtypes and (not dtype or name in dtype):
                sys.stdout.write(protocol.line({"command": "case", **protocol.question(case, name)}).decode())
    return 0
