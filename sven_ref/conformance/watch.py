"""`python watch.py`: read a process's number from standard input, and end it and all it started when that input closes.

A runner holds the other end. However it ends, by a signal that nobody can catch too, the system closes that end, and an
adapter that hangs does not outlive it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and its descendants, those in sessions of their own too; where there is no /proc it alone."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])  # pid (name) state parent …
            children[parent].append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children[one]
    return found


def start(pid: int) -> bytes:
    """When a process began, which tells it from a later one of that number; empty where it can't be known."""
    with contextlib.suppress(OSError):  # there is no such process, or no /proc
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19]
    return b""


def starts(pid: int) -> dict[int, bytes]:
    """The family of `pid`, to be ended by `end` when `pid` has exited and they can't be found by it."""
    return {one: start(one) for one in family(pid)}


def end(pid: int, noted: dict[int, bytes] | None = None) -> None:
    """Kill the process group of `pid` and its descendants elsewhere: those of now, or those `noted` that are there."""
    there = family(pid) if noted is None else [pid, *(one for one, at in noted.items() if at and start(one) == at)]
    with contextlib.suppress(OSError):  # nothing of it is left
        os.killpg(pid, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(pid, signal.SIGTERM)
    for one in there[1:]:
        with contextlib.suppress(OSError):  # it was in the group
            os.kill(one, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


if __name__ == "__main__":
    first, _, _ = sys.stdin.read().partition("\n")
    if first:  # else the runner ended before it had started anything
        end(int(first))
