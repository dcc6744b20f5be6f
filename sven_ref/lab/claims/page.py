"""docs/claims.md from the results: one table of all claims, the rows they settle, then a section a claim.

Figures are not in the page: docs/_ext/claim_figures.py draws them as the site is built and puts them in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ..console import markdown_table
from .claim import WORDS, Verdict
from .ledger import Results, verdict
from .registry import CLAIMS, GROUP, module

HEAD = """# The ledger of claims

What the paper (arXiv 2604.01279) says of Sven, what its reviewers asked, and what a computation answers. This page is
written from `docs/claims.json`, the numbers that these commands gave, all claims or one:

```sh
sven-ref claims --write
sven-ref claims minimum_norm --write
```

**Verdicts.** *Holds*; *holds if*, under the condition that its line names; *does not hold*; *open*, with what is
missing. Each follows from the stored numbers by the rule at the end of its section. Intervals are 95 %, Student's, over
draws of the data; seeds (of θ_0 and of the batches) are averaged inside a draw. Options are selected on validation
data and reported on test data. Runs that diverge are counted and shown as finished/attempted. No verdict rests on one
draw or one seed. Seconds are of a shared machine; a run that an earlier claim has trained costs none.
"""


@cache
def rows() -> dict[str, dict[str, str]]:
    """{"criticism": {"1": text, …}, "claim": {…}}: what is to be settled, in our words."""
    return tomllib.loads((files(__package__) / "rows.toml").read_text(encoding="utf-8"))


def render(results: Results, names: Sequence[str] = CLAIMS) -> str:
    """The page of these claims."""
    verdicts = {name: verdict(name, results) for name in names}
    parts = [HEAD, "## All claims\n", tally(verdicts), overview(verdicts)]
    for kind, title in (("criticism", "What reviewers asked"), ("claim", "What the paper claims")):
        parts += [f"## {title}\n", settled(kind, verdicts)]
    parts += ["## Claim by claim\n", *(section(name, results, verdicts[name]) for name in names)]
    return "\n".join(parts)


def anchor(title: str) -> str:
    """The fragment that a heading gets, by GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")


def link(name: str) -> str:
    """To the claim's section."""
    title = module(name).CLAIM.title
    return f"[{title}](#{anchor(title)})"


def tally(verdicts: dict[str, Verdict]) -> str:
    """How many of each word."""
    words = [v.word for v in verdicts.values()]
    counts = [f"{words.count(word)} *{word}*" for word in WORDS if word in words]
    return f"{len(words)} claims: {', '.join(counts)}. `sven-ref claims NAME` computes one again.\n"


def overview(verdicts: dict[str, Verdict]) -> str:
    """One line a claim."""
    lines = [[link(name), f"**{v.word}**", sentence(v), f"`{name}`"] for name, v in verdicts.items()]
    return left(markdown_table(["claim", "verdict", "the numbers that decide", "`NAME`"], lines))


def settled(kind: str, verdicts: dict[str, Verdict]) -> str:
    """Each row of paper or review with the verdicts that settle it."""
    lines = []
    for number, text in rows()[kind].items():
        by = [n for n in verdicts if f"{kind} {number}" in module(n).CLAIM.settles]
        lines.append([number, text, "<br>".join(f"{link(n)}: **{verdicts[n].word}**" for n in by) or "—"])
    return left(markdown_table(["", "in our words", "settled by"], lines))


def section(name: str, results: Results, judged: Verdict) -> str:
    """Statement, conditions, verdict, numbers, rule, command."""
    claim = module(name).CLAIM
    if name not in results:
        return f"### {claim.title}\n\n{claim.statement} ({claim.where})\n\n**Verdict: open.** {judged.line}\n"
    data = results[name]["data"]
    rule = " ".join((module(name).verdict.__doc__ or "").split())
    counted = f" {data['draws']} data draws × {data['seeds']} seeds." if "data draws" not in claim.conditions else ""
    return "\n".join(
        [
            f"### {claim.title}\n",
            f"{claim.statement} ({claim.where})\n",
            f"*Conditions.* {claim.conditions}{counted}\n",
            f"**Verdict: {judged.word}**{'' if judged.word == 'holds if' else '.'} {sentence(judged)}\n",
            numbers(module(name).table(data)),
            f"*Rule.* {rule} `sven-ref claims {name}{' --quick' * bool(results[name].get('quick'))}`, "
            f"{results[name]['seconds']:g} s; "
            f"`sven_ref/lab/claims/{GROUP[name]}/{name}.py` has the mathematics.\n",
        ]
    )


def sentence(judged: Verdict) -> str:
    """The line with a capital, unless it goes on from "holds if" or begins with a symbol."""
    first = judged.line[:1]
    return judged.line if judged.word == "holds if" or not first.isascii() else first.upper() + judged.line[1:]


def numbers(lines: list[dict[str, Any]]) -> str:
    """Rows of `table` as Markdown."""
    head = list(lines[0])
    return markdown_table(head, [[str(line[column]) for column in head] for line in lines])


def left(table: str) -> str:
    """A table of text: every column to the left."""
    return table.replace("---:", "---")
