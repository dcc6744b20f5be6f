"""How many threads BLAS takes in one of our commands: one, unless the environment says otherwise.

The matrices of a step are small. A second thread gains little on quiet cores; on busy ones each waits for the
other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it BLAS has one thread, where none of `THREADS` is set."""
    if any(os.environ.get(name) for name in THREADS):
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
