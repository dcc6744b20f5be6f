"""What is checked, each by one command: `nox -s lint`, `tests`, `docs`, `browser`, `package`. `nox` runs them all.

What they make is in build/: the site in build/site, screenshots in build/screenshots, wheels in build/dist.
"""

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and the README's line counts."""
    session.install("-e", ".[app,dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The ordinary tests, on every Python that is here: `nox -s tests-3.11` for one."""
    session.install("-e", ".[app,test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, into build/site; a warning is an error."""
    session.install("-e", ".[docs]")
    build(session)
    session.log("open build/site/index.html")


def build(session: nox.Session) -> None:
    """Build the site anew."""
    shutil.rmtree("build/site", ignore_errors=True)
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "build/site")


@nox.session
def browser(session: nox.Session) -> None:
    """Every page of build/site in a headless Chromium; screenshots into build/screenshots."""
    session.install("-e", ".[browser]")
    if not Path("build/site/index.html").exists():
        build(session)
    session.run("python", "-m", "pytest", "-q", "tests/browser", *session.posargs, env={"SVEN_REF_SITE": "build/site"})


@nox.session
def package(session: nox.Session) -> None:
    """Wheel and sdist: built, checked; the sdist's tests run against the installed wheel, from another directory."""
    session.install("build", "twine")
    dist, elsewhere = Path("build/dist").absolute(), Path(session.create_tmp()).absolute()
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist))
    files = [str(path) for path in dist.iterdir()]
    session.run("twine", "check", "--strict", *files)
    wheel = next(path for path in files if path.endswith(".whl"))
    sdist = next(path for path in files if path.endswith(".tar.gz"))
    session.install(f"sven-ref[app,test] @ {Path(wheel).as_uri()}")
    shutil.rmtree(elsewhere)
    session.run("python", "-m", "tarfile", "-e", sdist, str(elsewhere))
    (tree,) = elsewhere.glob("sven_ref-*")
    session.chdir("/")  # not the tree: what is imported must be the wheel's
    session.run("python", "-c", "import sven_ref; assert 'site-packages' in sven_ref.__file__, sven_ref.__file__")
    session.run("pytest", "-q", str(tree / "tests"), *session.posargs)
