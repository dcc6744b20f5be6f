"""Figures of the studies: a map of divergence, and lines of the final validation loss, the published ones beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..plots import BLACK, CYCLE

COLOURS = (*CYCLE, BLACK)
AXES = {
    "micro-batch": "samples that share a row, m",
    "param-fraction": "part of the parameters, f",
    "kappa": "first-order step 2η/κ",
    "over-parametrization": "P/N",
    "tuning-budget": "trials, n",
}


def figure(name: str, settings: dict[str, Any], points: Sequence[dict[str, Any]]) -> Any:
    """The study's figure, by Agg: no display and no global state."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(15, 4) if name == "divergence" else (8, 5.5), layout="constrained")
    if name == "divergence":
        maps(fig, points)
    else:
        axes = fig.add_subplot()
        lines(axes, points, settings.get("published", {}))
        axes.set(xlabel=AXES[name], ylabel="final validation loss")
        if any(p["val"] for p in points):  # a logarithm of nothing is a warning
            axes.set_yscale("log")
            axes.set_xscale(
                "linear" if name == "param-fraction" else "log", **{} if name == "param-fraction" else {"base": 2}
            )
        else:
            axes.text(0.5, 0.5, "every run diverged", transform=axes.transAxes, ha="center")
    fig.suptitle(settings["question"])
    return fig


def lines(axes: Any, points: Sequence[dict[str, Any]], published: dict[str, Any]) -> None:
    """A line for each `line`, means with their std; published ones hollow and dashed."""
    for i, line in enumerate(dict.fromkeys(p["line"] for p in points)):
        colour = COLOURS[i % len(COLOURS)]
        mine = sorted((p for p in points if p["line"] == line and p["val"]), key=lambda p: p["x"])
        x, mean, std = ([f(p) for p in mine] for f in (lambda p: p["x"], lambda p: p["val"][0], lambda p: p["val"][1]))
        axes.errorbar(x, mean, std, color=colour, marker="o", ms=4, capsize=2, label=line)
        for p in mine:
            if p["finished"] < p["attempted"]:
                axes.annotate(f"{p['finished']}/{p['attempted']}", (p["x"], p["val"][0]), fontsize="x-small")
        if line in published:
            theirs = {float(x): y for x, y in published[line].items()}
            axes.plot(theirs.keys(), theirs.values(), "D--", mfc="none", color=colour, lw=0.8, ms=6)
    if published:
        axes.plot([], [], "D--", mfc="none", color="black", lw=0.8, label="published")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def maps(fig: Any, points: Sequence[dict[str, Any]]) -> None:
    """For each k a map of log10 of the final loss over rtol × η; a cross where every run diverged."""
    ks, rtols, lrs = (sorted({p[n] for p in points}) for n in ("k", "rtol", "lr"))
    known = [np.log10(p["val"][0]) for p in points if p["val"]]
    all_axes = fig.subplots(1, len(ks), sharey=True, squeeze=False)[0]
    for axes, k in zip(all_axes, ks, strict=True):
        grid = np.full((len(rtols), len(lrs)), np.nan)
        for p in points:
            if p["k"] == k:
                i, j = rtols.index(p["rtol"]), lrs.index(p["lr"])
                if p["val"]:
                    grid[i, j] = np.log10(p["val"][0])
                if p["finished"] < p["attempted"]:
                    axes.text(
                        j,
                        i,
                        "✕" if not p["finished"] else f"{p['finished']}/{p['attempted']}",
                        ha="center",
                        va="center",
                    )
        image = axes.imshow(
            grid, cmap="viridis", origin="lower", aspect="auto", vmin=min(known, default=0), vmax=max(known, default=1)
        )
        axes.set(title=f"k = {k}", xlabel="η")
        axes.set_xticks(range(len(lrs)), [f"{lr:g}" for lr in lrs], fontsize="small", rotation=45)
        axes.set_yticks(range(len(rtols)), [f"{r:g}" for r in rtols])
    all_axes[0].set_ylabel("rtol")
    fig.colorbar(image, ax=list(all_axes), label="log10 of the final validation loss; ✕ diverged")
