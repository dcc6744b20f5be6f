"""Every example runs, its asserts hold, and its figures can be read."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "docs" / "_ext"))

import pages
import stylesheet

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, capsys):
    plt = pytest.importorskip("matplotlib.pyplot", reason="examples end with a picture: pip install '.[app]'")
    plt.switch_backend("agg")
    assert "assert" in path.read_text()
    with warnings.catch_warnings(), plt.rc_context(stylesheet.STYLE):
        warnings.filterwarnings("ignore", ".*non-interactive.*")  # plt.show()
        runpy.run_path(str(path), run_name="__main__")
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert figures
    for figure in figures:
        assert figure.get_label().endswith("."), "a figure without a caption"
        assert not list(pages.unreadable(figure))
    plt.close("all")
    assert capsys.readouterr().out
