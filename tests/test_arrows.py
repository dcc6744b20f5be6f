"""Which way the arrows run: lab and conformance stand on the core and don't know each other; cli stands on top."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sven_ref"
RUNTIME = {"numpy", "scipy", "autograd"}


def imports(path, top_level=False):
    """Absolute names imported by a file of the package; with top_level, only what importing it imports."""
    package = ["sven_ref", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(name):
    """The part of sven_ref.<part>… that a dotted name lies in, or None for another package."""
    parts = name.split(".")
    return (parts[1] if len(parts) > 1 else "__init__") if parts[0] == "sven_ref" else None


CORE = sorted(p.stem for p in PACKAGE.glob("*.py") if p.stem not in ("__main__", "cli"))
FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows(path):
    parts = path.relative_to(PACKAGE).parts
    rooms = {room(name) for name in imports(path)} - {None}
    if parts[0] in ("lab", "conformance"):
        assert not rooms & ({"lab", "conformance", "cli"} - {parts[0]})
    elif path.stem in CORE:
        assert not rooms & {"lab", "conformance", "cli"}


def test_the_oracle_is_independent():
    assert {room(name) for name in imports(PACKAGE / "oracle.py")} - {None} == {"flat", "mlp"}
    assert not any(name.startswith("autograd") for name in imports(PACKAGE / "oracle.py"))


def test_the_core_has_no_cycles():
    graph = {name: {room(i) for i in imports(PACKAGE / f"{name}.py")} & set(CORE) - {name} for name in CORE}
    while free := {name for name, needs in graph.items() if not needs & set(graph)}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_importing_needs_only_the_runtime_dependencies(path):
    import sys

    foreign = {name.split(".")[0] for name in imports(path, top_level=True)} - {"sven_ref"}
    assert foreign - RUNTIME <= set(sys.stdlib_module_names)
