"""The paper's comparisons again: every method of a task, several seeds, one table and one figure.

    OUT/TASK/METHOD/seed-S-data-D/     a run: see `training.execution`
    OUT/TASK/{summary.json, table.md, figure.png}

The same command again goes on from where it was: finished runs are not done again, an unfinished one continues from
its last epoch. `seconds` are measured inside the worker, around training alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ...arguments import check_choice, check_integer
from ...errors import ArgumentError
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
from ..training import records
from ..training.execution import execute, look
from ..training.pool import run_all
from ..training.run import Run, use_data
from ..versions import made_by_others, versions
from .protocols import Method, Protocol, read
from .tables import HEAD, ON_CONSOLE, notes, row, summarize

Job = tuple[Run, str]
WIDTH = 150  # of tables that go to a file or a pipe


def reproduce(
    task: str = "toy",
    *,
    seeds: int | None = None,
    data_seeds: int = 1,
    optimizers: list[str] | None = None,
    quick: bool = False,
    workers: int = 2,
    data: str | None = None,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Run what is missing, then print the table and write table, figure and summary of each task; the summaries.

    Parameters
    ----------
    task : one of the protocols, or "all"
    seeds : how many, counted up from the protocol's own; None means 5, or 1 if quick
    data_seeds : of the data, each with all of those
    optimizers : only these; None means all of the protocol's
    quick : 4 epochs of 9,600 examples, in a folder of its own
    workers : processes at a time, one BLAS thread each; 0 for none but this one
    data : where MNIST is; else the environment variable SVEN_REF_DATA says
    out : directory, "sven-reproduce" (or "sven-reproduce-quick") if None

    Raises
    ------
    MissingExtraError, ArgumentError, the errors of a task's data : before training, and before anything is written
    FigureError : at the end, when tables and summaries are written
    """
    sources, protocols = read()
    check_choice("task", task, [*protocols, "all"])
    check_integer("workers", workers, 0)
    require("matplotlib", "rich", purpose="reproduce")
    use_data(data)
    folder = check_out(out or ("sven-reproduce-quick" if quick else "sven-reproduce"))
    console = printer()
    console = console if console.is_terminal else printer(width=WIDTH)
    chosen = [(p, p.choose(optimizers, quick)) for p in protocols.values() if task in (p.task, "all")]
    chosen = [(p, methods) for p, methods in chosen if methods]
    if not chosen:
        raise ArgumentError(f"optimizers = {', '.join(optimizers or ())!r}: must have a protocol of the task {task!r}")
    n_seeds = (1 if quick else 5) if seeds is None else seeds
    plan = {
        (p.task, m.optimizer): [(run, str(place(folder, run))) for run in p.runs(m, n_seeds, data_seeds, quick)]
        for p, methods in chosen
        for m in methods
    }
    for jobs in plan.values():
        jobs[0][0].check()  # wrong settings and missing data end here, and not after an hour
    for run, at in (job for jobs in plan.values() for job in jobs):
        look(run, Path(at))  # and so do runs of other settings, damaged ones and those under way elsewhere
    writable(folder)
    results = run_plan([job for jobs in plan.values() for job in jobs], workers, console)

    summaries: dict[str, Any] = {}
    figures: dict[Path, Callable[[], Any]] = {}
    for p, methods in chosen:
        groups = {m.optimizer: [results[place] for _, place in plan[p.task, m.optimizer]] for m in methods}
        summaries[p.task] = conclude(p, methods, groups, folder / p.task, sources, console, figures)
    save_figures(figures, dpi=130)
    return summaries


def place(folder: Path, run: Run) -> Path:
    """Where a run is recorded."""
    return folder / run.task / run.optimizer / f"seed-{run.seed}-data-{run.data_seed}"


def run_job(job: Job) -> dict[str, Any]:
    """In a worker."""
    run, folder = job
    return execute(run, folder)


def run_plan(jobs: list[Job], workers: int, console: Any) -> dict[str, dict[str, Any]]:
    """Results by folder; the longest runs first, so that none is left alone at the end."""
    jobs = sorted(jobs, key=lambda job: (job[0].optimizer == "hig", job[0].task.startswith("mnist")), reverse=True)
    results: dict[str, dict[str, Any]] = {}
    with bar(console, "epochs", sum(run.epochs for run, _ in jobs)) as update:

        def tick() -> None:
            if console.is_terminal:
                done = sum(run.epochs if at in results else epochs_of(at) for run, at in jobs)
                update(done, f"{len(results)}/{len(jobs)} runs")

        for (run, at), result in run_all(run_job, jobs, workers, tick):
            results[at] = result
            if not console.is_terminal:
                val, seconds = result["final"]["val"]["loss"], result["seconds"] or 0
                end = "diverged" if val is None else f"validation loss {val:.3g}"
                console.print(f"{run.task}  {run.optimizer}  seed {run.seed}  {end}  {seconds:.1f} s", soft_wrap=True)
    return results


def epochs_of(folder: str) -> int:
    """How many epochs a run under way has done."""
    try:
        return max(0, (Path(folder) / "history.jsonl").read_bytes().count(b"\n") - 1)
    except OSError:  # it has not begun
        return 0


def conclude(
    protocol: Protocol,
    methods: list[Method],
    groups: dict[str, list[dict[str, Any]]],
    folder: Path,
    sources: dict[str, str],
    console: Any,
    figures: dict[Path, Callable[[], Any]],
) -> dict[str, Any]:
    """Table on the console, table.md and summary.json in the task's folder; the summary. `figures` gains figure.png."""
    from .reproduce_plots import figure

    summary = {m.optimizer: summarize(groups[m.optimizer], protocol.target) for m in methods}
    order = sorted(methods, key=lambda m: (summary[m.optimizer]["val"] or [float("inf")])[0])
    rows = [row(m, summary[m.optimizer]) for m in order]
    first = groups[order[0].optimizer][0]
    epochs, P = first["settings"]["epochs"], first["n_params"]
    title = f"{protocol.title}: {epochs} epochs, batches of {protocol.batch_size}, P = {P}"
    remarks = notes(protocol, order, sources) + made_by_others([r for group in groups.values() for r in group])
    table = f"# {title}\n\n{markdown_table(HEAD, rows)}\n" + "".join(f"- {remark}\n" for remark in remarks)
    write_durably(folder / "table.md", table.encode())
    data = {"task": protocol.task, "target": protocol.target, "versions": versions(), "methods": summary}
    records.write(folder / "summary.json", data)
    figures[folder / "figure.png"] = partial(figure, protocol, order, groups)
    shown = [HEAD.index(name) for name in ON_CONSOLE]
    console.print(rich_table(title, ON_CONSOLE, [[r[i] for i in shown] for r in rows]))
    for remark in remarks:
        console.print(remark)
    for name in ("table.md", "summary.json", "figure.png"):
        console.print(str(folder / name), soft_wrap=True)
    return data
