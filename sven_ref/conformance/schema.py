"""JSON Schema, as much of it as schema.json uses: `check(value, schema)`; any other word in a schema is an error."""

from __future__ import annotations

import re
from typing import Any

from ..errors import SvenError


class VectorsError(SvenError, ValueError):
    """A file of vectors is not what the manifest or the schema says."""


TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "null": type(None)}


def check(value: Any, schema: dict[str, Any], where: str, root: dict[str, Any] | None = None) -> None:
    """Raise `VectorsError`, which names the place, unless `value` obeys `schema`."""
    root = schema if root is None else root
    for word, rule in schema.items():
        if word not in WORDS:
            raise VectorsError(f"schema: the word {word!r} is not one that this checker knows")
        if (complaint := WORDS[word](value, rule, where, root, schema)) is not None:
            raise VectorsError(f"{where}: {complaint}")


def _is(value: Any, name: str) -> bool:
    if name in ("integer", "number"):
        return not isinstance(value, bool) and isinstance(value, int if name == "integer" else int | float)
    return isinstance(value, TYPES[name])


def _type(value: Any, rule: Any, *_: Any) -> str | None:
    names = [rule] if isinstance(rule, str) else rule
    return None if any(_is(value, name) for name in names) else f"{str(value)[:60]!r} is not {' or '.join(names)}"


def _ref(value: Any, rule: str, where: str, root: Any, _: Any) -> None:
    check(value, root["$defs"][rule.removeprefix("#/$defs/")], where, root)


def _properties(value: Any, rule: Any, where: str, root: Any, _: Any) -> None:
    for name in (n for n in rule if n in value) if isinstance(value, dict) else ():
        check(value[name], rule[name], f"{where}.{name}", root)


def _additional(value: Any, rule: Any, where: str, root: Any, schema: Any) -> str | None:
    unknown = sorted(value.keys() - schema.get("properties", {}).keys()) if isinstance(value, dict) else []
    return f"unknown fields {unknown}" if unknown else None  # rule is False: the only value the schema gives it


def _required(value: Any, rule: Any, *_: Any) -> str | None:
    missing = [name for name in rule if name not in value] if isinstance(value, dict) else []
    return f"fields {missing} are missing" if missing else None


def _items(value: Any, rule: Any, where: str, root: Any, _: Any) -> None:
    for i, item in enumerate(value if isinstance(value, list) else ()):
        check(item, rule, f"{where}[{item['id'] if isinstance(item, dict) and 'id' in item else i}]", root)


def _alternatives(value: Any, rule: Any, where: str, root: Any, _: Any) -> str | None:
    complaints = []
    for alternative in rule:
        try:
            check(value, alternative, where, root)
            return None
        except VectorsError as error:
            complaints.append(str(error))
    return "fits no alternative: " + max(complaints, key=lambda c: len(c.split(": ")[0]))


def _size(ok: Any, what: str, kind: Any) -> Any:
    return lambda value, rule, *_: (
        f"{value!r} is not {what} {rule}" if isinstance(value, kind) and not ok(value, rule) else None
    )


NUMBER = (int, float)
WORDS: dict[str, Any] = {
    "type": _type,
    "$ref": _ref,
    "const": lambda value, rule, *_: None if value == rule else f"{value!r} is not {rule!r}",
    "enum": lambda value, rule, *_: None if value in rule else f"{value!r} is not one of {rule}",
    "required": _required,
    "additionalProperties": _additional,
    "properties": _properties,
    "items": _items,
    "oneOf": _alternatives,
    "anyOf": _alternatives,
    "minItems": _size(lambda v, r: len(v) >= r, "of at least the length", list),
    "uniqueItems": lambda value, rule, *_: None if len({*map(str, value)}) == len(value) else "has equal items",
    "pattern": _size(lambda v, r: re.search(r, v), "of the pattern", str),
    "maxLength": _size(lambda v, r: len(v) <= r, "of at most the length", str),
    "minimum": _size(lambda v, r: v >= r, "at least", NUMBER),
    "exclusiveMinimum": _size(lambda v, r: v > r, "above", NUMBER),
    "exclusiveMaximum": _size(lambda v, r: v < r, "below", NUMBER),
    **dict.fromkeys(("$schema", "$defs", "title", "description"), lambda *_: None),
}
