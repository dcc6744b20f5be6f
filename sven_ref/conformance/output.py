"""Where the report of `sven-ref verify` goes, and what is done where it can't: nothing that was found out is lost.

Files are tried before the run and written after it, beside what is there, which they replace when they are whole. A
report that standard output does not take is printed on standard error; a reader who closes the pipe has read enough,
and the verdict stands.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from . import report


def check_files(read: Iterable[str] = (), **files: str | None) -> None:
    """Raise `ArgumentError`, before minutes of work, where no file can be written, and for a file that is `read`."""
    named = {option: file for option, file in files.items() if file is not None}
    for option, file in named.items():
        if any(map(partial(same, file), read)):
            why = "is read by this command, and would be written over; must be another file"
            raise ArgumentError(f"{option} = {file!r}: {why}")
        if why := unwritable(file):
            raise ArgumentError(f"{option} = {file!r}: {why}; must be a file that can be written")
    if len(set(map(os.path.realpath, named.values()))) < len(named):
        raise ArgumentError(f"json = {files['json']!r}, junit = {files['junit']!r}: must be two files")


def same(file: str, other: str) -> bool:
    """Whether two names are those of one file."""
    try:
        return os.path.samefile(file, other)
    except (OSError, ValueError):  # one is not there, or is no name of a file
        return False


def unwritable(file: str) -> str:
    """Why no file can be written there; empty where it can, as far as one can see without writing it."""
    path = os.path.realpath(file)  # a link may lead elsewhere
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return f"{folder} is no directory"
    if os.path.isdir(path) or file.endswith(os.sep):
        return "is a directory"
    try:
        there = os.stat(path)
        if stat.S_ISREG(there.st_mode) and sys.__stdout__ is not None and os.path.samestat(there, os.fstat(1)):
            return "is standard output, where the text of the report goes"
    except FileNotFoundError:  # it will be made there
        path = folder
    except OSError as error:
        return str(error.strerror)
    return "" if os.access(path, os.W_OK) else "writing is not permitted there"


def write(file: str | None, content: Callable[[], bytes]) -> list[str]:
    """Write a file if it was asked for; why it could not be, if so."""
    try:
        if file is not None:
            replace(file, content())
    except OSError as error:
        return [f"{file}: could not be written: {error.strerror}"]
    return []


def replace(name: str, data: bytes) -> None:
    """Have a file hold this when all of it is written; a device or a pipe is written to itself."""
    path = Path(os.path.realpath(name))  # a link may lead elsewhere
    beside = path.with_name(f".sven-ref-{os.getpid()}.partial")
    if (os.path.exists(name) and not os.path.isfile(name)) or not os.access(path.parent, os.W_OK):
        Path(name).write_bytes(data)
        return
    beside.unlink(missing_ok=True)
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def show(lines: list[report.Line]) -> list[str]:
    """Print the report, on standard error where standard output can't be written; why that is, if so."""
    try:
        report.show(lines, sys.stdout if sys.__stdout__ is not None else None)  # None: closed from the start
        return []
    except BrokenPipeError:  # nobody reads on; the verdict stands
        drop(sys.stdout)
        return []
    except OSError as error:
        if sys.__stdout__ is not None:
            drop(sys.stdout)
        try:
            report.show(lines, sys.stderr)
        except OSError:  # that is full as well; the exit code says it
            drop(sys.stderr)
        return [f"standard output could not be written: {error.strerror}"]


def drop(stream: Any) -> None:
    """Send what a stream still holds nowhere, so that it does not fail again when Python ends."""
    if stream is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())


def progress(done: int, total: int) -> None:
    """A counter on a terminal's standard error."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r{done + 1}/{total}", end="\r" if done + 1 < total else "\r\033[K", file=sys.stderr, flush=True)


def complain(error: Exception | str, code: int) -> int:
    """One error on standard error; its exit code."""
    try:
        print(f"sven-ref: error: {error}", file=sys.stderr, flush=True)
    except OSError:  # it is full, or closed; the exit code says it
        drop(sys.stderr)
    return code
