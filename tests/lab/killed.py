"""A run that kills itself at a named point (SIGKILL, as `kill -9`): python killed.py FOLDER OPTIMIZER POINT N.

POINT is what is interrupted at its N-th occurrence; "none" lets the run end.
"""

import os
import signal
import sys

from sven_ref.lab.optimizers import options
from sven_ref.lab.training import checkpoint, execution
from sven_ref.lab.training.run import Run

SETTINGS = {
    "sven": {"lr": 0.05, "k": 8, "rtol": 1e-3},
    "adam": {"lr": 1e-2},
    "lbfgs": {"lr": 0.1, "max_iter": 2, "history_size": 3},
}
POINTS = ("in a step", "in a line", "after a line", "in a checkpoint", "before its rename", "after its rename")


def run_of(optimizer):
    options = SETTINGS[optimizer]
    return Run("toy", optimizer, options, task_options={"n_train": 160}, epochs=4, seed=3)


def dying(function, n, before=lambda *args: None):
    """`function`, whose n-th call does `before` and then kills the process."""
    calls = 0

    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == n:
            before(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return wrapped


def main(folder, optimizer, point, n):
    n, write, line = int(n), checkpoint.write_durably, execution.line

    def part(size):  # what a kill while writing leaves
        return lambda path, data: path.with_name(path.name + ".partial").write_bytes(data[: round(size * len(data))])

    def torn(epoch):
        if epoch.epoch == n:
            with open(os.path.join(folder, "history.jsonl"), "ab") as file:
                file.write(line(epoch)[:20])
            os.kill(os.getpid(), signal.SIGKILL)
        return line(epoch)

    writers = {"in a checkpoint": part(0.5), "before its rename": part(1), "after its rename": write}
    if point == "in a step":
        cls = options.OPTIMIZERS[optimizer]
        cls.step = dying(cls.step, n)
    elif point == "in a line":
        execution.line = torn
    elif point == "after a line":
        checkpoint.Checkpoints.save = dying(checkpoint.Checkpoints.save, n)
    elif point in writers:
        fatal = dying(write, n, writers[point])
        checkpoint.write_durably = lambda path, data: (fatal if path.suffix == ".checkpoint" else write)(path, data)
    execution.execute(run_of(optimizer), folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
