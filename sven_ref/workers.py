"""Dask's client as `sharded` uses it: a task goes to the worker of its shard, results come back in one round trip.

Shard i of S belongs to worker ⌊iN/S⌋ of N, neighbours together; where that one is gone, Dask takes another. A lost
cluster, for which Dask has many words, is one error here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import MissingExtraError, SvenError, check_integer


class ClusterError(SvenError, ConnectionError):
    """The scheduler is gone, or has no workers, or a task took several workers with it. θ is as before the step."""


@contextmanager
def connect(workers: int = 2, scheduler: str | None = None, memory_limit: Any = "auto") -> Iterator[Any]:
    """A `distributed.Client`: of the scheduler at an address, or of `workers` processes here, which end with it.

    `memory_limit` ("2GiB", bytes, "auto") is that of one process here; Dask replaces a worker that exceeds it.
    """
    try:
        import distributed
    except ImportError as error:
        message = "dask, distributed: not installed, but sharding needs them; pip install 'sven-ref[dask]'"
        raise MissingExtraError(message) from error
    if scheduler is None:
        options = {"threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": memory_limit}
        cluster = distributed.LocalCluster(n_workers=check_integer("workers", workers), **options)
        with cluster, distributed.Client(cluster, direct_to_workers=True) as client:
            yield client
        return
    try:
        client = distributed.Client(scheduler)
    except (OSError, ValueError) as error:
        raise ClusterError(f"scheduler = {scheduler!r}: no Dask scheduler answers there ({error})") from error
    with client:
        yield client


class Workers:
    """The workers of a client. `round_trips`: how often results were waited for."""

    def __init__(self, client: Any) -> None:
        self.client, self.round_trips = client, 0
        self.addresses: list[str] = []
        self.look()

    def look(self) -> None:
        """Who they are now."""
        with cluster_errors():
            self.addresses = sorted(self.client.nthreads())
        if not self.addresses:
            raise ClusterError("client: its cluster has no workers")

    def submit(self, place: float, task: Callable[..., Any], *args: Any) -> Any:
        """A future of task(*args), futures among them, for the worker at 0 ≤ place < 1; that of shard i is i/S."""
        import dask

        where = {"workers": [self.addresses[int(place * len(self.addresses))]], "allow_other_workers": True}
        with cluster_errors(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1PiB"}):
            return self.client.submit(task, *args, pure=False, **where)

    def fetch(self, futures: Any) -> Any:
        """Their results, in one round trip."""
        self.round_trips += 1
        with cluster_errors():
            return self.client.gather(futures)


@contextmanager
def cluster_errors() -> Iterator[None]:
    """A cluster that is lost, as a `ClusterError`; what a task itself raised is passed on as it is."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.client import ClosedClientError
    from distributed.comm import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError, ClosedClientError, KilledWorker, TimeoutError) as error:
        message = "client: the cluster is lost; θ is as it was before the step, go on from it with a new client"
        raise ClusterError(f"{message} ({type(error).__name__}: {error})") from error
