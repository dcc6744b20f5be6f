"""What a page of docs/ shows, and whether it is so. Used by the tests and by the site; needs no part of Sphinx.

    ```python          runs, in the order of the page, in one namespace; an assert that fails is an error
    ```text            is what the python of its section prints; without python in the section it is no claim
    ```{draw} name     runs too, and leaves a matplotlib figure `fig`: the site shows the figure, and the code in a fold
    ```sh              commands: a path they name exists, and the options of `sven-ref` are ones it has
    $$ … $$ (3.2)      a displayed formula: some line that asserts says `# (3.2)`

A python block whose first line is `# examples/…` or another file's path is quoted from there, word for word, and not
run.

A page that names another test, `<!-- outputs: tests/… -->`, leaves to that test what its text blocks say.

One that says `<!-- code: tests/… -->` leaves to that test its code as well: it needs more than the extra `app`.

    python docs/_ext/pages.py docs/faq.md ...            run the pages and put what they print into their text blocks
    python docs/_ext/pages.py --code docs/faq.md         print the python of a page
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent
FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)[ ]*$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:([\w-]+):[ ]*(.*)\n", re.MULTILINE)
ELSEWHERE = re.compile(r"^<!-- (outputs|code): (tests/\S+) -->$", re.MULTILINE)
QUOTED = re.compile(r"# ((?:examples|sven_ref|tests)/[\w/.-]+)\n")
FORMULA = re.compile(r"^\$\$\n(.*?)\n\$\$(?: \((?P<label>[\w.]+)\))?$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")


@dataclass(frozen=True)
class Block:
    """A fenced block: what follows the backticks, its body without `:option:` lines, the section and line it is in."""

    info: str
    body: str
    section: int
    line: int
    span: tuple[int, int]
    options: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """`python`, `text`, `draw`, `sh`, …"""
        return self.info.split()[0].strip("{}") if self.info else ""

    @property
    def quoted(self) -> str | None:
        """The file that a python block is quoted from."""
        match = QUOTED.match(self.body)
        return match[1] if match and self.kind == "python" else None


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    starts = [m.start() for m in re.finditer(r"^#{1,4} ", FENCE.sub(lambda m: "." * len(m[0]), text), re.MULTILINE)]
    for m in FENCE.finditer(text):
        head = re.match(r"(?::[\w-]+:.*\n)*", m["body"]) if m["info"].startswith("{") else None
        options = dict(OPTION.findall(head[0])) if head else {}
        skip = len(head[0]) if head else 0
        section = sum(start < m.start() for start in starts)
        line = text.count("\n", 0, m.start("body") + skip)
        found.append(Block(m["info"].strip(), m["body"][skip:], section, line, m.span("body"), options))
    return found


def run(text: str, name: str, on_figure: Callable[[str, Any], None] | None = None) -> list[tuple[Block, str]]:
    """Run the python of a page; each block and what it printed. `on_figure(name, fig)` is handed each figure drawn."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed: list[tuple[Block, str]] = []
    if (elsewhere := ELSEWHERE.search(text)) and elsewhere[1] == "code":
        return printed
    for block in blocks(text):
        if block.quoted:
            source = (ROOT / block.quoted).read_text(encoding="utf-8")
            assert block.body.split("\n", 1)[1].strip() in source, f"{name}:{block.line}: not as in {block.quoted}"
        elif block.kind in ("python", "draw"):
            code = compile("\n" * block.line + block.body, name, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, namespace)
            printed.append((block, out.getvalue()))
        if block.kind == "draw" and on_figure:
            on_figure(block.info.split()[1], namespace["fig"])
    return printed


def without_links_outside(text: str, folder: Path) -> str:
    """Links to files that are no part of the site, those outside of docs/, as the paths they name."""

    def plain(m: re.Match[str]) -> str:
        target = (folder / m[2]).resolve()
        if target.is_relative_to(DOCS.resolve()):
            return m[0]
        path = str(target.relative_to(ROOT.resolve()))
        return f"`{path}`" if m[1] == path else f"{m[1]} (`{path}`)"

    return re.sub(r"\[([^\]\n]+)\]\((\.\./[^)\s]+)\)", plain, text)


def code(text: str) -> str:
    """The python of a page as one script."""
    return "\n".join(block.body for block in blocks(text) if block.kind == "python" and not block.quoted)


def disagreements(text: str, printed: list[tuple[Block, str]]) -> Iterator[tuple[str, str]]:
    """(stated, printed) of each section that has python and where these are not the same, line by line."""
    if ELSEWHERE.search(text):
        return
    for section in {block.section for block, _ in printed}:
        says = "".join(block.body for block in blocks(text) if block.kind == "text" and block.section == section)
        output = "".join(output for block, output in printed if block.section == section)
        if [line.rstrip() for line in says.splitlines()] != [line.rstrip() for line in output.splitlines()]:
            yield says, output


def unchecked_formulas(text: str) -> list[str]:
    """Displayed formulas without a label, and labels that no comment beside an assert names."""
    named: set[str] = set()
    for block in blocks(text):
        if block.kind == "python":
            lines = block.body.splitlines()
            for node in ast.walk(ast.parse(block.body)):
                if isinstance(node, ast.Assert):
                    for line in lines[node.lineno - 1 : node.end_lineno]:
                        named.update(re.findall(r"\(([\w.]+)\)", line.partition("#")[2]))
    return [m["label"] or m[1] for m in FORMULA.finditer(text) if m["label"] not in named]


def unsupported_numbers(text: str) -> list[str]:
    """Numbers of three or more digits in the prose that no code and no output of the page shows."""
    shown = " ".join(block.body for block in blocks(text)).replace(",", "").replace("_", "")
    prose = FORMULA.sub(" ", FENCE.sub(" ", text))
    prose = re.sub(r"`[^`\n]*`|\]\([^)]*\)|(?:arXiv|Python|SPEC) [\d.]+", " ", prose)
    shown = re.sub(r"e([+-]?)0+(?=\d)", r"e\1", shown)  # 1e-08 is 1e-8
    known = set(re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", shown))
    long = [n.replace(",", "") for n in NUMBER.findall(prose) if sum(c.isdigit() for c in n) >= 3 or "e" in n]
    return [n for n in long if n not in known]


OKABE_ITO = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"}  # and greys


def unreadable(fig: Any) -> Iterator[str]:
    """What a reader would miss in a figure: names of its axes, colours that every kind of colour vision tells apart."""
    from matplotlib.colors import to_hex

    for axes in fig.axes:
        bar = axes.get_label() == "<colorbar>"
        if not (axes.get_xlabel() or bar) or not axes.get_ylabel():
            yield f"an axis without a name: {axes.get_xlabel()!r}, {axes.get_ylabel()!r}"
        for line in axes.lines:
            colour = to_hex(line.get_color()).upper()
            if colour not in OKABE_ITO and len({colour[1:3], colour[3:5], colour[5:7]}) > 1:
                yield f"colour {colour}"


def update(text: str, name: str) -> str:
    """The page with its text blocks filled: each with what was printed since the one before, the last with the rest."""
    printed, texts = run(text, name), [block for block in blocks(text) if block.kind == "text"]
    for block in reversed(texts):
        others = [other for other in texts if other.section == block.section]
        start = max((other.line for other in others if other.line < block.line), default=0)
        end = block.line if block != others[-1] else len(text)
        own = [output for b, output in printed if b.section == block.section and start < b.line < end]
        if own:
            text = text[: block.span[0]] + "".join(own) + text[block.span[1] :]
    return text


if __name__ == "__main__":
    for path in (Path(argument) for argument in sys.argv[1:] if argument != "--code"):
        if "--code" in sys.argv:
            print(code(path.read_text(encoding="utf-8")), end="")
        else:
            path.write_text(update(path.read_text(encoding="utf-8"), str(path)), encoding="utf-8")
