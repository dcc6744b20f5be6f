"""The state of a run on disk: arrays and JSON, never pickle; whole or not there at all.

    line 1     {"format": "sven_ref checkpoint", "version": 1, "sha256": …, "bytes": …}     of what follows
    the rest   a .npz: the state's arrays a0, a1, …, and `json`, the state with each array replaced by its number

State is None, bool, int, float, str, NumPy arrays and scalars, and lists, tuples and dicts of these; all come back as
the types they were, bit for bit. A file appears under its name only when every byte of it has reached the disk:

    write to a temporary name  ->  fsync  ->  rename over the name  ->  fsync of the directory

so that a process killed at any moment leaves the old file or the new one. `Checkpoints` keeps the last two: one that
was damaged afterwards is refused, and the one before it is still there.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArgumentError, SvenError
from ..console import write_durably

FORMAT, VERSION = "sven_ref checkpoint", 1
KEPT = 2
NAME = re.compile(r"epoch-(\d{6})\.checkpoint")


class CheckpointError(SvenError):
    """A checkpoint is truncated, altered, of another format or of another run."""


def encode(value: Any, arrays: list[Any]) -> Any:
    """`value` as JSON holds it; its arrays are appended to `arrays`."""
    if isinstance(value, np.ndarray | np.generic):  # before float: np.float64 is one, and promotes otherwise
        if value.dtype.hasobject:
            raise ArgumentError(f"state holds an array of dtype {value.dtype}: must be numbers")
        arrays.append(np.asarray(value))
        return {"$array" if isinstance(value, np.ndarray) else "$scalar": len(arrays) - 1}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list):
        return [encode(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(item, arrays) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(item, arrays) for key, item in value.items()}
    raise ArgumentError(
        f"state holds a {type(value).__name__}: must be None, numbers, strings, arrays or lists of them"
    )


def decode(value: Any, arrays: Any) -> Any:
    """What `encode` was given."""
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (key := next(iter(value))).startswith("$"):
        item = value[key]
        if key in ("$array", "$scalar"):
            return arrays[f"a{item}"] if key == "$array" else arrays[f"a{item}"][()]
        return float(item) if key == "$float" else tuple(decode(i, arrays) for i in item)
    return {key: decode(item, arrays) for key, item in value.items()}


def save(path: str | Path, state: Any) -> None:
    """Write a checkpoint of `state`, replacing `path` only by a whole one."""
    arrays: list[Any] = []
    text, buffer = json.dumps(encode(state, arrays), allow_nan=False), io.BytesIO()
    np.savez(buffer, json=np.frombuffer(text.encode(), np.uint8), **{f"a{i}": a for i, a in enumerate(arrays)})
    payload = buffer.getvalue()
    head = {"format": FORMAT, "version": VERSION, "sha256": sha256(payload), "bytes": len(payload)}
    write_durably(Path(path), json.dumps(head).encode() + b"\n" + payload)


def load(path: str | Path) -> Any:
    """The state in a checkpoint; raise `CheckpointError` unless every byte of it is as it was written."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: can't be read ({error.strerror}); move it away") from None
    line, _, payload = data.partition(b"\n")
    try:
        head = json.loads(line)
        known = head["format"] == FORMAT
    except (ValueError, TypeError, KeyError):  # the error is below, in words
        known = False
    if not known:
        raise CheckpointError(f"{path}: not a checkpoint of sven_ref, or its first line is damaged")
    if head.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: checkpoint format version {head.get('version')!r}; this program reads {VERSION}"
        )
    if len(payload) != head.get("bytes"):
        raise CheckpointError(f"{path}: truncated: {len(payload)} bytes where {head.get('bytes')} were written")
    if sha256(payload) != head.get("sha256"):
        raise CheckpointError(f"{path}: altered: its SHA-256 is not the one it was written with")
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return decode(json.loads(arrays["json"].tobytes()), {name: arrays[name] for name in arrays.files})
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not readable as a checkpoint ({error})") from None


def sha256(data: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(settings: dict[str, Any]) -> str:
    """Of settings that JSON knows, whatever their order and whether 1 is written 1 or 1.0."""
    return sha256(json.dumps(by_value(settings), sort_keys=True, allow_nan=False).encode())


def by_value(value: Any) -> Any:
    """The same with integers for all numbers that are integers: 1 and 1.0 are one, True is neither."""
    if isinstance(value, dict):
        return {key: by_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [by_value(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def differences(theirs: Any, ours: dict[str, Any]) -> str:
    """ "lr is 0.1 there and 0.2 here", for each setting that differs in value; "" where none does."""
    there, here = dict(leaves(theirs, "settings")), dict(leaves(ours, "settings"))
    lines = []
    for name in sorted({**there, **here}):
        a, b = (repr(by_value(found[name])) if name in found else "not set" for found in (there, here))
        if a != b:
            lines.append(f"{name} is {a} there and {b} here")
    return ", ".join(lines)


def leaves(settings: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(name, value) of each setting; those of the optimizer, the problem and the task have names of their own."""
    if not isinstance(settings, dict):
        yield name, settings
        return
    for key, value in settings.items():
        yield from leaves(value, key)


def optimizer_state(opt: Any) -> dict[str, Any]:
    """The fields of an optimizer, which is a dataclass, and its class's name."""
    if not is_dataclass(opt) or isinstance(opt, type):
        raise ArgumentError(f"opt is a {type(opt).__name__}: must be a dataclass, whose fields are its state")
    return {"class": type(opt).__name__, "fields": {f.name: getattr(opt, f.name) for f in fields(opt)}}


def restore_optimizer(opt: Any, state: dict[str, Any]) -> None:
    """Set the fields of `opt` to what `optimizer_state` recorded of another of its class."""
    names = {f.name for f in fields(opt)}
    if state["class"] != type(opt).__name__ or set(state["fields"]) != names:
        raise CheckpointError(f"the checkpoint is of {state['class']} with other fields than this {type(opt).__name__}")
    for name, value in state["fields"].items():
        setattr(opt, name, value)


class Checkpoints:
    """The last two checkpoints of a run, in `folder`; `settings`, which JSON knows, say which run it is.

    `differing(theirs, ours)` says how the settings of two runs differ.
    """

    def __init__(
        self, folder: str | Path, settings: dict[str, Any], differing: Callable[[Any, Any], str] = differences
    ) -> None:
        self.folder, self.settings = Path(folder), json.loads(json.dumps(settings))  # a pair is a list
        self.differing = differing

    def paths(self) -> list[Path]:
        """Newest first."""
        return sorted((p for p in self.folder.glob("epoch-*.checkpoint") if NAME.fullmatch(p.name)), reverse=True)

    def save(self, epoch: int, state: Any) -> None:
        """Write the checkpoint of an epoch; those older than the one before it go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        save(self.folder / f"epoch-{epoch:06d}.checkpoint", {"settings": self.settings, "state": state})
        self.clear()

    def clear(self) -> None:
        """Remove what is older than the last two, and what a kill left half written."""
        for path in [*self.paths()[KEPT:], *self.folder.glob("epoch-*.checkpoint.partial")]:
            path.unlink()

    def load(self) -> Any:
        """The state of the newest checkpoint, None where there is none.

        A damaged or foreign one is refused, and not passed over: what damaged it should be known. The error says which
        earlier one is whole; without the damaged file, the run goes on from there.
        """
        paths = self.paths()
        if not paths:
            return None
        try:
            return self._load(paths[0])
        except CheckpointError as error:
            for path in paths[1:]:
                try:
                    self._load(path)
                except CheckpointError:  # damaged too: the one before it may be whole
                    continue
                raise CheckpointError(f"{error}; {path.name} is whole: move the other away to go on from it") from None
            raise

    def _load(self, path: Path) -> Any:
        whole = load(path)
        if not isinstance(whole, dict) or not {"settings", "state"} <= set(whole):
            raise CheckpointError(f"{path}: not the checkpoint of a run")
        if differ := self.differing(whole["settings"], self.settings):
            raise CheckpointError(f"{path}: of another run: {differ}")
        return whole["state"]
