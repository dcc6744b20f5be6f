"""Sven against Adam on the paper's first task: one command, a table, a picture and the numbers behind them.

Both start from the same θ and see the same batches in the same order: MLP (1, 16, 16, 16, 1) with GELU, squared error,
B = 32, float32. Two runs of the same settings differ in nothing but seconds, given the same machine, the same versions
and the same number of BLAS threads (another number rounds the validation losses differently).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import check_integer, check_number
from ..errors import NonFiniteError
from ..nets.mlp import MLP
from ..problem import Problem
from ..step import Sven
from .console import bars, check_out, printer, require, save_figures, writable, write_durably
from .optimizers import Adam
from .plots import BLUE, RED, SKY
from .tasks import Task, toy_1d, toy_function
from .threads import one_blas_thread
from .train import DIVERGED
from .training.loop import Epoch, History, train
from .versions import versions

SIZES, ACTIVATION, BATCH_SIZE = (1, 16, 16, 16, 1), "gelu", 32
SHOWN_EPOCHS = (0, 1, 2, 5, 10, 15, 20)
COLOURS = {"Sven": BLUE, "Adam": RED}


def run(
    *,
    seed: int = 0,
    data_seed: int = 0,
    epochs: int = 20,
    lr: float = 0.02,
    k: int = 32,
    rtol: float = 1e-4,
    kappa: float = 2.0,
    solver: str = "auto",
    adam_lr: float = 1e-3,
    out: str | Path = "sven-demo",
) -> dict[str, Any]:
    """Train with both, print the table, write `demo.png` and `demo.json` into `out`; returns what the JSON holds.

    Parameters
    ----------
    seed, data_seed : of the initialisation and the order of the batches; of the task's three splits
    epochs : passes over the 10,000 training examples
    lr, k, rtol, kappa, solver : Sven's; see `sven_ref.step` and `Problem`
    adam_lr : Adam's α
    out : directory, made if need be; files of an earlier run are replaced

    Raises
    ------
    MissingExtraError, ArgumentError, SolverFloorError : before training
    FigureError : when demo.json is written
    """
    settings = {name: value for name, value in locals().items() if name != "out"}
    require("matplotlib", "rich", purpose="the demo")
    for name, value, least in (("seed", seed, 0), ("data_seed", data_seed, 0), ("epochs", epochs, 1)):
        check_integer(name, value, least)
    check_number("adam_lr", adam_lr, "≥ 0", lambda x: x >= 0)
    check_out(out)
    task, net = toy_1d(data_seed), MLP(SIZES, ACTIVATION)
    problem, theta = Problem(net, kappa=kappa), net.init(seed, np.float32)
    sven, adam = Sven(lr=lr, k=k, rtol=rtol, solver=solver, seed=seed), Adam(lr=adam_lr)
    for opt in (replace(sven), replace(adam)):  # a trial step each: options that can't work fail before training
        with np.errstate(all="ignore"), suppress(NonFiniteError):  # divergence is a result
            opt.step(problem, theta, tuple(a[:BATCH_SIZE] for a in task.train))
    folder = writable(Path(out))

    console = printer()
    console.print(
        f"{task.name}: f(x) = exp(−10 x²) sin(2x), {len(task.train[0])} examples; {net}, P = {net.n_params}; "
        f"batches of {BATCH_SIZE}, float32; seed {seed}, data seed {data_seed}"
    )
    histories = {}
    with progress(console, epochs) as report:
        for name, opt in (("Sven", sven), ("Adam", adam)):
            histories[name] = train(
                problem,
                theta,
                opt,
                task,
                epochs=epochs,
                batch_size=BATCH_SIZE,
                seed=seed,
                on_epoch=report(name),
            )

    results = {
        "settings": settings | {"task": task.name, "sizes": SIZES, "activation": ACTIVATION, "batch_size": BATCH_SIZE},
        "versions": versions(),
        "histories": {name: history.to_dict() for name, history in histories.items()},
    }
    write_durably(folder / "demo.json", json.dumps(results, indent=1, allow_nan=False).encode() + b"\n")
    captions = {"Sven": f"η = {lr:g}, k = {k}, rtol = {rtol:g}, κ = {kappa:g}", "Adam": f"lr = {adam_lr:g}"}
    console.print(table(histories, captions))
    console.print(verdict(histories))
    save_figures({folder / "demo.png": lambda: figure(histories, task, net, rtol)}, dpi=150)
    for name in ("demo.png", "demo.json"):
        console.print(str(folder / name), soft_wrap=True)
    return results


def command(**options: Any) -> int:
    """`sven-ref demo`: the exit status, `DIVERGED` where one of the two did."""
    with one_blas_thread():
        histories = run(**options)["histories"]
    return DIVERGED if any(history["diverged"] for history in histories.values()) else 0


@contextmanager
def progress(console: Any, epochs: int) -> Iterator[Callable[[str], Callable[[Epoch], None]]]:
    """Gives `report`, and report(name) is an `on_epoch`: a bar of that name on a terminal, else a line an epoch."""
    with bars(console, "epochs, validation loss {task.fields[note]}") as shown:

        def report(name: str) -> Callable[[Epoch], None]:
            bar = shown.add_task(name, total=epochs, note="—")

            def on_epoch(e: Epoch) -> None:
                shown.update(bar, completed=e.epoch, note=f"{e.val_loss:.2e}")
                if not console.is_terminal:
                    console.print(f"{name}  epoch {e.epoch:2}/{epochs}  validation loss {e.val_loss:.2e}")

            return on_epoch

        yield report


def table(histories: dict[str, History], captions: dict[str, str]) -> Any:
    """The runs side by side, a rich table: validation losses, then what they cost."""
    from rich.table import Table

    shown = sorted({*SHOWN_EPOCHS, max(h.epochs[-1].epoch for h in histories.values() if h.epochs)})
    result = Table("", *(f"{name}\n{captions[name]}" for name in histories), title="Validation loss, and its price")
    for column in result.columns[1:]:
        column.justify = "right"
    for i in shown:
        losses = [f"{h.epochs[i].val_loss:.2e}" if i < len(h.epochs) else "—" for h in histories.values()]
        if set(losses) != {"—"}:
            result.add_row(f"epoch {i}", *losses, end_section=i == shown[-1])
    costs = {
        "training time": lambda h: f"{h.epochs[-1].seconds:.1f} s",
        "median rank kept": lambda h: f"{np.median(ranks):g}" if (ranks := ranks_of(h)) else "—",
        "products with J, Jᵀ": lambda h: f"{h.epochs[-1].n_products:,}" if ranks_of(h) else "—",
        "SVD by (steps)": lambda h: ", ".join(f"{name} ({n:,})" for name, n in h.solvers.items()) or "—",
    }
    for label, cost in costs.items():
        result.add_row(label, *(cost(h) if h.epochs else "—" for h in histories.values()))
    return result


def ranks_of(history: History) -> list[float]:
    """The median rank of each epoch that has one."""
    return [e.median_rank for e in history.epochs if e.median_rank is not None]


def verdict(histories: dict[str, History]) -> str:
    """One sentence: who ends how far below whom, or who diverged and why."""
    lost = [f"{name} diverged ({h.reason})." for name, h in histories.items() if h.diverged]
    if lost:
        return " ".join(lost)
    sven, adam = (histories[name].epochs[-1].val_loss for name in ("Sven", "Adam"))
    ratio, side = (adam / sven, "below") if sven <= adam else (sven / adam, "above")
    return f"Sven's final validation loss is {ratio:,.{0 if ratio >= 10 else 1}f} times {side} Adam's."


def figure(histories: dict[str, History], task: Task, net: MLP, rtol: float) -> Any:
    """Learning curves; the spectrum of J early and late with its cut; the target, both fits and their errors.

    A matplotlib Figure of its own, saved by Agg: no display and no global state.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    fig = Figure(figsize=(13, 4.2), layout="constrained")
    grid = fig.add_gridspec(2, 3, height_ratios=(3, 2))
    curves, spectra = fig.add_subplot(grid[:, 0]), fig.add_subplot(grid[:, 1])
    fit = fig.add_subplot(grid[0, 2])
    errors = fig.add_subplot(grid[1, 2], sharex=fit)

    for name, h in histories.items():
        curves.semilogy([e.val_loss for e in h.epochs], color=COLOURS[name], marker="o", ms=3, label=name)
    curves.set(xlabel="epoch", ylabel="validation loss (mean squared error / Var f)", title="Learning curves")
    curves.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
    curves.legend()

    measured, eps = [e for e in histories["Sven"].epochs if e.spectrum], float(np.finfo(np.float32).eps)
    for e, colour, marker in zip(measured[:: max(1, len(measured) - 1)], (SKY, BLUE), "os", strict=False):
        sigma = np.array(e.spectrum)
        label = f"first step of epoch {e.epoch}"
        spectra.semilogy(range(1, len(sigma) + 1), sigma, color=colour, marker=marker, ms=4, label=label)
    if rtol > 0:
        spectra.axhline(rtol, color="black", ls="--", lw=1, label=f"cut at rtol = {rtol:g}")
    spectra.axhspan(eps / 10, 4 * eps * math.sqrt(net.n_params), color="#DDDDDD", label="rounding error of float32")
    spectra.set(xlabel="index i", ylabel=r"singular value $\sigma_i/\sigma_1$ of J", title="Spectrum of J (Sven)")
    spectra.set_ylim(eps / 10, 100)
    spectra.legend(ncols=2, loc="upper center", fontsize="small")

    x = np.linspace(-1, 1, 801)
    fit.plot(x, toy_function(x), color="#BBBBBB", lw=5, label="target")
    for name, h in histories.items():
        y = task.mean + task.std * net(h.theta.astype(np.float64), x[:, None])[:, 0]
        fit.plot(x, y, color=COLOURS[name], ls="-" if name == "Sven" else "--", lw=1.5, label=name)
        errors.semilogy(x, np.abs(y - toy_function(x)), color=COLOURS[name], lw=1)
    fit.set(ylabel="f(x)", title=r"Fit of $f(x) = e^{-10x^2}\sin 2x$")
    fit.tick_params(labelbottom=False)
    fit.legend()
    errors.set(xlabel="x", ylabel="|fit − f|")

    for axes in (curves, spectra, fit, errors):
        axes.grid(alpha=0.3)
    return fig
