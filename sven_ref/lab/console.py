"""What the commands of the laboratory share: optional packages, a folder to write to, bars, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ..errors import ArgumentError, MissingExtraError


def require(*packages: str, purpose: str = "this command") -> None:
    """Raise `MissingExtraError` unless all these can be imported."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError(
                f"{package}: not installed, and {purpose} needs it; pip install 'sven-ref[app]'"
            ) from error


def writable(folder: str | Path) -> Path:
    """`folder`, made if need be; raise `ArgumentError` unless a file can be written in it."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ArgumentError(f"out = {str(folder)!r}: must be a directory to write to ({error.strerror})") from None


@contextmanager
def bar(console: Any, what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Gives update(completed, note): a progress bar on a terminal, and silence elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=total, note="")
        yield lambda completed, note: bars.update(task, completed=completed, note=note)


def rich_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Rows of text as a rich table, the first column to the left and the others to the right."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*head, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same rows as Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(
        f"| {' | '.join(cell.replace(chr(10), ' ').replace('|', '∣') for cell in line)} |\n" for line in lines
    )
