"""What is checked, each by one command: `nox -s lint`, `tests`, `docs`, `browser`, `package`. `nox` runs them all.

A session has the Python that nox has. `.ci/run` runs package, lint, docs and browser on the newest, package beside the
tests by the README's command. What they make is in build/: the site in build/site, screenshots in build/screenshots,
wheels in build/dist.
"""

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"  # `requires`
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    session.install("-e", ".[app,dev,test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The ordinary tests, on every Python that is here: `nox -s tests-3.11` for one."""
    session.install("-e", ".[app,dask,test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, built anew into build/site; a warning is an error."""
    session.install("-e", ".[docs]")
    shutil.rmtree("build/site", ignore_errors=True)  # it may not be there yet
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "build/site")
    session.log("open build/site/index.html")


@nox.session(requires=["docs"])
def browser(session: nox.Session) -> None:
    """Every page of build/site in a headless Chromium; screenshots into build/screenshots."""
    if not any(map(shutil.which, BROWSERS)):
        session.skip(f"no browser on PATH, none of {', '.join(BROWSERS)}: the site was built and not looked at")
    session.install("-e", ".[browser]")
    session.run("python", "-m", "pytest", "-q", "tests/browser", *session.posargs, env={"SVEN_REF_SITE": "build/site"})


@nox.session
def package(session: nox.Session) -> None:
    """Wheel and sdist, built and checked; the sdist's tests against the installed wheel, from another directory.

    Dask and JAX are installed, so that no test of theirs is left out. The core's tests, with its coverage, and those of
    the adapters and of training on workers run beside each other. What else is in tests/lab and tests/conformance is
    for `tests`.
    """
    session.install("build", "twine")
    dist, elsewhere = Path("build/dist").absolute(), Path(session.create_tmp()).absolute()
    shutil.rmtree(dist, ignore_errors=True)  # it may not be there yet
    session.run("python", "-m", "build", "--outdir", str(dist))
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))
    session.install(f"sven-ref[app,dask,test] @ {wheel.as_uri()}", "coverage", "jax")
    shutil.rmtree(elsewhere)
    session.run("python", "-m", "tarfile", "-e", str(sdist), str(elsewhere))
    (tree,) = elsewhere.glob("sven_ref-*")
    session.chdir("/")  # not the tree: what is imported must be the wheel's
    session.run("python", "-c", "import sven_ref; assert 'site-packages' in sven_ref.__file__, sven_ref.__file__")
    session.env["COVERAGE_FILE"] = str(elsewhere / "coverage")
    settings, tests = f"--rcfile={tree / 'pyproject.toml'}", tree / "tests"
    beside = [str(tests / name) for name in ("conformance/test_adapters.py", "lab/test_train_on_workers.py")]
    python, said = str(Path(session.bin) / "python"), elsewhere / "beside.log"
    with (
        said.open("w") as log,
        subprocess.Popen(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *beside, *session.posargs],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {name: value for name, value in session.env.items() if value is not None},
        ) as other,
    ):
        ignored = [f"--ignore={tests / name}" for name in ("conformance", "lab")]
        try:
            session.run("coverage", "run", settings, "-m", "pytest", "-q", str(tests), *ignored, *session.posargs)
            session.run("coverage", "report", settings)
        finally:
            other.wait()
            session.log(said.read_text(encoding="utf-8", errors="replace"))
    if other.returncode:
        session.error(f"the tests of {' and '.join(beside)} failed")
