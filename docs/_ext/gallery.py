"""The gallery: each script of examples/ as a page, run cell by cell, with what it prints and the figures it draws.

A script is split at its `# %%` lines. A cell `# %% [markdown]` is text; any other is code, and what follows `# %%` on
its line is a sentence above it. Figures that are open after a cell are shown under it, with the caption the figure has
as its label: `plt.figure(label="…")` or `plt.subplots(num="…")`.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
CELL = re.compile(r"^# %%[ ]?(.*)\n", re.MULTILINE)


def cells(source: str) -> list[tuple[str, str]]:
    """(what follows `# %%`, body) for each cell; a text cell has its `# ` taken off."""
    heads = list(CELL.finditer(source))
    ends = [m.start() for m in heads[1:]] + [len(source)]
    result = []
    for m, end in zip(heads, ends, strict=True):
        body = source[m.end() : end].strip("\n")
        if m[1] == "[markdown]":
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        result.append((m[1], body))
    return result


def page(path: Path, figures: Path) -> str:
    """The script as a page of Markdown; its figures are written into `figures`."""
    import matplotlib.pyplot as plt

    namespace: dict[str, Any] = {"__name__": "__main__"}
    parts, lines = [], 0
    for head, body in cells(path.read_text(encoding="utf-8")):
        if head == "[markdown]":
            parts.append(body)
            continue
        parts.append(f"{head}\n\n```python\n{body}\n```" if head else f"```python\n{body}\n```")
        with contextlib.redirect_stdout(io.StringIO()) as out, warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*non-interactive.*")
            exec(compile(body, str(path), "exec"), namespace)
        if out.getvalue():
            parts.append(f"```text\n{out.getvalue()}```")
        for number in plt.get_fignums():
            fig = plt.figure(number)
            lines += 1
            name = f"{path.stem}-{lines}.svg"
            fig.savefig(figures / name)
            plt.close(fig)
            caption = fig.get_label()
            parts.append(f"```{{figure}} figures/{name}\n:alt: {caption}\n\n{caption}\n```")
    parts.append(f"The script is `examples/{path.name}`.")
    return "\n\n".join(parts) + "\n"


def write(built: Path) -> None:
    """A page for each script, and `gallery.md` that lists them with their first figure and first sentence."""
    entries, names = [], []
    for path in sorted(EXAMPLES.glob("*.py")):
        text = page(path, built / "figures")
        (built / f"{path.stem}.md").write_text(text, encoding="utf-8")
        title, _, rest = text.partition("\n")
        sentence = re.split(r"(?<=\.)\s", rest.strip(), maxsplit=1)[0].replace("\n", " ")
        first = built / "figures" / f"{path.stem}-1.svg"
        picture = f"[![](figures/{first.name})]({path.stem}.md)\n\n" if first.exists() else ""
        entries.append(f"## [{title.removeprefix('# ')}]({path.stem}.md)\n\n{picture}{sentence}\n")
        names.append(path.stem)
    head = (
        "# Gallery\n\nEach page is a script of `examples/`, run as this site was built. Every one ends in asserts.\n\n"
    )
    toc = "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"
    (built / "gallery.md").write_text(head + "\n".join(entries) + "\n" + toc, encoding="utf-8")
