"""Dask's client as `sharded` uses it: a task goes to the worker of its shard, results come back in one round trip.

Shard i of S belongs to worker ⌊iN/S⌋ of N, neighbours together; where that one is gone, Dask takes another. A lost
cluster, for which Dask has many words, is one error here. So is one that is silent: nothing waits for ever. A worker
gives a sign of life every few seconds, also while it computes; who gives none is named, and then given up.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from fractions import Fraction
from itertools import count
from time import sleep
from typing import Any

from ..errors import ClusterError
from . import task as of_task
from .cluster import NO_WORKERS, logged
from .cluster_errors import LOST, NOBODY, Patience, check_client, check_sent, cluster_errors
from .shard import held

POLL = 5.0  # seconds from one look at who is alive to the next


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


class Workers:
    """The workers of a client. `round_trips`: how often results were waited for."""

    def __init__(self, client: Any) -> None:
        check_client(client)
        self.client, self.round_trips = client, 0
        self.addresses: list[str] = []
        self.versions, self.checked = of_task.reader()(), set[str]()
        self.id, self.numbers, self.groups = uuid.uuid4().hex, count(1), dict[str, Any]()
        self.look()
        with cluster_errors():
            client.register_plugin(takeover())

    def look(self) -> None:
        """Who they are now, all of this version; where there are none, wait for as long as a replacement may take."""
        import dask

        if self.client.status != "running":
            raise ClusterError(f"{LOST} (the client is {self.client.status})")
        patience = Patience()
        timeout = dask.config.get("distributed.scheduler.no-workers-timeout") or NO_WORKERS
        asked_for = None
        while not (found := self.ask(self.client.scheduler.ncores)):
            if asked_for is None:  # a cluster that adapts starts workers for a task, and only then
                asked_for = self.client.submit(abs, 0, pure=False)
            patience.look({NOBODY: None}, dask.utils.parse_timedelta(timeout))
            sleep(0.05)
        self.addresses = sorted(found)
        self.check_versions()

    def check_versions(self) -> None:
        """Raise unless those who came since the last look have these versions: a task that one can't read is waited for
        in vain, and other code gives another update."""
        newcomers = [address for address in self.addresses if address not in self.checked]
        if not newcomers:
            return
        client, read = self.client, of_task.reader()
        with cluster_errors():
            found = self.waited(client.run, read, workers=newcomers, on_error="return")
            if not self.checked:
                found = {"the scheduler": self.waited(client.run_on_scheduler, read)} | found
        for who, theirs in found.items():
            if isinstance(theirs, OSError):
                continue  # gone again
            if isinstance(theirs, Exception):
                raise ClusterError(f"client: {who} can't say which versions it has ({theirs!r})") from theirs
            message = of_task.differing(who, theirs, self.versions)
            if message:
                raise ClusterError(message)
            self.checked.add(who)

    @property
    def asked(self) -> int:
        """How many workers the cluster was asked for, where that is known, else how many there are."""
        return max(len(getattr(self.client.cluster, "worker_spec", ())), len(self.addresses))

    def submit(self, place: Fraction | int, task: Callable[..., Any], *args: Any) -> Any:
        """A future of task(*args), futures among them, for the worker at 0 ≤ place < 1; that of shard i is i/S.

        All futures of one task have keys of one group, whose first is held: a scheduler that we did not start remembers
        every group there ever was.
        """
        import dask

        where = {"workers": [self.addresses[int(place * len(self.addresses))]], "allow_other_workers": True}
        name = f"{task.__name__}-{self.id}"
        with cluster_errors(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1PiB"}):
            if name not in self.groups:
                self.groups[name] = self.client.submit(held, None, key=(name, 0))
            key = (name, next(self.numbers))
            of_task.forget_keys()
            try:
                with logged(logging.CRITICAL):
                    return self.client.submit(of_task.run, self.versions, task, *args, key=key, **where)
            except TypeError:  # it was changed since it was looked at
                check_sent("problem or part", args)
                raise

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

        patience, waiting = Patience(), True
        with cluster_errors(futures):
            while waiting:
                try:
                    waiting = bool(wait(futures, POLL).not_done)
                except TimeoutError:  # not yet
                    patience.look(self.signs())

    def fetch(self, futures: Any) -> Any:
        """Their results, in one round trip."""
        self.round_trips += 1
        with cluster_errors(futures if isinstance(futures, list) else [futures]):
            try:
                return self.waited(self.client.gather, futures)
            except Exception:
                if self.client.status == "running":  # it may be of one who came meanwhile and has another version
                    self.addresses = sorted(self.ask(self.client.scheduler.ncores))
                    self.check_versions()
                raise

    def waited(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The result of one of Dask's calls, while the workers that it needs are alive."""
        patience = Patience()
        return self.patiently(call(*args, asynchronous=True, **options), lambda: patience.look(self.signs()))

    def ask(self, call: Callable[..., Any]) -> Any:
        """The scheduler's answer."""
        patience, sign = Patience(), {f"the scheduler {self.client.scheduler.address} does not answer": None}
        patience.look(sign)
        with cluster_errors():
            return self.patiently(call(), lambda: patience.look(sign))

    def patiently(self, answer: Coroutine[Any, Any, Any], look: Callable[[], None]) -> Any:
        """What the client's loop makes of a coroutine; every `POLL` seconds until then, a look at who is alive."""
        future = asyncio.run_coroutine_threadsafe(answer, self.client.loop.asyncio_loop)
        while True:
            try:
                return future.result(POLL)
            except TimeoutError:
                if future.done():
                    raise
            except KeyboardInterrupt:
                future.cancel()
                raise
            look()

    def signs(self) -> dict[str, Any]:
        """Signs of life of the workers that make or hold anything of this client."""
        scheduler = self.client.scheduler
        who = self.ask(scheduler.identity)["workers"]
        tasks, data = self.ask(scheduler.processing), self.ask(scheduler.has_what)
        signs: dict[str, Any] = {}
        for address, worker in who.items():
            keys = {*tasks.get(address, ()), *data.get(address, ())}
            if keys.isdisjoint(self.client.futures):
                continue
            if worker["status"] == "paused":
                signs[f"the worker {address} is paused, since its memory is nearly full (memory_limit)"] = None
            else:
                signs[f"the worker {address} gives no sign of life, as if it were frozen"] = worker["last_seen"]
        return signs if who else {NOBODY: None}
