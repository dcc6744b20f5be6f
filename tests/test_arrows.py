"""Which way the arrows run: cli → lab, conformance → the core; within the core from the step down to errors."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sven_ref"
RUNTIME = {"numpy", "scipy", "autograd"}
FILES = sorted(PACKAGE.rglob("*.py"))


def module(path):
    """The dotted name below the package: "step", "solvers.gram", "solvers" for its __init__, "" for the package's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


def imports(path, top_level=False):
    """Absolute names imported by a file of the package; with top_level, only what importing it imports."""
    package = ["sven_ref", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def needs(path):
    """The modules of the package that a file imports from, by their dotted names."""
    found = set()
    for name in imports(path):
        if name.split(".")[0] == "sven_ref":
            parts = name.split(".")[1:]
            while parts and ".".join(parts) not in MODULES:
                parts = parts[:-1]
            found.add(".".join(parts))
    return found - {module(path)}


def room(name):
    """The folder or file at the package's top that a module lies in."""
    return name.split(".")[0]


ROOMS = sorted({room(name) for name in MODULES})
USES = {r: {room(n) for m, p in MODULES.items() if room(m) == r for n in needs(p)} - {r} for r in ROOMS}
ABOVE = {"", "__main__", "cli", "lab", "conformance"}  # the core knows none of these
CORE = set(ROOMS) - ABOVE


@pytest.mark.parametrize("name", sorted(CORE))
def test_the_core_stands_below_the_rest(name):
    allowed = {""} if name == "sharded" else set()  # `sharded.task` compares versions
    assert not USES[name] & (ABOVE - allowed)


def test_lab_and_conformance_do_not_know_each_other():
    assert not USES["lab"] & {"conformance", "cli"}
    assert not USES["conformance"] & {"lab", "cli"}


FENCES = {
    # room: the rooms of the core that it may know; `aliases`, names of types, is known to all
    "minimal": set(),
    "aliases": set(),
    "errors": set(),
    "strict_json": {"errors"},
    "arguments": {"errors"},
    "adjoint": {"scaling", "errors"},
    "operators": {"adjoint", "scaling", "arguments", "errors"},
    "foreign": {"adjoint", "operators", "arguments", "errors"},
    "nets": {"arguments", "errors"},
    "losses": {"errors"},
    "tape": {"arguments", "errors"},
    "oracle": {"nets"},
    "solvers": {"scaling", "operators", "arguments", "errors"},
    "scaling": {"arguments"},
    "subsets": {"arguments", "errors"},
    "one_matrix": {"adjoint", "scaling", "tape", "operators", "arguments", "errors"},
    "jacobian": {"batches", "one_matrix", "tape", "operators", "arguments", "errors"},
    "residuals": {"jacobian", "one_matrix", "tape", "operators", "arguments"},
    "factored": {"nets", "scaling", "one_matrix", "tape", "operators", "arguments"},
    "batches": {"arguments", "errors"},
    "problem": {
        "residuals",
        "batches",
        "factored",
        "jacobian",
        "tape",
        "losses",
        "nets",
        "operators",
        "arguments",
        "errors",
    },
    "pinv": {"solvers", "scaling", "foreign", "operators", "arguments", "errors"},
    "step": {"residuals", "subsets", "pinv", "foreign", "scaling", "arguments", "errors"},
}


@pytest.mark.parametrize("name", FENCES)
def test_fences(name):
    types = set() if name in ("minimal", "errors") else {"aliases"}
    assert USES[name] <= FENCES[name] | types


@pytest.mark.parametrize("name", ROOMS)
def test_only_the_lab_knows_the_shards(name):
    assert name in ("lab", "sharded") or "sharded" not in USES[name]


def test_the_oracle_is_independent():
    assert not any(name.startswith("autograd") for name in imports(PACKAGE / "oracle.py"))


def test_there_are_no_cycles():
    """Neither of modules, nor of rooms."""
    for graph in (
        {name: {n for n in needs(path) if n} for name, path in MODULES.items()},
        {name: USES[name] & CORE for name in CORE},
    ):
        while free := {name for name, needed in graph.items() if not needed & set(graph)}:
            graph = {name: needed for name, needed in graph.items() if name not in free}
        assert not graph


SHARED = {"console", "plots", "threads", "versions"}
RUNS = {"tasks", "optimizers", "training", "paper"}
CLAIM = {"claims", "plots", *RUNS}
LAB = {  # each room of the lab, from below, and the others that it may know
    "arguments": set(),
    "console": set(),
    "threads": set(),
    "plots": set(),
    "versions": set(),
    "scale": set(),
    "tasks": set(),
    "optimizers": set(),
    "conditions": {"optimizers"},
    "training": {"tasks", "optimizers", "console", "threads", "versions"},
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
    names = {name.rpartition(".")[2] for name in imports(path) if name.startswith("sven_ref.")}
    assert not {name for name in names if name.startswith("_") and not name.startswith("__")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_importing_needs_only_the_runtime_dependencies(path):
    foreign = {name.split(".")[0] for name in imports(path, top_level=True)} - {"sven_ref"}
    assert foreign - RUNTIME <= set(sys.stdlib_module_names)
