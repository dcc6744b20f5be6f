"""More parameters than data favour Sven.

With a batch of 32 P > B nearly always; what the theory of minimum-norm steps is about is P > N, more parameters than
conditions in all. Full batch, so that the batch is the data: N = B = 170 points of the polynomial, 200 steps, the
width of the network varied so that P/N runs from 0.4 to 14. Sven against Adam, the best of three settings each on
validation, and against L-BFGS, which needs none, 200 iterations.
"""

from __future__ import annotations

from typing import Any

from ...training.run import Run
from ..arms import Arm, best, last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import by_number, counted, decades, factor, judged, lines, loss_row, typical
from ..toy_grid import size

CLAIM = Claim(
    title="More parameters than data favour Sven",
    statement="With P > N, Sven's full-batch test loss is lower than Adam's and L-BFGS's after as many steps.",
    where="arXiv 2604.01279, over-parametrized regime; a reviewer: P > B is not P > N",
    conditions="210-monomial polynomial, N = B = 170, 200 steps, three hidden layers of width 4 to 32, κ = 2; the "
    "best of three settings for Sven and Adam, none for L-BFGS; selection on validation. 3 data draws × 2 seeds.",
    settles=("criticism 7",),
)
N, WIDTHS = 170, (4, 8, 16, 32)
SETTINGS: dict[str, Any] = {
    "Sven": ("sven", [{"lr": 0.1, "rtol": 1e-3}, {"lr": 0.1, "rtol": 1e-2}, {"lr": 0.5, "rtol": 1e-2}]),
    "Adam": ("adam", [{"lr": 3e-3}, {"lr": 1e-2}, {"lr": 3e-2}]),
    "L-BFGS": ("adam", [{}]),
}


def compute(effort: Effort) -> dict[str, Any]:
    """P/N -> method -> the setting chosen, test and training losses by draw and seed."""
    data: dict[str, Any] = {}
    steps = effort.choose(200, 10)
    for width in effort.choose(WIDTHS, (4, 16)):
        ratio, found = "", {}
        for method, (optimizer, options) in SETTINGS.items():
            arms = {}
            for o in options:
                run = Run("polynomial", optimizer, o, epochs=steps, batch_size=N, task_options={"n_train": N})
                iterations = steps if method == "L-BFGS" else 0
                arms[", ".join(f"{k} {v:g}" for k, v in o.items())] = Arm(run, hidden=width, iterations=iterations)
            results = tables(effort, arms, *size(effort))
            chosen = best(arms, results)
            ratio = f"{results[chosen][0][0]['n_params'] / N:.2g}"
            found[method] = {"setting": chosen, "test": last(results[chosen]), "train": last(results[chosen], "train")}
        data[ratio] = found
    return counted(data, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Of log10(Sven/other) at every P/N > 1: holds where the interval lies below zero for Adam and for L-BFGS; holds if
    the other is the one for which it does; does not hold where it lies above zero at one of them; else open."""
    data = by_number(data["values"])
    over = [r for r in data if float(r) > 1]
    ratios = {o: {r: decades(data[r]["Sven"]["test"], data[r][o]["test"]) for r in data} for o in ("Adam", "L-BFGS")}
    won = [o for o, by in ratios.items() if all(by[r].sign < 0 for r in over)]
    line = "; ".join(
        f"{o}: " + ", ".join(f"× {factor(d)} at P/N {r}" for r, d in by.items()) for o, by in ratios.items()
    )
    lost = [o for o, by in ratios.items() if any(by[r].sign > 0 for r in over)]
    return judged(won, list(ratios), f"Sven's test loss over that of {line}.", "the other", lost)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a P/N and method."""
    data = by_number(data["values"])
    return [
        {"P/N": ratio, "method": method, "chosen": found["setting"]}
        | loss_row(found["test"])
        | {"training loss": f"{typical(found['train']) or float('nan'):.2g}"}
        for ratio, methods in data.items()
        for method, found in methods.items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Test loss by P/N."""
    data = by_number(data["values"])
    ratios = [float(r) for r in data]
    lines(
        axes,
        {m: (ratios, [typical(found[m]["test"]) for found in data.values()]) for m in SETTINGS},
        xlabel="parameters over data, P/N",
        ylabel="test loss",
    )
    axes.set_xscale("log")
