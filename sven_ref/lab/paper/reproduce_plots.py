"""Figures of a task's runs: learning curves, the published figures, spectra, active rank, parameter norm.

matplotlib Figures of their own, saved by Agg: no display and no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..plots import AMBER, BLACK, BLUE, GREEN, GREY, PINK, RED, SKY
from .protocols import Method, Protocol

# Line styles tell apart where the colours run out.
STYLES = {
    "sven": (BLUE, "-"),
    "adam": (RED, "-"),
    "sgd": (GREEN, "-"),
    "lbfgs": (PINK, "-"),
    "hig": (AMBER, "-"),
    "polyak": (BLACK, ":"),
    "momentum": (GREEN, "--"),
    "adamw": (RED, "--"),
    "rmsprop": (SKY, "--"),
    "gauss-newton": (GREY, "-"),
    "lm": (GREY, "--"),
}


def style(optimizer: str) -> dict[str, Any]:
    """Colour and line of an optimizer, the same in every figure."""
    colour, line = STYLES.get(optimizer, ("#999999", "-."))
    return {"color": colour, "ls": line, "lw": 2.2 if optimizer == "sven" else 1.3}


def series(results: Sequence[dict[str, Any]], name: str) -> Any:
    """A quantity of the finished runs of a method, (runs, epochs); NaN where there is none."""
    histories = [r["history"] for r in results if not r["history"]["diverged"]]
    return np.array([[np.nan if e[name] is None else e[name] for e in h["epochs"]] for h in histories], float)


def figure(protocol: Protocol, methods: Sequence[Method], groups: dict[str, list[dict[str, Any]]]) -> Any:
    """Six panels; lines are medians over the runs that finished, bands their range."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(15, 9), layout="constrained")
    (curves, clock, compared), (spectra, ranks, norms) = fig.subplots(2, 3)
    finished = [m for m in methods if series(groups[m.optimizer], "val_loss").size]
    for m in finished:
        val, how = series(groups[m.optimizer], "val_loss"), style(m.optimizer)
        epochs, middle = np.arange(val.shape[1]), np.median(val, axis=0)
        curves.semilogy(epochs, middle, label=m.label, **how)
        curves.fill_between(epochs, val.min(axis=0), val.max(axis=0), color=how["color"], alpha=0.12, lw=0)
        seconds = np.median(series(groups[m.optimizer], "seconds"), axis=0)
        clock.loglog(seconds[1:], middle[1:], **how)
        norms.plot(epochs, np.median(series(groups[m.optimizer], "theta_norm"), axis=0), **how)
        rank = series(groups[m.optimizer], "median_rank")[:, 1:]
        if np.isfinite(rank).all() and rank.size:
            ranks.plot(epochs[1:], np.median(rank, axis=0), **how)
            ranks.fill_between(epochs[1:], rank.min(axis=0), rank.max(axis=0), color=how["color"], alpha=0.2, lw=0)
    if protocol.target is not None:
        for axes in (curves, clock):
            axes.axhline(protocol.target, color="black", lw=0.8, ls="--")
    comparison(compared, methods, groups)
    decompositions(spectra, methods, groups)
    curves.set(title="Learning curves", xlabel="epoch", ylabel="validation loss")
    clock.set(title="The same by the clock", xlabel="seconds of training", ylabel="validation loss")
    spectra.set(title="Spectrum of J", xlabel="index i", ylabel=r"$\sigma_i/\sigma_1$")
    ranks.set(title="Active rank", xlabel="epoch", ylabel="median number of triplets kept", ylim=(0, None))
    norms.set(title="Parameter norm", xlabel="epoch", ylabel=r"$\|\theta\|$")
    fig.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=len(finished) or 1)
    for axes in (curves, clock, compared, spectra, ranks, norms):
        axes.grid(alpha=0.3)
    fig.suptitle(protocol.title)
    return fig


def comparison(axes: Any, methods: Sequence[Method], groups: dict[str, list[dict[str, Any]]]) -> None:
    """Final validation losses: each of our runs, our mean, and the means published."""
    for i, m in enumerate(methods):
        final = series(groups[m.optimizer], "val_loss")
        if final.size:
            axes.semilogx(final[:, -1], np.full(len(final), i), ".", color=style(m.optimizer)["color"], alpha=0.6)
            axes.semilogx([final[:, -1].mean()], [i], "o", color=style(m.optimizer)["color"])
        for source, marker in (("2026-09", "D"), ("rerun", "s")):
            if source in m.published:
                axes.semilogx([m.published[source].val[0]], [i + 0.25], marker, mfc="none", color="black", ms=5)
    for label, marker, fill in (("ours, mean", "o", "full"), ("2026-09", "D", "none"), ("re-run", "s", "none")):
        axes.plot([], [], marker, color="black", fillstyle=fill, label=label)
    axes.set_yticks(range(len(methods)), [m.label for m in methods])
    axes.set(title="Ours and the published", xlabel="final validation loss")
    axes.invert_yaxis()
    axes.legend(fontsize="small")


def decompositions(axes: Any, methods: Sequence[Method], groups: dict[str, list[dict[str, Any]]]) -> None:
    """Spectra at the first and the last epoch of Sven's first run, with its cut."""
    for m in methods:
        epochs = groups[m.optimizer][0]["history"]["epochs"]
        measured = [e for e in epochs if e["spectrum"]]
        if m.optimizer != "sven" or not measured:
            continue
        for e, colour in zip(measured[:: max(1, len(measured) - 1)], (SKY, BLUE), strict=False):
            sigma = np.array(e["spectrum"])
            axes.semilogy(range(1, len(sigma) + 1), sigma, ".-", color=colour, label=f"epoch {e['epoch']}")
        if "rtol" in m.options:
            axes.axhline(m.options["rtol"], color="black", ls="--", lw=0.8, label=f"rtol = {m.options['rtol']:g}")
        axes.set_ylim(1e-8, 2)
        axes.legend(fontsize="small")
