"""docs/verify.md: every command it shows is run, its adapter is asked, its report and its tables are what comes out."""

import json
import re
import shlex
import shutil
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from sven_ref import cli
from sven_ref.conformance import command, loader, plugin, runner
from sven_ref.conformance.sources import Module

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verify.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


ADAPTER, CONFTEST = blocks("python")
COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]
FIRST, LAST = (block.strip() for block in blocks("text"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with the page's adapter and the examples, and a `python` on PATH that is this one."""
    (tmp_path / "mine.py").write_text(ADAPTER)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "bin").mkdir()
    this = tmp_path / "bin" / "python"  # a link would leave its environment behind
    this.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    this.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("sven-ref")])
def test_command(line, here, capsys):
    text, _, comment = line.partition("#")
    code = int(comment.removeprefix(" exit code ")) if comment else 0
    assert cli.main(shlex.split(text)[1:]) == code
    out = capsys.readouterr().out
    assert out
    if line == COMMANDS[0]:
        assert FIRST in out
    if "--json" in line:
        assert json.loads((here / "report.json").read_text())["exit_code"] == code
        assert (here / "report.xml").read_text().startswith("<?xml")


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_the_mistake_is_the_one_that_is_explained(here):
    assert ADAPTER.count("s >= rtol") == PAGE.count("`s > rtol * s[0]`") == 1
    run = runner.verify(Module("mine:Adapter"))
    assert {
        "AtThreshold" in r.flags for r in run.results if r.status != "passed" and r.level in ("core", "strict")
    } == {True}
    (here / "mine.py").write_text(ADAPTER.replace("s >= rtol", "s > rtol"))
    del sys.modules["mine"]
    shutil.rmtree(here / "__pycache__", ignore_errors=True)
    run = runner.verify(Module("mine:Adapter"))
    assert run.exit_code() == 0
    assert f"conforming: {run.claim()}" == LAST


def test_the_line_in_a_conftest(pytester):
    """In this process, with the plugin by its entry point where the package is installed."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(mine=ADAPTER)
    (line,) = [line for line in COMMANDS if not line.startswith("sven-ref")]
    installed = any(point.name == "sven_ref" for point in entry_points(group="pytest11"))
    arguments = [*shlex.split(line)[1:], "-p", "no:cacheprovider"]
    done = pytester.runpytest_inprocess(*arguments, plugins=() if installed else (plugin,))
    cases = [case for case in loader.load().cases if case.level == "strict"]
    number = sum(len(case.dtypes) for case in cases if "AtThreshold" not in case.flags)
    assert done.parseoutcomes().pop("passed") == number
    assert not done.parseoutcomes().keys() & {"failed", "skipped", "errors"}


def test_exit_codes_and_levels_are_those_of_the_code():
    codes = dict(re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE))
    told = dict(re.findall(r"^    (\d+)  (.*?)(?=\n    \d|\n\Z)", command.__doc__, re.MULTILINE | re.DOTALL))
    assert codes.keys() == told.keys()
    for code, text in told.items():
        assert codes[code].split(" (")[0].split(",")[0] == re.sub(r"\s+", " ", text).split(" (")[0].split(",")[0]
    levels = re.findall(r"^\| `(\w+)` \| [^|]*\|$", PAGE, re.MULTILINE)
    assert tuple(levels) == loader.LEVELS


def test_the_first_install_command_is_that_of_the_readme():
    line = "python3 -m venv .venv && .venv/bin/pip install '.[app]' && "
    assert line in PAGE
    assert line in (ROOT / "README.md").read_text()


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    for name in re.findall(r"^\| `(\w+_adapter\.\w+)` ", PAGE, re.MULTILINE):
        assert (ROOT / "examples" / "adapters" / name).exists()
