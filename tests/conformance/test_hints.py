"""Children that say something else than an answer: what they said is quoted, and the hint is the one for that."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sven_ref.conformance import hints, protocol
from sven_ref.conformance.child import Child
from sven_ref.conformance.protocol import AdapterError, ProtocolError

ANSWER = {"id": "b", "output": {"product": [1.5, 2.0], "rank": None}}
TEXT = json.dumps(ANSWER)
FOREIGN = hints.REST
ON = "the JSON goes on after the end of the line: print an answer as one line, without indentation"
LINES = {  # a line of bytes: what is said of it
    "a log line": (b"loss = 0.3", f"not a line of JSON: 'loss = 0.3'; {FOREIGN}"),
    "a log line with a bracket": (
        b"[INFO] ready",
        f"not a line of JSON: '[INFO] ready'; {FOREIGN}",
    ),
    "a log line with a number": (b"3 of 4", FOREIGN),
    "a log line with braces": (b"params {a} {b}", FOREIGN),
    "a word of Python": (b"None", "'None' is Python and not JSON"),
    "nothing": (b"", "an empty line: print one line for each question and no other"),
    "white space": (b" \t\r", "an empty line"),
    "a byte order mark": (b"\xef\xbb\xbf" + TEXT.encode(), "it begins with a byte order mark: write UTF-8 without one"),
    "UTF-16": (TEXT.encode("utf-16"), "it is in UTF-16 or UTF-32: write UTF-8"),
    "UTF-16, big-endian": (TEXT.encode("utf-16-be"), "it is in UTF-16 or UTF-32"),
    "UTF-16, little-endian": (TEXT.encode("utf-16-le"), "it is in UTF-16 or UTF-32"),
    "UTF-16, a second line": (b"\x00" + TEXT.encode("utf-16-le"), "it is in UTF-16 or UTF-32"),
    "UTF-32": (TEXT.encode("utf-32-be"), "it is in UTF-16 or UTF-32"),
    "Latin-1": ('{"id": "b", "error": "d\xe9faut"}'.encode("latin-1"), "it is not UTF-8 from byte 23 on"),
    "colours": (b'\x1b[1m{\x1b[0m"id": "b"}', "it has the colour codes of a terminal: print plain JSON"),
    "a dict of Python": (str(ANSWER).encode(), "its quotes are single, as in a dict that Python prints"),
    "bytes of Python": (str(TEXT.encode()).encode(), "it is a bytes object that Python prints"),
    "None in double quotes": (
        TEXT.replace("null", "None").encode(),
        "'None}}' is Python and not JSON: print json.dumps",
    ),
    "True in double quotes": (b'{"id": "b", "output": {"x": True}}', "'True}}' is Python and not JSON"),
    "an object of JavaScript": (
        b"{ id: 'b', output: { product: [] } }",
        "its names have no quotes, as in an object that Java",
    ),
    "nan of C": (b'{"id": "b", "output": {"x": [nan, 1]}}', "'nan, 1]}}' is no number in JSON: refuse with error"),
    "-inf of C": (b'{"id": "b", "output": {"x": [-inf, 1]}}', "'-inf, 1]}}' is no number in JSON"),
    "1.#QNAN of C": (b'{"id": "b", "output": {"x": [1.#QNAN]}}', "'.#QNAN]}}' is no number in JSON"),
    "Inf of Julia": (b'{"id": "b", "output": {"x": [Inf]}}', "'Inf]}}' is no number in JSON"),
    "an exponent of Fortran": (b'{"id": "b", "output": {"x": [1.0D+00]}}', "delimiter at character 32, 'D+00]}}'"),
    "a trailing comma": (b'{"id": "b", "output": {"x": [1.0,]}}', "at character 3"),
    "two answers": (f"{TEXT}{TEXT}".encode(), "more than one answer on the line"),
    "two answers apart": (f"{TEXT} {TEXT}".encode(), "more than one answer on the line"),
    "text behind": (f"{TEXT} done".encode(), "after the answer on its line comes 'done'"),
    "text before": (f"Loading... {TEXT}".encode(), f"before the answer on its line comes 'Loading... '; {FOREIGN}"),
    "a prompt before": (f">>> {TEXT}".encode(), "before the answer on its line comes '>>> '"),
    "pretty, a brace": (b"{", ON),
    "pretty, two fields": (b'{ "id": "b",', ON),
    "pretty, a list": (b'{"id": "b", "output": {"product": [', ON),
    "cut within a string": (b'{"id": "b", "out', ON),
    "encoded twice": (json.dumps(TEXT).encode(), "the answer is encoded twice"),
    "a list around it": (f"[{TEXT}]".encode(), "print one object a line, and no list around them"),
    "a number": (b"0.3", f"not a JSON object: '0.3'; {FOREIGN}"),
    "null": (b"null", f"not a JSON object: 'null'; {FOREIGN}"),
    "a string": (b'"ready"', f"not a JSON object: '\"ready\"'; {FOREIGN}"),
    "nested too deep": (b"[" * 100_000, "it can't be read: "),
    "a bare NaN": (b"NaN", "not a line of JSON: 'NaN'; a bare number: an answer is an object"),
    "the question": (b'{"command": "case", "id": "b"}', "the question came back as the answer"),
    "a log record in JSON": (
        b'{"epoch": 1}',
        "no id in '{\"epoch\": 1}': an answer has the id of its question, here 'b'",
    ),
}


@pytest.mark.parametrize(("line", "said"), LINES.values(), ids=LINES)
def test_what_a_line_most_likely_is(line, said):
    with pytest.raises(ProtocolError) as info:
        protocol.parse_answer(line, "b")
    assert said in str(info.value)
    assert len(str(info.value)) <= 300  # the report shows all of it


PIECES = st.sampled_from(
    [b"{", b"}", b"[", b'"id"', b": ", b", ", b"NaN", b"\x00", b"\xff", b"\xc2\xa0", b"'", b"\x1b[0m"]
)


@given(st.lists(PIECES | st.binary(max_size=3), max_size=9), st.integers(0, 60), st.integers(0, 60))
def test_whatever_comes_is_answered_or_refused_in_words(pieces, start, stop):
    for line in (b"".join(pieces), TEXT[:start].encode() + b"".join(pieces) + TEXT[stop:].encode()):
        try:
            said = protocol.parse_answer(line, "b").kind
        except ProtocolError as error:
            said = str(error)
        assert said
        assert protocol.printable(said) == said  # one short line: the report shows all of it
        assert protocol.printable(hints.of_silence(line))


@pytest.mark.parametrize("end", ["", "\r", " ", "\t"])
def test_white_space_around_an_answer_is_no_fault(end):
    assert protocol.parse_answer(f" {TEXT}{end}".encode(), "b").kind == "output"


HELLO = '{"protocol": 1, "name": "n", "version": "1", "ops": ["matvec"], "dtypes": ["float64"]}'
CHILD = """
import json, os, signal, sys, time
HELLO = {hello!r}
sys.stdin.readline()
{start}
id = json.loads(sys.stdin.readline())["id"]
answer = json.dumps({{"id": id, "output": {{"product": [1.5]}}}})
{fault}
"""
WAIT = "\ntime.sleep(60)"
UNENDED = "came whole, but no newline after it: end every answer by a newline"
CHILDREN = {  # what a child does when it is asked: what is said of it
    "a whole answer without its end": (
        f"print(answer, end='', flush=True){WAIT}",
        UNENDED,
    ),  # bowtie-json-schema/bowtie#403
    "the same, and an exit": ("print(answer, end='')", 'exited with status 0 before it answered: \'{"id": "b"'),
    "ends of line of an old Mac": (
        f"print(answer, end='\\r', flush=True){WAIT}",
        r"came, which ends with \r: end every answer by \n",
    ),
    "a progress bar": (
        f"print('10 %\\r20 %\\r', end='', flush=True){WAIT}",
        rf"'10 %\r20 %\r' came, and no end of a line; {FOREIGN}",
    ),
    "a prompt": (f"print('> ', end='', flush=True){WAIT}", f"'> ' came, and no end of a line; {FOREIGN}"),
    "a part of an answer": (
        f"print(answer[:20], end='', flush=True){WAIT}",
        'only the beginning of a line came: \'{"id"',
    ),
    "an answer that is not flushed": (
        f"sys.stdout = open(1, 'w')\nprint(answer){WAIT}",
        "may not flush what it prints",
    ),
    "a program that reads all first": ("sys.stdin.read()", "it has to read line by line"),
    "silence": ("time.sleep(60)", "The adapter may be at work still (--timeout gives it longer)"),
    "an answer on standard error": (
        f"print(answer, file=sys.stderr, flush=True){WAIT}",
        'what came on standard error looks like an answer: print answers on standard output\nstderr: {"id": "b"',
    ),
    "a message on standard error": (f"print('busy', file=sys.stderr, flush=True){WAIT}", "line by line\nstderr: busy"),
    "one answer and an exit": ("", "status 0 before it answered: it has to read lines until it is told to stop"),
    "a status": ("sys.exit(3)", "the child exited with status 3 before it answered"),
    "a signal": ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11 (Segmentation fault) before it answered"),
    "an abort": ("os.abort()", "ended by signal 6 (Aborted) before it answered"),
    "a signal without a name": ("os.kill(os.getpid(), 40)", "the child was ended by signal 40"),
    "a traceback": ("print(answer, oops)", "status 1 before it answered\nstderr: Traceback (most recent call last):"),
    "a closed output": (f"os.close(1){WAIT}", "the child closed its standard output before it answered"),
    "a part, then a closed output": (
        f"print('{{', end='', flush=True); os.close(1){WAIT}",
        "closed its standard output before it answered: only the beginning of a line came: '{'",
    ),
    "a print before": (f"print('step 1'); print(answer, flush=True){WAIT}", "not a line of JSON: 'step 1'"),
    "indentation": (
        f"print(json.dumps(json.loads(answer), indent=1), flush=True){WAIT}",
        f"not a line of JSON: '{{'; {ON}",
    ),
    "UTF-16": (
        f"sys.stdout.buffer.write((answer + '\\n').encode('utf-16')); sys.stdout.flush(){WAIT}",
        "it is in UTF-16 or UTF-32: write UTF-8",
    ),
}


@pytest.mark.parametrize(("fault", "said"), CHILDREN.values(), ids=CHILDREN)
def test_what_a_child_most_likely_did(tmp_path, fault, said):
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(hello=HELLO, start="print(HELLO, flush=True)", fault=fault))
    child = Child(f"{sys.executable} -S -E {script}", 1.0)
    answer = child.ask({"id": "b"})
    child.kill()
    assert answer.kind == "broken"
    assert said in answer.value


FLUSHED = "import functools; print = functools.partial(print, flush=True)"
STARTS = {  # what a child does when it is started: what is said of it
    "no newline": (f"print(HELLO, end='', flush=True){WAIT}", UNENDED),
    "on standard error": (
        f"print(HELLO, file=sys.stderr, flush=True){WAIT}",
        "what came on standard error looks like an answer",
    ),
    "a banner": ("print('Python 3.14')", f"not a line of JSON: 'Python 3.14'; {FOREIGN}"),
    "a dict": ("print(json.loads(HELLO))", "its quotes are single, as in a dict that Python prints"),
    "indentation": ("print(json.dumps(json.loads(HELLO), indent=4))", ON),
    "a byte order mark": (
        r"print('\ufeff' + HELLO, file=open(1, 'w', encoding='utf-8'))",
        "it begins with a byte order mark",
    ),
    "an echo": ('print(\'{"command": "start", "protocol": 1}\')', "the question came back as the answer"),
    "an exit": ("sys.exit()", "exited with status 0 before it answered: it has to read lines until it is told to stop"),
}


@pytest.mark.parametrize(("start", "said"), STARTS.values(), ids=STARTS)
def test_what_a_child_most_likely_did_at_its_start(tmp_path, start, said):
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(hello=HELLO, start=f"{FLUSHED}\n{start}", fault=""))
    with pytest.raises(AdapterError) as info:
        Child(f"{sys.executable} -S -E {script}", 0.3)
    assert said in str(info.value)


@pytest.mark.parametrize(
    "command",
    ["ADAPTER=1 python mine.py", "cd examples && python mine.py", "~/adapter", "$HOME/adapter", "adapter | tee log"],
)
def test_a_command_for_a_shell(command):
    with pytest.raises(AdapterError, match=r"can't be started: .*No such file.*; no shell reads the command"):
        Child(command)


def test_a_script_without_its_interpreter(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("print()")
    with pytest.raises(AdapterError, match=r"Permission denied.*; is it a script\? Name the program that runs it"):
        Child(str(script))
    script.chmod(0o755)
    with pytest.raises(AdapterError, match=r"Exec format error.*; is it a script\? Name the program that runs it"):
        Child(str(script))


def test_a_program_that_is_not_there_has_no_other_hint():
    with pytest.raises(AdapterError) as info:
        Child("/nowhere/adapter --fast")
    assert str(info.value).endswith("No such file or directory: '/nowhere/adapter'")


def test_whole():
    assert hints.whole(b'{"id": "b"}\n')
    assert hints.whole(b'{"x": NaN}')
    assert not hints.whole(b"[1]")
    assert not hints.whole(b'{"id": ')
