"""An adapter in Python, in a child process: code that ends its process can't end the run, or pass for an end of it.

The child asks a `Module` and prints [id, kind, value] of every answer, after a marker that no one else knows. What the
adapter prints goes to standard error, and it reads nothing from standard input, as both pipes are taken; what comes on
the pipe of the answers all the same, by the start of Python or by its descriptor's number, has no marker.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import protocol
from .child import Child, Process
from .protocol import AdapterError, Answer, Hello, ProtocolError
from .sources import Module, check_spec

KINDS = (*protocol.ANSWERS, "broken")
START = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from sven_ref.conformance.module_child import serve
serve(sys.argv.pop(1), sys.argv.pop(1))
"""


class ModuleChild(Child):
    """The adapter `pkg.mod:name` in a child process. There is no time limit.

    Raises
    ------
    ArgumentError : `spec` has another form
    AdapterError : it can't be imported, is no adapter, or ends its process
    """

    def __init__(self, spec: str) -> None:
        check_spec(spec)
        path = json.dumps([str(entry) or os.getcwd() for entry in sys.path])
        self.timeout, self.marker = float("inf"), secrets.token_hex()
        self._begin([sys.executable, "-P", "-c", START, path, spec, self.marker], spec)

    def _process(self) -> Process:
        return Process(self.argv, stderr=None, marker=self.marker.encode())

    def _hello(self, line: bytes) -> Hello:
        failure, name, version, ops, dtypes = fields(line, 1 + len(Hello._fields))
        if failure:
            raise ProtocolError(failure)
        return Hello(name, version, tuple(ops), tuple(dtypes))

    def _answer(self, line: bytes, id: str) -> Answer:
        its_id, kind, value = fields(line, 3)
        if kind not in KINDS:
            raise ProtocolError(f"{protocol.excerpt(line)} came as an answer")
        if its_id != id:  # the adapter has forked, and both processes answer
            raise ProtocolError(f"answer to case {its_id!r} where {id!r} was asked")
        return Answer(kind, value)


def fields(line: bytes, n: int) -> list[Any]:
    """What `serve` said; raise `ProtocolError` where something else was written into its line."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):  # no answer of ours: somebody else wrote into the line
        said = None
    if not isinstance(said, list) or len(said) != n:
        raise ProtocolError(
            f"{protocol.excerpt(line)} came as an answer: does a thread or a process write into its pipe?"
        )
    return said


def serve(spec: str, marker: str) -> None:
    """Answer until told to stop."""
    with os.fdopen(os.dup(0)) as questions, os.fdopen(os.dup(1), "w") as answers:
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)

        def say(*fields: Any) -> None:
            print(f"\n{marker}{json.dumps(fields)}", file=answers, flush=True)

        answer(spec, questions, say)


def answer(spec: str, questions: Iterable[str], say: Callable[..., None]) -> None:
    """What `say` is told: of the adapter itself, then of each case that is asked."""
    try:
        module = Module(spec)
    except AdapterError as error:
        say(str(error).removeprefix(f"{spec}: "), *[None] * len(Hello._fields))
        return
    say("", *module.hello)
    for question in map(json.loads, questions):
        if question["command"] == "case":
            say(question["id"], *module.ask(question))
        elif question["command"] == "stop":
            return
