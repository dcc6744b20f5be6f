"""Training: one loop for every optimizer (`loop`), a run by its settings (`run`), recorded and resumed (`execution`).

Beside them what a run is kept by: `checkpoint`, `records`, `lock`; and `pool`, which makes many at once.
"""

from .loop import Epoch, History, evaluate, measure, train

__all__ = ["Epoch", "History", "evaluate", "measure", "train"]
