"""How a task runs on a worker of `sharded`: where the versions are those of the client, or not at all.

Another version of this package, of NumPy, SciPy, autograd or Python gives other bits, or another update. So a task
carries the client's versions, and a worker that came after the client looked finds out by itself. Of this package the
code counts too, as a checkout may be of any day: the SHA-256 of its sources that make numbers, all but `lab` and
`conformance`, where they can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ..errors import ClusterError


def reader() -> Callable[[], dict[str, str | None]]:
    """A function that goes to another process by value, since what it looks for may not be there: versions, by name."""

    def versions() -> dict[str, str | None]:
        import sys
        from importlib.metadata import PackageNotFoundError, version

        found: dict[str, str | None] = {"Python": "{}.{}".format(*sys.version_info)}
        for name in ("numpy", "scipy", "autograd"):
            try:
                found[name] = version(name)
            except PackageNotFoundError:  # that it is not there is an answer
                found[name] = None
        try:
            import sven_ref
        except ImportError:  # and so is this
            return {"sven_ref": None, "code": None} | found
        kept = vars(sven_ref)
        if "_code" not in kept:  # once a process
            try:
                kept["_code"] = code()
            except Exception:  # an importer that shows no files: the version has to do
                kept["_code"] = None
        return {"sven_ref": sven_ref.__version__, "code": kept["_code"]} | found

    def code() -> str | None:
        from hashlib import sha256
        from importlib.resources import files

        found = [*sources(files("sven_ref"), "", ("lab", "conformance"))]
        return sha256(repr(found).encode()).hexdigest() if found else None

    def sources(folder: Any, place: str, without: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                yield place + entry.name, entry.read_bytes().replace(b"\r\n", b"\n")
            elif entry.is_dir() and entry.name not in without:
                yield from sources(entry, f"{place}{entry.name}/", ())

    return versions


here = cache(reader())
here()  # now, as what is on disk may change while this process goes on with what it has imported


def differing(who: str, theirs: dict[str, str | None], ours: dict[str, str | None]) -> str | None:
    """What to say of one whose versions are not those of the client, if so."""
    for name, version in ours.items():
        if name == "code":
            if (
                theirs["sven_ref"] == ours["sven_ref"]
                and None not in (version, theirs[name])
                and theirs[name] != version
            ):
                what = f"other code of sven_ref {ours['sven_ref']}, though the version is the same"
                return f"client: {who} has {what}; install the same there, as it is here"
        elif theirs[name] != version:
            has = f"{name} {theirs[name]}" if theirs[name] else f"no {name}"
            return f"client: {who} has {has}; install {name} {version} there, as it is here"
    return None


def run(versions: dict[str, str | None], task: Callable[..., Any], *args: Any) -> Any:
    """task(*args), where the versions are those of the client: this worker may have come after it looked."""
    message = here() != versions and differing("a worker", here(), versions)
    if message:
        raise ClusterError(message)
    forget_keys()
    return task(*args)


def forget_keys(every: int = 1000) -> None:
    """Called with each task: Dask's cache of names of 100,000 tasks, some 30 MiB of every process, holds 1,000 so."""
    from dask.utils import key_split

    if key_split.cache_info().currsize > every:
        key_split.cache_clear()
