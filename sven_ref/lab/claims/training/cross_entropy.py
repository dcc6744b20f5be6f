"""On classification by cross-entropy, Sven is like the baselines.

Cross-entropy has no zero at finite θ, so that Sven's linearised demand, ℓ = 0 on every sample, can be asked for but not
met: J's rows shrink with ℓ and small σ are many. The paper's headline runs put RMSProp on the rows; here plain Sven is
tried with the options that the authors' later campaign found good, large rtol, beside Adam and SGD, as many trials for
each.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from ...training.run import Run
from ..arms import Arm, best, curve, last, tables
from ..claim import Claim, Effort, Verdict
from ..comparisons import counted, decades, factor, judged, lines, loss_row
from ..paper_comparison import size
from ..statistics import mean_interval

CLAIM = Claim(
    title="On cross-entropy Sven is like the baselines",
    statement="On classification Sven's cross-entropy is about that of Adam and SGD at equal epochs and trials.",
    where="arXiv 2604.01279, experiments",
    conditions="8 × 8 digits that ship with the package: 1,197 training images, B = 64, 20 epochs, κ = 2, no "
    "RMSProp; the best of six settings a method on validation, rtol in {0.01, 0.1, 0.3}. 5 data draws (splits) × 2 "
    "seeds.",
    settles=("claim 8",),
)
SETTINGS: dict[str, Any] = {
    "Sven": ("sven", [{"lr": lr, "rtol": rtol} for lr, rtol in product((0.1, 0.5), (1e-2, 0.1, 0.3))]),
    "Adam": ("adam", [{"lr": lr} for lr in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)]),
    "SGD": ("sgd", [{"lr": lr} for lr in (3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)]),
}


def compute(effort: Effort) -> dict[str, Any]:
    """method -> the setting chosen, test losses and errors, losses of every setting, the median curve."""
    data = {}
    for method, (optimizer, options) in SETTINGS.items():
        tried = effort.choose(options, options[2:4])
        runs = {
            ", ".join(f"{k} {v:g}" for k, v in o.items()): Arm(
                Run("digits", optimizer, o, batch_size=64, epochs=effort.choose(20, 2))
            )
            for o in tried
        }
        found = tables(effort, runs, *size(effort))
        chosen = best(runs, found)
        right = last(found[chosen], "accuracy")
        data[method] = {
            "setting": chosen,
            "test": last(found[chosen]),
            "error": [[None if a is None else 1 - a for a in row] for row in right],
            "every": {name: last(rows) for name, rows in found.items()},
            "curve": curve(found[chosen]),
        }
    return counted(data, *size(effort))


def verdict(data: dict[str, Any]) -> Verdict:
    """Holds where the interval of log10(Sven/baseline) lies below 0.1, a quarter worse at most, for both; holds if the
    baseline is one for which it does; else does not hold where it lies above zero for some, and is open."""
    data = data["values"]
    ratios = {m: decades(data["Sven"]["test"], data[m]["test"]) for m in ("Adam", "SGD")}
    like, worse = [m for m, d in ratios.items() if d.high < 0.1], [m for m, d in ratios.items() if d.sign > 0]
    errors = ", ".join(f"{m} {mean_interval(found['error']).mean:.1%}" for m, found in data.items())
    line = "; ".join(f"over {m}'s × {factor(d)}" for m, d in ratios.items())
    line = f"Sven's test cross-entropy {line}; errors {errors}; chosen {data['Sven']['setting']}."
    return judged(like, list(ratios), line, "the baseline", worse)


def table(data: dict[str, Any]) -> list[dict[str, str]]:
    """A row a method and setting; the error of the chosen one."""
    data = data["values"]
    return [
        {"method": method, "setting": name}
        | loss_row(values)
        | {"test error": f"{mean_interval(found['error']).mean:.1%}" if name == found["setting"] else ""}
        for method, found in data.items()
        for name, values in found["every"].items()
    ]


def draw(axes: Any, data: dict[str, Any]) -> None:
    """Median test loss by epoch, chosen settings."""
    data = data["values"]
    curves = {m: (range(len(found["curve"])), found["curve"]) for m, found in data.items()}
    lines(axes, curves, xlabel="epochs", ylabel="test cross-entropy per image, nats")
