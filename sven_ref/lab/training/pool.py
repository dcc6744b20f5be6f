"""Independent jobs in parallel processes, one BLAS thread each, so that the seconds of a run are its own.

Workers are spawned, not forked: a fork would inherit a BLAS that has threads already. They end with their parent,
however it ends, so that a command started anew is alone in its folders.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import Any

from ...arguments import check_integer
from ...errors import SvenError
from ..console import environment
from ..threads import THREADS

TICK = 0.5  # seconds between calls of on_tick


class WorkerError(SvenError):
    """A worker process died: killed by the system, most likely for want of memory."""


def run_all(
    function: Callable[[Any], Any], jobs: Sequence[Any], workers: int = 2, on_tick: Callable[[], None] = lambda: None
) -> Iterator[tuple[Any, Any]]:
    """(job, function(job)) as they finish; 0 workers means here, one after the other. What a job raises is raised.

    `function` and the jobs are pickled to the workers: a function of a module, and plain data.
    """
    if check_integer("workers", workers, 0) == 0:
        for job in jobs:
            yield job, function(job)
            on_tick()
        return
    before = {p.pid for p in multiprocessing.active_children()}
    with (
        one_thread(),
        ProcessPoolExecutor(
            min(workers, max(1, len(jobs))), multiprocessing.get_context("spawn"), initializer=end_with_the_parent
        ) as pool,
    ):
        try:
            job_of = {pool.submit(function, job): job for job in jobs}
            waiting = set(job_of)
            while waiting:
                done, waiting = wait(waiting, TICK, FIRST_COMPLETED)
                for future in done:
                    yield job_of[future], future.result()
                on_tick()
        except BrokenProcessPool:
            raise WorkerError(
                "a worker process died, perhaps for want of memory; the same command goes on from what is finished"
            ) from None
        finally:  # finished, interrupted, or the caller stopped listening
            pool.shutdown(wait=False, cancel_futures=True)
            for p in multiprocessing.active_children():
                if p.pid not in before:
                    p.terminate()


def end_with_the_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and exit when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started inside have BLAS libraries of one thread; they read the environment when they are loaded."""
    with environment(**dict.fromkeys(THREADS, "1")):
        yield
