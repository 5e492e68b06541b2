# SPDX-License-Identifier: Apache-2.0
"""A Dask cluster: one that runs at an address, on any number of machines, or one on this machine for the time of a run.

Each thread of a Dask worker has a seat (`_seat`), a process of its own. So a recording never harms a Dask worker, and
where one is lost, or a whole machine, its recordings are innocent: Dask gives them to others, and so do we again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

from speechmill.core.errors import ConfigError, SpeechmillError
from speechmill.engines._host import MAX_LOSSES, lost
from speechmill.engines._machine import Meter, share_mb, usable_cores
from speechmill.engines._seat import Stopped
from speechmill.engines._seat_process import Fatal
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Death, Engine, Outcome, Task

REQUIRES = ("dask>=2025.1", "distributed>=2025.1")
CONNECT_S = 10.0
LOOK_S = 10.0  # how often a cluster is asked how large it is now
LEAST_UNDER_WAY = 32  # so that a cluster that grows with what waits has a reason to


class DaskEngine(Engine):
    """Runs tasks on a Dask cluster; see `speechmill.engines`."""

    def __init__(self, workers: int | None = None, memory_mb: int | None = None, address: str | None = None) -> None:
        self._address = address
        self._most = workers if address is not None else None
        self._memory_mb = memory_mb
        self._meter = Meter()
        self._looked, self._found = float("-inf"), 0
        if address is None:
            self.workers = workers or usable_cores()
        else:
            with _client(address, CONNECT_S) as client:
                self.workers = workers or max(1, _threads(client))

    def map(self, plan: Plan, tasks: Iterator[Task]) -> Iterator[tuple[Task, Outcome | Death]]:
        """Yield each task with what came of it. Errors that end a run (a full disk) are raised."""
        with self._meter.running(), self._connected() as client, _seats(client, plan, self._memory_mb) as name:
            under_way = _UnderWay(client, plan, name, self._address or "this machine")
            try:
                while True:
                    while under_way.num < self._bound(client) and (task := next(tasks, None)) is not None:
                        under_way.give(task)
                    if not under_way.num:
                        break
                    yield from under_way.take()
            finally:
                under_way.forget()

    def peak_rss_mb(self) -> float:
        return self._meter.peak_rss_mb

    def _bound(self, client: Any) -> int:
        """Return how many tasks may be under way: two for each thread there is now."""
        return self._most or max(2 * self._size(client), LEAST_UNDER_WAY if self._address else 0)

    def _size(self, client: Any) -> int:
        if self._address is None:
            return self.workers
        now = time.monotonic()
        if now - self._looked > LOOK_S:
            self._looked, self._found = now, _threads(client)
        return self._found

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        if self._address is not None:
            with _client(self._address, CONNECT_S) as client:
                yield client
            return
        self._memory_mb = self._memory_mb or share_mb(self.workers)
        with _cluster(self.workers) as address, _client(address, None) as client:
            yield client


Backend = DaskEngine


class _UnderWay:
    """The tasks that a cluster has."""

    def __init__(self, client: Any, plan: Plan, name: str, where: str) -> None:
        from distributed import as_completed

        self._client = client
        self._plan = plan
        self._name = name
        self._where = where
        self._numbers = itertools.count()
        self._tasks: dict[str, tuple[Any, Task, int]] = {}  # by key: the future, the task, workers it has lost
        self._done = as_completed(loop=client.loop, with_results=True, raise_errors=False)

    @property
    def num(self) -> int:
        return len(self._tasks)

    def give(self, task: Task, losses: int = 0) -> None:
        """Have a task done."""
        from speechmill.engines._dask_worker import work

        key = f"{self._name}-{next(self._numbers)}"
        future = self._client.submit(work, self._name, task, key=key, pure=False)
        self._tasks[key] = future, task, losses
        self._done.add(future)

    def take(self) -> Iterator[tuple[Task, Outcome | Death]]:
        """Wait for the next future; yield its task and answer, or nothing where it is tried again."""
        future, result = next(self._done)
        _, task, losses = self._tasks.pop(future.key)
        answer = self._answer(result)
        if answer is not None:
            yield task, answer
        elif losses + 1 >= MAX_LOSSES:
            yield task, lost(self._plan, task, losses + 1)
        else:
            self.give(task, losses + 1)

    def forget(self) -> None:
        """Let the cluster drop what it hasn't begun."""
        if self._tasks:
            with contextlib.suppress(Exception):  # the cluster may be what is gone
                self._client.cancel([future for future, _task, _losses in self._tasks.values()], force=True)

    def _answer(self, result: Any) -> Outcome | Death | None:
        """Return what came of a future; None where its workers were lost. Raises what ends the run.

        A future's status may be of later than its result: one whose worker is lost meanwhile is being done again.
        """
        from distributed import KilledWorker

        if isinstance(result, Fatal):
            raise result.error
        if isinstance(result, Outcome | Death):
            return result
        if not isinstance(result, tuple):  # it was cancelled
            raise SpeechmillError(
                f"the Dask scheduler at {self._where} is gone; run the same command again to go on from here"
            )
        error: BaseException = result[1]
        if isinstance(error, KilledWorker | Stopped):
            return None
        raise ConfigError(f"a Dask worker at {self._where} failed: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _client(address: str, timeout_s: float | None) -> Iterator[Any]:
    """Connect to a scheduler. Raises ConfigError."""
    import dask
    from distributed import Client

    try:
        client = Client(address, timeout=timeout_s or CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {address} ({error}); "
            f"start one with: dask scheduler, and on each machine: dask worker {address}"
        ) from None
    # Else it looks up and sends the source of who submits, with every task: a fourth of what a task costs.
    with dask.config.set({"distributed.diagnostics.computations.nframes": 0}), client:
        yield client


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[str]:
    """Start a cluster on this machine, without its web page, and end it."""
    from distributed import LocalCluster

    with (
        tempfile.TemporaryDirectory(prefix="speechmill-dask-", ignore_cleanup_errors=True) as folder,
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # without pages it has a port still
            silence_logs=logging.CRITICAL,  # workers that are lost are made up for
            memory_limit=0,  # of the Dask worker, which does nothing itself; seats have limits of their own
            local_directory=folder,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@contextlib.contextmanager
def _seats(client: Any, plan: Plan, memory_mb: int | None) -> Iterator[str]:
    """Give every worker seats for a plan. Raises ConfigError where they haven't got speechmill."""
    from speechmill.engines._dask_worker import Seats

    name = f"speechmill-{uuid.uuid4().hex}"
    try:
        client.register_plugin(Seats(plan, memory_mb), name=name)
    except Exception as error:
        raise ConfigError(
            f"the Dask workers can't run speechmill: {type(error).__name__}: {error}; "
            "install the same version there as here"
        ) from error
    try:
        yield name
    finally:
        with contextlib.suppress(Exception):  # the cluster may be what is gone
            client.unregister_worker_plugin(name)


def _threads(client: Any) -> int:
    try:
        return sum(client.nthreads().values())
    except OSError:  # the scheduler does not answer now; the futures tell what becomes of it
        return 0
