"""Where Sven diverges, in k × rtol × η.

A kept triplet moves θ by η |u_iᵀR|/σ_i. With rtol → 0 the σ_i of what the network can hardly change are kept, and the
step leaves the region in which J describes R. Diverged is what SPEC 8 says: a value is not finite, or the final
validation loss exceeds ten times the untrained one. The authors saw it on the toy task at rtol ≤ 1e-4 and k ≥ 4 only.

A diverged run has no loss. How much depends on counting it is measured too: in how many points would the mean over the
runs that finished hide that others did not?
"""

from __future__ import annotations

from typing import Any

from .claim import Claim, Effort, Verdict
from .grid import CONDITIONS, name, points, size, sven_grid
from .runs_trained import last
from .shown import counted
from .statistics import finished

CLAIM = Claim(
    title="Divergence comes from a small rtol with a large k",
    statement="Runs blow up only where rtol ≤ 1e-4 and more than one triplet is kept, at any learning rate.",
    where="the authors' campaign of 2026-09; a reviewer asked where failed runs went",
    conditions=CONDITIONS + ", on every point.",
    settles=("claim 13", "criticism 12"),
)
SMALL = 1e-4


def compute(effort: Effort) -> dict[str, Any]:
    """A list of points: k, rtol, lr, the final test losses by draw and seed."""
    found = sven_grid(effort)
    values = {
        "points": [
            {"k": k, "rtol": rtol, "lr": lr, "test": last(found[name(k, rtol, lr)])} for k, rtol, lr in points(effort)
        ]
    }
    return counted(values, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where some run diverged and all that did have rtol ≤ 1e-4 and k > 1."""
    data = data["values"]
    counts = [(p, finished(p["test"])) for p in data["points"]]
    failed = [(p, n - done) for p, (done, n) in counts if done < n]
    total, attempted = sum(n for _, n in failed), sum(n for _, (_, n) in counts)
    outside = sum(n for p, n in failed if p["rtol"] > SMALL or p["k"] == 1)
    hidden = sum(finished(p["test"])[0] > 0 for p, _ in failed)
    by_lr = {lr: sum(n for p, n in failed if p["lr"] == lr) for lr in sorted({p["lr"] for p in data["points"]})}
    line = (
        f"{total} of {attempted} runs diverged, {outside} of them with rtol > 1e-4 or k = 1; "
        + ", ".join(f"{n} at η = {lr:g}" for lr, n in by_lr.items())
        + f"; at {hidden} points some runs diverged and some finished, which a mean of the finished would hide."
    )
    return Verdict("holds" if total and not outside else "does not hold", line)


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
    colours = ("#0072B2", "#D55E00", "#009E73")
    ks = list(dict.fromkeys(label.split(",")[0] for label in groups))
    seen: dict[str, int] = {}
    for label, line in groups.items():
        k = label.split(",")[0]
        style = ("-", "--", ":")[seen.setdefault(k, 0) % 3]
        seen[k] += 1
        axes.plot(*zip(*line, strict=True), marker="o", ms=4, label=label, color=colours[ks.index(k) % 3], ls=style)
    axes.set_xscale("log")
    axes.set(xlabel="rtol", ylabel="part of the runs that diverged", ylim=(-0.05, 1.05))
    axes.legend(fontsize="x-small", ncols=2)
