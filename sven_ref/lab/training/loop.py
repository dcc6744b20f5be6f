"""One training loop for every optimizer: `theta, info = opt.step(problem, theta, batch)`.

Epoch e ≥ 1 visits the training split in the order `default_rng([seed, e]).permutation(n)`, the last, shorter batch
included unless `drop_last`: the order depends on nothing but (seed, e). Epoch 0 is the untrained model. Losses are
means over examples:

    train_loss    of ℓ before the update of its own batch (online), where Sven's ℓ is |R|^{2/κ}      (SPEC 2.1)
    val_loss      of ℓ on the validation split after the epoch

A run is diverged when a value is non-finite, when a step can't be computed, or when the final validation loss exceeds
10 × the untrained one (SPEC 8). That is a result, with its reason, and not an exception.

A `History` is all that a run knows of its past but the optimizer's state: handed back to `train` with that state, as
after any epoch, it is continued as if never interrupted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ...arguments import check_integer, check_theta
from ...errors import ArgumentError, NonFiniteError, SvenError
from ...problem import Problem
from ...residuals import Residuals
from ...sharded.workers import ClusterError
from ...step import StepInfo
from ..tasks import Split, Task

EVALUATION_BATCH = 2048


@dataclass
class Epoch:
    """What is known after an epoch. `seconds` (of training alone) and `n_products` count from the start of the run.

    median_rank and spectrum (σ_i/σ_1 at the epoch's first step, before the cut) are None where no J was decomposed;
    val_accuracy is None where y holds no labels.
    """

    epoch: int
    train_loss: float | None
    val_loss: float
    seconds: float
    median_rank: float | None
    n_products: int
    theta_norm: float
    spectrum: list[float] | None
    val_accuracy: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """In types that JSON knows; a non-finite number, which it does not, is None."""
        data = asdict(self)
        data.update({k: None for k, x in data.items() if isinstance(x, float) and not math.isfinite(x)})
        return data


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
        """Everything but θ, in types that JSON knows."""
        data = {name: value for name, value in vars(self).items() if name != "theta"}
        return data | {"epochs": [epoch.to_dict() for epoch in self.epochs]}


class Measured(NamedTuple):
    """Mean loss over a split, and the part of its labels that the largest output names; None without labels."""

    loss: float
    accuracy: float | None


def measure(problem: Problem, theta: Any, split: Split) -> Measured:
    """Loss and accuracy over a split (x, y), in batches of 2048, each example counting once."""
    x, y = split
    labels = problem.model is not None and y.ndim == 1 and y.dtype.kind in "iu"
    losses, right = [], 0
    for i in range(0, len(x), EVALUATION_BATCH):
        batch = x[i : i + EVALUATION_BATCH], y[i : i + EVALUATION_BATCH]
        if labels:
            f = problem.model(theta, batch[0].astype(theta.dtype, copy=False))
            right += int(np.sum(np.argmax(f, axis=1) == batch[1]))
            losses.append(problem.losses_of(f, batch[1]))
        else:
            losses.append(problem.losses(theta, batch))
    return Measured(float(np.mean(np.concatenate(losses), dtype=np.float64)), right / len(x) if labels else None)


def evaluate(problem: Problem, theta: Any, split: Split) -> float:
    """Mean of ℓ over a split (x, y)."""
    return measure(problem, theta, split).loss


def batch_loss(problem: Problem, info: Any, B: int) -> float:
    """Mean loss of a batch of B before its update, from what the step returned."""
    if hasattr(info, "loss"):
        return float(info.loss)
    R = np.asarray(info.residuals, np.float64)
    per_sample = len(R) // B if problem.rows == "per_output" else 1
    powers = np.abs(R) if problem.kappa == 2 else np.abs(R) ** (2 / problem.kappa)
    return float(np.sum(powers)) / len(R) * per_sample


def train(
    problem: Problem,
    theta: Any,
    opt: Any,
    task: Task,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    drop_last: bool = False,
    sharded: Residuals | None = None,
    history: History | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train from θ of shape (P,), which is left alone; `on_epoch` is called with every `Epoch`, the 0th too.

    `sharded`, if given, is `problem` as the steps see it: its samples on many machines (`sven_ref.sharded`).
    `history`, if given, is continued in place from its θ after its last epoch; at each `on_epoch` it is up to date.
    Raised are an `ArgumentError`, since options that no step can be made with are a mistake and not a diverged run, and
    a `ClusterError`, since a run whose machines are lost has not ended.
    """
    epochs, batch_size = check_integer("epochs", epochs), check_integer("batch_size", batch_size)
    check_integer("seed", seed, 0)
    history = History(type(opt).__name__) if history is None else history
    theta = check_theta(theta if history.theta is None else history.theta)
    x, y = task.train
    n = len(x) - len(x) % batch_size if drop_last else len(x)
    if n == 0:
        raise ArgumentError(f"batch_size = {batch_size}: must be at most the {len(x)} examples when drop_last is set")
    seconds, n_products = (history.epochs[-1].seconds, history.epochs[-1].n_products) if history.epochs else (0.0, 0)
    solvers = Counter(history.solvers)

    with np.errstate(all="ignore"):  # what overflows is found by the checks for finite values
        for epoch in range(len(history.epochs), 0 if history.diverged else epochs + 1):
            total, ranks, spectrum = 0.0, [], None
            order = np.random.default_rng([seed, epoch]).permutation(len(x))[:n] if epoch else np.arange(0)
            try:
                start = perf_counter()
                for i in range(0, len(order), batch_size):
                    rows = order[i : i + batch_size]
                    theta, info = opt.step(sharded or problem, theta, (x[rows], y[rows]))
                    total += len(rows) * batch_loss(problem, info, len(rows))
                    if isinstance(info, StepInfo):
                        ranks.append(info.rank)
                        solvers[info.solver] += 1
                        n_products += info.n_jvp + info.n_vjp
                        if spectrum is None:
                            spectrum = (info.spectrum / (info.spectrum[0] or 1)).tolist()
                seconds += perf_counter() - start
                if not math.isfinite(total):
                    raise NonFiniteError("the training loss is not finite")
                val = measure(problem, theta, task.val)
                if not math.isfinite(val.loss):
                    raise NonFiniteError("the validation loss is not finite")
            except (ArgumentError, ClusterError):
                raise
            except (SvenError, np.linalg.LinAlgError) as error:
                history.diverged, history.reason = True, f"epoch {epoch}: {error}"
                break
            record = Epoch(
                epoch,
                train_loss=total / n if epoch else None,
                val_loss=val.loss,
                seconds=seconds,
                median_rank=float(np.median(ranks)) if ranks else None,
                n_products=n_products,
                theta_norm=float(np.linalg.norm(theta)),
                spectrum=spectrum,
                val_accuracy=val.accuracy,
            )
            history.epochs.append(record)
            history.theta, history.solvers = theta, dict(solvers)
            if on_epoch is not None:
                on_epoch(record)

    history.theta, history.solvers = theta, dict(solvers)
    if not history.diverged and history.epochs[-1].val_loss > 10 * history.epochs[0].val_loss:
        history.diverged, history.reason = True, "the final validation loss exceeds 10 × the untrained one"
    return history
