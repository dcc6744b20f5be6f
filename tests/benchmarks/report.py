"""Tables and figures from what the benchmarks measured.

python tests/benchmarks/report.py steps.json solvers.json --figures FOLDER > tables.md
"""

import argparse
import json
from pathlib import Path


def benchmarks(path):
    return {b["name"]: b["extra_info"] for b in json.loads(Path(path).read_text())["benchmarks"]}


def step_tables(steps):
    for info in steps.values():
        print(f"\n**{info['case']}** (solver `{info['solver']}`)\n")
        print("| step | ms, median | Sven / this: quartiles | gate |\n|---|---|---|---|")
        for peer, row in info["results"].items():
            low, middle, high = row["ratio"]
            gate = info["gates"].get(peer)
            verdict = "" if gate is None else f"≤ {gate:g}: {'met' if middle <= gate else '**missed**'}"
            print(f"| {peer} | {row['ms']:.4g} | {low:.3g}, {middle:.3g}, {high:.3g} | {verdict} |")


def solver_tables(solvers):
    for name, info in solvers.items():
        if "sweep" in info:
            continue
        print(f"\n`{name}`\n\n| | measured | gate |\n|---|---|---|")
        for key, value in info["results"].items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"| {key} | {shown} | {info['gates'].get(key, '')} |")


def cost_tables(solvers):
    for info in solvers.values():
        if "sweep" not in info:
            continue
        names = [s for s in ("gram", "svds", "tsqr") if s in info["rows"][0]]
        exponents = ", ".join(f"{s} {e:.2f}" for s, e in info["exponents"].items())
        print(f"\nAgainst {info['sweep']}; exponents of the last three points: {exponents}.\n")
        print(f"| {info['sweep']} | `auto` takes | " + " | ".join(f"{s}: ms (products with J)" for s in names) + " |")
        print("|" + "---|" * (2 + len(names)))
        for row in info["rows"]:
            cells = [f"{1e3 * row[s]['s']:.3g} ({row[s]['products']})" if "s" in row[s] else "—" for s in names]
            print(f"| {row['value']:,} | {row['auto']} | " + " | ".join(cells) + " |")


def figure(solvers, folder):
    """Time and memory of each solver against k, B, P and depth, with what `auto` takes marked."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    colours = {"gram": "#0072B2", "svds": "#D55E00", "tsqr": "#009E73"}
    sweeps = [info for info in solvers.values() if "sweep" in info]
    fig = Figure(figsize=(13, 6.4), layout="constrained")
    rows = fig.subplots(2, len(sweeps), sharex="col", sharey="row")
    for row, (key, unit, label) in zip(rows, (("s", 1e3, "milliseconds"), ("MB", 1, "megabytes, peak")), strict=True):
        for axes, info in zip(row, sweeps, strict=True):
            for solver, colour in colours.items():
                points = [(r["value"], unit * r[solver][key]) for r in info["rows"] if key in r.get(solver, {})]
                if points:
                    axes.loglog(*zip(*points, strict=True), color=colour, marker="o", ms=3, label=solver)
            chosen = [(r["value"], unit * r[r["auto"]][key]) for r in info["rows"] if key in r.get(r["auto"], {})]
            axes.loglog(*zip(*chosen, strict=True), ls="none", marker="o", ms=9, mfc="none", mec="black", label="auto")
            axes.grid(alpha=0.3)
            axes.xaxis.set_minor_formatter(NullFormatter())
        row[0].set_ylabel(label)
    for axes, info in zip(rows[0], sweeps, strict=True):
        axes.set_title(f"one step against {info['sweep']}")
    for axes, info in zip(rows[1], sweeps, strict=True):
        axes.set_xlabel(info["sweep"])
    rows[0, 0].legend()
    fig.savefig(folder / "cost.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps")
    parser.add_argument("solvers")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    steps, solvers = benchmarks(options.steps), benchmarks(options.solvers)
    step_tables(steps)
    solver_tables(solvers)
    cost_tables(solvers)
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
        figure(solvers, options.figures)
