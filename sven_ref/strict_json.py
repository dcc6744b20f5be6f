"""JSON that every reader reads in the same way: in one object no name twice, and no NaN.

Python's `json` keeps the last of two equal names and takes the tokens NaN, Infinity and -Infinity. RFC 8259 has no such
tokens, and calls what a reader makes of a repeated name unpredictable.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from .errors import SvenError


class JSONError(SvenError, ValueError):
    """Text that is no JSON, or that another reader reads in another way.

    Attributes
    ----------
    value : what `json.loads` makes of the text, None for NaN; None where it makes nothing of it
    twice : the names that are there twice in one object
    """

    def __init__(self, message: str, value: Any = None, twice: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.value, self.twice = value, twice


def loads_strict(text: str | bytes, what: str = "the text", *, parse_int: Callable[[str], Any] = int) -> Any:
    """The value of a JSON text, bytes in UTF-8; `what` names the text in errors.

    Raises
    ------
    JSONError : the text is no JSON; a name is twice in one object, at any depth; NaN or an infinity as a token
    """
    faults: list[str] = []
    twice: set[str] = set()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            names = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
            faults.extend(f"{name!a} twice in {what}" for name in names)
            twice.update(names)
        return value

    def token(name: str) -> None:
        faults.append(f"{name} in {what}: it is not JSON")

    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(text, parse_int=parse_int, parse_constant=token, object_pairs_hook=unique)
    except RecursionError:
        raise JSONError(f"{what} is not JSON that can be read: it is nested too deep") from None
    except ValueError as error:  # also what is not UTF-8, and an integer of more digits than int() takes
        raise JSONError(f"{what} is not JSON: {error}") from error
    if faults:
        raise JSONError(faults[0], value, frozenset(twice))
    return value
