"""The paper's comparison on its two small regressions, and on 8 × 8 digits in the place of MNIST's label regression.

toy, polynomial    10,000 points, B = 32; the options that the authors selected on validation (protocols.toml)
digits-lr          1,197 images, B = 64, 20 epochs; of four options a method those best on validation

Rates are constant, so that a run's first epochs are a shorter run. Half of the paper's 20 epochs: Sven and HIG have 10,
Adam 25, more than it can do in the time of Sven's 10, and L-BFGS, whose epochs take twice as long, 5. Five data
draws, two seeds on each; the same initialisation and the same batches for every method of a seed.
"""

from __future__ import annotations

from itertools import product
from time import process_time

from ..training.run import Run
from .arms import Arm, Tables, best, protocol_arm, shifted, tables
from .claim import Effort

EPOCHS = {"sven": 10, "adam": 25, "hig": 10, "lbfgs": 5}
REGRESSIONS = ("toy", "polynomial")
SVEN_DIGITS = [{"lr": lr, "rtol": rtol} for lr, rtol in product((0.1, 0.5), (1e-3, 1e-2))]
ADAM_DIGITS = [{"lr": lr} for lr in (1e-3, 3e-3, 1e-2, 3e-2)]


def size(effort: Effort) -> tuple[int, int]:
    """(draws, seeds)."""
    return effort.choose((5, 2), (2, 2))


def headline(effort: Effort, optimizers: tuple[str, ...]) -> dict[str, Tables]:
    """task -> optimizer -> results[draw][seed], for the toy task and the polynomial."""
    names = {f"{task} {o}": protocol_arm(task, o, effort, epochs=EPOCHS[o]) for task in REGRESSIONS for o in optimizers}
    found = tables(effort, names, *size(effort))
    return {task: {o: found[f"{task} {o}"] for o in optimizers} for task in REGRESSIONS}


def digits(effort: Effort) -> Tables:
    """optimizer -> results[draw][seed] of the options best on validation, for Sven and Adam on digits-lr."""
    found: Tables = {}
    for optimizer, options in (("sven", SVEN_DIGITS), ("adam", ADAM_DIGITS)):
        epochs = effort.choose(20, 2)
        runs = {str(o): Arm(Run("digits-lr", optimizer, o, batch_size=64, epochs=epochs)) for o in options}
        results = tables(effort, runs, *size(effort))
        found[optimizer] = results[best(runs, results)]
    return found


def cost(effort: Effort, task: str, optimizers: tuple[str, ...]) -> dict[str, float]:
    """Seconds an epoch takes each optimizer: of one thread's processor time, the least of blocks that take turns."""
    arms = {o: shifted(protocol_arm(task, o, effort), 0, 0) for o in optimizers}
    blocks, steps = effort.choose((10, 24), (3, 8))
    return effort.map(measured, [(arms, blocks, steps)])[0]


def measured(arms: dict[str, Arm], blocks: int, steps: int) -> dict[str, float]:
    """In a worker. Steps begin at the initial θ, on the first batches of the data as they lie."""
    built = {o: arm.run.build() for o, arm in arms.items()}
    theta = {o: start for o, (_, start, _, _) in built.items()}
    least = dict.fromkeys(arms, float("inf"))
    for block in range(blocks):
        for o, (problem, _, opt, task) in built.items():
            B, (x, y) = arms[o].run.batch_size, task.train
            start = process_time()
            for i in range(block * steps, (block + 1) * steps):
                rows = slice(i % (len(x) // B) * B, i % (len(x) // B) * B + B)
                theta[o], _ = opt.step(problem, theta[o], (x[rows], y[rows]))
            least[o] = min(least[o], (process_time() - start) / steps * (len(x) // B))
    return least
