"""The settings that an optimizer and its problem take: their names, and their values typed as text.

A value typed as text is the first of these that it can be: none (or null), true, false; an integer or a number in every
form that Python reads, 1_000, +1, .05, 5e-2; a list in JSON, [0.9, 0.99], or of JSON's values as Python writes it,
(.9, .99); what stands in double quotes; else the text itself. Whether it is allowed is for the optimizer to say.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import MISSING, fields
from typing import Any

from ...arguments import did_you_mean, plain
from ...errors import ArgumentError
from ...problem import ROWS, Problem
from ...solvers import SOLVERS
from ...step import Sven
from . import BASELINES

OPTIMIZERS: dict[str, Any] = {"sven": Sven, **BASELINES}
PROBLEM = ("kappa", "rows", "micro_batch")  # the problem's and not the optimizer's
OF_THE_RUN = ("epochs", "batch_size", "seed", "data_seed", "n_train")  # options of the command, not of --set
STATE = ("n_steps", "n_iter", "b", "m", "v", "s", "y", "last_move", "last_gradient", "mu", "accepted")  # not options
NAMES: dict[str, Sequence[str]] = {  # values that are names, whose spelling is forgiven
    "solver": (*SOLVERS, "auto"),
    "mask": ("elementwise", "rows"),
    "rows": [name for name in ROWS if name],
    "line_search": ("strong_wolfe",),
}
WORDS = {"none": None, "null": None, "true": True, "false": False}


def option_names(optimizer: str) -> list[str]:
    """What may be set for it: its own options, then the problem's."""
    own = [f.name for f in fields(OPTIMIZERS[optimizer]) if f.name not in (*STATE, *OF_THE_RUN)]
    return [*own, *PROBLEM]


def required(optimizer: str) -> list[str]:
    """Its options without a default."""
    return [f.name for f in fields(OPTIMIZERS[optimizer]) if f.default is MISSING and f.default_factory is MISSING]


def in_full(optimizer: str, options: dict[str, Any], problem: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options and those of its problem, with the default of every one that is not set."""
    own = {f.name: f.default for f in fields(OPTIMIZERS[optimizer]) if f.name in option_names(optimizer)}
    own = {name: default for name, default in own.items() if default is not MISSING}
    return own | options, (Problem.__init__.__kwdefaults__ or {}) | problem


def check_options(optimizer: str, options: dict[str, Any], problem: dict[str, Any]) -> None:
    """Raise `ArgumentError` for a name that there is not, and for one that must be given and is not."""
    names = option_names(optimizer)
    for name in [*options, *problem]:
        if name in OF_THE_RUN:
            raise ArgumentError(f"{name}: must be given as an option of its own, --{name.replace('_', '-')} VALUE")
        if name not in names:
            raise ArgumentError(
                f"{name}: must be one of {', '.join(names)} for {optimizer!r}{did_you_mean(name, names)}"
            )
    for name in required(optimizer):
        if name not in options:
            raise ArgumentError(f"{name}: must be given, --set {name}=…")


def value_of(text: str) -> Any:
    """What a text stands for: see the head of this module."""
    if text.strip().lower() in WORDS:
        return WORDS[text.strip().lower()]
    for kind in (int, float, json.loads):
        with suppress(ValueError, RecursionError):  # it is of the next kind
            value = kind(text)
            return value_of(value) if isinstance(value, str) else value
    if text.strip().startswith(("(", "[")):
        no_list = (ValueError, TypeError, RecursionError, SyntaxError, MemoryError)  # but a text that begins so
        with suppress(*no_list), warnings.catch_warnings(action="ignore"):  # what is no literal stays text
            value = ast.literal_eval(text.strip())
            json.dumps(value)  # a set, a complex number and the like can't be recorded
            return value
    return text


def parse(assignments: Sequence[str]) -> dict[str, Any]:
    """["lr=.1", "param-fraction=0.5"] as {"lr": 0.1, "param_fraction": 0.5}; of two for one name the last counts."""
    options: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = plain(name.strip())
        if not equals or not name.isidentifier():
            raise ArgumentError(f"set = {text!r}: must be NAME=VALUE, as in lr=0.05")
        options[name] = named(name, value_of(value))
    return options


def named(name: str, value: Any) -> Any:
    """The name that an option's value spells, as GRAM does gram; else the value itself."""
    for choice in NAMES.get(name, ()):
        if isinstance(value, str) and plain(value) == plain(choice):
            return choice
    return value
