"""Colours of the figures: Okabe & Ito's, told apart by every kind of colour vision, and what axes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BLUE, RED, GREEN, PINK, AMBER, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
CYCLE = (BLUE, RED, GREEN, PINK, AMBER, SKY)
GREY, BLACK = "#666666", "#000000"


def dots(axes: Any, groups: Mapping[str, Sequence[float]], label: str, logarithmic: bool = True) -> None:
    """Each group's values as dots in a column of its own, its median as a bar."""
    for i, (values, colour) in enumerate(zip(groups.values(), CYCLE * 4, strict=False)):
        ordered = sorted(values)
        shifts = [i + 0.12 * ((j % 5) - 2) for j in range(len(ordered))]
        axes.plot(shifts, ordered, "o", color=colour, ms=4, alpha=0.7)
        axes.plot([i - 0.35, i + 0.35], [ordered[len(ordered) // 2]] * 2, color=colour, lw=2)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set(ylabel=label, xlim=(-0.6, len(groups) - 0.4))
    if logarithmic:
        axes.set_yscale("log")
