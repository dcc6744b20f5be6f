"""The command `sven-ref`. Errors of the package are one line on standard error.

Exit status of every command:
    0    done
    1    an error, which standard error names
    2    usage: an option that there is not, or a value that it does not take
    3    of train and demo: a run diverged
    74   standard output can't be written (a full disk); what else the command writes is whole
    130  interrupted by Ctrl-C
    141  standard output was closed (`| head -1`); what else the command writes is whole

`verify` has more, which `sven-ref verify --help` lists.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from typing import Any

from . import __version__
from .arguments import check_choice
from .conformance import command as conformance
from .errors import ArgumentError, SvenError
from .lab import commands as lab
from .lab.arguments import Help, with_underscores
from .streams import INTERRUPTED, Output, begin, lasting

ANOTHER_KIND = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENOTEMPTY)  # of file than is needed


def parser() -> argparse.ArgumentParser:
    """The options; their defaults are those of the functions they are handed to."""
    return parsers()[0]


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of all, and those of the commands by name."""
    top = argparse.ArgumentParser(
        "sven-ref",
        description="Sven, Singular Value Descent (arXiv 2604.01279).",
        epilog="examples:\n  sven-ref demo\n  sven-ref train --help\n\n" + (__doc__ or "").partition("\n\n")[2],
        formatter_class=Help,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands: Any = top.add_subparsers(title="commands", metavar="COMMAND")
    lab.add_parsers(commands)
    conformance.add_parsers(commands)
    return top, commands.choices


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Usage errors and --help end in SystemExit, as argparse has it."""
    with lasting() as output:
        try:
            status = run(list(sys.argv[1:] if argv is None else argv), output)
        except SystemExit as end:
            raise SystemExit(end.code or output.status()) from None
        return status or output.status()


def run(arguments: list[str], output: Output) -> int:
    """The same, with standard output as it is then."""
    top, commands = parsers()
    if arguments and not arguments[0].startswith("-"):
        try:
            check_choice("command", arguments[0], commands)
        except ArgumentError as error:
            top.error(str(error))
    options = vars(top.parse_args(with_underscores(arguments)))
    if "command" not in options:
        top.print_help(sys.stderr)
        return 2
    command = options.pop("command")
    output.raises = command is conformance.verify  # whose exit status says what became of its report
    try:
        begin()
        status = command(**options)
    except KeyboardInterrupt:
        print("sven-ref: interrupted", file=sys.stderr)
        return INTERRUPTED
    except SvenError as error:
        print(f"sven-ref: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"sven-ref: error: {of_files(error, options.get('out'))}", file=sys.stderr)
        return 1
    finally:
        output.raises = False
    return status if isinstance(status, int) else 0


def of_files(error: OSError, out: Any) -> str:
    """What the system says of a file of a command, the full disk among it, in words."""
    where = [f"out = {str(out)!r}"] * bool(out) + [str(file) for file in (error.filename, error.filename2) if file]
    remedy = "; something else is in its place: move it away" if error.errno in ANOTHER_KIND else ""
    return ": ".join([*where, (error.strerror or str(error)) + remedy])
