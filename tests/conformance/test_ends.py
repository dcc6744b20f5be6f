"""Every end of `sven-ref verify`: signals, closed pipes, full disks, adapters that end their process.

What a shell sees is tried on the command itself, in a process of its own.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from sven_ref import cli
from sven_ref.conformance import loader, output, protocol
from sven_ref.conformance.module_child import ModuleChild
from sven_ref.conformance.protocol import AdapterError, ProtocolError

ROOT = Path(__file__).parents[2]
SUITE = loader.load()
DENSE = "sven_ref.conformance.adapter:dense"
ENV = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
COMMAND = [sys.executable, "-m", "sven_ref", "verify"]


def verify(*arguments, env=None, cwd=None, **options):
    """The command, to its end."""
    return subprocess.run([*COMMAND, *arguments], env=ENV | (env or {}), cwd=cwd, timeout=120, **PIPES | options)


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
    except OSError:  # there is no such process
        return False


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def default_signals():
    """A shell has what it starts in the background ignore some signals, `nohup` SIGHUP, and so all that these start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def end_by(sig, arguments, notes, number, **options):
    """The command's exit code, once it was sent a signal and all whom the child noted are gone."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*COMMAND, *arguments], env=ENV, preexec_fn=default_signals, **pipes, **options)
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


@needs_proc
def test_an_adapter_in_python_that_hangs_ends_too(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, subprocess, time\n"
        "class Adapter:\n"
        "    name, version, ops, dtypes = 'mine', '1', ['matvec'], ['float64']\n"
        "    def run(self, op, dtype, i):\n"
        "        pid = subprocess.Popen(['sleep', '600'], start_new_session=True).pid\n"
        "        open('notes', 'a').write(f'{os.getpid()}\\n{pid}\\n')\n"
        "        time.sleep(600)\n"
    )
    code = end_by(signal.SIGTERM, ["--module", "mine:Adapter"], tmp_path / "notes", 2, cwd=tmp_path)
    assert code == -signal.SIGTERM


ENDS_WELL = """
sys.stdin.readline()
print(HELLO, flush=True)
import json
while (question := json.loads(sys.stdin.readline()))["command"] == "case":
    print(json.dumps({"id": question["id"], "skip": "why"}), flush=True)
"""


@needs_proc
@pytest.mark.parametrize("how", ["one with a child in a session of its own", "one with a grandchild"])
def test_what_an_adapter_started_ends_with_one_that_ends_well(tmp_path, how):
    script, notes = tmp_path / "ends.py", tmp_path / "notes"
    script.write_text(HANG.partition("BEFORE")[0] + HANGS[how] + ENDS_WELL)
    done = verify("--cmd", f"{sys.executable} -S {script} {notes}", "--only", "matvec-*")
    assert "stderr" not in done.stdout
    assert "after stop" not in done.stdout
    wait_until(lambda: not any(map(running, notes.read_text().split())), 3.0)


# ------------------------------------------------------------------------------------- pipes, disks, what is closed

WRONG = """
from sven_ref.conformance.adapter import Reference
class Adapter(Reference):
    def __init__(self):
        super().__init__("dense")
    def matvec(self, i):
        return {"product": -super().matvec(i)["product"]}
"""
IMPORT = "from sven_ref.conformance.adapter"
BUFFERED = [{}, {"PYTHONUNBUFFERED": "1"}]


@pytest.fixture
def wrong(tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "code", "lines", "env"),
    [
        (DENSE, 0, 1, BUFFERED[0]),
        (DENSE, 0, 1, BUFFERED[1]),
        (DENSE, 0, 0, BUFFERED[1]),
        ("wrong:Adapter", 1, 0, BUFFERED[0]),
        ("wrong:Adapter", 1, 3, BUFFERED[1]),
    ],
)
def test_a_reader_that_closes_the_pipe_changes_no_exit_code(wrong, module, code, lines, env):
    """Backblaze/B2_Command_Line_Tool#1071, Sherin-SEF-AI/CanLab#24, pypa/pip#13881."""
    arguments = [*COMMAND, "--module", module, "--only", "matvec-*"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": wrong}
    process = subprocess.Popen(arguments, env=ENV | env, **options)
    for _ in range(lines):
        assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == code


full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is /dev/full")


@full_disk
@pytest.mark.parametrize("env", BUFFERED, ids=["buffered", "unbuffered"])
def test_a_full_disk_loses_no_report(wrong, env):
    with open("/dev/full", "w") as full:
        done = verify("--module", "wrong:Adapter", "--only", "matvec-*", stdout=full, cwd=wrong, env=env)
    assert done.returncode == 5
    assert "FAILED  matvec-" in done.stderr
    assert done.stderr.endswith("sven-ref: error: standard output could not be written: No space left on device\n")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr

    with open("/dev/full", "w") as full:
        files = ["--json", "r.json", "--junit", "r.xml"]
        done = verify("--module", DENSE, "--only", "matvec-*", *files, stdout=full, stderr=full, cwd=wrong, env=env)
    assert done.returncode == 5
    assert json.loads((wrong / "r.json").read_text())["counts"]["failed"] == 0
    assert (wrong / "r.xml").read_text().startswith("<?xml")
    with open("/dev/full", "w") as full:
        assert verify("--module", "nowhere:A", stderr=full, env=env).returncode == 3


@full_disk
@pytest.mark.parametrize("option", ["--json", "--junit"])
def test_a_file_on_a_full_disk_loses_no_report(option, capsys):
    assert cli.main(["verify", "--module", DENSE, "--only", "matvec-*", option, "/dev/full"]) == 5
    out, err = capsys.readouterr()
    assert "no claim: only a part of the cases was asked" in out
    assert err == "sven-ref: error: /dev/full: could not be written: No space left on device\n"


@pytest.mark.parametrize("option", ["--json", "--junit"])
@pytest.mark.parametrize("before", ["of the last run", None])
def test_a_file_that_can_not_be_written_to_its_end_is_as_it_was(tmp_path, option, before):
    """A file was left empty by a disk that was full."""
    report = tmp_path / "report"
    if before is not None:
        report.write_text(before)

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = verify("--module", DENSE, "--only", "matvec-*", option, report, cwd=tmp_path, preexec_fn=small_files)
    assert done.returncode == 5
    assert done.stderr == f"sven-ref: error: {report}: could not be written: File too large\n"
    assert "no claim: only a part of the cases was asked" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["report"] * (before is not None)
    assert before is None or report.read_text() == before


def test_a_file_is_replaced_where_a_link_leads_with_its_permissions(tmp_path):
    place, link, new = tmp_path / "place", tmp_path / "link", tmp_path / ("x" * 255)
    place.write_text("before")
    place.chmod(0o604)
    link.symlink_to(place)
    (tmp_path / "dangling").symlink_to(tmp_path / "made")
    for file in (link, new, tmp_path / "dangling"):
        assert output.write(str(file), lambda: b"after") == []
    assert link.is_symlink()
    assert (place.read_text(), new.read_text(), (tmp_path / "made").read_text()) == ("after",) * 3
    assert place.stat().st_mode & 0o777 == 0o604
    (tmp_path / "another").touch()
    assert new.stat().st_mode == (tmp_path / "another").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="pipes have names on POSIX")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert output.write(str(pipe), lambda: b"report") == []
        assert reader.stdout.read() == b"report"
    assert pipe.is_fifo()


@pytest.mark.parametrize("option", ["--json", "--junit"])
@pytest.mark.parametrize("spelling", ["itself", "absolute", "by a link", "by another way"])
def test_what_the_command_reads_is_not_written_over(tmp_path, option, spelling, monkeypatch, capsys):
    """The report was written over the answers that it is about."""
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name, options in {
        "answers.jsonl": ["--answers", "answers.jsonl"],
        "mine.py": ["--cmd", f"{sys.executable} mine.py"],
        "folder/mine.py": ["--module", "folder.mine:Adapter"],
    }.items():
        file = Path(name)
        file.write_text("kept")
        Path("link").unlink(missing_ok=True)
        Path("link").symlink_to(name)
        way = {
            "itself": name,
            "absolute": str(file.resolve()),
            "by a link": "link",
            "by another way": f"folder/../{name}",
        }
        assert cli.main(["verify", *options, option, way[spelling]]) == 2
        why = "is read by this command, and would be written over; must be another file"
        assert capsys.readouterr().err == f"sven-ref: error: {option[2:]} = {way[spelling]!r}: {why}\n"
        assert file.read_text() == "kept"


@pytest.mark.parametrize(("closed", "code"), [("<&- 2>&-", 0), (">&-", 5), ("<&- >&- 2>&-", 5)])
def test_pipes_that_are_closed_from_the_start(tmp_path, closed, code):
    (tmp_path / "r.json").write_text("of the last run")
    command = f'"$0" -m sven_ref verify --module {DENSE} --only "matvec-*" --json r.json {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, env=ENV, capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["counts"]["failed"] == 0


@pytest.mark.parametrize("option", ["json", "junit"])
def test_where_no_file_can_be_written_is_found_before_the_run(tmp_path, option, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("kept")
    Path("to_nowhere").symlink_to("/nowhere/r")
    for place, why in {
        "/nowhere/r": "/nowhere is no directory",
        "nowhere/": "is a directory",
        ".": "is a directory",
        "": "is a directory",
        "file/r": "file is no directory",
        "to_nowhere": "/nowhere is no directory",
        "x" * 300: "File name too long",
    }.items():
        assert cli.main(["verify", "--cmd", "touch asked", f"--{option}", place]) == 2
        err = capsys.readouterr().err
        assert f"{option} = {place!r}: " in err
        assert f"{why}; must be a file that can be written\n" in err
    assert cli.main(["verify", "--cmd", "touch asked", "--json", "r", "--junit", "./r"]) == 2
    assert "json = 'r', junit = './r': must be two files" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"file", "to_nowhere"}
    assert Path("file").read_text() == "kept"


def test_a_report_goes_to_standard_error_that_is_a_pipe(tmp_path):
    done = verify("--module", DENSE, "--only", "matvec-hand-wide", "--json", "/dev/stderr", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stderr)["counts"]["failed"] == 0


def test_a_file_that_is_standard_output_would_be_written_over(tmp_path):
    with open(tmp_path / "out", "w") as out:
        done = verify("--module", DENSE, "--json", "/dev/stdout", stdout=out, cwd=tmp_path)
    assert done.returncode == 2
    assert "json = '/dev/stdout': is standard output, where the text of the report goes" in done.stderr


def test_a_place_where_writing_is_not_permitted(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert output.unwritable(__file__) == output.unwritable("r") == "writing is not permitted there"


def test_a_refused_command_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, code in ((["--module", "nowhere:A"], 3), (["--module", DENSE, "--only", "x"], 2)):
        assert cli.main(["verify", *arguments, "--json", "r.json", "--junit", "r.xml"]) == code
        assert not [*tmp_path.iterdir()]


# ------------------------------------------------------------------------------------------- code that ends its process

EXITS = {  # what run does at the first matvec: what is said of that case
    "os._exit(0)": ("os._exit(0)", "the child exited with status 0 before it answered"),
    "os._exit(1)": ("os._exit(1)", "the child exited with status 1 before it answered"),
    "exit of C": ("ctypes.CDLL(None).exit(0)", "the child exited with status 0 before it answered"),
    "_exit of C": ("ctypes.CDLL(None)._exit(0)", "the child exited with status 0 before it answered"),
    "abort": ("os.abort()", "the child was ended by signal 6 (Aborted) before it answered"),
    "a segmentation fault": ("ctypes.string_at(0)", "the child was ended by signal 11 (Segmentation fault)"),
    "a signal": ("os.kill(os.getpid(), signal.SIGTERM)", "the child was ended by signal 15 (Terminated)"),
    "another program": ("os.execv('/bin/true', ['true'])", "the child exited with status 0 before it answered"),
    "from a thread": ("threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(60)", "status 0 before it"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "status 1 before it answered|signal 2 "),
    "a closed output": ("os.closerange(3, 100)", "before it answered"),
}
ENDS = """
import ctypes, os, signal, threading, time
from sven_ref.conformance.adapter import Reference
class Adapter(Reference):
    def __init__(self):
        super().__init__("dense")
    def run(self, op, dtype, input):
        if op == "matvec" and dtype == "float64" and not os.path.exists("done"):
            open("done", "w").close()
            EXIT
        return super().run(op, dtype, input)
"""


@pytest.mark.parametrize(("how", "said"), EXITS.values(), ids=EXITS)
def test_an_adapter_that_ends_its_process_breaks_one_case(tmp_path, monkeypatch, how, said):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(ENDS.replace("EXIT", how))
    source = ModuleChild("mine:Adapter")
    first, again = (source.ask(protocol.question(SUITE["matvec-hand-wide"], "float64")) for _ in range(2))
    source.close()
    assert first.kind == "broken"
    assert any(part in first.value for part in said.split("|"))
    assert again == ("output", {"product": SUITE["matvec-hand-wide"].expected["product"]})


def test_warnings_as_errors_find_nothing_in_the_command(tmp_path):
    """The child left two pipes to the end of Python."""
    done = verify("--module", DENSE, "--only", "matvec-*", cwd=tmp_path, env={"PYTHONWARNINGS": "error"})
    assert (done.returncode, done.stderr) == (0, "")


def test_an_exit_in_an_adapter_is_no_success(tmp_path):
    (tmp_path / "mine.py").write_text(ENDS.replace("EXIT", "os._exit(0)"))
    done = verify("--module", "mine:Adapter", "--level", "core", cwd=tmp_path)
    assert done.returncode == 1
    assert "not conforming: 1 broken" in done.stdout


@pytest.mark.parametrize("how", ["os._exit(0)", "raise SystemExit(0)"])
@pytest.mark.parametrize("where", ["import", "class", "attribute"])
def test_an_adapter_that_ends_its_process_before_it_is_asked(tmp_path, monkeypatch, how, where):
    monkeypatch.chdir(tmp_path)
    code = {
        "import": f"import os; {how}",
        "class": f"class Adapter:\n    def __init__(self):\n        import os; {how}",
        "attribute": f"class Adapter:\n    @property\n    def name(self):\n        import os; {how}",
    }
    Path("mine.py").write_text(code[where])
    with pytest.raises(AdapterError, match=r"^mine:Adapter: .*(exited with status 0 before it answered|SystemExit: 0)"):
        ModuleChild("mine:Adapter")


def test_an_adapter_with_a_bad_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(f"import atexit, os\n{IMPORT} import dense as Adapter\natexit.register(os._exit, 3)")
    source = ModuleChild("mine:Adapter")
    source.close()
    assert source.notes == ["the child exited with status 3 after stop"]


def test_what_an_adapter_in_python_prints_and_reads_is_its_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, sys\nfrom sven_ref.conformance.adapter import Reference\nprint('loading')\n"
        "class Adapter(Reference):\n"
        "    def __init__(self):\n        super().__init__('dense'); print('made')\n"
        "    def matvec(self, i):\n"
        "        os.write(1, b'{}\\n'); print('{\"id\": 1}'); assert sys.stdin.read() == ''\n"
        "        return super().matvec(i)\n"
    )
    done = verify("--module", "mine:Adapter", "--only", "matvec-*", cwd=tmp_path, input="typed\n")
    assert done.returncode == 0
    assert "loading" not in done.stdout
    assert done.stderr.startswith("loading\nmade\n")


NOISE = """
import os
def noise(text):
    for fd in range(1, 12):
        if fd != 2:
            try:
                os.write(fd, text)
            except OSError:
                pass
"""
SAID = {
    "a line": b"loss = 0.3\n",
    "no end of line": b"loss = 0.3",
    "an answer": b'["matvec-hand-wide", "output", {"product": [0, 0]}]\n',
    "a number": b"1\n",
    "empty lines": b"\n\n",
    "no UTF-8": b"\xff\xfe\x00",
    "a megabyte": b"x" * (1 << 20) + b"\n",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_what_comes_on_the_pipe_of_the_answers_and_is_none_is_left_out(tmp_path, said):
    """What a Python prints at its start, or an adapter on every descriptor, was a traceback."""
    (tmp_path / "noise.py").write_text(NOISE)
    (tmp_path / "sitecustomize.py").write_text(f"import noise\nnoise.noise({said!r})\n")
    (tmp_path / "mine.py").write_text(
        f"import noise\nfrom sven_ref.conformance.adapter import Reference\nnoise.noise({said!r})\n"
        "class Adapter(Reference):\n"
        "    def __init__(self):\n        super().__init__('dense')\n"
        f"    def matvec(self, i):\n        noise.noise({said!r})\n        return super().matvec(i)\n"
    )
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = verify(
        "--module",
        "mine:Adapter",
        "--only",
        "matvec-hand*",
        "--json",
        "r.json",
        cwd=tmp_path,
        env=env,
        errors="replace",
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    counts = json.loads((tmp_path / "r.json").read_text())["counts"]
    assert counts["passed"] == sum(counts.values()) > 0


def test_an_answer_into_which_others_write_breaks_its_case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(f"{IMPORT} import dense as Adapter")
    source = ModuleChild("mine:Adapter")
    for line in (b"[1, 2", b'["a"]', b"null", b'{"a": 1}', b'["a", "output", {}, 0, 0, 0]', b'["a", "perhaps", 0]'):
        with pytest.raises(ProtocolError):
            source._answer(line, "a")
        with pytest.raises(ProtocolError):
            source._hello(line)
    source.close()


# ------------------------------------------------------------------------------------------------- vectors, encodings


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("manifest.json", lambda data: None),
        ("manifest.json", lambda data: b"{}"),
        ("manifest.json", lambda data: b"null"),
        ("manifest.json", lambda data: b"[]"),
        ("manifest.json", lambda data: data[:100]),
        ("vectors/step.json", lambda data: None),
        ("vectors/step.json", lambda data: data[:1000]),
        ("vectors/step.json", lambda data: data.replace(b"1.0", b"1.5", 1)),
        ("flags.json", lambda data: b"{}"),
    ],
)
def test_vectors_that_are_altered_say_nothing_of_an_adapter(tmp_path, monkeypatch, capsys, name, change):
    root = Path(shutil.copytree(ROOT / "sven_ref" / "conformance", tmp_path / "suite"))
    path = root / name
    data = change(path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    monkeypatch.setattr(loader, "load", partial(loader.load, root))
    commands = [["verify", "--module", DENSE], ["verify", "--cmd", f"touch {tmp_path}/asked"], ["vectors"]]
    for arguments in [*commands, ["vectors", "list"], ["vectors", "show", "step-hand"], ["vectors", "questions"]]:
        assert cli.main(arguments) == 5
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"sven-ref: error: {path}")
        assert err.count("\n") == 1
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ASCII", "Latin-1", "C", "POSIX"],
)
def test_every_locale_has_a_report_and_files_in_utf_8(tmp_path, env):
    """Textualize/rich#212, #826; argrento/huami-token#5."""
    (tmp_path / "mine.py").write_text(
        WRONG.replace('"dense")', '"dense")\n        self.name = "σ ≥ τ"'), encoding="utf-8"
    )
    files = ["--json", "r.json", "--junit", "r.xml"]
    arguments = ["--module", "mine:Adapter", "--only", "matvec-*", "rmatvec-*", *files]
    done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, env=ENV | env, capture_output=True)
    assert done.returncode == 1
    assert b"\\u03c3" in done.stdout
    assert b"Traceback" not in done.stderr
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["adapter"]["name"] == "σ ≥ τ"
    assert "σ ≥ τ" in (tmp_path / "r.xml").read_text(encoding="utf-8")


# --------------------------------------------------------------------------------------------------------------- Git


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_clone_with_autocrlf_has_the_same_vectors(tmp_path):
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(ROOT / "sven_ref" / "conformance", origin / "sven_ref" / "conformance")
    shutil.copy(ROOT / ".gitattributes", origin)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(origin)]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "c"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", str(origin), str(clone)], check=True)
    assert loader.load(clone / "sven_ref" / "conformance") == loader.load()
