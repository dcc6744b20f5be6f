"""Clusters for the tests of what runs on Dask's workers."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import sven_ref

try:
    import dask
    import distributed
except ImportError:  # the extra is not there: `needs_dask` skips, with this reason
    dask = distributed = None
needs_dask = pytest.mark.skipif(distributed is None, reason="dask is not installed: pip install 'sven-ref[dask]'")
ROOT = Path(sven_ref.__file__).parent.parent  # where this package is imported from


def briefly():
    """Whoever does not answer is given up after a fifth of a second, and not after Dask's half minute."""
    return dask.config.set({"distributed.comm.timeouts.connect": "0.2s"})


@contextmanager
def separate_cluster(folder, workers=1, of_scheduler=ROOT, of_workers=ROOT):
    """A scheduler and its workers, processes of their own: (address, scheduler process).

    They have the package from the folders `of_scheduler` and `of_workers`.
    """
    file = folder / "scheduler.json"

    def quiet(root):
        env = os.environ | {"PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
        return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env, "cwd": folder}

    here = ["--no-dashboard", "--scheduler-file", str(file)]
    run = [sys.executable, "-m"]
    processes = [
        subprocess.Popen([*run, "distributed.cli.dask_scheduler", "--port", "0", *here], **quiet(of_scheduler))
    ]
    worker = [*run, "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *here]
    processes += [subprocess.Popen(worker, **quiet(of_workers)) for _ in range(workers)]
    try:
        deadline = time.monotonic() + 30
        while not (file.exists() and file.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield json.loads(file.read_text())["address"], processes[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
