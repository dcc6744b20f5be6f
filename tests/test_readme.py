"""What the README shows is so: its code runs, its commands are what CI runs, its map is the tree."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "docs" / "_ext"))

import module_list  # noqa: E402 (by the path above)

README = ROOT / "README.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[-1][:40])
def test_code_runs_and_asserts(code):
    assert "assert" in code
    exec(compile(code, "README.md", "exec"), {})


def test_it_is_short_and_begins_where_a_reader_does():
    text = README.read_text()
    assert len(text.splitlines()) <= 140
    order = re.findall(r"^\d\. \[`(\S+)`\]", text, re.MULTILINE)
    read = "minimal", "step", "pinv", "jacobian", "problem", "solvers/gram"
    assert order == [f"sven_ref/{name}.py" for name in read]
    rows = re.findall(r"^\| `.*\|$", text, re.MULTILINE)
    assert len(rows) <= 12
    named = set(re.findall(r"`([\w/]+)`", "".join(row.split("|")[1] for row in rows)))
    rooms = {
        path.stem for path in (ROOT / "sven_ref").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {name for name in named if "/" not in name} == rooms - {"__init__", "__main__"}


def test_every_module_is_listed_with_what_it_says_of_itself():
    for entries in module_list.modules().values():
        for path, first in entries.items():
            assert first.endswith((".", ":", "?")), path
            assert f"| `{path}` |" in module_list.page()


def test_ci_runs_the_readmes_commands():
    demo, test = (block.strip() for block in blocks("sh"))
    assert demo.endswith("python -m sven_ref demo")
    assert test.endswith("python -m pytest")
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


def test_ci_and_contributors_run_the_same_sessions():
    noxfile = (ROOT / "noxfile.py").read_text()
    (contributing,) = re.findall(r"nox -s ([\w ]+)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    in_ci = re.findall(r"nox -s ([\w ]+?)(?: >.*)?$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert " ".join(in_ci) == contributing
    for session in contributing.split():
        assert re.search(rf"^def {session}\(session: nox.Session\)", noxfile, re.MULTILINE), session


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target
