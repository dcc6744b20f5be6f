"""The page of all modules, one line each: the first line of what the module says of itself.

python docs/_ext/module_list.py        the page, as the site shows it
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent / "sven_ref"
ROOMS = {
    ".": "The core",
    "nets": "`nets`: θ's layout, and a network",
    "solvers": "`solvers`: from J to its singular triplets",
    "factored": "`factored`: J of a network, held as its factors",
    "sharded": "`sharded`: the same over Dask's workers",
    "conformance": "`conformance`: vectors for other implementations",
    "lab": "`lab`: the commands, and what they share",
    "lab/tasks": "`lab/tasks`: what the optimizers are compared on",
    "lab/optimizers": "`lab/optimizers`: what Sven is compared with",
    "lab/training": "`lab/training`: runs, recorded and resumed",
    "lab/paper": "`lab/paper`: the paper's comparisons and ablations",
    "lab/scale": "`lab/scale`: what a step costs past one machine",
    "lab/claims": "`lab/claims`: the ledger of claims",
    "lab/claims/algebra": "`lab/claims/algebra`: identities",
    "lab/claims/cost": "`lab/claims/cost`: what a step costs",
    "lab/claims/training": "`lab/claims/training`: what training shows",
    "lab/claims/measurement": "`lab/claims/measurement`: how it was measured",
}


def modules() -> dict[str, dict[str, str]]:
    """{room: {path from the package: first line of its docstring}}."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        relative = path.relative_to(PACKAGE)
        if path.name not in ("__init__.py", "__main__.py"):
            found.setdefault(str(relative.parent), {})[str(relative)] = text.partition("\n")[0]
    return {room: found[room] for room in sorted(found, key=list(ROOMS).index)}


def escaped(text: str) -> str:
    """Text in a cell of a Markdown table: bars end no cell, and `name[…](…)` is no link."""
    return text.replace("|", "\\|").replace("](", "]\\(")


def page() -> str:
    """The page in Markdown."""
    lines = ["# All modules", "", "The first line of each, as it stands in the file.", ""]
    for room, entries in modules().items():
        lines += [f"## {ROOMS[room]}", "", "| module | what it says of itself |", "|---|---|"]
        lines += [f"| `{path}` | {escaped(first)} |" for path, first in entries.items()]
        lines.append("")
    return "\n".join(lines)


def write(built: Path) -> None:
    """Write it to the folder of made pages."""
    (built / "modules.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    print(page())
