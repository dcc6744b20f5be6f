"""What leaving out failed runs does to an average.

A run is diverged when a value is not finite, a step can't be computed, or the final validation loss exceeds ten times
the untrained one (SPEC 8). Three summaries of the same runs:

    survivors    the mean over those that finished: silent about the others
    last finite  the last finite loss that each run ever had, whether or not it diverged: makes of a failure a number
    here         finished/attempted beside the mean of those that finished

Put to the test on the toy task (960 points, 6 epochs, B = 32) where Sven is at the edge: η = 0.3 with little cut
(rtol = 3e-4), beside a safe setting (η = 0.1, rtol = 1e-2).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ...plots import AMBER, BLUE, RED
from ...training.execution import execute
from ...training.run import Run
from ..claim import Claim, Effort, Verdict

CLAIM = Claim(
    title="Averages without the failed runs mislead",
    statement="Failed runs that leave the average make an unsafe setting look safe.",
    where="two critics of the experiments",
    conditions="Toy task, 960 points, 6 epochs; at the edge (η = 0.3, rtol = 3e-4) and safe (η = 0.1, rtol = 1e-2).",
    settles=("criticism 12",),
)
SETTINGS: dict[str, dict[str, Any]] = {"edge": {"lr": 0.3, "rtol": 3e-4}, "safe": {"lr": 0.1, "rtol": 1e-2}}


def compute(effort: Effort) -> dict[str, Any]:
    """setting -> by draw and seed: final validation loss or None, the last finite one, the untrained one."""
    draws, seeds, epochs = effort.choose(4, 2), effort.choose(4, 2), effort.choose(6, 2)
    jobs = [(name, d, s, epochs) for name, d, s in product(SETTINGS, range(draws), range(seeds))]
    flat = iter(effort.map(one, jobs))
    values = {name: [[next(flat) for _ in range(seeds)] for _ in range(draws)] for name in SETTINGS}
    return {"draws": draws, "seeds": seeds, "values": values}


def one(name: str, draw: int, seed: int, epochs: int) -> dict[str, Any]:
    """One run."""
    run = Run("toy", "sven", SETTINGS[name], {"kappa": 1}, {"n_train": 960}, epochs=epochs, seed=seed, data_seed=draw)
    result = execute(run)
    curve = [e["val_loss"] for e in result["history"]["epochs"] if e["val_loss"] is not None]
    return {"final": result["final"]["val"]["loss"], "last": curve[-1], "untrained": curve[0]}


def summaries(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Of one setting: counts, and geometric means, as losses span decades."""
    runs = [v for row in data["values"][name] for v in row]
    done = [v["final"] for v in runs if v["final"] is not None]
    return {
        "finished": len(done),
        "attempted": len(runs),
        "survivors": geometric(done),
        "last": geometric([v["last"] for v in runs]),
    }


def geometric(losses: list[float]) -> float | None:
    """Mean in decades; None of nothing."""
    return float(10 ** np.mean(np.log10(losses))) if losses else None


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where runs at the edge diverge and all safe ones finish: a survivors' mean says nothing of these; open
    where none diverges."""
    edge, safe = summaries(data, "edge"), summaries(data, "safe")
    word = "holds" if edge["finished"] < edge["attempted"] and safe["finished"] == safe["attempted"] else "open"
    shown = {k: "none" if edge[k] is None else f"{edge[k]:.1g}" for k in ("survivors", "last")}
    return Verdict(
        word,
        f"at the edge {edge['finished']}/{edge['attempted']} finish, with a mean of {shown['survivors']}, and 'the "
        f"last finite "
        f"loss' makes {shown['last']} of them all; the safe setting has {safe['finished']}/{safe['attempted']} and "
        f"{safe['survivors']:.1g}. Here every mean stands beside its finished/attempted.",
    )


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """By setting."""
    rows = []
    for name in SETTINGS:
        s = summaries(data, name)
        row = {"setting": name, "finished": f"{s['finished']}/{s['attempted']}"}
        for key, text in (("survivors", "mean of those that finished"), ("last", "mean of the last finite losses")):
            row[text] = "—" if s[key] is None else f"{s[key]:.2g}"
        rows.append(row)
    return rows


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Finished and diverged runs."""
    for x, name in enumerate(SETTINGS):
        runs = [v for row in data["values"][name] for v in row]
        for i, v in enumerate(runs):
            at, finished = x + 0.03 * (i - len(runs) / 2), v["final"] is not None
            axes.plot([at], [v["last"]], "o" if finished else "x", color=BLUE if finished else RED)
    untrained = np.mean([v["untrained"] for row in data["values"]["safe"] for v in row])
    axes.axhline(untrained, color=AMBER, ls="--", label="untrained")
    axes.plot([], [], "x", color=RED, ls="", label="diverged: its last finite loss")
    axes.set_yscale("log")
    axes.set_xticks(range(len(SETTINGS)), ["η = 0.3, rtol = 3e-4", "η = 0.1, rtol = 1e-2"])
    axes.set(ylabel="validation loss")
    axes.legend()
