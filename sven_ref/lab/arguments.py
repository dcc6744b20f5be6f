"""What the commands' parsers share: names that are forgiven `-` for `_`, help that shows defaults and an example."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from typing import Any

from ..arguments import check_choice, plain
from ..errors import ArgumentError

DATA = "where MNIST is; where SVEN_REF_DATA says if not given"


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Examples keep their lines, and a default is shown where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        absent = action.default is None or action.default is False or action.default == []
        return action.help if absent else super()._get_help_string(action)


def one_of(name: str, choices: Collection[str]) -> Callable[[str], str]:
    """A type of argument: one of `choices`, however it is written; what is none of them is a usage error."""

    def chosen(text: str) -> str:
        for choice in choices:
            if plain(choice) == plain(text):
                return choice
        try:
            check_choice(name, text, choices)
        except ArgumentError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return chosen


def names(name: str, choices: Collection[str]) -> Callable[[str], list[str]]:
    """A type of argument: such names, separated by commas, at least one."""
    one = one_of(name, choices)

    def listed(text: str) -> list[str]:
        found = [one(part.strip()) for part in text.split(",") if part.strip()]
        if not found:
            raise argparse.ArgumentTypeError(f"{name} = {text!r}: must be names separated by commas")
        return found

    return listed


def assignment(name: str) -> Callable[[str], str]:
    """A type of argument: --NAME VALUE is --set NAME=VALUE."""
    return lambda text: f"{name}={text}"


def with_underscores(arguments: list[str]) -> list[str]:
    """--batch_size is --batch-size; what follows `=` or a lone `--` is left alone."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parts: list[Any] = [a.partition("=") if a.startswith("--") else (a, "", "") for a in arguments[:end]]
    return [
        (name.replace("_", "-") if name.startswith("--") else name) + equals + value for name, equals, value in parts
    ] + arguments[end:]


def add_many_runs(p: Any, quick: str) -> None:
    """The options of commands that make many runs: `quick` says what a quick look is."""
    p.add_argument("--quick", action="store_true", help=quick)
    p.add_argument("--workers", type=int, metavar="N", help="processes at a time, one thread each; 0: this one")
    p.add_argument("--data", metavar="DIR", help=DATA)
