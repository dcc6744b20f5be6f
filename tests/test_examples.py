"""Every example runs, and its asserts hold."""

import runpy
import warnings
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, capsys):
    plt = pytest.importorskip("matplotlib.pyplot", reason="examples end with a picture: pip install '.[app]'")
    plt.switch_backend("agg")
    assert "assert" in path.read_text()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*non-interactive.*")  # plt.show()
        runpy.run_path(str(path), run_name="__main__")
    plt.close("all")
    assert capsys.readouterr().out
