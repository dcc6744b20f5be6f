"""What a line that is no answer most likely is, said to the person who wrote the adapter."""

from __future__ import annotations

import errno
import json
import re
from typing import Any

from ..strict_json import JSONError, loads_strict

REST = "standard output is for answers alone, print anything else on standard error"
BYTES = [
    (rb"\xef\xbb\xbf", "it begins with a byte order mark: write UTF-8 without one"),
    (rb"\xff\xfe|\xfe\xff|[^\x00]?\x00", "it is in UTF-16 or UTF-32: write UTF-8"),
    (rb"\s*$", "an empty line: print one line for each question and no other"),
    (rb"[^{]*\x1b\[", "it has the colour codes of a terminal: print plain JSON"),
]
TEXT = [
    (r"\s*\{\s*'", "its quotes are single, as in a dict that Python prints: print json.dumps(answer)"),
    (
        r"\s*\{\s*[A-Za-z_]\w*\s*:",
        "its names have no quotes, as in an object that JavaScript prints: print JSON.stringify(answer)",
    ),
    (r"\s*b['\"]\{", "it is a bytes object that Python prints: decode it before printing"),
    (r"[-+]?(True|False|None)\b", "{at} is Python and not JSON: print json.dumps(answer)"),
    (
        r"(?i)[-+]?(nan|inf(inity)?)\b|\.#(qnan|snan|ind|inf)",
        "{at} is no number in JSON: refuse with error what is not finite",
    ),
]


def of_line(data: bytes, rest: str) -> str:
    """The likeliest mistake behind a line that is no JSON; `rest` where it looks like none at all."""
    for pattern, hint in BYTES:
        if re.match(pattern, data):
            return hint
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 from byte {error.start} on: write UTF-8, or escape what is not ASCII"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return of_text(text, error, rest)
    except (RecursionError, ValueError) as error:  # ValueError: an integer of thousands of digits
        return f"it can't be read: {error}"
    return "a bare number: an answer is an object"


def of_text(text: str, error: json.JSONDecodeError, rest: str) -> str:
    """The same, by where and why JSON's grammar ends."""
    at = text[error.pos : error.pos + 24]
    for start, (pattern, hint) in [(text, sign) for sign in TEXT[:3]] + [(at, sign) for sign in TEXT[3:]]:
        if re.match(pattern, start):
            return hint.format(at=ascii(at))
    before, brace, _ = text.partition("{")
    begun = text.lstrip().startswith(("{", "["))
    if error.msg == "Extra data" and begun:
        return "more than one answer on the line" if at[0] in "{[" else f"after the answer on its line comes {at!a}"
    if before.strip() and whole(text[len(before) :].encode()):
        return f"before the answer on its line comes {before[:24]!a}; {rest}"
    if begun and (error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")):
        return "the JSON goes on after the end of the line: print an answer as one line, without indentation"
    return f"{error.msg} at character {error.pos}, {at!a}" if brace and not before.strip() else rest


def of_value(value: Any) -> str:
    """The likeliest mistake behind a line that is JSON and no object."""
    if isinstance(value, str) and whole(value.encode("utf-8", "replace")):
        return "the answer is encoded twice"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "print one object a line, and no list around them"
    return ""


def of_silence(buffer: bytes) -> str:
    """Why there may be no line: `buffer` is what came on standard output."""
    if not buffer:
        return (
            "nothing came on standard output. The adapter may be at work still (--timeout gives it longer), "
            "may not flush what it prints, or may wait for the end of its input: it has to read line by line"
        )
    shown = ascii(buffer[:60].decode("utf-8", "backslashreplace"))
    line, end, _ = buffer.partition(b"\r")
    if end and whole(line):
        return rf"{shown} came, which ends with \r: end every answer by \n"
    if whole(buffer):
        return f"{shown} came whole, but no newline after it: end every answer by a newline"
    if buffer.lstrip().startswith(b"{"):
        return f"only the beginning of a line came: {shown}, {len(buffer)} bytes"
    return f"{shown} came, and no end of a line; {REST}"


def of_command(command: str, error: OSError) -> str:
    """What may be amiss with a command that can't be started."""
    if re.search(r"[|;&<>$`~*]|^\s*\w+=", command):
        return "; no shell reads the command: it has no variables, ~, *, pipes or &&"
    if error.errno in (errno.EACCES, errno.ENOEXEC):
        return "; is it a script? Name the program that runs it: python mine.py"
    return ""


def whole(data: bytes) -> bool:
    """Whether this is a whole object of JSON."""
    try:
        return isinstance(loads_strict(data), dict)
    except JSONError as error:
        return isinstance(error.value, dict)
