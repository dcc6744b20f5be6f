"""What the README shows is so: its code runs, its commands are what CI runs, its map is the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ROW = re.compile(r"^\| `(sven_ref/[\w/]+\.py)` \| ", re.MULTILINE)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[-1][:40])
def test_code_runs_and_asserts(code):
    assert "assert" in code
    exec(compile(code, "README.md", "exec"), {})


def test_the_map_lists_every_module():
    listed = set(ROW.findall(README.read_text()))
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "sven_ref").rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }
    assert listed == modules


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
