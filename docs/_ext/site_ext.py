"""What this site adds to Sphinx: pages that run as they are built, MathML, docstrings as they are written.

- every page is run by `pages.run`; what it prints must be what it states, and its figures are saved as SVG
- formulas become MathML, which browsers draw by themselves, in the font that `fonts.py` puts beside the page
- the specification gets its checks, and "SPEC 3.1" on any page becomes a link to the clause
- the ledger of claims gets its figures
- pages under `built/` are made from examples/ and from the code before anything is read
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import arrows
import claim_figures
import clauses
import gallery
import module_list
import pages
import play
import stylesheet
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)


class Draw(SphinxDirective):
    """```{draw} name: the figure that the code below left when the page ran, and the code in a fold."""

    has_content = True
    required_arguments = 1
    option_spec = {"alt": str, "caption": str}  # noqa: RUF012 (docutils' own form)

    def run(self) -> list[nodes.Node]:
        uri = f"/built/figures/{self.env.docname.replace('/', '-')}-{self.arguments[0]}.svg"
        image = nodes.image(uri=uri, alt=self.options["alt"])
        figure = nodes.figure("", image, nodes.caption("", "", *self.parse_inline(typeset(self.options["caption"]))[0]))
        code = nodes.literal_block("\n".join(self.content), "\n".join(self.content), language="python")
        fold = (nodes.raw("", "<details><summary>Code of the figure</summary>", format="html"), code)
        return [figure, *fold, nodes.raw("", "</details>", format="html")]


def before_reading(app: Sphinx) -> None:
    """Make what is made: gallery, arrows, the data of the page to play with."""
    import matplotlib

    matplotlib.use("svg")
    stylesheet.apply()
    built, static = Path(app.srcdir) / "built", Path(app.outdir) / "_static"
    (built / "figures").mkdir(parents=True, exist_ok=True)
    (built / "rooms.svg").write_text(arrows.svg(arrows.rooms()), encoding="utf-8")
    lab = arrows.svg(arrows.rooms(arrows.of_lab), "the laboratory")
    (built / "rooms_of_the_lab.svg").write_text(lab, encoding="utf-8")
    gallery.write(built)
    module_list.write(built)
    claim_figures.write(built / "figures")
    static.mkdir(parents=True, exist_ok=True)
    (static / "play-data.js").write_text(f"const PLAY = {play.dumps()};\n", encoding="utf-8")
    stylesheet.write_fonts(static)


def on_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Run the page; a difference between stated and printed is a warning, so an error of the build."""
    import matplotlib.pyplot as plt

    text = source[0]
    if not docname.startswith("built/"):

        def save(name: str, fig: Any) -> None:
            fig.savefig(Path(app.srcdir) / "built" / "figures" / f"{docname.replace('/', '-')}-{name}.svg")
            plt.close(fig)

        printed = pages.run(text, f"{docname}.md", save)
        for stated, output in pages.disagreements(text, printed):
            log.warning("stated\n%s\nbut printed\n%s", stated, output, location=docname)
    text = pages.without_links_outside(text, (Path(app.srcdir) / docname).parent)
    if docname == "claims":
        text = claim_figures.illustrated(text)
    if docname == "spec":
        text = clauses.annotated(text)
    else:
        known = set(clauses.CHECKS)
        link = re.compile(r"(?<![`\[])SPEC (\d(?:\.\d+|a)?)(?![\d`])")
        text = link.sub(lambda m: f"[SPEC {m[1]}](#spec-{m[1]})" if m[1] in known else m[0], text)
    source[0] = typeset(text)


# What is not prose: fences, formulas, code, targets of links, labels, HTML.
APART = re.compile(
    r"^(`{3,}).*?^\1`*$|^\$\$.*?^\$\$|(`+)[^\n]*?\2|\]\([^)\n]*\)|^\(\S+\)=$|^\{\S+\}$|<[^>\n]+>|\^\{[^}\n]*_[^}\n]*\}|https?://\S+",
    re.MULTILINE | re.DOTALL,
)
RAISED = re.compile(r"(?<=[\w)|‖])\^(?:\{([^{}_^]+)\}|([\wκ*]+))")
LOWERED = re.compile(
    r"((?:(?<![A-Za-z0-9_])(?:in|out|[A-Za-zΑ-Ωα-ωℓ∇Σ])|\))[̃ᵀ]?)_(?:\{([^{}_^]+)\}|([A-Za-z0-9Α-Ωα-ω]+))(?![A-Za-z0-9_])"
)


def typeset(text: str) -> str:
    """σ_1 and ℓ^{κ/2} of the prose with their indices lowered and raised; what is not prose stays."""

    def prose(part: str) -> str:
        part = RAISED.sub(lambda m: f"{{sup}}`{m[1] or m[2]}`", part)
        return LOWERED.sub(lambda m: f"{m[1]}{{sub}}`{m[2] or m[3]}`", part)

    result, end = [], 0
    for m in APART.finditer(text):
        result += [prose(text[end : m.start()]), m[0]]
        end = m.end()
    return "".join([*result, prose(text[end:])])


def mathml(tex: str, block: bool) -> str:
    """LaTeX as a `math` element; an unknown command is an error of the build."""
    try:
        return tex2mathml(tex, as_block=block).replace("<mo>‖</mo>", '<mo stretchy="false">‖</mo>')
    except MathError as error:
        raise ValueError(f"formula {tex!r}: {error}") from error


def inline_math(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), False))
    raise nodes.SkipNode


def display_math(self: Any, node: nodes.math_block) -> None:
    label = node.get("label")
    number = f'<span class="eqno">({label})</span>' if label else ""
    anchor = f' id="equation-{label}"' if label else ""
    self.body.append(f'<div class="formula"{anchor}>{mathml(node.astext(), True)}{number}</div>\n')
    raise nodes.SkipNode


def on_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A module's docstring is shown as it stands; the text of others is escaped, and their sections are Napoleon's."""
    if what == "module":
        lines[:] = ["::", "", *(f"    {line}" for line in lines), ""]
        return
    example = False
    for i, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.startswith(">>>"))  # with what it prints, as it stands
        lines[i] = line if example else escaped(line)


def escaped(line: str) -> str:
    """`code` as literals; outside of it no character has a meaning for reStructuredText."""
    parts = re.split(r"(`[^`]+`)", line)
    plain = [re.sub(r"(?<=\w)_(?=\W|$)|(?<!^)[|*]", r"\\\g<0>", part) for part in parts]
    return "".join(
        f"``{part.strip('`')}``" if part.startswith("`") else text for part, text in zip(parts, plain, strict=True)
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("draw", Draw)
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("builder-inited", before_reading)
    app.connect("source-read", on_source)
    app.connect("autodoc-process-docstring", on_docstring, priority=100)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
