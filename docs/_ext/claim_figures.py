"""The figures of docs/claims.md, drawn from docs/claims.json as the site is built: one a claim, and its thumbnail.

Nothing of them is in the page itself: `illustrated` adds a column of thumbnails to the table of all claims, and the
figure to each claim's section.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sven_ref.lab.claims import ledger
from sven_ref.lab.claims.registry import module

RESULTS = Path(__file__).parent.parent / "claims.json"


def write(figures: Path) -> None:
    """claim-NAME.svg and claim-NAME-small.svg in `figures`."""
    from matplotlib.figure import Figure

    for name, entry in ledger.read(RESULTS).items():
        fig = Figure(figsize=(5.6, 3.5), layout="constrained")
        module(name).draw(fig.subplots(), entry["data"])
        fig.savefig(figures / f"claim-{name}.svg")
        fig = Figure(figsize=(1.5, 0.95), layout="constrained")
        axes = fig.subplots()
        module(name).draw(axes, entry["data"])
        bare(axes)
        fig.savefig(figures / f"claim-{name}-small.svg")


def bare(axes: Any) -> None:
    """Lines and dots alone."""
    axes.set(xlabel="", ylabel="", title="")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    for text in (axes.get_legend(), *axes.texts):
        if text is not None:
            text.remove()
    for line in axes.lines:
        line.set(linewidth=min(line.get_linewidth(), 1), markersize=min(line.get_markersize(), 2))


def illustrated(text: str) -> str:
    """The page with its thumbnails and figures."""
    head, title, rest = text.partition("## All claims")
    table, following, rest = rest.partition("\n## ")
    lines, computed = [], ledger.read(RESULTS)
    for line in table.split("\n"):
        if (name := re.search(r"\| `(\w+)` \|$", line)) and name[1] in computed:
            line = f"| ![](built/figures/claim-{name[1]}-small.svg) {line}"
        elif line.startswith("| ---"):
            line = f"| --- {line}"
        elif line.startswith("|"):
            line = f"|  {line}"
        lines.append(line)

    def figure(m: re.Match[str]) -> str:
        claim = module(m[1]).CLAIM
        picture = f"```{{figure}} built/figures/claim-{m[1]}.svg\n:alt: {claim.title}, drawn.\n```"
        return f"{picture}\n\n{m[0]}"

    rest = re.sub(r"^\*Rule\.\* .*`sven-ref claims (\w+)`", figure, rest, flags=re.MULTILINE)
    return head + title + "\n".join(lines) + following + rest
