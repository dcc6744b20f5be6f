"""Where Sven diverges, in k × rtol × η.

A kept triplet moves θ by η |u_iᵀR|/σ_i. With rtol → 0 the σ_i of what the network can hardly change are kept, and the
step leaves the region in which J describes R. Diverged is what SPEC 8 says: a value is not finite, or the final
validation loss exceeds ten times the untrained one. The authors saw it on the toy task at rtol ≤ 1e-4 and k ≥ 4 only.

A diverged run has no loss. How much depends on counting it is measured too: in how many points would the mean over the
runs that finished hide that others did not?
"""

from __future__ import annotations

from typing import Any

from ...plots import CYCLE
from ..arms import last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted
from ..statistics import finished
from ..toy_grid import CONDITIONS, name, points, size, small, sven_grid

CLAIM = Claim(
    title="Divergence comes from a small rtol with a large k",
    statement="Runs blow up only where rtol ≤ 1e-4 and more than one triplet is kept, at any learning rate.",
    where="the authors' campaign of 2026-09; a reviewer asked where failed runs went",
    conditions=CONDITIONS + ", on every point; two points also with 10,000 training points.",
    settles=("claim 13", "criticism 12"),
)
SMALL, LONGER = 1e-4, (4, 32)


def compute(effort: Effort) -> dict[str, Any]:
    """Points, each k, rtol, lr and the final test losses by draw and seed; some of them for 3,120 steps too."""
    found = sven_grid(effort)
    many: dict[str, Any] = effort.choose({"task_options": {}}, {})
    again = {
        name(k, 1e-3, 1.0): small("toy", "sven", {"k": k, "rtol": 1e-3, "lr": 1.0}, effort, **many) for k in LONGER
    }
    longer = tables(effort, again, *size(effort))
    values = {
        "points": [
            {"k": k, "rtol": rtol, "lr": lr, "test": last(found[name(k, rtol, lr)])} for k, rtol, lr in points(effort)
        ],
        "longer": [{"k": k, "rtol": 1e-3, "lr": 1.0, "test": last(longer[name(k, 1e-3, 1.0)])} for k in LONGER],
    }
    return counted(values, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Outside are points with rtol > 1e-4 or k = 1. Holds where some run diverged and none outside; holds if η is at
    most the largest rate up to which none did outside; does not hold otherwise."""
    data = data["values"]
    counts = [(p, finished(p["test"])) for p in data["points"]]
    failed = [(p, n - done) for p, (done, n) in counts if done < n]
    outside = [(p, n) for p, n in failed if p["rtol"] > SMALL or p["k"] == 1]
    rates = sorted({p["lr"] for p in data["points"]})
    safe = [lr for lr in rates if all(p["lr"] > lr for p, _ in outside)]
    hidden = sum(done > 0 for p, (done, n) in counts if done < n)
    longer = sum(finished(p["test"])[1] - finished(p["test"])[0] for p in data["longer"])
    same = sum(n for p, n in failed if p["rtol"] == 1e-3 and p["lr"] == 1 and p["k"] in LONGER)
    least = f"at η ≥ {min(p['lr'] for p, _ in outside):g}" if outside else "nowhere"
    line = (
        f"{sum(n for _, n in failed)} of {sum(n for _, (_, n) in counts)} runs diverged, {sum(n for _, n in outside)} "
        f"of them outside, {least}; of the runs at rtol = 1e-3, η = 1, k = 4 and 32, which jump at the start, {same} "
        f"are too high after 320 steps and {longer} after 3,120; at {hidden} points some runs diverged and some "
        "finished, which a mean of the finished would hide."
    )
    if failed and not outside:
        return Verdict("holds", line)
    return Verdict("holds if", f"η ≤ {safe[-1]:g}. {line}") if failed and safe else Verdict("does not hold", line)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a (k, rtol): finished/attempted by η."""
    data = data["values"]
    rows: dict[tuple[int, float], dict[str, str]] = {}
    for p in data["points"]:
        row = rows.setdefault((p["k"], p["rtol"]), {"k": str(p["k"]), "rtol": f"{p['rtol']:g}"})
        row[f"η = {p['lr']:g}"] = "{}/{}".format(*finished(p["test"]))
    return list(rows.values())


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Part of the runs that diverged by rtol, a line a (k, η)."""
    data = data["values"]
    groups: dict[str, list[tuple[float, float]]] = {}
    for p in data["points"]:
        done, n = finished(p["test"])
        groups.setdefault(f"k {p['k']}, η {p['lr']:g}", []).append((p["rtol"], 1 - done / n))
    ks = list(dict.fromkeys(label.split(",")[0] for label in groups))
    seen: dict[str, int] = {}
    for label, line in groups.items():
        k = label.split(",")[0]
        style = ("-", "--", ":")[seen.setdefault(k, 0) % 3]
        seen[k] += 1
        axes.plot(*zip(*line, strict=True), marker="o", ms=4, label=label, color=CYCLE[ks.index(k) % 3], ls=style)
    axes.set_xscale("log")
    axes.set(xlabel="rtol", ylabel="part of the runs that diverged", ylim=(-0.05, 1.05))
    axes.legend(fontsize="x-small", ncols=2)
