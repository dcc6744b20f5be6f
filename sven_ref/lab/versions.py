"""What the numbers of a run depend on besides its settings: the versions of Python and of the packages."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from .. import __version__


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    packages = {package: version(package) for package in ("numpy", "scipy", "autograd")}
    return {"python": platform.python_version(), "sven_ref": __version__} | packages


def changed(before: dict[str, str], now: dict[str, str]) -> str:
    """numpy 2.0.0 (now 2.4.6), of versions that differ."""
    names = [n for n in {**before, **now} if before.get(n) != now.get(n)]
    return ", ".join(f"{n} {before.get(n)} (now {now.get(n)})" for n in names)


def made_by_others(results: Sequence[dict[str, Any]]) -> list[str]:
    """A remark for each set of versions, other than those of now, with which some of these were made."""
    now = versions()
    counts: Counter[str] = Counter()
    for result in results:
        counts.update({changed(v, now) for v in (result["versions"], *result.get("earlier_versions", ())) if v != now})
    return [f"[versions] {n} of {len(results)} were made with {what}" for what, n in counts.items()]
