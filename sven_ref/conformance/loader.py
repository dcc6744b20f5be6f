"""The vectors as they lie on disk, read and checked: `load()` -> Suite.

    manifest.json      version, and the SHA-256 of every other file
    schema.json        JSON Schema (2020-12) of a file of vectors; a field it does not name is an error
    flags.json         every flag: what it means, what a failure usually means
    vectors/<op>.json  {"op", "version", "cases": [{"id", "clause", "flags", "level", "comment", "input", "expected",
                       "tolerance"}]}

A dtype is asked in a case iff the case has a tolerance for it. Nothing here needs more than NumPy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .schema import VectorsError, check

HERE = Path(__file__).parent
LEVELS = ("core", "strict", "autodiff", "trajectory")
NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(frozen=True)
class Case:
    """One case; `clause` is that of docs/spec.md, `tolerance` is {dtype: {quantity: number}}."""

    op: str
    id: str
    clause: str
    flags: tuple[str, ...]
    level: str
    comment: str
    input: dict[str, Any]
    expected: dict[str, Any]
    tolerance: dict[str, dict[str, float]]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes it is asked in."""
        return tuple(self.tolerance)


@dataclass(frozen=True)
class Suite:
    """All cases in the order of their files; flags: {name: {"description", "failure"}}."""

    version: str
    flags: dict[str, dict[str, str]]
    cases: tuple[Case, ...]

    def __getitem__(self, id: str) -> Case:
        for case in self.cases:
            if case.id == id:
                return case
        raise KeyError(id)


def load(directory: str | Path = HERE) -> Suite:
    """Every case under `directory`, checked against manifest, schema and flags. Raises `VectorsError`."""
    root = Path(directory)
    manifest, schema, flags = (_read(root / f"{name}.json") for name in ("manifest", "schema", "flags"))
    for name, entry in manifest["files"].items():
        if not (root / name).is_file() or sha256(root / name) != entry:
            raise VectorsError(f"{root / name}: is not the file whose SHA-256 the manifest of {root} gives")
    cases: list[Case] = []
    for name in (name for name in manifest["files"] if name.startswith("vectors/")):
        document = _read(root / name)
        check(document, schema, name)
        if document["version"] != manifest["version"]:
            raise VectorsError(f"{name}: version {document['version']}: must be the manifest's, {manifest['version']}")
        for fields in document["cases"]:
            cases.append(Case(document["op"], **{**fields, "flags": tuple(fields["flags"])}))
    for case in cases:
        if unknown := set(case.flags) - set(flags):
            raise VectorsError(f"{case.id}: flags {sorted(unknown)} are not in flags.json")
    if len({case.id for case in cases}) < len(cases):
        raise VectorsError(f"{root}: two cases have the same id")
    return Suite(manifest["version"], flags, tuple(cases))


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def arrays(input: dict[str, Any], dtype: str) -> dict[str, Any]:
    """A case's input with its lists as NumPy arrays: reals in `dtype`, labels and columns as integers."""
    out: dict[str, Any] = {}
    for name, value in input.items():
        if name in ("theta", "R", "J", "v", "u", "x"):
            out[name] = np.array(finite_or_not(value), dtype)
        elif name == "columns":
            out[name] = np.array(value, np.int64)
        elif name == "y":
            out[name] = np.array(finite_or_not(value), dtype if np.ndim(value) == 2 else np.int64)
        elif name == "batches":
            out[name] = [arrays(batch, dtype) for batch in value]
        else:
            out[name] = finite_or_not(value)
    return out


def finite_or_not(value: Any) -> Any:
    """The same value with the strings "NaN", "Infinity" and "-Infinity" as the floats they stand for."""
    if isinstance(value, list):
        return [finite_or_not(v) for v in value]
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def _read(path: Path) -> Any:
    def refuse(token: str) -> None:
        raise VectorsError(f"{path}: {token} is not JSON")

    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except (OSError, json.JSONDecodeError) as error:
        raise VectorsError(f"{path}: can't be read as JSON: {error}") from error
