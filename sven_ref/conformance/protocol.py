"""What a runner and an adapter say to each other, one JSON object a line.

    -> {"command": "start", "protocol": 1}
    <- {"protocol": 1, "name": "…", "version": "…", "ops": ["step", …], "dtypes": ["float64", …]}
    -> {"command": "case", "id": "…", "op": "step", "dtype": "float64", "input": {…}}
    <- {"id": "…", "output": {…}}   or   {"id": "…", "error": "why"}   or   {"id": "…", "skip": "why"}
    -> {"command": "stop"}                                                      and the child exits with status 0

The expected answer is never sent. A case that is to be refused is sent as the operation it calls. Other fields, a name
twice in an object, another id, a second answer, NaN as a token (it is not JSON), nesting beyond `DEPTH` and bytes that
are not UTF-8 are faults of the adapter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import SvenError
from ..strict_json import JSONError, loads_strict
from . import hints
from .loader import OPS, Case

PROTOCOL = 1
DTYPES = ("float64", "float32")
DEPTH = 32  # levels of lists and objects in an answer, of which none has a use for more than four
ANSWERS: dict[str, type] = {"output": dict, "error": str, "skip": str}


class ProtocolError(SvenError):
    """A line that is no answer to what was asked; the adapter is out of step."""


class AdapterError(SvenError):
    """The adapter never started: no such program or module, or no valid first line."""


class Hello(NamedTuple):
    """What an adapter says of itself."""

    name: str
    version: str
    ops: tuple[str, ...]
    dtypes: tuple[str, ...]


class Answer(NamedTuple):
    """kind: "output", "error" (the input is refused), "skip" or, where there is no valid answer, "broken".

    value : the output, a dict; else the reason
    """

    kind: str
    value: Any


def question(case: Case, dtype: str) -> dict[str, Any]:
    """The case as it is sent: id, op, dtype and input, nothing that tells the answer."""
    body = case.input if case.op == "reject" else {"call": case.op, "input": case.input}
    return {"id": case.id, "op": body["call"], "dtype": dtype, "input": body["input"]}


def line(message: Mapping[str, Any]) -> bytes:
    """One message, ASCII, with its end of line."""
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def decode(data: bytes, rest: str = hints.REST) -> tuple[dict[str, Any], str]:
    """The JSON object on a line, and what is wrong with it though it can be read: a name twice, NaN, depth; else "".

    A field that is nested deeper than `DEPTH` is None there: who walks it would come to the end of his stack.
    Raises `ProtocolError`, with the likeliest mistake, for every other line; `rest` is said where none is likely.
    """
    fault = ""
    try:
        message = loads_strict(data, "the answer", parse_int=number)
    except JSONError as error:
        if error.value is None:
            raise ProtocolError(f"not a line of JSON: {excerpt(data)}; {hints.of_line(data, rest)}") from None
        if error.twice & {"id", "dtype"}:
            raise ProtocolError(str(error)) from None  # which case it answers is not certain
        message, fault = error.value, str(error)
    if not isinstance(message, dict):
        raise ProtocolError(f"not a JSON object: {excerpt(data)}; {hints.of_value(message) or rest}")
    for name in [name for name, value in message.items() if too_deep(value)]:
        message[name], fault = None, fault or f"{shorten(name)} in the answer is nested deeper than {DEPTH} levels"
    if "command" in message and not message.keys() & ANSWERS.keys():
        raise ProtocolError(f"the question came back as the answer: {excerpt(data)}")
    return message, fault


def too_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than `DEPTH`."""
    level = [value]
    for _ in range(DEPTH):
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [item for items in inner for item in items]
    return any(isinstance(v, dict | list) for v in level)


def number(digits: str) -> int | float:
    """An integer as JSON has it: some languages write 1e20 with all its digits, and NumPy has no such integer."""
    return int(digits) if len(digits) < 16 else float(digits)


def parse_hello(data: bytes) -> Hello:
    """The answer to "start"."""
    message, fault = decode(data)
    if fault:
        raise ProtocolError(fault)
    return check_hello(message)


def check_hello(message: Mapping[str, Any]) -> Hello:
    """The fields of the answer to "start", each checked."""
    if set(message) != {"protocol", *Hello._fields}:
        raise ProtocolError(f"the first answer has fields {sorted(message)}: must be {['protocol', *Hello._fields]}")
    if message["protocol"] != PROTOCOL or isinstance(message["protocol"], bool):  # True == 1
        raise ProtocolError(f"protocol = {shorten(message['protocol'])}: must be {PROTOCOL}")
    for field in ("name", "version"):
        if not isinstance(message[field], str):
            raise ProtocolError(f"{field} = {shorten(message[field])}: must be a string")
    for field, allowed in (("ops", OPS), ("dtypes", DTYPES)):
        value = message[field]
        if not isinstance(value, list | tuple) or not value or any(entry not in allowed for entry in value):
            raise ProtocolError(f"{field} = {shorten(value)}: must be a list of {', '.join(allowed)}, one at least")
    return Hello(
        printable(message["name"], 60, 1),
        printable(message["version"], 60, 1),
        tuple(message["ops"]),
        tuple(message["dtypes"]),
    )


def parse_answer(data: bytes, id: str) -> Answer:
    """The answer to case `id`; "broken" where the line has its id but is no valid answer.

    Raises `ProtocolError` where it can't be the answer to that case, so that no later line can be trusted either.
    """
    message, fault = decode(data)
    if "id" not in message:
        raise ProtocolError(f"no id in {excerpt(data)}: an answer has the id of its question, here {id!r}")
    if message["id"] != id:
        raise ProtocolError(
            f"answer to case {shorten(message['id'])} where {id!r} was asked: one answer to each question, in order"
        )
    return check_answer({field: value for field, value in message.items() if field != "id"}, fault)


def check_answer(fields: Mapping[str, Any], fault: str) -> Answer:
    """The fields of an answer but its id: exactly one of output, error, skip; `fault` is that of `decode`."""
    if fault:
        return Answer("broken", fault)
    if len(fields) != 1 or not set(fields) <= set(ANSWERS):
        return Answer(
            "broken", f"the answer has fields {shorten(sorted(fields))} beside id: must be one of {list(ANSWERS)}"
        )
    (kind, value), *_ = fields.items()
    if not isinstance(value, ANSWERS[kind]):
        return Answer("broken", f"{kind} = {shorten(value)}: must be {'an object' if kind == 'output' else 'a string'}")
    return Answer(kind, value)


def printable(text: str, length: int = 300, lines: int = 16) -> str:
    """Text of others, made safe to print: control characters escaped, long lines cut."""
    shown = ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in part[:length]) for part in text.splitlines()]
    return "\n".join(shown[:lines])


def shorten(value: Any, length: int = 80) -> str:
    """repr, cut."""
    text = ascii(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def excerpt(data: bytes) -> str:
    """The beginning of a line, printable."""
    return shorten(data[:200].decode("utf-8", "backslashreplace"))
