"""What is wrong with a client, with what is sent by it, or with its cluster, in one error's words.

Dask has many words for a cluster that is lost. Who is silent is named after `NOTICE` seconds and given up after
`SILENCE`: nothing waits for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from ..errors import ArgumentError, ClusterError
from .cluster import dask_extra, logged

LOST = "client: the cluster is lost; θ is as it was before the step, go on from it with a new client"
NOTICE, SILENCE = 30.0, 300.0  # seconds until the silent are named, and given up
UNREADABLE = (
    "client: scheduler or workers can't read a task; θ is as it was before the step; they must be able to import this "
    "version of sven_ref, and what model, loss and parts come from"
)
NOBODY = "its cluster has no workers; start some, `dask worker ADDRESS`"

log = logging.getLogger("sven_ref")


def check_client(client: Any) -> None:
    """Raise unless it is a client of Dask that waits for results."""
    if not isinstance(client, dask_extra().Client):
        kind = type(client).__name__
        raise ArgumentError(f"client is a {kind}: must be a distributed.Client, as of `with connect(…) as client:`")
    if client.asynchronous:
        raise ArgumentError(
            "client is asynchronous, as of Client(asynchronous=True), or is used in its own event loop: must be one "
            "that waits for results, as of `with connect(…) as client:`"
        )


def check_sent(name: str, x: Any) -> None:
    """Raise unless x can go to a worker."""
    from distributed.protocol.pickle import dumps, loads

    frames: list[Any] = []
    try:
        with logged(logging.CRITICAL + 1):
            loads(dumps(x, buffer_callback=frames.append), buffers=frames)  # arrays are not copied
    except Exception as error:
        why = str(error).partition("\n")[0]
        raise ArgumentError(
            f"{name} is a {type(x).__name__} that can't be sent to workers ({type(error).__name__}: {why}); it must "
            "be what pickle or cloudpickle can copy: locks, open files and the like are made where they are used"
        ) from error


class Patience:
    """Who has given no sign of life: named after `NOTICE` seconds, a `ClusterError` after `SILENCE`."""

    def __init__(self) -> None:
        self.signs: dict[str, tuple[Any, float]] = {}
        self.named: set[str] = set()

    def look(self, signs: dict[str, Any], silence: float | None = None) -> None:
        """Signs of life by who gives them: while all is well, each is another than at the last look."""
        now = monotonic()
        self.signs = {
            who: self.signs[who] if who in self.signs and self.signs[who][0] == sign else (sign, now)
            for who, sign in signs.items()
        }
        for who, (_, since) in self.signs.items():
            if now - since >= (SILENCE if silence is None else silence):
                raise ClusterError(
                    f"client: {who}, for {now - since:.0f} s; θ is as it was before the step, go on from it with a new "
                    "client"
                )
            if now - since >= NOTICE and who not in self.named:
                log.warning("sven_ref waits: %s, for %.0f s", who, now - since)
                self.named.add(who)


@contextmanager
def cluster_errors(futures: Sequence[Any] = ()) -> Iterator[None]:
    """A cluster that is lost, as a `ClusterError`; what the task of a future raised is passed on as it is."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.client import ClosedClientError
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    try:
        yield
    except ClusterError:
        raise
    except (ImportError, RuntimeError) as error:
        if not unreadable(error):
            raise
        raise ClusterError(f"{UNREADABLE} ({why(error)})") from error
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
                "client: a task's data are gone, or the scheduler can't read it; θ is as it was before the step; a "
                "batch that was scattered by another client, cancelled, or before a restart must be scattered again; "
                "scheduler and workers must be able to import what model, loss and parts come from"
            )
        raise ClusterError(f"{message} ({why(error)})") from error


def unreadable(error: Exception) -> bool:
    """Whether it says that scheduler or workers can't read what they are sent: Dask's words, or no module of ours."""
    if isinstance(error, ImportError):
        return (error.name or "").partition(".")[0] == "sven_ref"
    return str(error).startswith("Error during deserialization of the task graph")


def why(error: BaseException) -> str:
    """The first line of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('.')}"
