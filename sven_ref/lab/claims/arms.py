"""Training runs that claims share: each is trained once, by the loop of `training`, and kept by its settings.

An `Arm` is a run of the laboratory and what it changes. `tables` trains every arm on draws × seeds: draw i has
data_seed + i, seed j has seed + j, the same for every arm, so that differences are paired. Of each epoch, the untrained
model's first, a result holds

    val, test, train    mean ℓ on the splits, train on its first 10,000 examples
    seconds             of training alone, from the start of the run
    norm, distance      ‖θ‖ and ‖θ − θ_0‖
    rank                the median of q, where J was decomposed
    bias                with noise: the mean of f − y on the clean test split, at the end

and `diverged`, the reason or None (SPEC 8). Validation selects; the reported number is of the test split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from ...errors import NonFiniteError
from ...natural_gradient import damped_dual
from ...nets.mlp import MLP
from ...problem import Problem
from ..optimizers.full_batch import lbfgs
from ..optimizers.gradient import GradientInfo
from ..paper.protocols import read
from ..tasks.task import Task
from ..training import records
from ..training.checkpoint import fingerprint
from ..training.execution import TRAIN_EVALUATED, loop
from ..training.loop import Epoch, History, measure, train
from ..training.pool import run_all
from ..training.run import Run
from ..versions import versions
from .claim import Effort

Result = dict[str, Any]
OF_ARM = ("key", "result", "versions")  # the names in a line of trained.jsonl
Tables = dict[str, list[list[Result]]]
KEPT: dict[str, Result] = {}  # of this process, by settings


@dataclass(frozen=True)
class Arm:
    """A run, and what is not among its settings.

    hidden : the width of the hidden layers instead of the task's
    noise : (law, standard deviation) of what is added to the training targets: "normal", or "exponential", which has
        mean zero too but is skewed
    damping : μ/σ_1² of θ ← θ − η Jᵀ(JJᵀ + μI)⁻¹R, instead of a cut
    iterations : of SciPy's L-BFGS on the whole training split, instead of the run's optimizer; an epoch is 10 of them
    """

    run: Run
    hidden: int | None = None
    noise: tuple[str, float] | None = None
    damping: float | None = None
    iterations: int = 0

    def key(self) -> str:
        """Of what determines the result."""
        changes = {name: value for name, value in vars(self).items() if name != "iterations" or value}
        return fingerprint(json.loads(json.dumps(changes | {"run": self.run.settings()})))


@dataclass
class Damped:
    """Sven's rows with damping in the place of the cut."""

    lr: float
    mu: float
    n_steps: int = field(default=0)

    def step(self, problem: Problem, theta: Any, batch: Any) -> tuple[Any, GradientInfo]:
        """θ of shape (P,) -> (θ', GradientInfo)."""
        R, J = problem.linearise(theta, batch)
        J = J.float64()
        R = R.astype(np.float64)
        largest = np.linalg.eigvalsh(J.gram())[-1]
        new = (theta - self.lr * damped_dual(J, R, self.mu * max(largest, 1e-300))).astype(theta.dtype)
        if not np.isfinite(new).all():
            raise NonFiniteError("updated theta is not finite")
        return new, GradientInfo(float(np.mean(np.abs(R) ** (2 / problem.kappa))), 0.0)


def noisy(task: Task, law: str, std: float, seed: int) -> Task:
    """The task with noise on its training targets; those of the other splits stay clean."""
    x, y = task.train
    rng = np.random.default_rng([seed, 77])
    e = rng.standard_normal(y.shape) if law == "normal" else rng.exponential(1, y.shape) - 1
    return replace(task, train=(x, (y + std * e).astype(y.dtype)))


def train_arm(arm: Arm) -> Result:
    """In a worker."""
    problem, theta, opt, task = arm.run.build()
    if arm.hidden is not None:
        sizes = (task.sizes[0], *[arm.hidden] * (len(task.sizes) - 2), task.sizes[-1])
        net = MLP(sizes, task.activation)
        problem, theta = Problem(net, task.loss, **arm.run.problem), net.init(arm.run.seed, np.float32)
    if arm.noise is not None:
        task = noisy(task, *arm.noise, arm.run.data_seed)
    if arm.damping is not None:
        opt = Damped(opt.lr, arm.damping)
    few = (task.train[0][:TRAIN_EVALUATED], task.train[1][:TRAIN_EVALUATED])
    history = History(arm.run.optimizer)
    result: Result = {name: [] for name in ("val", "test", "train", "accuracy", "seconds", "norm", "distance", "rank")}

    def record(epoch: Any) -> None:
        with np.errstate(all="ignore"):  # a diverged run overflows; it is found and counted
            held_out, fitted = measure(problem, history.theta, task.test), measure(problem, history.theta, few)
        values = (epoch.val_loss, held_out.loss, fitted.loss, held_out.accuracy, epoch.seconds, epoch.theta_norm)
        distance = float(np.linalg.norm(history.theta - theta))
        for name, value in zip(result, (*values, distance, epoch.median_rank), strict=True):
            result[name].append(value)

    if arm.iterations:
        full_batch(arm.iterations, problem, theta, task, history, record)
    else:
        train(problem, theta, opt, task, history=history, on_epoch=record, **loop(arm.run))
    if arm.noise is not None:
        x, y = task.test
        result["bias"] = [float(np.mean(problem.model(history.theta, x) - y))]
    return result | {"diverged": history.reason, "n_params": theta.size}


def full_batch(iterations: int, problem: Problem, theta: Any, task: Task, history: History, record: Any) -> None:
    """L-BFGS on the whole training split, recorded as `train` does after every ten iterations; seconds of processor."""
    spent = [0.0, process_time()]

    def every_ten(i: int, now: Any, loss: float) -> None:
        spent[0] += process_time() - spent[1]
        if i % 10 == 0:
            history.theta = now
            val = measure(problem, now, task.val).loss
            record(Epoch(i // 10, loss, val, spent[0], None, 0, float(np.linalg.norm(now)), None))
        spent[1] = process_time()

    every_ten(0, theta, float("nan"))
    lbfgs(problem, theta, task.train, max_iter=iterations, on_iteration=every_ten)


def trained(effort: Effort, arms: Sequence[Arm]) -> list[Result]:
    """The results of arms; those trained before, in this process or with the same `effort.out`, are not trained
    again."""
    file = None if effort.out is None else Path(effort.out) / "trained.jsonl"
    for record in [] if file is None else records.lines(file, OF_ARM):
        KEPT.setdefault(record["key"], record["result"])
    missing = {arm.key(): arm for arm in arms if arm.key() not in KEPT}
    # Runs of one task side by side: a worker keeps the task it has loaded.
    waiting = sorted(missing.values(), key=lambda arm: (arm.run.task, arm.run.data_seed))
    with nullcontext(lambda record: None) if file is None else records.appending(file) as add:
        for arm, result in run_all(train_arm, waiting, effort.workers):
            KEPT[arm.key()] = result
            add({"key": arm.key(), "result": result, "versions": versions()})
    return [KEPT[arm.key()] for arm in arms]


def tables(effort: Effort, arms: Mapping[str, Arm], draws: int, seeds: int) -> Tables:
    """name -> results[draw][seed]."""
    at = [(name, i, j) for name in arms for i in range(draws) for j in range(seeds)]
    results = iter(trained(effort, [shifted(arms[name], i, j) for name, i, j in at]))
    return {name: [[next(results) for _ in range(seeds)] for _ in range(draws)] for name in arms}


def shifted(arm: Arm, draw: int, seed: int) -> Arm:
    """The arm on another data draw, from another seed."""
    return replace(arm, run=replace(arm.run, seed=arm.run.seed + seed, data_seed=arm.run.data_seed + draw))


def last(table: list[list[Result]], name: str = "test") -> list[list[float | None]]:
    """values[draw][seed] of a quantity at the end of the run; None where it diverged."""
    return [[None if r["diverged"] else r[name][-1] for r in row] for row in table]


def after(table: list[list[Result]], epoch: int, name: str = "test") -> list[list[float | None]]:
    """values[draw][seed] of a quantity after an epoch; None where it was not reached, which is a run that diverged."""
    return [[r[name][epoch] if epoch < len(r[name]) and not r["diverged"] else None for r in row] for row in table]


def curve(table: list[list[Result]], name: str = "test") -> list[float]:
    """The median of a quantity by epoch over the runs that finished."""
    rows = [r[name] for row in table for r in row if not r["diverged"]]
    return [float(x) for x in np.median(np.array(rows, float), axis=0)] if rows else []


def best(arms: Mapping[str, Any], results: Tables) -> str:
    """Which of the arms: by the fewest diverged, then by the lowest mean validation loss (SPEC 8)."""

    def rank(name: str) -> tuple[int, float]:
        losses = [v for row in last(results[name], "val") for v in row]
        good = [v for v in losses if v is not None]
        return len(losses) - len(good), float(np.mean(good)) if good else float("inf")

    return min(arms, key=rank)


def protocol_arm(task: str, optimizer: str, effort: Effort, **changes: Any) -> Arm:
    """The settings of `protocols.toml`, which the authors selected on validation with other seeds."""
    p = read()[1][task]
    run = p.runs(p.methods[optimizer], 1)[0]
    quick: dict[str, Any] = {"epochs": 2, "task_options": {"n_train": 960}} if effort.quick else {}
    return Arm(replace(run, **changes | quick))
