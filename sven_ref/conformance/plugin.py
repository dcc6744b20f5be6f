"""A pytest plugin: one test for each case and dtype, in another project's own test-suite.

    # conftest.py
    sven_ref_adapter = "my_package.my_module:Adapter"     or the class, or an object, or ["program", "argument", …]

pytest finds the plugin by its entry point. It is inert unless a conftest.py that pytest collects has that line; then
the cases are tests of that file: `pytest tests`, `pytest tests/conftest.py -k "step or strict"`. A list is a command
for a child process. A case the adapter skips is a skipped test.

Everything is imported when it is needed: plugins are imported before the tests of every project that has this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

NAME = "sven_ref_adapter"


def pytest_collect_file(file_path: Path, parent: Any) -> Any:
    """The cases, as a collector in the place of a conftest.py that names an adapter."""
    if file_path.name == "conftest.py":
        for module in parent.config.pluginmanager.get_plugins():
            if getattr(module, "__file__", None) == str(file_path) and hasattr(module, NAME):
                collector: Any = classes()[0].from_parent(parent, path=file_path)
                collector.adapter = getattr(module, NAME)
                return collector
    return None


@cache
def classes() -> tuple[Any, Any]:
    """The collector and the test item, which derive from classes of pytest."""
    import pytest

    from ..errors import SvenError
    from . import loader, report, runner
    from .child import Child
    from .sources import Module

    class Cases(pytest.File):
        """All cases, asked of one adapter."""

        adapter: Any

        def collect(self) -> Iterator[Any]:
            """A test for each case in each dtype the adapter offers."""
            try:
                command = isinstance(self.adapter, list | tuple)
                source = Child(self.adapter) if command else Module(self.adapter)
                self.config.add_cleanup(source.close)
                suite = loader.load()
            except SvenError as error:
                raise self.CollectError(f"sven_ref: {error}") from None
            for case in suite.cases:
                for dtype in (d for d in source.hello.dtypes if d in case.dtypes):
                    test = Test.from_parent(self, name=f"{case.id}[{dtype}]")
                    test.asked, test.flags = (source, case, dtype), suite.flags
                    test.extra_keyword_matches |= {case.level, *case.flags}
                    yield test

    class Test(pytest.Item):
        """One case in one dtype."""

        asked: Any
        flags: Any

        def runtest(self) -> None:
            """Ask and judge."""
            result = runner.result(*self.asked)
            if result.status == "skipped":
                pytest.skip(result.message)
            if result.status != "passed":
                lines = report.failure(result, report.usual([result])[result.id], self.flags, set())
                pytest.fail("\n".join("".join(part for part, _ in line) for line in lines), pytrace=False)

        def reportinfo(self) -> tuple[Path, int, str]:
            """Where pytest says the test is."""
            return self.path, 0, self.name

    return Cases, Test
