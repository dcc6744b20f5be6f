"""What a runner and an adapter say to each other, one JSON object a line.

    -> {"command": "start", "protocol": 1}
    <- {"protocol": 1, "name": "…", "version": "…", "ops": ["step", …], "dtypes": ["float64", …]}
    -> {"command": "case", "id": "…", "op": "step", "dtype": "float64", "input": {…}}
    <- {"id": "…", "output": {…}}   or   {"id": "…", "error": "why"}   or   {"id": "…", "skip": "why"}
    -> {"command": "stop"}                                                      and the child exits with status 0

The expected answer is never sent. A case that is to be refused is sent as the operation it calls. Other fields, another
id, a second answer, NaN as a token (it is not JSON) and bytes that are not UTF-8 are faults of the adapter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import SvenError
from .loader import Case

PROTOCOL = 1
OPS = ("matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory")
DTYPES = ("float64", "float32")
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


def decode(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """The JSON object on a line, and the tokens NaN, Infinity and -Infinity in it, which are not JSON."""
    tokens: list[str] = []
    try:
        message = json.loads(data.decode("utf-8"), parse_int=number, parse_constant=tokens.append)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(
            f"not a line of JSON: {excerpt(data)} ({error}); standard output is for answers alone, "
            f"print anything else on standard error"
        ) from None
    if not isinstance(message, dict):
        raise ProtocolError(f"not a JSON object: {excerpt(data)}")
    return message, tokens


def number(digits: str) -> int | float:
    """An integer as JSON has it: some languages write 1e20 with all its digits, and NumPy has no such integer."""
    return int(digits) if len(digits) < 16 else float(digits)


def parse_hello(data: bytes) -> Hello:
    """The answer to "start"."""
    message, _ = decode(data)
    return check_hello(message)


def check_hello(message: Mapping[str, Any]) -> Hello:
    """The fields of the answer to "start", each checked."""
    if set(message) != {"protocol", *Hello._fields}:
        raise ProtocolError(f"the first answer has fields {sorted(message)}: must be {['protocol', *Hello._fields]}")
    if message["protocol"] != PROTOCOL:
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
    message, tokens = decode(data)
    if message.get("id") != id:
        raise ProtocolError(f"answer to case {shorten(message.get('id'))} where {id!r} was asked")
    return check_answer({field: value for field, value in message.items() if field != "id"}, tokens)


def check_answer(fields: Mapping[str, Any], tokens: list[str]) -> Answer:
    """The fields of an answer but its id: exactly one of output, error, skip."""
    if tokens:
        return Answer("broken", f"{tokens[0]} in the answer: it is not JSON, and never an answer")
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
