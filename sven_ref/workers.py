"""Dask's client as `sharded` uses it: a task goes to the worker of its shard, results come back in one round trip.

Shard i of S belongs to worker ⌊iN/S⌋ of N, neighbours together; where that one is gone, Dask takes another. A lost
cluster, for which Dask has many words, is one error here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from .errors import ArgumentError, MissingExtraError, SvenError, check_integer
from .shard import held

LOST = "client: the cluster is lost; θ is as it was before the step, go on from it with a new client"


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
        options = {"threads_per_worker": 1, "dashboard_address": ":0", "preload": "sven_ref.shard"}
        n = check_integer("workers", workers)
        import dask

        timeout = "distributed.scheduler.no-workers-timeout"  # Dask's own is none: it would wait for ever
        with dask.config.set({timeout: dask.config.get(timeout) or "60s"}):
            cluster = distributed.LocalCluster(n_workers=n, memory_limit=memory_limit, **options)
        with cluster, distributed.Client(cluster, direct_to_workers=True) as client:
            yield client
        return
    try:
        with ThreadPoolExecutor(1) as thread:  # this one may have a loop that runs, as a notebook's does
            thread.submit(asyncio.run, handshake(scheduler)).result()
        client = distributed.Client(scheduler)
    except (OSError, ValueError) as error:
        why = str(error) or "it is silent"
        raise ClusterError(f"scheduler = {scheduler!r}: no Dask scheduler answers there ({why})") from error
    with client:
        try:
            yield client
        except ClusterError:
            with distributed.utils.silence_logging_cmgr(logging.CRITICAL):  # the error says it
                client.close()
            raise


async def handshake(address: str) -> None:
    """Dask's, a second more than Dask allows for a connection: it would wait for ever on a peer that is silent."""
    from dask import config, utils
    from distributed import comm

    async with asyncio.timeout(1 + utils.parse_timedelta(config.get("distributed.comm.timeouts.connect"))):
        peer = await comm.connect(address)
    await peer.close()


def takeover() -> Any:
    """A plugin by which tasks whose workers are all gone go to the one that comes next.

    `allow_other_workers` means those that are there: if there are none the task waits for ever for an address that does
    not come back (dask/distributed#7346).
    """
    from distributed.diagnostics.plugin import SchedulerPlugin

    class Takeover(SchedulerPlugin):
        name, idempotent = "sven_ref-takeover", True

        def add_worker(self, scheduler: Any, worker: str) -> None:
            scheduler.set_restrictions({task.key: None for task in scheduler.unrunnable if task.loose_restrictions})

    return Takeover()


def same_version(client: Any) -> None:
    """Raise unless scheduler and workers have this version: a task that one can't read is waited for in vain."""
    from . import __version__

    def version() -> str | None:  # goes by value: what it is to find may not be there
        try:
            import sven_ref
        except ImportError:
            return None
        return sven_ref.__version__

    with cluster_errors():
        versions = {"the scheduler": client.run_on_scheduler(version), **client.run(version)}
    for who, found in versions.items():
        if found != __version__:
            has = f"sven_ref {found}" if found else "no sven_ref"
            raise ClusterError(f"client: {who} has {has}; install sven_ref {__version__} there, as it is here")


class Workers:
    """The workers of a client. `round_trips`: how often results were waited for."""

    def __init__(self, client: Any) -> None:
        if not hasattr(client, "register_plugin"):
            kind = type(client).__name__
            raise ArgumentError(f"client is a {kind}: must be a distributed.Client, as of `with connect(…) as client:`")
        self.client, self.round_trips = client, 0
        self.addresses: list[str] = []
        self.look()
        same_version(client)
        with cluster_errors():
            client.register_plugin(takeover())

    def look(self) -> None:
        """Who they are now."""
        if self.client.status != "running":
            raise ClusterError(f"{LOST} (the client is {self.client.status})")
        with cluster_errors():
            self.addresses = sorted(self.client.nthreads())
        if not self.addresses:
            raise ClusterError("client: its cluster has no workers; start some, `dask worker ADDRESS`")

    def submit(self, place: Fraction | int, task: Callable[..., Any], *args: Any) -> Any:
        """A future of task(*args), futures among them, for the worker at 0 ≤ place < 1; that of shard i is i/S."""
        import dask

        where = {"workers": [self.addresses[int(place * len(self.addresses))]], "allow_other_workers": True}
        with cluster_errors(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1PiB"}):
            return self.client.submit(task, *args, pure=False, **where)

    def map(self, task: Callable[..., Any], *args: Sequence[Any]) -> list[Any]:
        """A future of task(…) for each shard; args hold one value a shard."""
        S = len(args[0])
        return [self.submit(Fraction(i, S), task, *a) for i, a in enumerate(zip(*args, strict=True))]

    def everywhere(self, x: Any, S: int) -> list[Any]:
        """A future of the first worker's, for each of S shards; on n workers it takes ⌈log2 n⌉ times as long as on two.

        All n − 1 others would fetch it from the first. So worker j has it from worker j − 2^⌊log2 j⌋, by a task of its
        own; or, if nobody has it from j, as what a shard's task there asks for.
        """
        n = min(len(self.addresses), S)
        copies = [x]
        for j in range(1, n):
            above = copies[j - 2 ** (j.bit_length() - 1)]
            last = j + 2 ** j.bit_length() >= n
            copies.append(above if last else self.submit(Fraction(j, n), held, above))
        return [copies[i * n // S] for i in range(S)]

    def settle(self, futures: list[Any]) -> None:
        """Wait until they are done; until then what is sent is still the caller's memory."""
        from distributed import wait

        with cluster_errors(futures):
            wait(futures)

    def fetch(self, futures: Any) -> Any:
        """Their results, in one round trip."""
        self.round_trips += 1
        with cluster_errors(futures if isinstance(futures, list) else [futures]):
            return self.client.gather(futures)


@contextmanager
def cluster_errors(futures: Sequence[Any] = ()) -> Iterator[None]:
    """A cluster that is lost, as a `ClusterError`; what the task of a future raised is passed on as it is."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.client import ClosedClientError
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    try:
        yield
    except (CancelledError, ClosedClientError, KilledWorker, NoValidWorkerError, NoWorkerError, OSError) as error:
        if isinstance(error, OSError) and any(future.status == "error" for future in futures):
            raise
        message = LOST
        if isinstance(error, KilledWorker):
            message = (
                "client: one task took several workers with it, for want of memory or by a crash; θ is as it was "
                "before the step; give workers more memory, or cut the batch into more shards (n_shards)"
            )
        elif "lost dependencies" in str(error):  # Dask's words for a graph that its scheduler could not unpickle
            message = (
                "client: the scheduler can't read a task; θ is as it was before the step; scheduler and workers must "
                "be able to import what model, loss and parts come from"
            )
        why = str(error).partition("\n")[0].rstrip(".")
        raise ClusterError(f"{message} ({type(error).__name__}: {why})") from error
