"""The rooms of the package and the arrows between them, read from its imports.

python docs/_ext/arrows.py                    prints each room and what it imports
python docs/_ext/arrows.py rooms.svg          draws the rooms of the package: a room stands above all that it imports
python docs/_ext/arrows.py --lab lab.svg      the same for the rooms of the laboratory
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

PACKAGE = Path(__file__).parent.parent.parent / "sven_ref"
BESIDE = {"lab", "conformance", "cli"}  # what stands on the core
BLUE, ORANGE, GREEN, PURPLE = "#56b4e9", "#e69f00", "#009e73", "#cc79a7"
FILL = dict.fromkeys(BESIDE, ORANGE) | {"oracle": GREEN, "minimal": GREEN, "sharded": PURPLE}
Graph = dict[str, set[str]]
Parts = tuple[str, ...]


def of_package(parts: Parts) -> str | None:
    """The room of a module by its path below `sven_ref`: the file, or the folder, at the top."""
    return parts[0] if parts[0] not in ("__init__", "__main__", "aliases") else None


def of_lab(parts: Parts) -> str | None:
    """The room of a module of `lab`: the file or the folder there, and each group of claims."""
    if parts[0] != "lab" or len(parts) == 1 or parts[1] == "__init__":
        return None
    return "/".join(parts[1:3]) if parts[1] == "claims" and len(parts) == 4 else parts[1]


def rooms(room_of: Callable[[Parts], str | None] = of_package) -> Graph:
    """Each room -> the other rooms that its imports name."""
    modules = {path.relative_to(PACKAGE).with_suffix("").parts: path for path in sorted(PACKAGE.rglob("*.py"))}
    graph: Graph = {}
    for parts, path in modules.items():
        if room := room_of(parts):
            found = {room_of(module) for name in imported(path, parts) if (module := longest(name, modules))}
            graph.setdefault(room, set()).update(r for r in found if r and r != room)
    return graph


def imported(path: Path, parts: Parts) -> set[Parts]:
    """What a file's relative imports name, as paths below `sven_ref`."""
    found: set[Parts] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*parts[: len(parts) - node.level], *(node.module.split(".") if node.module else ()))
            found |= {(*base, alias.name) for alias in node.names}
    return found


def longest(name: Parts, modules: dict[Parts, Path]) -> Parts | None:
    """The module that a dotted name lies in: itself, or the longest part of it that is one."""
    while name:
        for module in (name, (*name, "__init__")):
            if module in modules:
                return module
        name = name[:-1]
    return None


def levels(graph: Graph) -> dict[str, int]:
    """The longest way down from a room: 0 where it imports nothing. What is sharded stands above the whole core."""
    core = {name for name in graph if name not in FILL or name in ("oracle", "minimal")}
    graph = {name: needs | core if name == "sharded" else needs for name, needs in graph.items()}
    result: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in result:
            result[name] = 1 + max(map(level, graph[name]), default=-1)
        return result[name]

    for name in graph:
        level(name)
    return result


def reduced(graph: Graph) -> Graph:
    """Without arrows that a longer way implies."""

    def below(name: str) -> set[str]:
        return graph[name].union(*(below(n) for n in graph[name])) if graph[name] else set()

    return {name: {n for n in needs if not any(n in below(o) for o in needs - {n})} for name, needs in graph.items()}


def svg(graph: Graph, of: str = "the package") -> str:
    """Rooms in rows by level, those without arrows upwards at the bottom; only arrows that no longer way implies."""
    level, few = levels(graph), reduced(graph)
    rows = [[n for n in graph if level[n] == i] for i in range(max(level.values()) + 1)]
    W, H, height = 760, 64 * len(rows) + 20, 30
    place: dict[str, tuple[float, float]] = {}
    for i, row in enumerate(rows):
        row.sort(key=lambda n: (sum(place[m][0] for m in few[n]) / len(few[n]) if few[n] else W / 2, n))
        for j, name in enumerate(row):
            place[name] = (W * (j + 0.5) / len(row), H - 40 - 64 * i)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" role="img" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{escape(f'Rooms of {of}; each stands above what it imports')}</title>",
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
        fill, box = FILL.get(name, BLUE), max(80, 7.2 * len(name) + 18)
        lines.append(
            f'<rect x="{x - box / 2:.0f}" y="{y - height / 2:.0f}" width="{box}" height="{height}" rx="5" '
            f'fill="{fill}"/>'
            f'<text x="{x:.0f}" y="{y + 4.5:.0f}" text-anchor="middle">{escape(name)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    *options, file = sys.argv[1:] or [""]
    if file == "--lab":
        options, file = [file], ""
    drawn = rooms(of_lab if "--lab" in options else of_package)
    if file:
        Path(file).write_text(svg(drawn, "the laboratory" if options else "the package"), encoding="utf-8")
    else:
        for name, needs in sorted(drawn.items(), key=lambda item: levels(drawn)[item[0]]):
            print(f"{name:18} -> {', '.join(sorted(needs)) or '—'}")
