"""`sven-ref train`, `reproduce`, `study`, `claims`: options, whose defaults are those of the functions they call."""

from __future__ import annotations

import argparse
from typing import Any

from . import reproduce, single, studies
from .claims import command as claims
from .protocols import read
from .runs import OPTIMIZERS
from .study_cells import STUDIES
from .tasks import TASKS


def add_parsers(commands: Any) -> None:
    """Add the four to the command line's subparsers."""
    add_train(commands)
    add_reproduce(commands)
    add_study(commands)
    claims.add_parser(commands)


def names(text: str) -> list[str]:
    """A list separated by commas."""
    return [name for name in text.split(",") if name]


def add_train(commands: Any) -> None:
    """`train`: one run."""
    p = commands.add_parser(
        "train",
        help="train one task with one optimizer; a killed run is resumed from its last epoch",
        description="One run. What is not given is the published protocol's for this task and optimizer.",
    )
    p.add_argument("--task", required=True, choices=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    p.add_argument("--optimizer", required=True, choices=list(OPTIMIZERS), metavar="NAME", help=", ".join(OPTIMIZERS))
    p.add_argument("--set", action="append", metavar="NAME=VALUE", help="an option of the optimizer, or kappa, rows, "
        "micro_batch; may be repeated")  # fmt: skip
    p.add_argument("--epochs", type=int, metavar="N", help="passes over the training split")
    p.add_argument("--batch-size", type=int, metavar="B", help="samples in a batch")
    p.add_argument("--seed", type=int, metavar="N", help="of the initialisation and the order of the batches")
    p.add_argument("--data-seed", type=int, metavar="N", help="of the data")
    p.add_argument("--n-train", type=int, metavar="N", help="training examples, if not all")
    p.add_argument("--data", metavar="DIR", help="where MNIST is, if SVEN_REF_DATA does not say")
    p.add_argument("--out", metavar="DIR", help="where the run is recorded")
    p.add_argument("--resume", action="store_true", help="go on with the run in that directory")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="Sven's steps by N processes here, which Dask starts")
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="Sven's steps by the workers of a Dask scheduler, tcp://…"
    )
    p.set_defaults(command=single.train_one, **(single.train_one.__kwdefaults__ or {}) | {"set": []})


def add_reproduce(commands: Any) -> None:
    """`reproduce`: the paper's comparisons."""
    p = commands.add_parser(
        "reproduce",
        help="the paper's comparisons, with baselines and several seeds: a table beside the published figures",
        description="Every method of a task, several seeds. The same command goes on from where it was stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.add_argument("task", choices=[*read()[1], "all"], metavar="TASK", help=", ".join([*read()[1], "all"]))
    p.add_argument("--seeds", type=int, metavar="N", help="seeds of initialisation and order; 5, or 1 with --quick")
    p.add_argument("--data-seeds", type=int, metavar="N", help="seeds of the data, each with all of those")
    p.add_argument("--optimizers", type=names, metavar="A,B", help="only these")
    p.add_argument("--quick", action="store_true", help="a look in a minute: few epochs, few examples")
    p.add_argument("--workers", type=int, metavar="N", help="processes at a time, one thread each")
    p.add_argument("--data", metavar="DIR", help="where MNIST is, if SVEN_REF_DATA does not say")
    p.add_argument("--out", metavar="DIR", help="where runs, tables and figures are written")
    p.set_defaults(command=reproduce.reproduce, **(reproduce.reproduce.__kwdefaults__ or {}))


def add_study(commands: Any) -> None:
    """`study`: one question, many short runs."""
    p = commands.add_parser(
        "study",
        help="one question about Sven, many short runs: " + ", ".join(STUDIES),
        description="One question about Sven, many short runs. The same command goes on from where it was stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.add_argument("name", choices=[*STUDIES, "all"], metavar="NAME", help=", ".join([*STUDIES, "all"]))
    p.add_argument("--seeds", type=int, metavar="N", help="in each cell")
    p.add_argument("--quick", action="store_true", help="few cells, few epochs, few examples")
    p.add_argument("--workers", type=int, metavar="N", help="processes at a time, one thread each")
    p.add_argument("--data", metavar="DIR", help="where MNIST is, if SVEN_REF_DATA does not say")
    p.add_argument("--out", metavar="DIR", help="where results, tables and figures are written")
    p.set_defaults(command=studies.study, **(studies.study.__kwdefaults__ or {}))
