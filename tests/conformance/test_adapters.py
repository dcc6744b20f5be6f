"""The example adapters, each run as a child where its runtime is, held to what it claims."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import scipy

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


def test_torch_jacrev():
    run = verify(python("torch_jacrev_adapter.py", "torch"))
    assert not off(run)
    assert run.claim() == EVERYTHING
    assert run.notes == []


def test_torch_gram():
    """The Gram form of a right implementation: all it answers but `strict`, where it refuses or loses digits."""
    run = verify(python("torch_gram_adapter.py", "torch"))
    assert {(r.level, *r.flags) for r in run.results if r.status in ("failed", "broken")} == {
        ("strict", shape, "Condition1e6") for shape in ("Wide", "Tall", "Square")
    }
    for level in ("core", "trajectory"):
        counts = run.counts(level)
        assert counts["passed"] > counts["skipped"]
    reasons = {r.message for r in run.results if r.op in ("pinv_apply", "step", "trajectory") and r.status == "skipped"}
    assert reasons == {"a singular value below 1e-07 σ_1 may have to be kept", "one row per output"}


def test_jax():
    """In float64, and a part of the cases: JAX compiles anew for every shape."""
    hand = ["matvec-hand*", "rmatvec-hand*", "pinv-apply-hand*", "step-hand*", "jacobian-hand*", "trajectory-hand*"]
    more = ["reject-*", "natural-gradient-hand*", "jacobian-*-kappa-1-4", "jacobian-gelu", "trajectory-kappa-1-4"]
    run = verify(python("jax_adapter.py", "jax"), dtypes=["float64"], only=[*hand, *more])
    assert not off(run)
    assert run.counts()["skipped"] == 0


def two_operations(run):
    """pinv_apply and step in full, and nothing else: core is not held, and nothing failed."""
    assert not off(run)
    assert {r.op for r in run.results if r.status == "passed"} == {"pinv_apply", "step"}
    assert {r.op for r in run.results if r.status == "skipped"}.isdisjoint({"pinv_apply", "step"})
    assert run.exit_code() == runner.INCOMPLETE
    assert run.notes == []


def test_node():
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    if subprocess.run([node, "-e", "require('ml-matrix')"], cwd=HERE, capture_output=True).returncode:
        pytest.skip("npm's ml-matrix is not installed")
    two_operations(verify(f"{node} {HERE / 'node_adapter.js'}"))


def test_c(tmp_path):
    """With the system's LAPACK, or with the one that SciPy's wheels for Linux bring along."""
    cc = shutil.which("cc") or shutil.which("gcc")
    if cc is None:
        pytest.skip("no C compiler")
    program = tmp_path / "c_adapter"
    compile = [cc, "-O2", "-Wall", "-Wextra", "-Werror", str(HERE / "c_adapter.c"), "-o", str(program)]
    ways = [["-llapack", "-lm"]]
    for library in Path(scipy.__path__[0] + ".libs").glob("libscipy_openblas*.so"):
        found = f"-Wl,-rpath,{library.parent}"
        ways.append(["-DDGESDD=scipy_dgesdd_", str(library), found, "-Wl,--allow-shlib-undefined", "-lm"])
    if not any(subprocess.run([*compile, *way], capture_output=True).returncode == 0 for way in ways):
        pytest.skip("no LAPACK to link with")
    two_operations(verify(str(program)))


def test_every_adapter_is_tested():
    names = {path.name for path in HERE.iterdir() if path.suffix in (".py", ".js", ".c")} - {"serve.py"}
    text = Path(__file__).read_text()
    assert all(name in text for name in names)
