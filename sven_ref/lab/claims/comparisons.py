"""What the claims from training share: losses compared in decades, rows of a table, lines of a figure.

Losses span decades, so means are of log10 ℓ, and a difference of means is the log10 of a factor. Every interval is
Student's over the data draws (`statistics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..paper.tables import number
from ..plots import CYCLE
from .claim import Verdict
from .statistics import Interval, Values, finished, log10, mean_interval, paired_interval


def counted(values: Any, draws: int, seeds: int) -> dict[str, Any]:
    """What a claim's `compute` gives: the values, from how many draws and seeds."""
    return {"draws": draws, "seeds": seeds, "values": values}


def by_number(found: Mapping[str, Any]) -> dict[str, Any]:
    """In the order of the numbers that the names are, whatever order they were read in."""
    return dict(sorted(found.items(), key=lambda item: float(item[0])))


def decades(a: Values, b: Values) -> Interval:
    """log10(a/b), paired."""
    return paired_interval(log10(a), log10(b))


def factor(i: Interval) -> str:
    """10^mean and its interval: "0.12 [0.05, 0.3]"."""
    return f"{number(10**i.mean, 2)} [{number(10**i.low, 2)}, {number(10**i.high, 2)}]"


def typical(values: Values) -> float | None:
    """The geometric mean of the runs that finished, seeds averaged inside a draw; None without two draws."""
    done = [row for row in values if any(v is not None for v in row)]
    return 10 ** mean_interval(log10(done)).mean if len(done) > 1 else None


def count(values: Values) -> str:
    """finished/attempted."""
    return "{}/{}".format(*finished(values))


def loss_row(values: Values) -> dict[str, str]:
    """The cells that every table of losses has."""
    done = [row for row in values if any(v is not None for v in row)]
    text = factor(mean_interval(log10(done))) if len(done) > 1 else "—"
    return {"test loss [95 %]": text, "finished": count(values)}


def lines(axes: Any, curves: Mapping[str, tuple[Sequence[Any], Sequence[float | None]]], **labels: Any) -> None:
    """Named curves of (x, y) with a logarithmic y; points without a value are left out."""
    styles = ("-", "--", ":")
    for i, (name, (xs, ys)) in enumerate(curves.items()):
        points = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
        if points:
            style = {"color": CYCLE[i % len(CYCLE)], "ls": styles[i // len(CYCLE) % 3], "marker": "o", "ms": 3}
            axes.plot(*zip(*points, strict=True), label=name, **style)
    axes.set_yscale("log")
    axes.set(**labels)
    axes.legend(fontsize="small")


def by_epoch(axes: Any, values: Mapping[str, Any]) -> None:
    """The curve of each task's methods, the median test loss by epoch."""
    curves = {f"{m}, {t}": (range(len(f["curve"])), f["curve"]) for t, ms in values.items() for m, f in ms.items()}
    lines(axes, curves, xlabel="epochs", ylabel="test loss, median")


def judged(
    won: Sequence[str], everything: Sequence[str], line: str, what: str, lost: Sequence[str] | None = None
) -> Verdict:
    """Holds where all were won, holds if `what` is one of those won; none won: does not hold, or open if `lost` is
    given and empty."""
    if len(won) == len(everything):
        return Verdict("holds", line)
    if won:
        rest = "" if lost is None else ", ".join(x for x in everything if x not in (*won, *lost))
        line = f"{line} Undecided: {rest}." if rest else line
        return Verdict("holds if", f"{what} is {' or '.join(won)}. {line[0].upper()}{line[1:]}")
    return Verdict("does not hold" if lost is None or lost else "open", line)
