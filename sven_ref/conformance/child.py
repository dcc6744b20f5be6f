"""An adapter as a child process: JSON Lines over its standard input and output, no shell.

Nothing a child does ends a run. It has a time limit for each answer and a size limit for each line; a child that
crashes, hangs, floods or answers out of step is killed, the case at hand is reported as broken, and a new child is
started for the next one. A run starts `LIVES` children at most, and a hang costs `HANG` of them.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..arguments import check_number
from ..errors import ArgumentError
from . import hints, protocol, watch
from .protocol import AdapterError, Answer, Hello, ProtocolError

LINE = 4 << 20  # bytes in one answer
STDERR = 4 << 10  # bytes kept of the end of standard error
LIVES, HANG = 30, 6
TICK = 0.25  # s between looks at whether the child is still there
START = 6  # the start, which may import a framework, has this many times the time of an answer


class Timeout(ProtocolError):
    """No answer in time."""


def watcher() -> Any:
    """A process that ends another, whose number it is told, when this one ends."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watch.__file__],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )


class Process:
    """One running child. Threads move the bytes, a pipe each, so that no side waits for the other without limit.

    What comes before `marker` is no answer: lines without it are left out.
    """

    def __init__(self, argv: Sequence[str], stderr: int | None = subprocess.PIPE, marker: bytes = b"") -> None:
        self.marker = marker
        self.watcher = watcher()
        try:
            self.popen: Any = subprocess.Popen(
                argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # so that its own children can be ended with it
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except BaseException:
            self.watcher.communicate()
            raise
        with contextlib.suppress(OSError):  # it has been killed; the child is as good without
            self.watcher.stdin.write(b"%d\n" % self.popen.pid)
        self.out: queue.Queue[bytes] = queue.Queue(maxsize=8)  # a child that floods waits
        self.to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.buffer, self.stderr = b"", b""
        targets = (self._write, self._read, *([self._read_stderr] if stderr is not None else []))
        self.threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self.threads:
            thread.start()

    def _write(self) -> None:
        with contextlib.suppress(OSError), self.popen.stdin as stdin:  # OSError: it is gone; reading will tell
            while (data := self.to_send.get()) is not None:
                while data:
                    data = data[stdin.write(data) :]

    def _read(self) -> None:
        with contextlib.suppress(OSError), self.popen.stdout as stdout:  # OSError: it is gone, and so ends the output
            while data := stdout.read(1 << 16):
                self.out.put(data)
        self.out.put(b"")

    def _read_stderr(self) -> None:
        with contextlib.suppress(OSError), self.popen.stderr as stderr:  # the same
            while data := stderr.read(1 << 16):
                self.stderr = (self.stderr + data)[-STDERR:]

    def ask(self, message: Mapping[str, Any], timeout: float) -> bytes:
        """Send one message; the line that comes back."""
        self.to_send.put(protocol.line(message))
        end = time.monotonic() + timeout
        while self.marker not in (line := self._line(end, timeout)):
            pass
        return line[line.find(self.marker) + len(self.marker) :]

    def _line(self, end: float, timeout: float) -> bytes:
        """The next line, which must be there at `end`."""
        while b"\n" not in self.buffer:
            ended, left = self.popen.poll() is not None, end - time.monotonic()
            try:
                data = self.out.get(timeout=min(max(0.0, left), TICK))
            except queue.Empty:
                if left > 0 and not ended:
                    continue
                if left <= 0:
                    raise Timeout(f"no answer in {timeout:g} s: {hints.of_silence(self.buffer)}") from None
                data = b""  # it is gone, and a process it left behind holds the pipe
            if not data:
                raise ProtocolError(self.early_end())
            self.buffer += data
            if len(self.buffer) > LINE and b"\n" not in self.buffer[:LINE]:
                raise ProtocolError(f"more than {LINE} bytes without an end of line")
        data, _, self.buffer = self.buffer.partition(b"\n")
        return data

    def early_end(self) -> str:
        """An end instead of an answer, in words."""
        end = f"{self.ending()} before it answered"
        if self.buffer:
            return f"{end}: {hints.of_silence(self.buffer)}"
        return f"{end}: it has to read lines until it is told to stop" if self.popen.poll() == 0 else end

    def ending(self) -> str:
        """How the child ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it lives on with its output closed: said below
            status = self.popen.wait(1.0)
            if status >= 0:
                return f"the child exited with status {status}"
            return f"the child was ended by signal {-status} ({signal.strsignal(-status)})"
        return "the child closed its standard output"

    def end(self, grace: float = 0.0) -> str | None:
        """Say stop and wait for `grace` seconds, then kill; what was wrong with the end, if anything."""
        fault, noted = None, dict[int, bytes]()
        if grace:
            noted = watch.starts(self.popen.pid)
            self.to_send.put(protocol.line({"command": "stop"}))
        self.to_send.put(None)
        try:
            status = self.popen.wait(grace)
            fault = f"{self.ending()} after stop" if status and grace else None
        except subprocess.TimeoutExpired:  # it is killed below; a fault only where it was given time
            fault = f"the child did not exit within {grace:g} s of stop" if grace else None
        watch.end(self.popen.pid, None if self.popen.poll() is None else noted)  # it, and what it left behind
        self.popen.wait()
        self.watcher.kill()
        self.watcher.communicate()
        last = time.monotonic() + 1
        while any(thread.is_alive() for thread in self.threads) and time.monotonic() < last:
            with contextlib.suppress(queue.Empty):  # nothing to make room for: the thread is about to end
                self.out.get(timeout=0.01)
        return fault  # a thread still alive waits for a process that escaped and holds a pipe


def words(command: str | Sequence[str]) -> list[str]:
    """A command as a list of arguments."""
    try:
        argv = shlex.split(command) if isinstance(command, str) else [*map(str, command)]
    except ValueError as error:
        raise ArgumentError(f"cmd = {command!r}: {error}") from None
    if not argv:
        raise ArgumentError(f"cmd = {command!r}: must name a program")
    return argv


class Child:
    """The adapter started by `command`, a list of arguments, or a text split as a shell would; no shell runs it.

    Attributes
    ----------
    hello : what it said of itself when it was first started
    notes : what was wrong with its ends, for the report

    Raises
    ------
    ArgumentError : an empty command, quotes that don't close, a timeout that is no positive number
    AdapterError : it can't be started, or its first line is no valid hello
    """

    def __init__(self, command: str | Sequence[str], timeout: float = 10.0) -> None:
        self.timeout = check_number("timeout", timeout, "of seconds > 0", lambda x: x > 0)
        argv = words(command)
        self._begin(argv, command if isinstance(command, str) else shlex.join(argv))

    def _begin(self, argv: Sequence[str], name: str) -> None:
        self.argv, self.lives, self.notes = argv, LIVES, list[str]()
        self.process: Process | None = None
        try:
            self.hello = self._start()
        except ProtocolError as error:
            raise AdapterError(f"{name}: {self._drop(error)}") from None
        except OSError as error:
            raise AdapterError(f"{name}: can't be started: {error}{hints.of_command(name, error)}") from None
        except BaseException:  # Ctrl-C too
            self.kill()
            raise

    def _start(self) -> Hello:
        self.process = self._process()
        start = {"command": "start", "protocol": protocol.PROTOCOL}
        return self._hello(self.process.ask(start, START * self.timeout))

    def _process(self) -> Process:
        return Process(self.argv)

    def _hello(self, line: bytes) -> Hello:
        return protocol.parse_hello(line)

    def _answer(self, line: bytes, id: str) -> Answer:
        return protocol.parse_answer(line, id)

    def _drop(self, error: Exception) -> str:
        """Kill the child; what it did, and the end of its standard error."""
        self.lives -= HANG if isinstance(error, Timeout) else 1
        if self.process is None:
            return str(error)
        self.process.end()
        stderr = self.process.stderr.decode("utf-8", "backslashreplace").strip().splitlines()[-12:]
        answered = any(hints.whole(text.encode()) for text in stderr)
        self.process = None
        hint = ["what came on standard error looks like an answer: print answers on standard output"] * answered
        return "\n".join([str(error), *hint, *(f"stderr: {text}" for text in stderr)])

    def ask(self, question: Mapping[str, Any]) -> Answer:
        """The answer to one case; never raises for anything the child does."""
        if self.process is None and self.lives <= 0:
            return Answer("broken", "not asked: the adapter had hung or died too often before")
        try:
            if self.process is None and self._start() != self.hello:
                raise ProtocolError("the child started again and said something else of itself")
            assert self.process is not None
            line = self.process.ask({"command": "case", **question}, self.timeout)
            return self._answer(line, question["id"])
        except (ProtocolError, OSError) as error:
            return Answer("broken", self._drop(error))

    def close(self) -> None:
        """Stop the child; kill it if it does not stop."""
        if self.process is not None:
            fault = self.process.end(grace=min(5.0, self.timeout))
            self.notes += [fault] if fault else []
            self.process = None

    def kill(self) -> None:
        """End the child at once."""
        if self.process is not None:
            self.process.end()
            self.process = None
