"""How sensitive Sven is to the batch size.

k = B, so that the rank kept is what rtol leaves of it. With B a step asks for more at once, and there are fewer steps
an epoch: at a fixed number of epochs the two work against each other, for every method. Sven and Adam at each B, the
best of as many learning rates each by validation; the rank that Sven kept beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arms import best, last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_number, counted, decades, factor, lines, loss_row, typical
from ..statistics import paired_interval
from ..toy_grid import size, small

CLAIM = Claim(
    title="Sven depends less on the batch size than Adam",
    statement="Over batch sizes from 8 to 256 Sven's loss varies less than Adam's.",
    where="a reviewer's question",
    conditions="210-monomial polynomial, 1,024 points, 10 epochs at every B, κ = 2, k = B, rtol = 0.03; η in {0.1, "
    "0.5} for Sven, lr in {3e-3, 1e-2} for Adam, by validation at each B. 3 data draws × 2 seeds.",
    settles=("criticism 9",),
)
SIZES = (8, 16, 32, 64, 128, 256)
RATES: dict[str, Any] = {
    "Sven": ("sven", [{"lr": 0.1, "rtol": 0.03}, {"lr": 0.5, "rtol": 0.03}]),
    "Adam": ("adam", [{"lr": 3e-3}, {"lr": 1e-2}]),
}


def compute(effort: Effort) -> dict[str, Any]:
    """method -> B -> the rate chosen, test losses, the median rank."""
    data: dict[str, Any] = {}
    for method, (optimizer, rates) in RATES.items():
        data[method] = {}
        for B in effort.choose(SIZES, (16, 64)):
            arms = {f"{r['lr']:g}": small("polynomial", optimizer, r, effort, batch_size=B) for r in rates}
            found = tables(effort, arms, *size(effort))
            chosen = best(arms, found)
            ranks = [x for row in found[chosen] for r in row for x in r["rank"][1:] if x is not None]
            rank = float(np.median(ranks)) if ranks else None
            data[method][str(B)] = {"rate": chosen, "test": last(found[chosen]), "rank": rank}
    return counted(data, *size(effort))


def spread(by_size: dict[str, Any]) -> list[list[float | None]]:
    """Of each draw and seed, log10 of the largest over the smallest loss of all B; None where one diverged."""
    stacked = np.array([found["test"] for found in by_size.values()], dtype=object)  # (B, draws, seeds)
    rows = stacked.transpose(1, 2, 0)
    return [
        [None if any(v is None for v in losses) else float(np.log10(max(losses) / min(losses))) for losses in row]
        for row in rows
    ]


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of the difference of the spreads, Sven's less Adam's, lies below zero; does not hold
    where it lies above; open otherwise."""
    data = {method: by_number(by) for method, by in data["values"].items()}
    d = paired_interval(spread(data["Sven"]), spread(data["Adam"]))
    sizes = list(data["Sven"])
    ranks = ", ".join(f"{data['Sven'][B]['rank']:.0f} of {B}" for B in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    ends = {m: decades(by[sizes[-1]]["test"], by[sizes[0]]["test"]) for m, by in data.items()}
    line = (
        f"largest over smallest loss of all B, Sven's over Adam's: × {factor(d)}; from B = {sizes[0]} to {sizes[-1]} "
        f"Sven × {factor(ends['Sven'])}, Adam × {factor(ends['Adam'])}; rank {ranks}."
    )
    return Verdict({-1: "holds", 1: "does not hold", 0: "open"}[d.sign], line)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a method and B."""
    data = {method: by_number(by) for method, by in data["values"].items()}
    return [
        {"method": method, "B": B, "rate": found["rate"]}
        | loss_row(found["test"])
        | {"median rank": f"{found['rank']:.0f}" if found["rank"] is not None else ""}
        for method, by in data.items()
        for B, found in by.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Test loss by B."""
    data = {method: by_number(by) for method, by in data["values"].items()}
    curves = {m: ([int(B) for B in by], [typical(f["test"]) for f in by.values()]) for m, by in data.items()}
    lines(axes, curves, xlabel="batch size B", ylabel="test loss")
    axes.set_xscale("log", base=2)
