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


SHARED = {"console", "plots", "versions"}
RUNS = {"tasks", "optimizers", "training", "paper"}
CLAIM = {"claims", "plots", *RUNS}
LAB = {  # each room of the lab, from below, and the others that it may know
    "arguments": set(),
    "console": set(),
    "plots": set(),
    "versions": set(),
    "scale": set(),
    "tasks": set(),
    "optimizers": set(),
    "conditions": {"optimizers"},
    "training": {"tasks", "optimizers", "console", "versions"},
    "paper": {"tasks", "optimizers", "training", *SHARED},
    "claims": {"arguments", *SHARED, *RUNS},
    "claims.algebra": CLAIM,
    "claims.cost": CLAIM,
    "claims.training": CLAIM,
    "claims.measurement": CLAIM,
    "train": {*SHARED, *RUNS},
    "demo": {"train", "tasks", "optimizers", "training", *SHARED},
    "commands": {"arguments", "train", "demo", "claims", *RUNS},
}
COMMANDS = {"paper.reproduce", "paper.studies", "claims.command", "claims.page", "claims.ledger", "claims.registry"}


def room_of_lab(name):
    """The key of LAB that a dotted name below `sven_ref.lab` lies in."""
    two = ".".join(name.split(".")[:2])
    return two if two in LAB else name.partition(".")[0]


def lab_imports(path):
    """Names below `sven_ref.lab` that a file of it imports."""
    return {name.removeprefix("sven_ref.lab.") for name in imports(path) if name.startswith("sven_ref.lab.")}


LAB_FILES = {
    path: room_of_lab(".".join(path.relative_to(PACKAGE / "lab").with_suffix("").parts))
    for path in sorted((PACKAGE / "lab").rglob("*.py"))
    if path != PACKAGE / "lab" / "__init__.py"
}


@pytest.mark.parametrize("path", LAB_FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_of_the_lab(path):
    mine, names = LAB_FILES[path], lab_imports(path)
    assert {room_of_lab(name) for name in names} <= {mine, *LAB[mine]}
    if mine.startswith("claims."):  # a claim knows runs and statistics, and neither who asks for it nor its page
        assert not {".".join(name.split(".")[:2]) for name in names} & COMMANDS


def test_the_lab_is_in_rooms_without_cycles():
    """The table stands from below: a room knows only rooms above its line."""
    order = list(LAB)
    assert set(LAB_FILES.values()) == set(LAB)
    assert all(order.index(other) < order.index(name) for name, known in LAB.items() for other in known)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_takes_private_names_of_another(path):
    names = {name.rpartition(".")[2] for name in imports(path) if room(name)}
    assert not {name for name in names if name.startswith("_") and not name.startswith("__")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_importing_needs_only_the_runtime_dependencies(path):
    import sys

    foreign = {name.split(".")[0] for name in imports(path, top_level=True)} - {"sven_ref"}
    assert foreign - RUNTIME <= set(sys.stdlib_module_names)
