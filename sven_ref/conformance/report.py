"""A run as a person reads it, as JSON and as JUnit XML.

Per failure: the clause of docs/spec.md, how far off in units of the tolerance, and what that usually means. The last is
the text of one of the case's flags in flags.json: of the flag whose cases failed most often, the rarer flag in a tie.
Colours come from rich where it is installed; the text is the same without.
"""

from __future__ import annotations

import contextlib
import errno
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TextIO
from xml.etree import ElementTree

from .runner import CONFORMING, STATUSES, Result, Run

COLOURS = {"passed": "green", "failed": "bold red", "broken": "bold magenta", "skipped": "yellow"}
SHOWN = 20  # failures in the text; all are in the files

Line = list[tuple[str, str]]  # (text, style)


def text(run: Run, flags: Mapping[str, Mapping[str, str]]) -> list[Line]:
    """The report, line by line."""
    h = run.hello
    lines: list[Line] = [[(f"{h.name} {h.version}", "bold"), (f" against vectors {run.version}", "")], []]
    lines += table(run)
    bad = [r for r in run.results if r.status in ("failed", "broken")]
    meanings, said = usual(run.results), set[str]()
    for r in bad[:SHOWN]:
        lines += [[], *failure(r, meanings[r.id], flags, said)]
    if len(bad) > SHOWN:
        lines += [[], [(f"… and {len(bad) - SHOWN} more, which --json FILE holds", "")]]
    reasons = Counter(r.message for r in run.results if r.status == "skipped")
    lines += [[]] if reasons or run.notes else []
    lines += [
        [(f"{count} skipped", COLOURS["skipped"]), (f": {reason}", "")] for reason, count in reasons.most_common(SHOWN)
    ]
    lines += [[("note", COLOURS["skipped"]), (f": {note}", "")] for note in run.notes]
    return [*lines, [], *verdict(run)]


def table(run: Run) -> list[Line]:
    """How many passed, failed, broke and were skipped, by level and dtype."""
    lines: list[Line] = [[(f"{'level':<12}{'dtype':<9}" + "".join(f"{s:>9}" for s in STATUSES), "bold")]]
    for level in run.levels:
        for dtype in run.dtypes:
            counts = run.counts(level, dtype)
            if counts:
                cells = [(f"{counts[s]:>9}", COLOURS[s] if counts[s] else "") for s in STATUSES]
                lines.append([(f"{level:<12}{dtype:<9}", ""), *cells])
    return lines


def usual(results: Sequence[Result]) -> dict[str, str]:
    """{id: the flag that tells most}, by the share of its cases that failed or broke; the rarer one in a tie."""
    total, bad = Counter[str](), Counter[str]()
    for r in results:
        total.update(r.flags)
        bad.update(r.flags if r.status in ("failed", "broken") else ())
    return {r.id: max(r.flags, key=lambda flag: (bad[flag] / total[flag], -total[flag])) for r in results}


def failure(r: Result, flag: str, flags: Mapping[str, Mapping[str, str]], said: set[str]) -> list[Line]:
    """One failure; what a flag means is said once, and nothing of flags where there was no answer to judge."""
    lines: list[Line] = [
        [
            (f"{r.status.upper():<8}", COLOURS[r.status]),
            (r.id, "bold"),
            (f"  {r.dtype}  SPEC {r.clause}  {', '.join(r.flags)}", ""),
        ]
    ]
    lines += [[(f"        {part}", "")] for part in r.message.splitlines()]
    if r.status == "broken":
        return lines
    meaning = f"see {flag} above" if flag in said else f"{flag}: {flags[flag]['failure']}"
    said.add(flag)
    return [*lines, [("        usually ", "cyan"), (meaning, "")]]


def verdict(run: Run) -> list[Line]:
    """The last lines: how many of how many, how near the limits, and what may be claimed."""
    counts, code, claim = run.counts(), run.exit_code(), run.claim()
    seconds = sum(r.seconds for r in run.results)
    lines: list[Line] = [[(f"{counts['passed']} of {counts.total()} passed in {seconds:.1f} s", "")]]
    measured = [r for r in run.results if r.status == "passed" and r.units is not None]
    if measured:
        near = max(measured, key=lambda r: r.units or 0.0)
        lines[0].append((f"; nearest to its limit: {near.id} ({near.dtype}), {near.units:.2g} of the tolerance", ""))
    if not run.complete:
        return [*lines, [("no claim", "bold yellow"), (": only a part of the cases was asked", "")]]
    if code == CONFORMING:
        return [*lines, [("conforming", "bold green"), (f": {claim or ' + '.join(run.required)}", "")]]
    if counts["failed"] or counts["broken"]:
        why = " and ".join(f"{counts[s]} {s}" for s in ("failed", "broken") if counts[s])
    else:
        why = f"nothing failed, but not every case of {' and '.join(run.open() or run.levels)} was answered"
    return [
        *lines,
        [("not conforming", "bold red"), (f": {why}", "")],
        *([[(f"what holds: {claim}", "")]] if claim else []),
    ]


def show(lines: Sequence[Line], file: TextIO | None) -> None:
    """Print, in colour where rich is installed and `file` is a terminal. Raises OSError where it can't be written."""
    if file is None:
        raise OSError(errno.EBADF, "it is closed")
    with contextlib.suppress(AttributeError):  # a file of another kind, such as StringIO, takes every character
        file.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:  # rich is an extra: the same words without colour
        text = "".join("".join(part for part, _ in line) + "\n" for line in lines)
    else:
        console = Console(file=file)
        with console.capture() as capture:  # rich's own way to write ends the process where a pipe is closed
            for line in lines:
                console.print(Text.assemble(*line), soft_wrap=True)
        text = capture.get()
    file.write(text)
    file.flush()


def as_json(run: Run) -> bytes:
    """The run as a JSON object."""
    document = {
        "adapter": run.hello._asdict(),
        "vectors": run.version,
        "levels": run.levels,
        "dtypes": run.dtypes,
        "complete": run.complete,
        "claim": run.claim(),
        "exit_code": run.exit_code(),
        "counts": {status: run.counts()[status] for status in STATUSES},
        "notes": run.notes,
        "results": [asdict(r) for r in run.results],
    }
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def as_junit(run: Run) -> bytes:
    """The run as JUnit XML: a suite for each level and dtype."""
    top = ElementTree.Element("testsuites", name=f"{run.hello.name} against vectors {run.version}")
    for level in run.levels:
        for dtype in run.dtypes:
            results = [r for r in run.results if (r.level, r.dtype) == (level, dtype)]
            counts = run.counts(level, dtype)
            numbers = {"failures": counts["failed"], "errors": counts["broken"], "skipped": counts["skipped"]}
            suite = ElementTree.SubElement(
                top,
                "testsuite",
                name=f"{level} {dtype}",
                tests=str(len(results)),
                time=f"{sum(r.seconds for r in results):.3f}",
            )
            suite.attrib.update({name: str(n) for name, n in numbers.items()})
            for r in results:
                case = ElementTree.SubElement(
                    suite, "testcase", classname=f"{level}.{dtype}", name=r.id, time=f"{r.seconds:.3f}"
                )
                if r.status != "passed":
                    tag = {"failed": "failure", "broken": "error", "skipped": "skipped"}[r.status]
                    first = r.message.partition("\n")[0]
                    child = ElementTree.SubElement(case, tag, message=f"SPEC {r.clause}: {first}")
                    child.text = r.message
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
