"""The example adapters, each run as a child where its runtime is, held to what it claims."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sven_ref.conformance import loader, runner
from sven_ref.conformance.child import Child

HERE = Path(__file__).parents[2] / "examples" / "adapters"
VERSION = loader.load().version
EVERYTHING = f"core + strict + autodiff + trajectory of vectors {VERSION} in float64 and float32"


def verify(command, **selection):
    return runner.verify(Child(command, timeout=30.0), **selection)


def python(name, needs):
    """The command of a Python adapter; the test is skipped where a package it needs is not installed."""
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    return f"{sys.executable} {HERE / name}"


def off(run):
    return [(r.id, r.dtype, r.status, r.message) for r in run.results if r.status in ("failed", "broken")]


def test_numpy():
    run = verify(python("numpy_adapter.py", "numpy"))
    assert not off(run)
    assert run.claim() == f"core + strict of vectors {VERSION} in float64 and float32"
    assert run.exit_code() == runner.CONFORMING
    assert run.notes == []


@pytest.mark.parametrize(("name", "needs"), [("torch_jacrev_adapter.py", "torch"), ("jax_adapter.py", "jax")])
def test_frameworks(name, needs):
    run = verify(python(name, needs))
    assert not off(run)
    assert run.claim() == EVERYTHING
    assert run.notes == []


def test_torch_gram():
    run = verify(python("torch_gram_adapter.py", "torch"))
    assert not off(run)


def test_node():
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    if subprocess.run([node, "-e", "require('ml-matrix')"], cwd=HERE, capture_output=True).returncode:
        pytest.skip("npm's ml-matrix is not installed")
    run = verify(f"{node} {HERE / 'node_adapter.js'}")
    assert not off(run)
    assert {r.op for r in run.results if r.status == "skipped"}.isdisjoint({"pinv_apply", "step"})
    assert run.exit_code() == runner.INCOMPLETE
    assert run.notes == []


def test_every_adapter_is_tested():
    names = {path.name for path in HERE.iterdir() if path.suffix in (".py", ".js", ".c")} - {"serve.py"}
    text = Path(__file__).read_text()
    assert all(name in text for name in names)
