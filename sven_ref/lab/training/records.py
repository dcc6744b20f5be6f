"""JSON on disk that is known to be what was written: it carries the SHA-256 of the rest of itself.

    write, read          a file with one object, {…, "sha256": "…"}
    appending, lines     a file with one such object a line, to which lines are added

What is truncated, altered, no such object or one of another kind is a `RecordError`, which names the file and the
remedy. The kind of a record is known by the names that it has. A last line without its end is what a kill leaves, and
is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import SvenError
from ...strict_json import JSONError, loads_strict
from ..console import write_durably
from .checkpoint import sha256

LATER = ("earlier_versions",)  # names that records of the same kind may lack, since older ones do


class RecordError(SvenError):
    """A file that was written here is truncated, altered or not a record."""


def digest(data: dict[str, Any]) -> str:
    """Of an object whatever the order of its names."""
    return sha256(json.dumps(data, sort_keys=True).encode())


def sealed(data: dict[str, Any]) -> dict[str, Any]:
    """The object as JSON gives it back, with its digest."""
    data = json.loads(json.dumps(data))
    return data | {"sha256": digest(data)}


def opened(text: bytes, where: str, remedy: str, names: Collection[str] = ()) -> dict[str, Any]:
    """The object in `text` without its digest; raise `RecordError` unless it is what was sealed and has these names.

    Without `names` a record of any kind will do.
    """
    try:
        try:
            data = loads_strict(text)
        except JSONError as error:
            if error.twice:
                raise
            data = json.loads(text)  # the lines may hold NaN
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        if "sha256" not in data:
            raise ValueError("it has no SHA-256 of itself")
        if data.pop("sha256") != digest(data):
            raise ValueError("its SHA-256 is not the one it was written with")
        if names and set(data) - set(LATER) != set(names):
            raise ValueError(f"it is of another kind: it has {words(data)}, where there must be {words(names)}")
    except (ValueError, RecursionError) as error:
        what = error if text.strip() else "it is empty"
        raise RecordError(f"{where}: is truncated, altered or no record of this program ({what}); {remedy}") from None
    return dict(data)


def words(names: Collection[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names) or "nothing"


def write(path: Path, data: dict[str, Any]) -> None:
    """Replace `path` by a record of `data`, whole or not at all."""
    write_durably(path, json.dumps(sealed(data), indent=1, allow_nan=False).encode() + b"\n")


def read(path: Path, remedy: str, names: Collection[str] = ()) -> dict[str, Any]:
    """What was written: a record of these names."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: can't be read ({error.strerror}); {remedy}") from None
    return opened(text, str(path), remedy, names)


def lines(path: Path, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """The records in a file, all of these names; none where there is no file."""
    if not path.exists():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    remedy = "delete this line, or the file: what it held is then computed again"
    return [opened(line, f"{path}, line {i}", remedy, names) for i, line in enumerate(whole, 1)]


@contextmanager
def appending(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Gives `add`, which appends a record and has it reach the disk; a last line without its end goes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(path.read_bytes().rfind(b"\n") + 1)

        def add(data: dict[str, Any]) -> None:
            file.write(json.dumps(sealed(data)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

        yield add
