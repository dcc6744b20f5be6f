"""How far a reader has to go: the functions of ours that one step passes, and how deep they are nested."""

import sys
from pathlib import Path

import numpy as np

import sven_ref as sr

PACKAGE = str(Path(sr.__file__).parent)
NET = sr.MLP((1, 16, 16, 1))
THETA, BATCH = NET.init(0), (np.linspace(-1, 1, 32)[:, None], np.linspace(-1, 1, 32)[:, None] ** 2)
PROBLEM = sr.Problem(NET)


def traced(call):
    """The functions of the package that `call` passes, and how many of them are open at once at most."""
    passed, depth, deepest = set(), 0, 0

    def profile(frame, event, _):
        nonlocal depth, deepest
        if not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_name.startswith("<"):
            return
        if event == "call":
            passed.add((frame.f_code.co_filename, frame.f_code.co_qualname))
            depth += 1
            deepest = max(deepest, depth)
        elif event == "return":
            depth -= 1

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return passed, deepest


def test_functions_of_one_step():
    passed, _ = traced(lambda: sr.step(PROBLEM, THETA, BATCH, lr=0.1, k=8, solver="gram"))
    assert len(passed) <= 58, sorted(passed)


def test_frames_of_one_product():
    J_pinv = sr.truncated_pinv(PROBLEM.jacobian(THETA, BATCH), 8, solver="gram")
    R = PROBLEM.residuals(THETA, BATCH)
    _, deepest = traced(lambda: J_pinv @ R)
    assert deepest <= 6


FIRST_READING = ("minimal.py", "step.py", "pinv.py", "jacobian.py", "problem.py", "solvers/gram.py")


def test_what_a_first_reader_needs():
    lines = sum(len(Path(PACKAGE, name).read_text(encoding="utf-8").splitlines()) for name in FIRST_READING)
    assert lines <= 1025
