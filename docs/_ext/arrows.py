"""The rooms of the package and the arrows between them, read from its imports.

python docs/_ext/arrows.py             prints each room and what it imports
python docs/_ext/arrows.py rooms.svg   draws them: a room stands above all that it imports
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from xml.sax.saxutils import escape

PACKAGE = Path(__file__).parent.parent.parent / "sven_ref"
WITHOUT = {"__init__", "__main__", "aliases"}  # every room knows the names of types


def rooms() -> dict[str, set[str]]:
    """Each module of the core, and each sub-package as one room -> the rooms that its imports name."""
    names = {path.stem for path in PACKAGE.glob("*.py")} - WITHOUT
    names |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    graph: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in names:
            graph.setdefault(parts[0], set()).update(imported(path, parts) & names - {parts[0]})
    return graph


def imported(path: Path, parts: tuple[str, ...]) -> set[str]:
    """First names below `sven_ref` that a file's relative imports reach."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == len(parts):  # from . or .. to the package itself
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
    return found


def levels(graph: dict[str, set[str]]) -> dict[str, int]:
    """The longest way down from a room: 0 where it imports nothing."""
    result: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in result:
            result[name] = 1 + max(map(level, graph[name]), default=-1)
        return result[name]

    for name in graph:
        level(name)
    return result


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without arrows that a longer way implies."""

    def below(name: str) -> set[str]:
        return graph[name].union(*(below(n) for n in graph[name])) if graph[name] else set()

    return {name: {n for n in needs if not any(n in below(o) for o in needs - {n})} for name, needs in graph.items()}


def svg(graph: dict[str, set[str]]) -> str:
    """Rooms in rows by level, those without arrows upwards at the bottom; only arrows that no longer way implies."""
    level, few = levels(graph), reduced(graph)
    rows = [[n for n in graph if level[n] == i] for i in range(max(level.values()) + 1)]
    W, H, box, height = 760, 64 * len(rows) + 20, 118, 30
    place: dict[str, tuple[float, float]] = {}
    for i, row in enumerate(rows):
        row.sort(key=lambda n: (sum(place[m][0] for m in few[n]) / len(few[n]) if few[n] else W / 2, n))
        for j, name in enumerate(row):
            place[name] = (W * (j + 1) / (len(row) + 1), H - 40 - 64 * i)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" role="img" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{escape('Rooms of the package; each stands above what it imports')}</title>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#777"/></marker></defs>',
    ]
    for name, needs in few.items():
        for other in sorted(needs):
            (x1, y1), (x2, y2) = place[name], place[other]
            lines.append(
                f'<path d="M{x1:.0f} {y1 + height / 2:.0f}C{x1:.0f} {y1 + 40:.0f} {x2:.0f} {y2 - 40:.0f} '
                f'{x2:.0f} {y2 - height / 2:.0f}" fill="none" stroke="#777" marker-end="url(#a)"/>'
            )
    for name, (x, y) in place.items():
        fill = {"lab": "#e69f00", "conformance": "#e69f00", "cli": "#e69f00", "oracle": "#009e73"}.get(name, "#56b4e9")
        lines.append(
            f'<rect x="{x - box / 2:.0f}" y="{y - height / 2:.0f}" width="{box}" height="{height}" rx="5" '
            f'fill="{fill}"/>'
            f'<text x="{x:.0f}" y="{y + 4.5:.0f}" text-anchor="middle">{escape(name)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(svg(rooms()), encoding="utf-8")
    else:
        for name, needs in sorted(rooms().items(), key=lambda item: levels(rooms())[item[0]]):
            print(f"{name:17} -> {', '.join(sorted(needs)) or '—'}")
