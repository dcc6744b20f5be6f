"""A folder to oneself: of two commands that write into one, the second is refused with the first one's name.

FOLDER/lock is locked by the kernel (flock) for as long as its holder lives, however it ends, and says who that is. What
a killed process leaves of it is taken over. Where there is no flock (Windows) nothing is locked.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

from ...errors import SvenError

NAME = "lock"
PATIENCE, TICK = 3.0, 0.05  # seconds: workers of a command that was killed end a moment after it


class LockedError(SvenError):
    """Another process writes into the folder."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which must exist; raise `LockedError` where another process keeps it."""
    if find_spec("fcntl") is None:
        yield
        return
    path, end = folder / NAME, monotonic() + PATIENCE
    while (descriptor := held(path)) is None:
        if monotonic() > end:
            raise LockedError(f"{folder}: is in use by {holder(path)}; wait for its end or choose another directory")
        sleep(TICK)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def held(path: Path) -> int | None:
    """A descriptor of the file at `path`, which it locks; None while another process has it."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # its holder did not remove it meanwhile
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # another process has it, or has just removed it
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def holder(path: Path) -> str:
    """Who wrote its name there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:  # it has just let go
        return "another process"
