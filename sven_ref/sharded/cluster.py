"""A cluster of Dask: processes started here, or a scheduler found at an address.

What a process here and a server there may do in place of starting and answering is one `ClusterError`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ..arguments import check_integer
from ..errors import ArgumentError, ClusterError, MissingExtraError

LEAST_MEMORY = 192 * 2**20  # bytes: a worker takes some 90 MiB before it is given anything, and Dask stops it at 80 %
NO_WORKERS = "60s"  # how long a task waits where there are none; Dask's own setting is for ever
SHORT_LOGS = {"distributed.admin.low-level-log-length": 20}  # of messages up to 1 MB, 1,000 a connection by default
REPLACED = "60s"  # a worker that has been silent for as long is replaced


@contextmanager
def connect(workers: int = 2, scheduler: str | None = None, memory_limit: Any = "auto") -> Iterator[Any]:
    """A `distributed.Client`: of the scheduler at an address, or of `workers` processes here, which end with it.

    `memory_limit` ("2GiB", bytes, "auto") is that of one process here; Dask replaces a worker that exceeds it.

    Raises
    ------
    ClusterError
        The processes don't start, `memory_limit` leaves them no room, or no scheduler of Dask answers at the address.
    ArgumentError
        The address is none: see `check_address`.
    """
    with start(workers, memory_limit) if scheduler is None else find(scheduler) as client:
        yield client


def dask_extra() -> Any:
    """The package `distributed`, or an error that says how to get it."""
    try:
        import distributed
    except ImportError as error:
        message = "dask, distributed: not installed, but sharding needs them; pip install 'sven-ref[dask]'"
        raise MissingExtraError(message) from error
    return distributed


def logged(level: int) -> Any:
    """With what Dask logs from this level on."""
    return dask_extra().utils.silence_logging_cmgr(level)


@contextmanager
def start(workers: int, memory_limit: Any) -> Iterator[Any]:
    """A client of processes here."""
    distributed = dask_extra()
    import dask

    n = check_integer("workers", workers)
    check_memory_limit(memory_limit)
    no_workers = "distributed.scheduler.no-workers-timeout"
    settings = SHORT_LOGS | {
        "distributed.worker.profile.enabled": False,  # each process would keep an hour of samples
        no_workers: dask.config.get(no_workers) or NO_WORKERS,
        "distributed.scheduler.worker-ttl": REPLACED,
        "distributed.deploy.lost-worker-timeout": "1 day",  # else one who is not there 15 s after a loss is dismissed
    }
    with (
        dask.config.set(settings),
        processes(n, memory_limit) as cluster,
        distributed.Client(cluster, direct_to_workers=True) as client,
        logged(logging.WARNING),
    ):
        yield client


def processes(n: int, memory_limit: Any) -> Any:
    """A `LocalCluster`, which logs nothing but what is critical."""
    options = {
        "threads_per_worker": 1,
        "dashboard_address": ":0",
        "preload": "sven_ref.sharded.shard",
    } | without_spans()
    try:
        return dask_extra().LocalCluster(
            n_workers=n, memory_limit=memory_limit, silence_logs=logging.CRITICAL, **options
        )
    except Exception as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise ClusterError(
            f"workers = {n}, memory_limit = {memory_limit!r}: a process ended while it started "
            f"({type(error).__name__}: {why}); was it killed, is there memory for {n}, and has the script that starts "
            "them its `if __name__ == '__main__':`?"
        ) from error


def without_spans() -> dict[str, Any]:
    """Options of a cluster that keeps no statistics of "spans" of tasks, which Dask never forgets: 30 KiB a step."""
    from distributed import scheduler, worker

    of_scheduler, of_worker = (
        {name: extension for name, extension in of.DEFAULT_EXTENSIONS.items() if name != "spans"}
        for of in (scheduler, worker)
    )
    return {"scheduler_kwargs": {"extensions": of_scheduler}, "extensions": of_worker}


def check_memory_limit(memory_limit: Any) -> None:
    """Raise unless Dask understands it and it leaves a worker room."""
    from dask.utils import format_bytes
    from distributed.worker_memory import parse_memory_limit

    try:
        if isinstance(memory_limit, bool):
            raise TypeError
        limit = parse_memory_limit(memory_limit, 1, logger=logging.getLogger("distributed.worker.memory"))
    except (TypeError, ValueError, OverflowError) as error:
        allowed = "'auto', a number of bytes, a text such as '2GiB', or None for no limit"
        raise ArgumentError(f"memory_limit = {memory_limit!r}: must be {allowed}") from error
    if limit is not None and limit < LEAST_MEMORY:
        raise ClusterError(
            f"memory_limit = {memory_limit!r}: is {format_bytes(limit)} a worker, must be at least "
            f"{format_bytes(LEAST_MEMORY)}; a worker takes half of that before it is given anything"
        )


def check_address(scheduler: Any) -> tuple[str, str]:
    """An address as Dask has it, and its host; raise unless it is tcp://HOST:PORT, or that without tcp://.

    Dask's other protocols need settings or certificates that a client is made with.
    """
    if not isinstance(scheduler, str):
        kind = type(scheduler).__name__
        raise ArgumentError(f"scheduler is a {kind}: must be an address, such as 'tcp://127.0.0.1:8786'")
    protocol, _, place = scheduler.strip().rpartition("://")
    host, _, port = place.rpartition(":")
    why = ""
    if protocol.lower() not in ("", "tcp"):
        why = f"{protocol} is no protocol that goes without a client of your own, for ShardedProblem(problem, client)"
    elif not port or ":" not in place:
        why = "it has no port"
    elif not host:
        why = "it has no host"
    elif not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        why = f"its port is {port!r}, and must be a number from 1 to 65535"
    if why:
        raise ArgumentError(f"scheduler = {scheduler!r}: must be tcp://HOST:PORT, as a Dask scheduler prints it; {why}")
    return f"tcp://{place}", host.strip("[]")


@contextmanager
def find(scheduler: Any) -> Iterator[Any]:
    """A client of the scheduler at an address."""
    distributed = dask_extra()
    import dask

    scheduler, host = check_address(scheduler)
    nobody = f"scheduler = {scheduler!r}: no Dask scheduler answers there"
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:  # UnicodeError: of a name too long for the system of names
        why = error.strerror if isinstance(error, OSError) else "there is no such host"
        raise ClusterError(f"{nobody} ({why})") from error
    try:  # in a thread, since this one may have a loop that runs, as a notebook's does
        with ThreadPoolExecutor(1) as thread, logged(logging.CRITICAL), dask.config.set(SHORT_LOGS):
            thread.submit(asyncio.run, handshake(scheduler)).result()
            client = distributed.Client(scheduler)
    except Exception as error:  # what Dask makes of the words of another kind of server is of any class
        raise ClusterError(f"{nobody} ({reason(error)})") from error
    with client:
        try:
            yield client
        except ClusterError:
            with logged(logging.CRITICAL):  # the error says it
                client.close()
            raise


def reason(error: Exception) -> str:
    """Why there is no handshake, in words."""
    from distributed.comm import CommClosedError

    if isinstance(error, CommClosedError):
        return "it closes the connection"
    if isinstance(error, TimeoutError):
        return "it is silent"
    if type(error) in (OSError, RuntimeError):  # of nobody there, or of another part of Dask
        return str(error)
    return "it speaks another protocol"


async def handshake(address: str) -> None:
    """Ask who is there, for a second more than Dask allows for a connection: it would wait for ever on the silent."""
    from dask import config, utils
    from distributed.core import rpc

    async with asyncio.timeout(1 + utils.parse_timedelta(config.get("distributed.comm.timeouts.connect"))):
        async with rpc(address) as peer:
            who = await peer.identity()
    if "workers" not in who:
        raise RuntimeError(f"it is a {who.get('type')} of Dask")
