"""A run trained, recorded in a folder, resumed after a kill.

    FOLDER/run.json         the settings and the versions of what ran them first
    FOLDER/history.jsonl    one line an epoch, appended as it goes; for readers, it is never read back
    FOLDER/checkpoints/     the last two epochs: θ, the optimizer's fields, the history
    FOLDER/result.json      written last; where it is, the run is finished
    FOLDER/lock             while a process is at it: see `lock`

Killed at any moment, the run goes on from the last epoch that has a checkpoint, whose history replaces
history.jsonl, and ends with the same bits as one never interrupted; `seconds` alone differ. All that is read back
carries its SHA-256.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...errors import ArgumentError, NonFiniteError
from ...problem import Problem
from ...residuals import Residuals
from ...sharded import ShardedProblem
from ..console import check_out, writable, write_durably
from ..tasks import Task
from ..versions import changed, versions
from . import records
from .checkpoint import Checkpoints, optimizer_state, restore_optimizer
from .lock import alone
from .loop import Epoch, History, measure, train
from .run import Run, differing

TRAIN_EVALUATED = 10_000  # the first examples of the training split, on which the trained model is evaluated
NO_RESULT = "move it away: the same command makes it again from the run's last checkpoint"
NO_SETTINGS = "move it away: the run goes on without it"
OF_RUN = ("settings", "versions")  # the names in run.json, and in result.json
OF_RESULT = (*OF_RUN, "n_params", "final", "seconds", "evaluation_seconds", "history")


def execute(
    run: Run,
    folder: str | Path | None = None,
    *,
    resume: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    client: Any = None,
) -> dict[str, Any]:
    """The result of a run, in types that JSON knows; with `folder`, recorded there and resumed from there.

    A finished run is not done again. Without `resume`, a folder that holds a run is an `ArgumentError`, as are settings
    that can't be, before anything is written. `on_note` is told when a run goes on with other versions than it began
    with: the result has them all. With `client`, Dask's workers make the steps (`sven_ref.sharded`): no setting of the
    run, which may go on with others or none.
    """
    if folder is None:
        problem, theta, opt, task = run.build()
        sharded = client and ShardedProblem(problem, client)
        history = train(problem, theta, opt, task, on_epoch=on_epoch, **loop(run, sharded))
        return result_of(run, problem, task, history)

    folder, settings = Path(folder), run.settings()
    if not resume and holds_run(folder):
        raise ArgumentError(f"out = {str(folder)!r}: holds a run already; resume it or choose another directory")
    if (done := finished(folder, settings)) is not None:
        return done

    problem, theta, opt, task = run.build()
    sharded = client and ShardedProblem(problem, client)
    run.check(sharded)
    with alone(writable(folder)):
        if (done := finished(folder, settings)) is not None:  # by the one who had the lock
            return done
        checkpoints, history = Checkpoints(folder / "checkpoints", settings, differing), History(type(opt).__name__)
        used = [versions()]  # the last are those of now
        if (state := unfinished(folder, settings, checkpoints)) is not None:
            restore_optimizer(opt, state["optimizer"])
            epochs = [Epoch(**e) for e in state["history"].pop("epochs")]
            history = History(epochs=epochs, theta=state["theta"], **state["history"])
            used = [*(v for v in state.get("versions", ()) if v != used[-1]), *used]
            if len(used) > 1 and on_note is not None:
                on_note(f"the epochs until {len(epochs) - 1} were run by {changed(used[-2], used[-1])}")
        if not (folder / "run.json").exists():
            records.write(folder / "run.json", {"settings": settings, "versions": used[0]})
        checkpoints.clear()
        write_durably(folder / "history.jsonl", b"".join(line(e) for e in history.epochs))

        with (folder / "history.jsonl").open("ab") as file:

            def record(epoch: Epoch) -> None:
                file.write(line(epoch))
                file.flush()
                os.fsync(file.fileno())
                past = {n: x for n, x in vars(history).items() if n not in ("epochs", "theta", "diverged", "reason")}
                past["epochs"] = [vars(e) for e in history.epochs]
                state = {"theta": history.theta, "optimizer": optimizer_state(opt), "history": past, "versions": used}
                checkpoints.save(epoch.epoch, state)
                if on_epoch is not None:
                    on_epoch(epoch)

            train(problem, theta, opt, task, history=history, on_epoch=record, **loop(run, sharded))
        result = result_of(run, problem, task, history) | {"earlier_versions": used[:-1]}
        records.write(folder / "result.json", result)
    return result


def holds_run(folder: Path) -> bool:
    """Whether a run has begun there."""
    return any((folder / name).exists() for name in ("run.json", "result.json", "checkpoints"))


def finished(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The result of the run of these settings if it is finished; raise if it is another's or damaged."""
    if not (folder / "result.json").exists():
        return None
    done = records.read(folder / "result.json", NO_RESULT, OF_RESULT)
    if (folder / "run.json").exists():
        same_settings(folder, begun(folder), done["settings"])
    same_settings(folder, done["settings"], settings)
    return done


def unfinished(folder: Path, settings: dict[str, Any], checkpoints: Checkpoints) -> Any:
    """The state from which the run goes on, None if it has none; raise if it is another's, damaged or gone."""
    if (folder / "run.json").exists():
        same_settings(folder, begun(folder), settings)
    state = checkpoints.load()
    if state is None and (n := epochs_in(folder / "history.jsonl")) > 1:  # a kill leaves one at most without its own
        raise ArgumentError(
            f"out = {str(folder)!r}: has a history of {n} epochs and no checkpoint to go on from; put its "
            "checkpoints back, or move history.jsonl away to begin anew"
        )
    return state


def look(run: Run, folder: Path) -> None:
    """Raise what `execute` would of what the folder holds or who is at it; nothing is made or changed."""
    settings = run.settings()
    if finished(folder, settings) is not None or not check_out(folder).exists():
        return
    with alone(folder):
        if finished(folder, settings) is None:
            unfinished(folder, settings, Checkpoints(folder / "checkpoints", settings, differing))


def begun(folder: Path) -> Any:
    """The settings with which the run in `folder` began."""
    return records.read(folder / "run.json", NO_SETTINGS, OF_RUN)["settings"]


def epochs_in(path: Path) -> int:
    """Whole lines of a history, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def same_settings(folder: Path, theirs: Any, ours: dict[str, Any]) -> None:
    """Raise `ArgumentError` unless the settings of the run in `folder` are ours, by value."""
    if differ := differing(theirs, ours):
        raise ArgumentError(f"out = {str(folder)!r}: holds a run of other settings: {differ}; choose another directory")


def loop(run: Run, sharded: Residuals | None = None) -> dict[str, Any]:
    """What the loop takes: the run's settings, and its problem on workers, if it is there."""
    settings = {"epochs": run.epochs, "batch_size": run.batch_size, "seed": run.seed, "drop_last": run.drop_last}
    return settings | {"sharded": sharded}


def result_of(run: Run, problem: Problem, task: Task, history: History) -> dict[str, Any]:
    """Settings, versions, the history, and the losses of the trained model on all three splits (None if diverged)."""
    start, final = perf_counter(), {}
    splits = {"val": task.val, "test": task.test, "train": tuple(a[:TRAIN_EVALUATED] for a in task.train)}
    for name, split in splits.items():
        try:
            with np.errstate(all="ignore"):
                loss, accuracy = measure(problem, history.theta, split)
        except NonFiniteError:  # a diverged run is a result, recorded as such
            loss, accuracy = math.nan, None
        final[name] = {"loss": loss if math.isfinite(loss) and not history.diverged else None, "accuracy": accuracy}
    return {
        "settings": run.settings(),
        "versions": versions(),
        "earlier_versions": [],
        "n_params": int(problem.model.n_params),
        "final": final,
        "seconds": history.epochs[-1].seconds if history.epochs else None,
        "evaluation_seconds": perf_counter() - start,
        "history": history.to_dict(),
    }


def line(epoch: Epoch) -> bytes:
    """An epoch of history.jsonl."""
    return json.dumps(epoch.to_dict(), allow_nan=False).encode() + b"\n"
