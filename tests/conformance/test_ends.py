"""Every end of `sven-ref verify`: signals, closed pipes, full disks, adapters that end their process.

Each is tried on the command itself, in a process of its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DENSE = "sven_ref.conformance.adapter:dense"
ENV = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "sven_ref", "verify"]


def verify(*arguments, env=None, cwd=None, **options):
    """The command, to its end."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([*COMMAND, *arguments], env=ENV | (env or {}), cwd=cwd, timeout=120, text=True, **options)


# ---------------------------------------------------------------------------------------------------- signals

HELLO = {"protocol": 1, "name": "n", "version": "1", "ops": ["matvec"], "dtypes": ["float64"]}
HANG = (
    f"""
import os, signal, subprocess, sys, time
HELLO = {json.dumps(HELLO)!r}
"""
    + """
def note(pid):
    with open(sys.argv[1], "a") as file:
        file.write(f"{pid}\\n")
BEFORE
sys.stdin.readline()
print(HELLO, flush=True)
sys.stdin.readline()
HANG
note(os.getpid())
while True:
    time.sleep(60)
"""
)


def hanging(before, hang):
    return HANG.replace("BEFORE", before).replace("HANG\n", hang + "\n")


SLEEP = "subprocess.Popen(['sleep', '600'], {}).pid"
HANGS = {
    "a child that hangs": "",
    "one that ignores signals": "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 3, 15)]",
    "one with a child": f"note({SLEEP.format('')})",
    "one with a child in a session of its own": f"note({SLEEP.format('start_new_session=True')})",
    "one with a grandchild": (
        'code = "import subprocess, time; '
        "print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True); time.sleep(600)\"\n"
        "p = subprocess.Popen([sys.executable, '-S', '-c', code], stdout=subprocess.PIPE, start_new_session=True)\n"
        "note(p.pid); note(int(p.stdout.readline()))"
    ),
    "one that closed two of its pipes": "[os.close(fd) for fd in (0, 2)]",
    "one that is stopped": "note(os.getpid()); os.kill(os.getpid(), signal.SIGSTOP)",
}
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGUSR1, signal.SIGXCPU]


def running(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def end_by(sig, arguments, notes, number, **options):
    """The command's exit code, once it was sent a signal and all whom the child noted are gone."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        wait_until(lambda: notes.exists() and len(notes.read_text().splitlines()) >= number)
        process.send_signal(sig)
        code = process.wait(30)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(map(running, notes.read_text().split())))
    return code


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="whether a process runs is read in /proc")


@needs_proc
@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_a_child_ends_with_the_runner_that_is_cancelled(tmp_path, hang):
    """ClickHouse/ClickHouse#101636, Lexus2016/claude-code-studio#34: CI sends SIGTERM."""
    script, notes = tmp_path / "hang.py", tmp_path / "notes"
    script.write_text(hanging("", hang))
    number = {"one with a child in a session of its own": 2, "one with a child": 2, "one with a grandchild": 3}
    number = next((n for name, n in number.items() if HANGS[name] == hang), 1)
    arguments = ["--cmd", f"{sys.executable} -S {script} {notes}", "--timeout", "100"]
    assert end_by(signal.SIGTERM, arguments, notes, number) == -signal.SIGTERM


@needs_proc
@pytest.mark.parametrize("sig", SIGNALS, ids=lambda sig: sig.name)
def test_a_child_ends_with_the_runner_by_every_signal(tmp_path, sig):
    script, notes = tmp_path / "hang.py", tmp_path / "notes"
    script.write_text(hanging("", HANGS["one with a child in a session of its own"]))
    arguments = ["--cmd", f"{sys.executable} -S {script} {notes}", "--timeout", "100"]
    assert end_by(sig, arguments, notes, 2) == (130 if sig == signal.SIGINT else -sig)


@needs_proc
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT], ids=lambda sig: sig.name)
def test_a_child_that_hangs_at_its_start_ends_too(tmp_path, sig):
    script, notes = tmp_path / "hang.py", tmp_path / "notes"
    script.write_text(hanging(HANGS["one with a grandchild"] + "\ntime.sleep(600)", ""))
    arguments = ["--cmd", f"{sys.executable} -S {script} {notes}", "--timeout", "100"]
    end_by(sig, arguments, notes, 2)
