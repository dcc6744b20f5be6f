"""The examples of the docstrings run, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import sven_ref as sr

# Of the package that is imported, from the tree or installed. A module named __main__ runs when it is imported.
MODULES = [m.name for m in pkgutil.walk_packages(sr.__path__, "sven_ref.") if not m.name.endswith("__main__")]
HELPERS = {"scale", "vector", "exponent"}  # of natural_gradient
PUBLIC = {f"sr.{name}": getattr(sr, name) for name in sr.__all__ if callable(getattr(sr, name))}
PUBLIC |= {f"sr.solvers.{name}": getattr(sr.solvers, name) for name in sr.solvers.__all__ if name != "SOLVERS"}
PUBLIC |= {
    f"sr.{room}.{name}": function
    for room in ("checks", "natural_gradient", "oracle")
    for name, function in inspect.getmembers(getattr(sr, room), inspect.isfunction)
    if function.__module__ == f"sven_ref.{room}" and not name.startswith("_") and name not in HELPERS
}


@pytest.mark.parametrize("name", ["sven_ref", *MODULES])
def test_examples_print_what_they_say(name):
    """As in the documentation of NumPy, an example takes `np` for granted, and `sr`."""
    assert not doctest.testmod(importlib.import_module(name), extraglobs={"np": np, "sr": sr}).failed


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_an_example(name):
    """One that the finder of doctests sees, though `np.errstate` is wrapped around it."""
    found = doctest.DocTestFinder(recurse=False).find(
        PUBLIC[name], name, importlib.import_module(PUBLIC[name].__module__)
    )
    assert "\nExamples\n--------\n" in inspect.getdoc(PUBLIC[name])
    assert any(test.examples for test in found)


def test_all_public_names_are_looked_at():
    assert len(PUBLIC) >= 34
