"""Studies: one question each, many short runs, one table and one figure.

    OUT/NAME/{results.jsonl, study.json, table.md, figure.png}

Results are appended as they come, one line a cell, and a cell that has its line is not run again. A cell that diverged
has no value, is counted as finished/attempted, and enters no mean (SPEC 8). Where settings are chosen, it is by the
fewest diverged and then by the lowest mean validation loss. Where trials are budgeted (`best_of`), one that diverged
counts as the untrained loss: one keeps the start.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from ...arguments import check_choice, check_integer
from ...errors import ArgumentError, SvenError
from ..console import (
    bar,
    check_out,
    markdown_table,
    printer,
    require,
    rich_table,
    save_figures,
    writable,
    write_durably,
)
from ..optimizers.full_batch import lbfgs
from ..training import records
from ..training.execution import execute
from ..training.lock import alone
from ..training.loop import measure
from ..training.pool import run_all
from ..training.run import use_data
from ..versions import made_by_others, versions
from .best_of import expected_best
from .study_cells import STUDIES, Cell
from .tables import mean_std, number, pair

Result = dict[str, Any]
OF_CELL = ("key", "at", "result", "versions")  # the names in a line of results.jsonl


def settings_of(name: str, quick: bool) -> dict[str, Any]:
    """The entry of `studies.toml`, a quick look's replacements made."""
    entry: dict[str, Any] = tomllib.loads((files(__package__) / "studies.toml").read_text(encoding="utf-8"))[name]
    replaced = entry.pop("quick", {})
    return entry | replaced if quick else entry


def study(
    name: str,
    *,
    seeds: int = 1,
    quick: bool = False,
    workers: int = 2,
    data: str | None = None,
    out: str | Path | None = None,
) -> dict[str, list[Result]]:
    """Run what is missing of a study, or of "all"; print its table, write its files; its points, by name.

    `seeds` of initialisation and order in each cell; the other options are those of `reproduce`.
    """
    check_choice("study", name, [*STUDIES, "all"])
    check_integer("seeds", seeds)
    check_integer("workers", workers, 0)
    require("matplotlib", "rich", purpose="study")
    from .study_plots import figure

    use_data(data)
    folder, console = check_out(out or ("sven-study-quick" if quick else "sven-study")), printer()
    settings = {each: settings_of(each, quick) for each in (STUDIES if name == "all" else [name])}
    cells = {each: STUDIES[each](settings[each], seeds, quick) for each in settings}
    for each in settings:
        todo = missing(cells[each], read_cells(folder / each / "results.jsonl"))
        for cell in {(cell.run.task, cell.run.optimizer): cell for cell in todo}.values():
            cell.run.check()  # missing data end here, and not after an hour
    points: dict[str, list[Result]] = {}
    figures: dict[Path, Callable[[], Any]] = {}
    for each in settings:
        place = writable(folder / each)
        with alone(place):
            results, remarks = run_cells(each, cells[each], place / "results.jsonl", workers, console)
            points[each] = conclude(each, results)
            head, rows = table(points[each])
            text = f"# {settings[each]['question']}\n\n{markdown_table(head, rows)}"
            write_durably(place / "table.md", (text + "".join(f"\n- {remark}\n" for remark in remarks)).encode())
            data_of_it = {"settings": settings[each], "versions": versions(), "points": points[each]}
            records.write(place / "study.json", data_of_it)
        figures[place / "figure.png"] = partial(figure, each, settings[each], points[each])
        console.print(rich_table(settings[each]["question"], head, rows))
        for remark in remarks:
            console.print(remark)
        for file in ("table.md", "study.json", "figure.png"):
            console.print(str(place / file), soft_wrap=True)
    save_figures(figures, dpi=130)
    return points


def run_cell(cell: Cell) -> Result:
    """In a worker: what is kept of a cell."""
    if cell.full_batch:
        return full_batch(cell)
    result = execute(cell.run)
    history, epochs = result["history"], result["history"]["epochs"]
    return {
        "val": result["final"]["val"]["loss"],
        "train": result["final"]["train"]["loss"],
        "reason": history["reason"],
        "seconds": result["seconds"],
        "rank": epochs[-1]["median_rank"] if epochs else None,
        "untrained": epochs[0]["val_loss"] if epochs else None,
        "n_params": result["n_params"],
    }


def full_batch(cell: Cell) -> Result:
    """L-BFGS on the whole training split."""
    problem, theta, _, task = cell.run.build()
    start, untrained, reason = perf_counter(), measure(problem, theta, task.val).loss, None
    try:
        theta, _ = lbfgs(problem, theta, task.train, max_iter=cell.full_batch)
        val, train = (measure(problem, theta, split).loss for split in (task.val, task.train))
    except ArgumentError:
        raise
    except SvenError as error:  # diverged: a result with its reason
        val, train, reason = inf, inf, str(error)
    if not val <= 10 * untrained:
        val, train, reason = None, None, reason or "the final validation loss exceeds 10 × the untrained one"  # type: ignore[assignment]
    seconds = perf_counter() - start
    return {"val": val, "train": train, "reason": reason, "seconds": seconds, "rank": None, "untrained": untrained} | {
        "n_params": theta.size
    }


def read_cells(path: Path) -> dict[str, dict[str, Any]]:
    """The records of a study's file by the key of their cell."""
    return {record["key"]: record for record in records.lines(path, OF_CELL)}


def missing(cells: Sequence[Cell], done: dict[str, dict[str, Any]]) -> list[Cell]:
    """The cells that have no record, each once."""
    return list({cell.key(): cell for cell in cells if cell.key() not in done}.values())


def run_cells(
    name: str, cells: Sequence[Cell], path: Path, workers: int, console: Any
) -> tuple[list[Result], list[str]]:
    """Each cell's coordinates and result, and remarks; those in the file are not run again."""
    done = read_cells(path)
    todo = missing(cells, done)
    with records.appending(path) as add, bar(console, name, len(todo)) as update:
        for i, (cell, result) in enumerate(run_all(run_cell, todo, workers), 1):
            done[cell.key()] = {"key": cell.key(), "at": cell.at, "result": result, "versions": versions()}
            add(done[cell.key()])
            update(i, "")
    chosen = [done[cell.key()] for cell in cells]
    return [cell.at | r["result"] for cell, r in zip(cells, chosen, strict=True)], made_by_others(chosen)


def conclude(name: str, results: Sequence[Result]) -> list[Result]:
    """Points of the study: coordinates, `val` (mean, std over seeds) and how many finished."""
    groups: dict[str, list[Result]] = {}
    kept = ("line", "x", "n", "settings", "k", "rtol", "lr")
    for r in results:
        groups.setdefault(json.dumps({c: r[c] for c in kept if c in r}), []).append(r)
    points = []
    for at, group in groups.items():
        means = {n: mean_std([r[n] for r in group]) for n in ("val", "train", "seconds", "rank", "untrained")}
        count = {"attempted": len(group), "finished": sum(r["val"] is not None for r in group)}
        points.append(json.loads(at) | means | count | {"n_params": group[0]["n_params"]})
    if name == "over-parametrization":
        return best_settings(points)
    return budgets(points) if name == "tuning-budget" else points


def best_settings(points: Sequence[Result]) -> list[Result]:
    """Of each line and N the best settings; x = P/N."""
    best: dict[tuple[str, int], Result] = {}
    for p in points:
        place, rank = (p["line"], p["n"]), lambda p: (-p["finished"], p["val"][0] if p["val"] else inf)
        if place not in best or rank(p) < rank(best[place]):
            best[place] = p | {"x": round(p["n_params"] / p["n"], 2)}
    return list(best.values())


def budgets(points: Sequence[Result]) -> list[Result]:
    """Of each method, what the best of n = 1, 2, 4, … trials is expected to be; x = n."""
    curves = []
    for line in dict.fromkeys(p["line"] for p in points):
        mine = [p for p in points if p["line"] == line]
        losses = sorted(p["val"][0] if p["finished"] == p["attempted"] else p["untrained"][0] for p in mine)
        finished = sum(p["finished"] == p["attempted"] for p in mine)
        for n in (n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n <= len(losses)):
            val = [expected_best(losses, n), 0.0]
            curves.append({"line": line, "x": n, "val": val, "attempted": len(mine), "finished": finished})
    return curves


def table(points: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Head and rows, whatever the coordinates."""
    names = [n for n in ("line", "x", "n", "k", "rtol", "lr", "settings") if n in points[0]]
    shown = [n for n in ("rank", "seconds") if n in points[0]]
    head = [*names, "validation loss", "finished", *shown]
    rows = [
        [
            *(f"{p[n]:g}" if isinstance(p[n], float) else str(p[n]) for n in names),
            pair(p["val"]) if p["val"] else "diverged",
            f"{p['finished']}/{p['attempted']}",
            *(number(p[n] and p[n][0]) for n in shown),
        ]
        for p in points
    ]
    return head, rows
