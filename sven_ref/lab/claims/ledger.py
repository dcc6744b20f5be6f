"""The ledger: claims computed, their results kept, two sets of results compared.

    {name: {"data": what compute gave, "seconds": 2.1, "versions": {"numpy": …}}}

as one JSON file with sorted keys and numbers of six digits; "quick": true is in an entry of a quick look. Verdicts are
not kept: they follow from the data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from ...errors import ArgumentError
from ...strict_json import loads_strict
from ..console import write_durably
from ..training.records import RecordError
from ..versions import versions
from .claim import Effort, Verdict
from .registry import CLAIMS, module

DIGITS = 6
RELATIVE, ABSOLUTE = 1e-3, 1e-9  # within these an exact claim's numbers are the same on another machine

Results = dict[str, dict[str, Any]]


def run(name: str, effort: Effort) -> dict[str, Any]:
    """The entry of one claim."""
    start = perf_counter()
    data = rounded(module(name).compute(effort))
    entry = {"data": data, "seconds": rounded(perf_counter() - start, 2), "versions": versions()}
    return entry | ({"quick": True} if effort.quick else {})


def verdict(name: str, results: Results) -> Verdict:
    """What the claim's own rule says of its numbers; open where there are none."""
    if name not in results:
        return Verdict("open", f"Its computation is here and has not been run: `sven-ref claims {name} --write`.")
    judged: Verdict = module(name).verdict(results[name]["data"])
    return judged


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """The same as JSON gives it back, numbers to so many significant digits; a number must be finite."""
    if isinstance(value, dict):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if hasattr(value, "tolist"):  # NumPy's
        return rounded(value.tolist(), digits)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArgumentError(f"data: holds {value}; a run without a value is None")
        return float(f"{value:.{digits}g}")
    return value


OF_PAGE = "restore it from version control, or delete it and have it written again by --write"


def read(path: Path, remedy: str = OF_PAGE) -> Results:
    """Results from a file, none where there is no file; raise `RecordError` unless it is one that `write` made."""
    if not path.exists():
        return {}
    try:
        results = loads_strict(path.read_bytes(), str(path))
    except OSError as error:
        raise RecordError(f"{path}: can't be read ({error.strerror}); {remedy}") from None
    except (ValueError, RecursionError):  # the error is below, in words
        results = None
    wrong = [name for name, entry in results.items() if not whole(name, entry)] if isinstance(results, dict) else [""]
    if wrong:
        where = f" (at {wrong[0]!a})" if wrong[0] else ""
        raise RecordError(
            f"{path}: is truncated, altered or no file of results, {{name: {{data, seconds, versions}}}}{where}; "
            f"{remedy}"
        )
    return dict(results)


def whole(name: str, entry: Any) -> bool:
    """Whether a page can be made of the entry: of a claim that there is, with data of that claim."""
    if name not in CLAIMS or not isinstance(entry, dict) or not entry.keys() >= {"data", "seconds", "versions"}:
        return False
    try:
        counts = [entry["data"]["draws"], entry["data"]["seeds"], entry["seconds"]]
        return all(map(math.isfinite, counts)) and bool(
            verdict(name, {name: entry}) and module(name).table(entry["data"])
        )
    except Exception:  # of data of another form, whatever the claim makes of it
        return False


def write(path: Path, results: Results) -> None:
    """In the page's order of claims, one line a claim."""
    lines = [f"{json.dumps(n)}: {json.dumps(results[n], sort_keys=True, allow_nan=False)}" for n in present(results)]
    write_durably(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def present(results: Results) -> list[str]:
    """The claims that have results, in the page's order."""
    return [name for name in CLAIMS if name in results]


def changed_verdicts(old: Results, new: Results) -> list[str]:
    """One line for each claim of `new` whose verdict is another than in `old`."""
    lines = []
    for name in present(new):
        was, is_ = verdict(name, old).word, verdict(name, new).word
        if was != is_:
            lines.append(f"{name}: the page says {was!r}, this run {is_!r}")
    return lines


def differences(old: Any, new: Any, where: str = "data") -> list[str]:
    """Places where two sets of numbers differ by more than the tolerances."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [line for key in old for line in differences(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs: Sequence[tuple[Any, Any]] = list(zip(old, new, strict=True))
        return [line for i, (a, b) in enumerate(pairs) for line in differences(a, b, f"{where}[{i}]")]
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (old, new))
    same = math.isclose(old, new, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if numbers else old == new
    return [] if same else [f"{where}: {old!r} and {new!r}"]
