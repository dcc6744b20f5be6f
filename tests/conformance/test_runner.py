"""The runner against children, modules and files that misbehave: each fault is reported, none ends a run."""

import json
import subprocess
import sys
import textwrap
import time
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from sven_ref import cli
from sven_ref.conformance import adapter, judge, loader, plugin, protocol, report, runner, sources
from sven_ref.conformance.child import HANG, LIVES, Child
from sven_ref.conformance.protocol import AdapterError, Answer, Hello
from sven_ref.conformance.sources import Answers, Module
from sven_ref.errors import ArgumentError

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]
SUITE = loader.load()
HELLO = {"protocol": 1, "name": "planted", "version": "1", "ops": ["matvec"], "dtypes": ["float64"]}

# A right child, with a place for a fault: `n` counts its answers from 0, `say` prints a line.
CHILD = """
import json, os, signal, sys, time
def say(message, end="\\n"):
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + end)
    sys.stdout.flush()
{start}
n = 0
for line in sys.stdin:
    m = json.loads(line)
    if m["command"] == "start":
        say({hello})
    elif m["command"] == "stop":
        {stop}
        sys.exit(0)
    else:
        answer = {{"id": m["id"], "output": {{"echo": m["input"]}}}}
{fault}
        say(answer)
        n += 1
"""


@pytest.fixture
def child(tmp_path):
    """Make a `Child` of CHILD with a planted fault."""
    made = []

    def make(fault="pass", start="", stop="pass", hello="HELLO", timeout=20.0):
        script = tmp_path / "child.py"
        code = CHILD.format(start=start, stop=stop, hello=hello, fault=textwrap.indent(fault, " " * 8))
        script.write_text(f"HELLO = {HELLO!r}\n{code}")
        made.append(Child(f"{sys.executable} -S -E {script}", timeout))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def ask(child, *ids):
    return [child.ask({"id": id, "op": "matvec", "dtype": "float64", "input": {"v": [1.5]}}) for id in ids]


def fine(answer):
    return answer == Answer("output", {"echo": {"v": [1.5]}})


def test_a_right_child_is_asked_and_stopped(child):
    c = child()
    assert c.hello == Hello("planted", "1", ("matvec",), ("float64",))
    assert all(map(fine, ask(c, "a", "b")))
    process = c.process.popen
    c.close()
    assert process.returncode == 0
    assert c.notes == []


AT_B = 'if m["id"] == "b":\n    '
FAULTS = {  # what is done at case b: what is said of it, and whether the child has to be started anew
    "crash": ("os._exit(7)", "the child exited with status 7 before it answered", True),
    "signal": ("os.kill(os.getpid(), signal.SIGKILL)", "the child was ended by signal 9 (Killed)", True),
    "exception": ("raise RuntimeError('planted')", "stderr: RuntimeError: planted", True),
    "exits early": ("sys.exit(0)", "the child exited with status 0 before it answered", True),
    "garbage": ("answer = 'loss = 0.3'", "not a line of JSON: 'loss = 0.3'", True),
    "empty line": ("answer = ''", "not a line of JSON: ''", True),
    "a print before the answer": ("say('warming up')", "not a line of JSON: 'warming up'", True),
    "no object": ("answer = [1]", "not a JSON object: '[1]'", True),
    "half an answer": ("say('{\"id\"', end=''); os._exit(0)", "status 0 before it answered", True),
    "nested too deep": ("answer = '[' * 100000", "not a line of JSON", True),
    "a number too long": ("answer = '{\"id\": ' + '9' * 5000 + '}'", "answer to case inf where 'b' was asked", True),
    "not UTF-8": ("os.write(1, b'\\xff\\xfe\\n')", r"not a line of JSON: '\\xff\\xfe'", True),
    "wrong id": ("answer['id'] = 'a'", "answer to case 'a' where 'b' was asked", True),
    "no id": ("del answer['id']", 'no id in \'{"output": {"echo": {"v": [1.5]}}}\': an answer has the id', True),
    "flood": ("while True: say('x' * 65536, end='')", "more than 4194304 bytes without an end of line", True),
    "huge line": ("answer['output'] = 'x' * (5 << 20)", "more than 4194304 bytes without an end of line", True),
    "flood of lines": ("while True: say('x')", "not a line of JSON: 'x'", True),
    "closes its output": ("os.close(1); time.sleep(60)", "the child closed its standard output before", True),
    "NaN as token": ("answer['output'] = {'update': [float('nan')]}", "NaN in the answer: it is not JSON", False),
    "Infinity as token": ("answer['output'] = {'update': [float('inf')]}", "Infinity in the answer", False),
    "a name twice": (
        """answer = '{"id": "b", "output": {"x": 0}, "output": {"x": 1}}'""",
        "'output' twice in the answer",
        False,
    ),
    "a name twice, deep": (
        """answer = '{"id": "b", "output": {"x": [{"y": 0, "y": 1}]}}'""",
        "'y' twice in the answer",
        False,
    ),
    "an id twice": ("""answer = '{"id": "b", "id": "b", "skip": ""}'""", "'id' twice in the answer", True),
    "unknown field": ("answer['rank'] = 3", "the answer has fields ['output', 'rank'] beside id", False),
    "output and error": ("answer['error'] = 'no'", "the answer has fields ['error', 'output'] beside id", False),
    "no answer": ("del answer['output']", "the answer has fields [] beside id", False),
    "output a list": ("answer['output'] = [1]", "output = [1]: must be an object", False),
    "error a number": ("answer = {'id': 'b', 'error': 3}", "error = 3: must be a string", False),
}


@pytest.mark.parametrize(("fault", "said", "anew"), FAULTS.values(), ids=FAULTS)
def test_a_fault_breaks_its_case_and_no_other(child, fault, said, anew):
    c = child(AT_B + fault)
    before = c.process
    a, b, after, last = ask(c, "a", "b", "c", "d")
    assert b.kind == "broken"
    assert said in b.value
    assert all(map(fine, (a, after, last)))
    assert (c.process is not before) == anew
    assert c.lives == LIVES - anew


def test_a_hang_has_a_time_limit(child):
    c = child(AT_B + "time.sleep(60)", timeout=1.0)
    start = time.monotonic()
    a, b, after = ask(c, "a", "b", "c")
    assert time.monotonic() - start < 10
    assert b.kind == "broken"
    assert b.value.startswith("no answer in 1 s: nothing came on standard output. The adapter may be at work still")
    assert fine(a)
    assert fine(after)
    assert c.lives == LIVES - HANG


def test_a_line_without_end_is_a_hang_with_another_hint(child):
    c = child(AT_B + "say(answer, end=''); time.sleep(60)", timeout=1.0)
    (b,) = ask(c, "b")
    assert b.value.startswith('no answer in 1 s: \'{"id": "b", "output"')
    assert b.value.endswith("came whole, but no newline after it: end every answer by a newline")


def test_a_child_that_always_hangs_is_not_asked_for_ever(child):
    c = child("time.sleep(60)", timeout=0.3)
    answers = ask(c, *"abcdefgh")
    assert [a.value[:9] for a in answers] == ["no answer"] * (LIVES // HANG) + ["not asked"] * (8 - LIVES // HANG)


def test_a_second_answer_is_taken_for_no_other_case(child):
    c = child(AT_B + "say(answer)")
    a, b, after, last = ask(c, "a", "b", "c", "d")
    assert all(map(fine, (a, b, last)))
    said = "answer to case 'b' where 'c' was asked: one answer to each question, in order"
    assert after == Answer("broken", said)


def test_a_flood_on_standard_error_is_no_fault_and_its_end_is_kept(child):
    c = child(
        "sys.stderr.write('x' * (1 << 20) + '\\n' * 100 + 'the end\\n'); sys.stderr.flush()\n" + AT_B + "os._exit(1)"
    )
    a, b, _ = ask(c, "a", "b", "c")
    assert fine(a)
    assert b.value.endswith("stderr: the end")
    assert len(b.value) < 5000


def test_a_child_that_does_not_read_does_not_block_the_runner(child):
    c = child(AT_B + "time.sleep(60)", timeout=2.0)
    big = {"id": "b", "op": "matvec", "dtype": "float64", "input": {"v": [0.0] * 100_000}}
    assert c.ask(big).kind == "broken"
    assert c.ask({**big, "id": "c"}).kind == "output"


def test_a_child_that_says_something_else_of_itself_when_started_again(child, tmp_path):
    flag = tmp_path / "flag"
    again = f"if os.path.exists({str(flag)!r}): HELLO['name'] = 'other'\nopen({str(flag)!r}, 'w').close()"
    c = child(AT_B + "os._exit(0)", start=again)
    assert "started again and said something else" in ask(c, "b", "c")[1].value


def test_a_program_that_is_gone_when_it_is_started_again(child, tmp_path):
    child(AT_B + "os._exit(0)")
    script = tmp_path / "program"
    script.write_text(f"#!{sys.executable} -S\n" + (tmp_path / "child.py").read_text())
    script.chmod(0o755)
    c = Child(str(script))
    script.unlink()
    a, b, after = ask(c, "a", "b", "c")
    assert fine(a)
    assert "status 0" in b.value
    assert "No such file" in after.value
    c.close()


def test_what_a_child_leaves_behind_is_ended_with_it(child):
    leave = "import subprocess; subprocess.Popen(['sleep', '60']); os._exit(5)"
    c = child(AT_B + leave)
    start = time.monotonic()
    assert ask(c, "b")[0].value == "the child exited with status 5 before it answered"
    assert time.monotonic() - start < 10


STARTS = {
    "crash": ({"start": "raise RuntimeError('no GPU')"}, "stderr: RuntimeError: no GPU"),
    "exit": ({"start": "sys.exit(0)"}, "the child exited with status 0 before it answered"),
    "print": ({"start": "say('Loading the model ...')"}, "standard output is for answers alone"),
    "protocol true": ({"hello": "{**HELLO, 'protocol': True}"}, "protocol = True: must be 1"),
    "protocol 2": ({"hello": "{**HELLO, 'protocol': 2}"}, "protocol = 2: must be 1"),
    "name": ({"hello": "{**HELLO, 'name': 3}"}, "name = 3: must be a string"),
    "unknown op": ({"hello": "{**HELLO, 'ops': ['svd']}"}, "ops = ['svd']: must be a list of matvec, rmatvec"),
    "no ops": ({"hello": "{**HELLO, 'ops': []}"}, "ops = []: must be a list of"),
    "dtypes": (
        {"hello": "{**HELLO, 'dtypes': 'float64'}"},
        "dtypes = 'float64': must be a list of float64, float32, one at least",
    ),
    "unknown field": ({"hello": "{**HELLO, 'author': 'me'}"}, "the first answer has fields ['author', 'dtypes'"),
    "missing field": ({"hello": "{'protocol': 1}"}, "the first answer has fields ['protocol']"),
    "a name twice": (
        {"hello": "json.dumps(HELLO).replace('{', '{\"name\": \"x\", ')"},
        "'name' twice in the answer",
    ),
    "a name twice, an equal value": (
        {"hello": "json.dumps(HELLO).replace('{', '{\"protocol\": 1, ')"},
        "'protocol' twice in the answer",
    ),
    "not hashable": ({"hello": "{**HELLO, 'ops': [[]]}"}, "ops = [[]]: must be a list of"),
}


@pytest.mark.parametrize(("planted", "said"), STARTS.values(), ids=STARTS)
def test_an_adapter_that_never_starts(child, planted, said):
    with pytest.raises(AdapterError) as info:
        child(**planted)
    assert said in str(info.value)


def test_a_start_that_hangs_and_a_program_that_is_not_there(child):
    with pytest.raises(AdapterError, match=r"no answer in 0.6 s"):
        child(start="time.sleep(60)", timeout=0.1)
    with pytest.raises(AdapterError, match="can't be started"):
        Child("/nowhere/adapter --fast")


@pytest.mark.parametrize(("command", "timeout"), [("", 1), ("  ", 1), ("python '", 1), ("x", 0), ("x", float("nan"))])
def test_commands_that_are_none(command, timeout):
    with pytest.raises(ArgumentError, match=r"cmd|timeout"):
        Child(command, timeout)


def test_no_shell_reads_the_command(tmp_path):
    with pytest.raises(AdapterError):
        Child(f"true; touch {tmp_path}/made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("stop", "note"),
    [
        ("sys.exit(3)", "the child exited with status 3 after stop"),
        ("time.sleep(60)", "the child did not exit within 1 s of stop"),
    ],
)
def test_a_bad_end_is_a_note(child, stop, note):
    c = child(stop=stop, timeout=1.0)
    assert fine(*ask(c, "a"))
    c.close()
    assert c.notes == [note]


# ------------------------------------------------------------------------------------------------ what is sent, modules


def test_the_expected_answer_is_never_sent():
    for case in SUITE.cases:
        for dtype in case.dtypes:
            q = protocol.question(case, dtype)
            assert set(q) == {"id", "op", "dtype", "input"}
            assert q["op"] in protocol.OPS
            assert q["input"] == (case.input["input"] if case.op == "reject" else case.input)
            json.loads(protocol.line(q), parse_constant=pytest.fail)


def nested(depth, around=list):
    """[[[…]]], or {"x": {"x": …}}."""
    value = 0.0
    for _ in range(depth):
        value = [value] if around is list else {"x": value}
    return value


class Planted:
    name, version, ops, dtypes = "planted", "1", ["matvec"], ["float64"]

    def __init__(self, result=None, raises=None):
        self.result, self.raises = result, raises

    def run(self, op, dtype, input):
        if self.raises:
            raise self.raises
        input.clear()  # its own copy
        return self.result


@pytest.mark.parametrize(
    ("planted", "answer"),
    [
        (Planted({"x": [1, 2.5]}), Answer("output", {"x": [1, 2.5]})),
        (Planted(raises=NotImplementedError()), Answer("skip", "not implemented")),
        (Planted(raises=NotImplementedError("no QR")), Answer("skip", "no QR")),
        (Planted(raises=ValueError("k = 0")), Answer("error", "ValueError: k = 0")),
        (Planted(raises=KeyError()), Answer("error", "KeyError")),
        (Planted(raises=SystemExit(1)), Answer("error", "SystemExit: 1")),
        (Planted([1]), Answer("broken", "output = [1]: must be an object")),
        (Planted(None), Answer("broken", "run returned None: must return an object; is there a return in it?")),
        (Planted({"x": nested(300)}), Answer("broken", "'output' in the answer is nested deeper than 32 levels")),
    ],
)
def test_an_adapter_in_process(planted, answer):
    question = {"id": "a", "op": "matvec", "dtype": "float64", "input": {"v": [1.5]}}
    source = Module(planted)
    assert source.ask(question) == answer
    assert question["input"] == {"v": [1.5]}
    source.close()
    assert source.notes == []


def test_large_numbers_without_an_exponent_are_numbers():
    answer = protocol.parse_answer(b'{"id": "a", "output": {"x": [85189409363333530000, -3, 123456789012345]}}', "a")
    assert answer.value == {"x": [8.518940936333353e19, -3, 123456789012345]}


def test_what_an_adapter_in_process_returns_is_held_to_json():
    def answer(x):
        return Module(Planted({"x": x})).ask({"id": "a", "op": "matvec", "dtype": "float64", "input": {}})

    assert answer(np.float32([0.1, 2])).value == {"x": [float(np.float32(0.1)), 2.0]}
    assert answer(np.int64(3)).value == {"x": 3}
    assert answer(np.array([1.0, np.nan])).value.startswith("NaN in the answer")
    assert answer(np.array([1j])) == Answer(
        "broken", "what run returned is no JSON: a complex: must be numbers, lists or arrays"
    )
    assert "a set: must be numbers" in answer({1, 2}).value
    assert answer({1: 0.0, "1": 1.0}) == Answer("broken", "'1' twice in the answer")  # one name in JSON


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nowhere.mod:Adapter", "ModuleNotFoundError"),
        ("json:Adapter", "AttributeError"),
        ("json:JSONDecoder", "JSONDecoder: AttributeError"),
        ("json:loads", "function: AttributeError"),
    ],
)
def test_modules_that_are_no_adapters(spec, said):
    with pytest.raises(AdapterError, match=said):
        Module(spec)


def test_an_object_with_everything_but_run():
    class NoRun:
        name, version, ops, dtypes = "a", "1", ["step"], ["float64"]

    with pytest.raises(AdapterError, match="no method run"):
        Module(NoRun)


@pytest.mark.parametrize("spec", ["json", ":x", "json:", ""])
def test_a_module_without_a_name(spec):
    with pytest.raises(ArgumentError, match=r"must be pkg\.mod:name"):
        Module(spec)


# ----------------------------------------------------------------------------------------------------- files of answers


def answered():
    """Lines of a file with the reference's answers."""
    source = Module(adapter.dense)
    for dtype in protocol.DTYPES:
        for case in SUITE.cases:
            if dtype in case.dtypes:
                kind, value = source.ask(protocol.question(case, dtype))
                yield json.dumps({"id": case.id, "dtype": dtype, kind: value})


def test_a_file_has_a_size_limit(tmp_path, monkeypatch):
    path = tmp_path / "answers.jsonl"
    path.write_text(" " * 11)
    monkeypatch.setattr(sources, "FILE", 10)
    with pytest.raises(AdapterError, match="more than 10 bytes"):
        Answers(path)


def test_answers_in_a_file(tmp_path):
    path = tmp_path / "answers.jsonl"
    lines = list(answered())
    path.write_text("\n\n".join(lines))
    source = Answers(path)
    assert source.hello == Hello("answers.jsonl", "answers", protocol.OPS, protocol.DTYPES)
    run = runner.verify(source)
    assert run.exit_code() == runner.CONFORMING
    assert run.counts().total() == run.counts()["passed"] == len(lines)

    other = '{"id": "no-such-case", "dtype": "float64", "skip": "x"}'
    path.write_text("\n".join([*lines[1:], other]))  # one less, and one that no case has
    run = runner.verify(Answers(path))
    assert run.exit_code() == runner.INCOMPLETE
    assert run.counts()["skipped"] == 1
    assert run.notes == ["answers to no case of these vectors: 'no-such-case'"]


def test_a_name_twice_in_a_file_breaks_its_case(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"id": "a", "dtype": "float64", "output": {"x": 0}, "output": {"x": 1}}')  # nst/JSONTestSuite#56
    assert Answers(path).ask({"id": "a", "dtype": "float64"}) == Answer("broken", "'output' twice in the answer")


@pytest.mark.parametrize("around", [list, dict])
@pytest.mark.parametrize("depth", [40, 200, 700])
@pytest.mark.parametrize("field", ["output", "error", "skip", "product", "more"])
def test_an_answer_that_is_nested_too_deep_breaks_its_case_alone(tmp_path, child, depth, around, field):
    """It was a RecursionError, which ended the run."""
    deep = nested(depth, around)
    fields = {"output": {"product": deep}} if field == "product" else {field: deep}
    answer = json.dumps({"id": "matvec-hand-wide", "dtype": "float64"} | fields)
    told = f"'{field.replace('product', 'output')}' in the answer is nested deeper than 32 levels"

    path = tmp_path / "answers.jsonl"
    path.write_text(answer + '\n{"id": "matvec-hand-tall", "dtype": "float64", "skip": "on purpose"}')
    run = runner.verify(Answers(path), only=["matvec-hand-*"])
    assert {r.message for r in run.results} == {told, "on purpose", "no answer in the file"}
    assert run.counts()["broken"] == 1

    parts = json.dumps(fields)[1:-1]
    c = child(f"""answer = '{{"id": "b", {parts}}}' if m["id"] == "b" else answer""")
    a, b, again = ask(c, "a", "b", "c")
    assert fine(a)
    assert b == Answer("broken", told)
    assert fine(again)


@pytest.mark.parametrize("depth", [40, 100, 5000])
@pytest.mark.parametrize("around", [list, tuple])
def test_a_value_that_is_nested_too_deep_is_judged(depth, around):
    value = 0.0
    for _ in range(depth):
        value = around([value])
    for name in ("product", "rank"):
        case = SUITE["matvec-hand-wide" if name == "product" else "pinv-apply-wide"]
        verdict = judge(case, "float64", dict(case.expected) | {name: value})
        assert not verdict.passed
        assert name in verdict.message


def test_an_id_that_is_nested_is_none(tmp_path, child):
    deep = json.dumps(nested(700))
    path = tmp_path / "answers.jsonl"
    path.write_text(f'{{"id": {deep}, "dtype": "float64", "output": {{}}}}')
    with pytest.raises(ArgumentError, match="line 1: id = None, dtype = 'float64': each line must have both"):
        Answers(path)
    c = child(f"""answer = '{{"id": {deep}}}' if m["id"] == "b" else answer""")
    a, b, again = ask(c, "a", "b", "c")
    assert (fine(a), b.kind, fine(again)) == (True, "broken", True)
    with pytest.raises(AdapterError, match="'name' in the answer is nested deeper than 32 levels"):
        child(hello=f"dict(HELLO, name={deep.count('[')} * '[' and json.loads({deep!r}))")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no answer: must have one a line"),
        ("\n \n", "holds no answer: must have one a line"),
        ("{", "line 1: not a line of JSON"),
        ("[]", "line 1: not a JSON object"),
        ('{"id": "a", "output": {}}', "line 1: id = 'a', dtype = None: each line must have both"),
        ('{"id": 1, "dtype": "float64", "output": {}}', "each line must have both"),
        ('{"id": "a", "id": "b", "dtype": "float64", "output": {}}', "line 1: 'id' twice in the answer"),
        ('{"id": "a", "dtype": "float64", "dtype": "float32", "output": {}}', "line 1: 'dtype' twice in the answer"),
        ("loss = 0.3", "line 1: not a line of JSON: 'loss = 0.3'; each line of the file must be one JSON object"),
        ('[{"id": "a"}]', "print one object a line, and no list around them"),
        ('{"id": "a", "dtype": "float64", "skip": ""}\n' * 2, "line 2: a second answer to a in float64"),
    ],
)
def test_files_that_hold_no_answers(tmp_path, text, said):
    path = tmp_path / "answers.jsonl"
    path.write_text(text)
    with pytest.raises(ArgumentError) as info:
        Answers(path)
    assert said in str(info.value)


# ------------------------------------------------------------------------------------------------ claims and exit codes


def made(status="passed", level="core", dtype="float64", id="step-1", flags=("Hand",), units=0.5, message=""):
    units = units if status in ("passed", "failed") else None
    return runner.Result(id, dtype, "step", level, "4.1", flags, status, units, message, 0.25)


def a_run(*results, required=("core",), dtypes=("float64",), complete=True):
    return runner.Run(
        Hello("a", "1", ("step",), dtypes), "1.0.1", runner.LEVELS, required, dtypes, complete, [*results]
    )


CLAIMS = {
    "core and no more": ([made()], {}, "core of vectors 1.0.1 in float64", 0),
    "core + strict": ([made(), made(level="strict")], {}, "core + strict of vectors 1.0.1 in float64", 0),
    "strict failed": ([made(), made("failed", "strict")], {}, "core of vectors 1.0.1 in float64", 1),
    "strict skipped": ([made(), made("skipped", "strict")], {}, "core of vectors 1.0.1 in float64", 0),
    "strict skipped, asked for": (
        [made(), made("skipped", "strict")],
        {"required": ("core", "strict")},
        "core of vectors 1.0.1 in float64",
        4,
    ),
    "a skipped core case": ([made(), made("skipped"), made(level="strict")], {}, "", 4),
    "a failed core case": ([made(), made("failed"), made(level="strict")], {}, "", 1),
    "a broken core case": ([made("broken")], {}, "", 1),
    "strict alone": ([made(level="strict")], {"required": ("strict",)}, "", 0),
    "a part": ([made()], {"required": (), "complete": False}, "", 0),
    "a part, all skipped": ([made("skipped")], {"required": (), "complete": False}, "", 4),
    "one dtype of two": (
        [made(), made("failed", dtype="float32")],
        {"dtypes": ("float64", "float32")},
        "core of vectors 1.0.1 in float64",
        1,
    ),
    "more in one than in the other": (
        [made(), made(dtype="float32"), made(level="strict")],
        {"dtypes": ("float64", "float32")},
        "core + strict of vectors 1.0.1 in float64; core of vectors 1.0.1 in float32",
        0,
    ),
    "a level that has no case in a dtype": (
        [made(), made(dtype="float32"), made(level="strict")],
        {"dtypes": ("float64", "float32"), "required": ("core", "strict")},
        "core + strict of vectors 1.0.1 in float64; core of vectors 1.0.1 in float32",
        0,
    ),
}


@pytest.mark.parametrize(("results", "options", "claim", "code"), CLAIMS.values(), ids=CLAIMS)
def test_what_may_be_claimed(results, options, claim, code):
    run = a_run(*results, **options)
    assert run.claim() == claim
    assert run.exit_code() == code
    last = "".join(part for line in report.text(run, SUITE.flags | {"Hand": {"failure": "?"}}) for part, _ in line)
    assert ("not conforming" in last) == (code != 0 and run.complete)
    assert claim in last


EVERYTHING = f"core + strict + autodiff + trajectory of vectors {SUITE.version} in float64 and float32"
WITHOUT_STRICT = EVERYTHING.replace(" + strict", "")
SOLVERS = {  # one that squares J loses digits at condition 1e6; a sketch rounds σ that lie at a threshold
    "svds": EVERYTHING,
    "dense": EVERYTHING,
    "tsqr": EVERYTHING,
    "auto": EVERYTHING,
    "gram": WITHOUT_STRICT,
    "randomized": WITHOUT_STRICT,
}


@pytest.mark.parametrize(("solver", "claim"), SOLVERS.items(), ids=SOLVERS)
def test_what_the_reference_claims_by_each_solver(solver, claim):
    start = time.monotonic()
    run = runner.verify(Module(f"sven_ref.conformance.adapter:{solver}"))
    assert run.claim() == claim
    assert time.monotonic() - start < 30
    assert {r.level for r in run.results if r.status != "passed"} <= {"strict"}


def test_levels_dtypes_and_patterns_select():
    run = runner.verify(Module(adapter.dense), levels=["autodiff"], dtypes=["float32"])
    assert {(r.level, r.dtype) for r in run.results} == {("autodiff", "float32")}
    assert run.exit_code() == 0
    run = runner.verify(Module(adapter.dense), only=["matvec-*", "step-hand-k?"])
    assert {r.op for r in run.results} == {"matvec", "step"}
    assert run.claim() == ""
    seen = []
    runner.verify(Module(adapter.dense), only=["matvec-*"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, len(seen)) for i in range(len(seen))]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"levels": ["basic"]}, "level = 'basic': must be one of 'core', 'strict'"),
        ({"dtypes": ["float16"]}, "dtype = 'float16': must be one of 'float64', 'float32'"),
        ({"only": ["nothing-*"]}, "only = 'nothing-*': fits no case; `sven-ref vectors list` prints all ids"),
        ({"only": ["matvec-*", "typo-*"]}, "only = 'typo-*': fits no case"),
        ({"only": ["typo-*", "matvec-*"]}, "only = 'typo-*': fits no case"),
        ({"only": ["matvec-hand-wid"]}, "only = 'matvec-hand-wid': fits no case; is it 'matvec-hand-wide'?"),
        ({"only": ["MATVEC-*"]}, "only = 'MATVEC-*': fits no case"),
        ({"only": [""]}, "only = '': fits no case"),
        (
            {"only": ["matvec-*", "jacobian-*"], "levels": ["core"]},
            "only = 'jacobian-*': fits no case of level core in float64, float32",
        ),
        ({"only": ["matvec-huge"], "dtypes": ["float32"]}, "only = 'matvec-huge': fits no case of level core"),
    ],
)
def test_selections_that_are_none_end_the_adapter(child, options, said):
    source = child(hello="{**HELLO, 'dtypes': ['float64', 'float32']}")
    with pytest.raises(ArgumentError) as info:
        runner.verify(source, **options)
    assert said in str(info.value)
    assert source.process is None


def test_an_interrupt_ends_the_child(child):
    source = child()

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.verify(source, progress=interrupt)
    assert source.process is None


# ----------------------------------------------------------------------------------------------------------- the report


def shown(run, **options):
    return "\n".join("".join(part for part, _ in line) for line in report.text(run, SUITE.flags, **options))


class Wrong(adapter.Reference):
    """The reference with a mistake: the update has the other sign."""

    def __init__(self):
        super().__init__("dense")

    def pinv_apply(self, i):
        output = super().pinv_apply(i)
        return {**output, "update": -output["update"]}


def test_a_failure_says_clause_distance_and_what_it_usually_means():
    text = shown(runner.verify(Module(Wrong)))
    case = next(c for c in SUITE.cases if c.op == "pinv_apply" and c.expected["verdict"] == "valid")
    assert f"FAILED  {case.id}  float64  SPEC {case.clause}" in text
    assert "update is off by 2" in text
    assert "times the tolerance" in text
    assert any(f"usually {flag}: {SUITE.flags[flag]['failure']}" in text for flag in case.flags)
    assert "not conforming: " in text


def test_the_flag_that_tells_most_is_the_one_whose_cases_fail():
    results = [
        made("failed", id="a", flags=("Wide", "Rtol")),
        made("passed", id="b", flags=("Wide", "Hand")),
        made("failed", id="c", flags=("Rtol", "Rare")),
    ]
    assert report.usual(results) == {"a": "Rtol", "b": "Wide", "c": "Rare"}


def test_skips_and_notes_are_shown_and_long_lists_cut():
    flag = next(iter(SUITE.flags))
    failed = [made("failed", id=f"step-{i}", flags=(flag,), message="off\nstderr: x") for i in range(25)]
    run = a_run(*failed, made("skipped", id="a", message="no QR"), made("skipped", id="b", message="no QR"))
    run.notes.append("the child exited with status 3 after stop")
    text = shown(run)
    assert text.count("FAILED") == report.SHOWN
    assert "… and 5 more" in text
    assert "2 skipped: no QR" in text
    assert "note: the child exited with status 3 after stop" in text
    assert text.count(SUITE.flags[flag]["failure"]) == 1


def test_what_an_adapter_says_is_made_printable():
    class Rude(Planted):
        name = "red \x1b[31m" + "x" * 100

        def run(self, op, dtype, input):
            raise ValueError("\x1b[2J\x00\ud800\nnext\r\n" + "y" * 1000)

    run = runner.verify(Module(Rude), only=["matvec-*"])
    text = shown(run)
    assert "\x1b" not in text
    assert r"red \x1b[31m" in text
    assert r"\x1b[2J\x00\ud800" in text
    assert max(map(len, text.splitlines())) < 400
    ElementTree.fromstring(report.as_junit(run))


def test_json_and_junit_hold_every_result():
    run = runner.verify(Module(Wrong))
    run.results += [made("broken", message="crashed"), made("skipped", message="no QR")]
    document = json.loads(report.as_json(run))
    assert document["counts"] == {s: run.counts()[s] for s in runner.STATUSES}
    assert document["exit_code"] == 1
    assert document["adapter"]["name"] == "sven_ref, solver dense"
    assert [r["id"] for r in document["results"]] == [r.id for r in run.results]
    suites = ElementTree.fromstring(report.as_junit(run))
    assert suites.tag == "testsuites"
    cases = suites.findall("testsuite/testcase")
    assert len(cases) == len(run.results)
    for tag, status in (("failure", "failed"), ("error", "broken"), ("skipped", "skipped")):
        assert len(suites.findall(f"testsuite/testcase/{tag}")) == run.counts()[status] > 0
    for suite in suites:
        assert int(suite.get("tests")) == len(suite)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))


def test_colours_change_no_text(capsys, monkeypatch):
    lines = report.text(a_run(made(), made("skipped", message="σ > [red]τ[/red]" + " x" * 200)), SUITE.flags)
    report.show(lines, sys.stdout)
    with_rich = capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "rich.console", None)
    report.show(lines, sys.stdout)
    plain = capsys.readouterr().out
    assert with_rich == plain
    monkeypatch.undo()
    pytest.importorskip("rich", reason="colour needs rich: pip install '.[app]'")
    monkeypatch.setenv("FORCE_COLOR", "1")
    report.show(lines, sys.stdout)
    assert "\x1b[" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------------------- the command line


def test_verify_on_the_command_line(tmp_path, capsys):
    files = ["--json", str(tmp_path / "r.json"), "--junit", str(tmp_path / "r.xml")]
    assert cli.main(["verify", "--module", "sven_ref.conformance.adapter:dense", "--level", "core", *files]) == 0
    assert f"conforming: core of vectors {SUITE.version} in float64 and float32" in capsys.readouterr().out
    assert json.loads((tmp_path / "r.json").read_text())["claim"].startswith("core of")
    assert ElementTree.parse(tmp_path / "r.xml").getroot().tag == "testsuites"


def test_a_child_on_the_command_line(tmp_path, child, capsys):
    child()
    command = f"{sys.executable} -S {tmp_path / 'child.py'}"
    assert cli.main(["verify", "--cmd", command, "--only", "matvec-*", "--timeout", "5"]) == 1
    out = capsys.readouterr().out
    assert "product is missing" in out
    assert "no claim: only a part of the cases was asked" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--module", "nowhere:Adapter"], 3, "ModuleNotFoundError"),
        (["--cmd", "/nowhere/adapter"], 3, "can't be started"),
        (["--answers", "/nowhere/answers"], 3, "No such file"),
        (["--cmd", "x", "--timeout", "0"], 2, "timeout = 0.0"),
        (["--module", "json"], 2, "must be pkg.mod:name"),
        (["--module", "sven_ref.conformance.adapter:dense", "--only", "x"], 2, "fits no case"),
        (
            ["--module", "sven_ref.conformance.adapter:dense", "--only", "matvec-*", "--json", "/nowhere/r"],
            2,
            "json = '/nowhere/r': /nowhere is no directory; must be a file that can be written",
        ),
    ],
)
def test_exit_codes_of_what_goes_wrong(arguments, code, said, capsys):
    assert cli.main(["verify", *arguments]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--cmd", "x", "--module", "y"], ["--cmd", "x", "--level", "easy"]])
def test_usage_is_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as info:
        cli.main(["verify", *arguments])
    assert info.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_the_help_documents_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["verify", "--help"])
    out = capsys.readouterr().out
    codes = (runner.CONFORMING, runner.FAILED, runner.USAGE, runner.NOT_STARTED, runner.INCOMPLETE, runner.UNABLE)
    assert codes == (0, 1, 2, 3, 4, 5)
    for code in codes:
        assert f"\n    {code}  " in out


def test_vectors_on_the_command_line(capsys):
    def out(*arguments, code=0):
        assert cli.main(["vectors", *arguments]) == code
        return capsys.readouterr()

    assert out().out.startswith(f"vectors {SUITE.version}: {len(SUITE.cases)} cases in ")
    assert (Path(out("path").out.strip()) / "manifest.json").is_file()
    listed = out("list").out.splitlines()
    assert [line.split()[0] for line in listed] == [case.id for case in SUITE.cases]
    core = [case.id for case in SUITE.cases if case.level == "core" and "float32" in case.dtypes]
    assert [line.split()[0] for line in out("list", "--level", "core", "--dtype", "float32").out.splitlines()] == core
    case = SUITE.cases[0]
    assert json.loads(out("show", case.id).out)["expected"] == case.expected
    assert "id = 'no-such'" in out("show", "no-such", code=2).err
    assert "only = 'x': fits no case" in out("list", "--only", "x", code=2).err
    assert "only = 'x': fits no case" in out("list", "--only", "matvec-*", "x", code=2).err
    assert "only = 'matvec-huge': fits" in out("list", "--only", "matvec-huge", "--dtype", "float32", code=2).err
    assert "only = 'x': fits no case" in out("questions", "--only", "x", code=2).err
    asked = [json.loads(line) for line in out("questions", "--dtype", "float64").out.splitlines()]
    assert [(q["command"], q["id"], q["dtype"]) for q in asked] == [
        ("case", case.id, "float64") for case in SUITE.cases if "float64" in case.dtypes
    ]
    assert "expected" not in json.dumps(asked)


def test_progress_is_for_terminals(capsys, monkeypatch):
    from sven_ref.conformance import output

    output.progress(0, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    output.progress(0, 2)
    output.progress(1, 2)
    assert capsys.readouterr().err == "\r1/2\r\r2/2\r\033[K"


# ---------------------------------------------------------------------------------------------------- the pytest plugin


@pytest.fixture
def inner(pytester, monkeypatch):
    """Run pytest in a directory of its own, with the plugin: by its entry point where the package is installed."""
    installed = any(point.name == "sven_ref" for point in entry_points(group="pytest11"))
    plugins = () if installed else (plugin,)

    def run(conftest, *arguments, **modules):
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_own="def test_own():\n    pass\n", **modules)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs", *arguments, plugins=plugins)

    return run


MINE = """
from sven_ref.conformance.adapter import Reference
class Mine(Reference):
    dtypes = ["float64"]
    def __init__(self):
        super().__init__("dense")
    def rmatvec(self, i):
        raise NotImplementedError("no adjoint")
    def matvec(self, i):
        return {"product": -super().matvec(i)["product"]}
"""


def test_one_line_in_a_conftest_gives_a_test_for_each_case(inner):
    done = inner('sven_ref_adapter = "mine:Mine"', mine=MINE)
    cases = [case for case in SUITE.cases if "float64" in case.dtypes]
    skipped = sum(protocol.question(case, "float64")["op"] == "rmatvec" for case in cases)
    bad = sum(case.op == "matvec" and any(case.expected["product"]) for case in cases)
    done.assert_outcomes(failed=bad, skipped=skipped, passed=len(cases) - bad - skipped + 1)
    done.stdout.fnmatch_lines(["FAILED*matvec-*float64  SPEC 1*", "*product is off by 2*", "*usually*", "*no adjoint*"])


def test_a_level_is_a_keyword(inner):
    done = inner('sven_ref_adapter = "mine:Mine"', "conftest.py", "-k", "autodiff", mine=MINE)
    autodiff = [case for case in SUITE.cases if case.level == "autodiff" and "float64" in case.dtypes]
    done.assert_outcomes(
        passed=len(autodiff), deselected=len([c for c in SUITE.cases if "float64" in c.dtypes]) - len(autodiff)
    )


def test_a_command_in_a_conftest(inner, child):
    script = child().argv[-1]
    done = inner(f"sven_ref_adapter = [{sys.executable!r}, '-S', {script!r}]", "-k", "matvec-hand and not rmatvec")
    done.stdout.fnmatch_lines(["*product is missing*"])
    assert done.parseoutcomes().keys() == {"failed", "deselected"}


def test_an_adapter_that_does_not_start_is_a_collection_error(inner):
    done = inner('sven_ref_adapter = "nowhere:Adapter"')
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*sven_ref: nowhere:Adapter: ModuleNotFoundError*"])


def test_the_plugin_is_inert_unless_asked_for(inner):
    inner("other = 1", "-W", "error").assert_outcomes(passed=1)
    names = "sys.modules.keys() & {'sven_ref.conformance.runner', 'sven_ref.conformance.child', 'pytest'}"
    code = f"import sys, sven_ref.conformance.plugin; sys.exit(bool({names}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
