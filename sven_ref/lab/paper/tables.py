"""Results of many runs as one table: ours beside the published.

mean ± std over the runs that finished, std with ddof = 1; a diverged run enters no mean and is counted in
finished/attempted (SPEC 8). To target: the first epoch whose validation loss is at most the target, and the seconds of
training until then, means over the runs that got there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .protocols import Method, Protocol, Published

HEAD = (
    "method", "settings", "validation loss", "finished", "test loss", "test acc.", "train loss", "s a run",
    "epochs / s to target", "2026-09", "s", "paper time",
)  # fmt: skip
ON_CONSOLE = [name for name in HEAD if name not in ("settings", "test loss", "train loss", "s")]
EARLIER = ("paper-a", "rerun", "paper-b", "paper-c")  # what "paper time" shows, the first there is


def mean_std(values: Sequence[float | None]) -> list[float] | None:
    """[mean, std with ddof = 1 (0 for one value)] of those that are not None; None where none is."""
    known = np.array([v for v in values if v is not None], float)
    if not known.size:
        return None
    return [float(known.mean()), float(known.std(ddof=1)) if known.size > 1 else 0.0]


def to_target(history: dict[str, Any], target: float | None) -> tuple[int, float] | None:
    """(epochs, seconds) until the validation loss is at most the target; None if it never is."""
    for e in history["epochs"]:
        if target is not None and e["val_loss"] is not None and e["val_loss"] <= target:
            return e["epoch"], e["seconds"]
    return None


def summarize(results: Sequence[dict[str, Any]], target: float | None) -> dict[str, Any]:
    """The runs of one method: what the table and summary.json say of them."""
    finished = [r for r in results if not r["history"]["diverged"]]
    reached = [t for r in finished if (t := to_target(r["history"], target)) is not None]
    return {
        "attempted": len(results),
        "finished": len(finished),
        "reasons": sorted({r["history"]["reason"] for r in results if r["history"]["diverged"]}),
        **{split: mean_std([r["final"][split]["loss"] for r in finished]) for split in ("val", "test", "train")},
        "val_accuracy": mean_std([r["final"]["val"]["accuracy"] for r in finished]),
        "test_accuracy": mean_std([r["final"]["test"]["accuracy"] for r in finished]),
        "seconds": mean_std([r["seconds"] for r in finished]),
        "reached_target": len(reached),
        "epochs_to_target": mean_std([t[0] for t in reached]),
        "seconds_to_target": mean_std([t[1] for t in reached]),
    }


def number(x: float | None, digits: int = 3) -> str:
    """Three significant digits, without an exponent where that is short."""
    if x is None:
        return "—"
    if x == 0 or 1e-3 <= abs(x) < 1e4:
        return f"{x:.{max(0, digits - 1 - math.floor(math.log10(abs(x))))}f}" if x else "0"
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def pair(x: Sequence[float] | None) -> str:
    """mean ± std, or the mean where there is no std."""
    if x is None:
        return "—"
    return f"{number(x[0])} ± {number(x[1], 2)}" if x[1] else number(x[0])


def published(figure: Published | None, source: str = "") -> str:
    """A published validation loss, its accuracy and count, and the short name of its source."""
    if figure is None:
        return "—"
    accuracy = f", {figure.acc:.1%}" if figure.acc is not None else ""
    count = f" ({figure.fin})" if figure.fin else ""
    return pair(figure.val) + accuracy + count + (f" [{source}]" if source else "")


def settings(options: dict[str, Any]) -> str:
    """lr 0.01, k 32."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )


def row(method: Method, s: dict[str, Any]) -> list[str]:
    """A method's line under HEAD."""
    target = "—"
    if s["reached_target"]:
        target = f"{s['epochs_to_target'][0]:.1f} / {number(s['seconds_to_target'][0])}"
        target += "" if s["reached_target"] == s["attempted"] else f" ({s['reached_target']}/{s['attempted']})"
    sept = method.published.get("2026-09")
    early = next((name for name in EARLIER if name in method.published), "")
    accuracy = s["test_accuracy"]
    return [
        method.label,
        settings(method.options) + ("" if method.settings_from == "2026-09" else f" [{method.settings_from}]"),
        pair(s["val"]),
        f"{s['finished']}/{s['attempted']}",
        number(s["test"] and s["test"][0]),
        f"{accuracy[0]:.1%}" if accuracy else "—",
        number(s["train"] and s["train"][0]),
        number(s["seconds"] and s["seconds"][0]),
        target,
        published(sept),
        number(sept.s if sept else None),
        published(method.published.get(early), early),
    ]


def notes(protocol: Protocol, methods: Sequence[Method], sources: dict[str, str]) -> list[str]:
    """What the table's short names mean, one sentence each."""
    shown = {"2026-09"} | {m.settings_from for m in methods}
    shown |= {next((name for name in EARLIER if name in m.published), "") for m in methods}
    lines = [f"[{name}] {text}" for name, text in sources.items() if name in shown]
    if "here" in shown:
        lines.append("[here] settings chosen for this laboratory: none were published for this task")
    if protocol.target is not None:
        lines.append(f"target: validation loss {number(protocol.target)}, the median of the methods in 2026-09")
    lines.append("seconds: of training alone, one thread a run, two runs at a time; ours on this machine")
    return lines
