"""One training loop for every optimizer: `theta, info = opt.step(problem, theta, batch)`.

Epoch e ≥ 1 visits the training split in the order `default_rng([seed, e]).permutation(n)`, the last, shorter batch
included: the order depends on nothing but (seed, e). Epoch 0 is the untrained model. Losses are means over examples:

    train_loss    of ℓ before the update of its own batch (online), where Sven's ℓ is |R|^{2/κ}      (SPEC 2.1)
    val_loss      of ℓ on the validation split after the epoch

A run is diverged when a value is non-finite, when a step can't be computed, or when the final validation loss exceeds
10 × the untrained one (SPEC 8). That is a result, with its reason, and not an exception.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from ..errors import ArgumentError, NonFiniteError, SvenError, check_integer, check_theta
from ..residuals import Problem
from .tasks import Split, Task

EVALUATION_BATCH = 2048


@dataclass
class Epoch:
    """What is known after an epoch. `seconds` (of training alone) and `n_products` count from the start of the run.

    median_rank and spectrum (σ_i/σ_1 at the epoch's first step, before the cut) are None where no J was decomposed.
    """

    epoch: int
    train_loss: float | None
    val_loss: float
    seconds: float
    median_rank: float | None
    n_products: int
    theta_norm: float
    spectrum: list[float] | None


@dataclass
class History:
    """A run: its epochs, whether and why it diverged, θ at its end, and how many steps each SVD solver did."""

    optimizer: str
    epochs: list[Epoch] = field(default_factory=list)
    diverged: bool = False
    reason: str | None = None
    solvers: dict[str, int] = field(default_factory=dict)
    theta: Any = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything but θ, in types that JSON knows; a non-finite number, which it does not, is None."""
        data = asdict(self)
        del data["theta"]
        for epoch in data["epochs"]:
            epoch.update({k: None for k, x in epoch.items() if isinstance(x, float) and not math.isfinite(x)})
        return data


def evaluate(problem: Problem, theta: Any, split: Split) -> float:
    """Mean of ℓ over a split (x, y), in batches of 2048, each example counting once."""
    batches = [tuple(a[i : i + EVALUATION_BATCH] for a in split) for i in range(0, len(split[0]), EVALUATION_BATCH)]
    losses = [np.asarray(problem.losses(theta, batch), np.float64) for batch in batches]
    return float(np.mean(np.concatenate(losses)))


def batch_loss(problem: Problem, info: Any, B: int) -> float:
    """Mean loss of a batch of B before its update, from what the step returned."""
    if hasattr(info, "loss"):
        return float(info.loss)
    R = np.asarray(info.residuals, np.float64)
    per_sample = len(R) // B if problem.rows == "per_output" else 1
    return float(np.mean(np.abs(R) ** (2 / problem.kappa))) * per_sample


def train(
    problem: Problem,
    theta: Any,
    opt: Any,
    task: Task,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train from θ of shape (P,), which is left alone; `on_epoch` is called with every `Epoch`, the 0th too.

    Only an `ArgumentError` is raised: options that no step can be made with are a mistake, not a diverged run.
    """
    theta = check_theta(theta)
    epochs, batch_size = check_integer("epochs", epochs), check_integer("batch_size", batch_size)
    check_integer("seed", seed, 0)
    history, solvers = History(type(opt).__name__), Counter[str]()
    seconds, n_products = 0.0, 0

    with np.errstate(all="ignore"):  # what overflows is found by the checks for finite values
        for epoch in range(epochs + 1):
            total, ranks, spectrum = 0.0, [], None
            try:
                x, y = task.train
                order = np.random.default_rng([seed, epoch]).permutation(len(x)) if epoch else np.arange(0)
                start = perf_counter()
                for i in range(0, len(order), batch_size):
                    rows = order[i : i + batch_size]
                    theta, info = opt.step(problem, theta, (x[rows], y[rows]))
                    total += len(rows) * batch_loss(problem, info, len(rows))
                    if hasattr(info, "rank"):
                        ranks.append(info.rank)
                        solvers[info.solver] += 1
                        n_products += info.n_jvp + info.n_vjp
                        if spectrum is None:
                            spectrum = (info.spectrum / (info.spectrum[0] or 1)).tolist()
                seconds += perf_counter() - start
                if not math.isfinite(total):
                    raise NonFiniteError("the training loss is not finite")
                val_loss = evaluate(problem, theta, task.val)
            except ArgumentError:
                raise
            except SvenError as error:
                history.diverged, history.reason = True, f"epoch {epoch}: {error}"
                break
            record = Epoch(
                epoch,
                train_loss=total / len(order) if epoch else None,
                val_loss=val_loss,
                seconds=seconds,
                median_rank=float(np.median(ranks)) if ranks else None,
                n_products=n_products,
                theta_norm=float(np.linalg.norm(theta)),
                spectrum=spectrum,
            )
            history.epochs.append(record)
            if on_epoch is not None:
                on_epoch(record)

    history.theta, history.solvers = theta, dict(solvers)
    if not history.diverged and history.epochs[-1].val_loss > 10 * history.epochs[0].val_loss:
        history.diverged, history.reason = True, "the final validation loss exceeds 10 × the untrained one"
    return history
