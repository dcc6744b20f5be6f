"""Adapters that are no program: an object in this process, and a file of answers.

An object has the attributes name, version, ops, dtypes and the method run(op, dtype, input) -> output, which raises
`NotImplementedError` to skip and anything else to refuse. A file has one line a case and dtype,

    {"id": "…", "dtype": "float64", "output": {…}}   or "error" or "skip" in place of "output"

Both go through the same checks as a child's lines.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from . import loader, protocol
from .protocol import DTYPES, OPS, AdapterError, Answer, Hello, ProtocolError

FILE = 256 << 20  # bytes in a file of answers


class Module:
    """The adapter `pkg.mod:name`, or an adapter object, in this process; a class is called without arguments.

    The current directory is on the import path. There is no time limit: what runs in this process can't be ended from
    within. The command has it in a child process, a `ModuleChild`.
    """

    def __init__(self, adapter: Any) -> None:
        self.notes: list[str] = []
        if isinstance(adapter, str):
            adapter = load(adapter)
        try:
            self.adapter = adapter() if isinstance(adapter, type) else adapter
            fields = {field: getattr(self.adapter, field) for field in Hello._fields}
            self.hello = protocol.check_hello({"protocol": protocol.PROTOCOL, **fields})
            if not callable(getattr(self.adapter, "run", None)):
                raise ProtocolError("no method run(op, dtype, input)")
        except (Exception, SystemExit) as error:  # somebody else's code: anything may go wrong in it
            raise AdapterError(f"{shown(adapter)}: {describe(error)}") from error

    def ask(self, question: Mapping[str, Any]) -> Answer:
        """The answer to one case."""
        question = json.loads(protocol.line(question))  # what it does to its input is its own business
        try:
            output = self.adapter.run(question["op"], question["dtype"], question["input"])
        except NotImplementedError as error:
            return Answer("skip", str(error) or "not implemented")
        except (Exception, SystemExit) as error:  # to raise is how an adapter refuses
            return Answer("error", describe(error))
        if output is None:
            return Answer("broken", "run returned None: must return an object; is there a return in it?")
        try:
            data = json.dumps({"id": question["id"], "output": output}, default=plain)
        except (TypeError, ValueError, RecursionError) as error:  # a fault of the adapter's, and reported as one
            return Answer("broken", f"what run returned is no JSON: {error}")
        return protocol.parse_answer(data.encode(), question["id"])

    def close(self) -> None:
        """Nothing to end."""

    kill = close


def plain(value: Any) -> Any:
    """An array or a scalar of NumPy, PyTorch, JAX … as lists and numbers."""
    if isinstance(value, complex) or not hasattr(value, "tolist"):
        raise TypeError(f"a {type(value).__name__}: must be numbers, lists or arrays")
    return value.tolist()


def check_spec(spec: str) -> tuple[str, str]:
    """The two parts of `pkg.mod:name`."""
    module, _, name = spec.partition(":")
    if not (module and name):
        raise ArgumentError(f"module = {spec!r}: must be pkg.mod:name")
    return module, name


def load(spec: str) -> Any:
    """The object `pkg.mod:name`."""
    module, name = check_spec(spec)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # SystemExit: a script that is run where it is imported
        raise AdapterError(f"{spec}: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """The class and the text of an exception."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def shown(adapter: Any) -> str:
    """The name of an adapter's class."""
    return (adapter if isinstance(adapter, type) else type(adapter)).__qualname__


class Answers:
    """The answers in a file of JSON Lines; a case that has none is skipped.

    Raises
    ------
    ArgumentError : no line, one that is no JSON object with an id and a dtype, or the second for the same id and dtype
    """

    def __init__(self, path: str | Path) -> None:
        self.notes: list[str] = []
        try:
            with open(path, "rb") as file:
                data = file.read(FILE + 1)
        except OSError as error:
            raise AdapterError(f"{path}: {error.strerror}") from None
        if len(data) > FILE:
            raise AdapterError(f"{path}: more than {FILE} bytes")
        self.answers: dict[tuple[str, str], Answer] = {}
        for number, entry in enumerate(data.splitlines(), 1):
            if entry.strip():
                try:
                    self._add(entry)
                except ProtocolError as error:
                    raise ArgumentError(f"{path}, line {number}: {error}") from None
        if not self.answers:
            raise ArgumentError(f"{path}: holds no answer: must have one a line, each with its id and dtype")
        dtypes = {dtype for _, dtype in self.answers}
        self.hello = Hello(
            protocol.printable(Path(path).name, 60, 1),
            "answers",
            OPS,
            tuple(dtype for dtype in DTYPES if dtype in dtypes),
        )

    def _add(self, entry: bytes) -> None:
        message, fault = protocol.decode(entry, "each line of the file must be one JSON object")
        id, dtype = message.pop("id", None), message.pop("dtype", None)
        if not isinstance(id, str) or dtype not in DTYPES:
            raise ProtocolError(
                f"id = {protocol.shorten(id)}, dtype = {protocol.shorten(dtype)}: each line must have both"
            )
        if (id, dtype) in self.answers:
            raise ProtocolError(f"a second answer to {id} in {dtype}")
        self.answers[id, dtype] = protocol.check_answer(message, fault)

    def ask(self, question: Mapping[str, Any]) -> Answer:
        """The answer to one case."""
        return self.answers.get((question["id"], question["dtype"]), Answer("skip", "no answer in the file"))

    def close(self) -> None:
        """Note the answers that are to no case."""
        unknown = sorted({id for id, _ in self.answers} - {case.id for case in loader.load().cases})
        if unknown:
            self.notes.append(f"answers to no case of these vectors: {', '.join(map(protocol.shorten, unknown[:5]))}")

    def kill(self) -> None:
        """Nothing to end."""
