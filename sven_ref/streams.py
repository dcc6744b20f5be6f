"""Standard output and error by which no command ends: not by a character, a closed pipe or a full disk.

A character that the output's encoding does not have is written as \\u03c3. Where the output itself can't be written,
what is printed is dropped, the command goes on to its end and writes its files, and its exit status, 0 till then, is

    141    the reader of a pipe is gone (`| head -1`): what a shell says of a process that SIGPIPE ended
    74     another reason, a full disk: EX_IOERR of BSD's sysexits.h

This is the first module that the package imports: where the process is the command, Ctrl-C ends it from here on in one
line, and not in a traceback of what it is just importing. Who imports the package keeps his handler.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

CLOSED, UNWRITABLE, INTERRUPTED = 141, 74, 130


def is_command() -> bool:
    """Whether this process was started as `sven-ref`, or as `python -m sven_ref`."""
    program, started = getattr(sys, "argv", [""])[0], sys.orig_argv
    if program == "-m":  # as it is until Python has found the module
        return ("-m", "sven_ref") in pairwise(started) or "-msven_ref" in started
    return program in started and os.path.basename(program).partition(".")[0] == "sven-ref"


def end(*_: Any) -> None:
    """What Ctrl-C does while nothing has begun."""
    os.write(2, b"sven-ref: interrupted\n")
    os._exit(INTERRUPTED)


def begin() -> None:
    """From here on Ctrl-C is what it is elsewhere, a `KeyboardInterrupt`."""
    if signal.getsignal(signal.SIGINT) is end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Output:
    """A text stream that drops what can't be written; `error` is the first reason, None before.

    While `raises`, it is a stream as any other, for a command that has ends of its own.
    """

    raises = False

    def __init__(self, stream: Any) -> None:
        self.stream = io.StringIO() if stream is None else stream  # None: the process was started with it closed
        self.error: OSError | None = None
        if hasattr(self.stream, "reconfigure"):  # else it is of another kind, which takes every character
            self.stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """All of it, or nothing and no error."""
        self.attempt(self.stream.write, text)
        return len(text)

    def flush(self) -> None:
        """What is left, or nothing and no error."""
        self.attempt(self.stream.flush)

    def attempt(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call it; after a first error the descriptor leads nowhere, or what is buffered would fail again at exit."""
        try:
            function(*arguments)
        except OSError as error:
            if self.raises:
                raise
            self.error = self.error or error
            with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:  # OSError: it has no descriptor
                os.dup2(nowhere.fileno(), self.stream.fileno())

    def status(self) -> int:
        """0, or the exit status at the head of this module."""
        self.flush()
        if self.error is None:
            return 0
        if isinstance(self.error, BrokenPipeError):
            return CLOSED
        why = f"standard output can't be written ({self.error.strerror}); what else the command writes is whole"
        print(f"sven-ref: error: {why}", file=sys.stderr)
        return UNWRITABLE


@contextlib.contextmanager
def lasting() -> Iterator[Output]:
    """Standard output and error are such streams inside; gives the first."""
    before = sys.stdout, sys.stderr
    out, err = (Output(stream) for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end)
