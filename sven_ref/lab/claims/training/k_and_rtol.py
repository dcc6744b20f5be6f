"""Beyond the number of singular values above rtol·σ_1, a larger k changes nothing.

    q = min(k, #{i : σ_i > rtol σ_1})

is the rank that a step uses, so that where k is at least the count at every step two runs are the same run, whatever
their k. What is empirical is how large that count is, and what is lost with a k below it. Measured on the toy task: for
each rtol the median count at k = B, and the final loss at k over that at k = B.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arms import last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_number, counted, decades, factor, lines, loss_row, typical
from ..toy_grid import CONDITIONS, size, small

CLAIM = Claim(
    title="The loss is flat in k beyond the rtol-rank",
    statement="k matters below the number of singular values above rtol·σ₁, and not above it.",
    where="arXiv 2604.01279, ablations of k and rtol",
    conditions=CONDITIONS + ", η = 0.05, k from 1 to B = 32.",
    settles=("claim 9",),
)
KS, RTOLS = (1, 2, 4, 8, 16, 32), (1e-4, 1e-3, 1e-2)


def compute(effort: Effort) -> dict[str, Any]:
    """rtol -> the median and the largest rank at k = 32, and the losses by k."""
    ks, rtols = effort.choose(KS, (1, 16, 32)), effort.choose(RTOLS, (1e-2,))
    arms = {
        f"{k} {rtol:g}": small("toy", "sven", {"k": k, "rtol": rtol, "lr": 0.05}, effort) for k in ks for rtol in rtols
    }
    found, data = tables(effort, arms, *size(effort)), {}
    for rtol in rtols:
        ranks = [r["rank"][1:] for row in found[f"32 {rtol:g}"] for r in row if not r["diverged"]]
        flat = [x for run in ranks for x in run]
        data[f"{rtol:g}"] = {
            "rank": [float(np.median(flat)), max(flat)] if flat else None,
            "test": {str(k): last(found[f"{k} {rtol:g}"]) for k in ks},
        }
    return counted(data, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where, at every rtol, each k that was tried of at least the rank, but 32, has the loss of k = 32 within a
    factor 1.25, and k = 1 has not; the line says where no such k was tried."""
    data = {rtol: found | {"test": by_number(found["test"])} for rtol, found in by_number(data["values"]).items()}
    parts, flat, lost = [], True, True
    for rtol, found in data.items():
        rank, full = found["rank"], found["test"]["32"]
        above = [k for k in found["test"] if rank and rank[1] <= int(k) < 32]
        ratios = {k: decades(values, full) for k, values in found["test"].items() if k != "32" and typical(values)}
        flat &= all(k in ratios and abs(ratios[k].mean) < np.log10(1.25) for k in above)
        lost &= "1" in ratios and ratios["1"].mean > np.log10(1.25)
        first = "no k between rank and 32 was tried, " if not above else ""
        first = f"k = {above[0]} × {factor(ratios[above[0]])}, " if above and above[0] in ratios else first
        cost = f"k = 1 × {factor(ratios['1'])}" if "1" in ratios else "k = 1 diverged"
        parts.append(
            f"rtol {rtol}: rank {rank[0]:.0f} (an epoch at most {rank[1]:.0f}), loss over that of k = 32: {first}{cost}"
            if rank
            else ""
        )
    return Verdict("holds" if flat and lost else "does not hold", "; ".join(parts) + ".")


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row an rtol and k."""
    data = {rtol: found | {"test": by_number(found["test"])} for rtol, found in by_number(data["values"]).items()}
    return [
        {"rtol": rtol, "median rank at k = 32": f"{found['rank'][0]:.0f}" if found["rank"] else "—", "k": k}
        | loss_row(values)
        for rtol, found in data.items()
        for k, values in found["test"].items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Test loss by k."""
    data = {rtol: found | {"test": by_number(found["test"])} for rtol, found in by_number(data["values"]).items()}
    curves = {
        f"rtol {rtol}": ([int(k) for k in found["test"]], [typical(v) for v in found["test"].values()])
        for rtol, found in data.items()
    }
    lines(axes, curves, xlabel="k", ylabel="test loss")
    axes.set_xscale("log", base=2)
