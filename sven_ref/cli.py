"""The command `sven-ref`. Errors of the package are one line on stderr and exit status 1; of usage, 2; Ctrl-C, 130."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .conformance import command as conformance
from .errors import SvenError
from .lab import command as lab
from .lab import demo
from .solvers import SOLVERS


def parser() -> argparse.ArgumentParser:
    """The options; their defaults are those of the functions they are handed to."""
    top = argparse.ArgumentParser("sven-ref", description="Sven, Singular Value Descent (arXiv 2604.01279).")
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    p = commands.add_parser(
        "demo",
        help="train the paper's first task with Sven and with Adam: a table, a figure, a JSON file",
        description="Train f(x) = exp(-10 x^2) sin(2x) with Sven and with Adam: same start, same batches.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.add_argument("--seed", type=int, metavar="N", help="of the initialisation and the order of the batches")
    p.add_argument("--data-seed", type=int, metavar="N", help="of the training, validation and test data")
    p.add_argument("--epochs", type=int, metavar="N", help="passes over the 10,000 training examples")
    p.add_argument("--lr", type=float, metavar="ETA", help="Sven's learning rate")
    p.add_argument("--k", type=int, metavar="K", help="Sven keeps at most k singular triplets")
    p.add_argument("--rtol", type=float, metavar="R", help="and of those, sigma > rtol sigma_1")
    p.add_argument("--kappa", type=float, metavar="KAPPA", help="exponent of the residuals: |R| = loss^(kappa/2)")
    p.add_argument("--solver", choices=[*SOLVERS, "auto"], help="who computes the singular triplets")
    p.add_argument("--adam-lr", type=float, metavar="LR", help="Adam's learning rate")
    p.add_argument("--out", metavar="DIR", help="where demo.png and demo.json are written")
    p.set_defaults(command=demo.run, **(demo.run.__kwdefaults__ or {}))
    lab.add_parsers(commands)
    conformance.add_parsers(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    top = parser()
    options = vars(top.parse_args(argv))
    if "command" not in options:
        top.print_help(sys.stderr)
        return 2
    try:
        status = options.pop("command")(**options)
    except KeyboardInterrupt:
        print("sven-ref: interrupted", file=sys.stderr)
        return 130
    except (SvenError, OSError) as error:  # OSError: the disk is full, the pipe is closed
        print(f"sven-ref: error: {error}", file=sys.stderr)
        return 1
    return status if isinstance(status, int) else 0
