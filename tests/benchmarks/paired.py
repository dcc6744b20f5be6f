"""Interleaved timing: A B C A B C …, medians, and the ratio round by round.

Machines are noisy; what A and B share of the noise drops out of the ratio of neighbours.
"""

import os
import platform
from time import perf_counter

import numpy as np


def interleave(steps, rounds, warmup=3, untimed=0):
    """{name: step} -> {name: seconds of each round}, the steps of a round one after the other.

    `untimed`: how often the first of them runs before it is timed, where it follows one that fills the caches, and
    more, with gigabytes of its own; in a run a step follows its like.
    """
    seconds = {name: [] for name in steps}
    for i in range(warmup + rounds):
        for _ in range(untimed):
            next(iter(steps.values()))()
        for name, step in steps.items():
            start = perf_counter()
            step()
            if i >= warmup:
                seconds[name].append(perf_counter() - start)
    return {name: np.array(times) for name, times in seconds.items()}


def summary(seconds, ours):
    """Median milliseconds of each, and the median, quartiles of ours/theirs, round by round."""
    return {
        name: {
            "ms": float(np.median(times) * 1e3),
            "ratio": [float(q) for q in np.quantile(seconds[ours] / times, (0.25, 0.5, 0.75))],
        }
        for name, times in seconds.items()
    }


def machine():
    """What the numbers depend on."""
    import autograd  # noqa: F401 (loads the BLAS that is reported)
    import scipy
    import threadpoolctl

    blas = [
        {k: i.get(k) for k in ("internal_api", "architecture", "num_threads", "version")}
        for i in threadpoolctl.threadpool_info()
    ]
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "processors": os.cpu_count(),
        "blas": blas,
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
    }
