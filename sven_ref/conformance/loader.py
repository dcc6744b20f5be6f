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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..strict_json import JSONError, loads_strict
from .schema import VectorsError, check

HERE = Path(__file__).parent
LEVELS = ("core", "strict", "autodiff", "trajectory")
REMEDY = "install sven-ref again, or restore its files by git checkout"
OPS = ("matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory")
FILES = (
    "schema.json",
    "flags.json",
    *(f"vectors/{op}.json" for op in (*OPS, "reject")),
)  # a suite with less would claim too much
MANIFEST = {
    "type": "object",
    "required": ["version", "files"],
    "additionalProperties": False,
    "properties": {
        "version": {"type": "string"},
        "files": {"type": "object", "required": [*FILES], "properties": {name: {"type": "string"} for name in FILES}},
    },
}
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
    manifest = _read(root / "manifest.json")
    try:
        check(manifest, MANIFEST, str(root / "manifest.json"))
    except VectorsError as error:
        raise VectorsError(f"{error}; {REMEDY}") from None
    for name, digest in manifest["files"].items():
        _check_digest(root / name, digest)
    schema, flags = (_read(root / f"{name}.json") for name in ("schema", "flags"))
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


def _check_digest(path: Path, digest: str) -> None:
    data = _bytes(path)
    if sha256(data) == digest:
        return
    what = f"{len(data)} bytes with a SHA-256 that is not the manifest's: truncated or altered"
    if sha256(data.replace(b"\r\n", b"\n")) == digest:
        what = "its lines end with \\r\\n and not with \\n, as after a checkout with core.autocrlf"
    raise VectorsError(f"{path}: {what}; {REMEDY}")


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


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


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VectorsError(f"{path}: can't be read: {error.strerror}; {REMEDY}") from error


def _read(path: Path) -> Any:
    try:
        return loads_strict(_bytes(path), str(path))
    except JSONError as error:
        raise VectorsError(f"{error}; {REMEDY}") from error
