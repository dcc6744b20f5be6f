"""What the commands of the laboratory share: optional packages, a folder to write to, figures, bars, tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import EACCES, ENOTDIR
from importlib.util import find_spec
from io import BytesIO
from os import strerror
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ..errors import ArgumentError, MissingExtraError, SvenError


class FigureError(SvenError):
    """A figure can't be drawn; the numbers that it would have shown are written."""


def require(*packages: str, purpose: str = "this command") -> None:
    """Raise `MissingExtraError` unless all these are installed."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(f"{package}: not installed, and {purpose} needs it; pip install 'sven-ref[app]'")


def printer(**options: Any) -> Any:
    """rich's `Console` that prints every text as it is: what a user typed may look like markup or an emoji."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, **options)


def check_out(folder: str | Path) -> Path:
    """`folder`, which is not made; raise `ArgumentError` unless it is a directory to write to, or can become one."""
    if not str(folder):
        raise ArgumentError("out = '': must be a directory to write to (is a variable not set?)")
    folder = Path(folder)
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise NotADirectoryError(ENOTDIR, strerror(ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, strerror(EACCES))
    except OSError as error:
        raise ArgumentError(f"out = {str(folder)!r}: must be a directory to write to ({error.strerror})") from None
    return folder


def writable(folder: str | Path) -> Path:
    """`folder`, made if need be; raise `ArgumentError` unless a file can be written in it."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ArgumentError(f"out = {str(folder)!r}: must be a directory to write to ({error.strerror})") from None


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` by a file of these bytes, whole or not at all: see the head of `training.checkpoint`."""
    temporary = path.with_name(path.name + ".partial")
    temporary.unlink(missing_ok=True)  # what a kill left; were it a link, the file it leads to is not ours
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # a full disk, Ctrl-C
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Have a rename in `folder` reach the disk; only POSIX can, and needs to."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def save_figures(figures: Mapping[Path, Callable[[], Any]], **options: Any) -> None:
    """Draw and save each, in matplotlib's own style whatever matplotlibrc and MPLBACKEND say.

    To be called when everything else is written: a figure that fails does not keep the others from being drawn, and is
    a `FigureError` at the end.
    """
    failed = []
    for path, draw in figures.items():
        try:
            with environment(MPLBACKEND="agg"):  # a name that matplotlib does not know would end its import
                import matplotlib.style
            with matplotlib.style.context("default", after_reset=True):
                buffer = BytesIO()
                draw().savefig(buffer, format=path.suffix[1:], **options)
            write_durably(path, buffer.getvalue())  # whole, or the old one stays
        except Exception as error:  # of matplotlib, of its configuration, of a font, of the disk
            failed.append(f"{path} ({' '.join(str(error).split()) or type(error).__name__})")
    if failed:
        raise FigureError(f"not drawn: {', '.join(failed)}; the numbers are written beside")


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These environment variables, inside."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def bars(console: Any, note: str, *, left: bool = False) -> Iterator[Any]:
    """rich's `Progress` on a terminal, and silence elsewhere: a bar, n/N, `note`, the time so far, and that `left`."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    what, said = (TextColumn(text, markup=False) for text in ("{task.description}", note))
    columns = (what, BarColumn(), MofNCompleteColumn(), said)
    ending = (TextColumn("left", markup=False), TimeRemainingColumn()) if left else ()
    with Progress(*columns, TimeElapsedColumn(), *ending, console=console, disable=not console.is_terminal) as shown:
        yield shown


@contextmanager
def bar(console: Any, what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Gives update(completed, note): a progress bar on a terminal, and silence elsewhere."""
    with bars(console, "{task.fields[note]}", left=True) as shown:
        task = shown.add_task(what, total=total, note="")
        yield lambda completed, note: shown.update(task, completed=completed, note=note)


def rich_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Rows of text as a table for `printer`, the first column to the left and the others to the right."""
    from rich.table import Table

    table = Table(*head, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same rows as Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(
        f"| {' | '.join(cell.replace(chr(10), ' ').replace('|', '∣') for cell in line)} |\n" for line in lines
    )
