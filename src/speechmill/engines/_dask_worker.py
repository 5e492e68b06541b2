# SPDX-License-Identifier: Apache-2.0
"""What runs in a worker of Dask. Imports it: for `engines.dask` alone."""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin, get_worker

from speechmill.engines._host import Host
from speechmill.engines._machine import MEMORY_SHARE
from speechmill.engines._seat_process import Fatal
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Death, Outcome, Task


class Seats(WorkerPlugin):  # type: ignore[misc]
    """The seats of one plan in one worker; every worker gets its own, those that join later too."""

    def __init__(self, plan: Plan, memory_mb: int | None) -> None:
        self._plan = plan
        self._memory_mb = memory_mb
        self._host: Host | None = None

    def setup(self, worker: Any) -> None:
        self._host = Host(self._plan, self._memory_mb or _share_mb(worker))

    def teardown(self, worker: Any) -> None:
        if self._host is not None:
            self._host.end()

    def work(self, task: Task) -> Outcome | Death | Fatal:
        """Do a task."""
        if self._host is None:
            raise RuntimeError("a worker was given a task before it was set up")
        return self._host.work(task)


def work(name: str, task: Task) -> Outcome | Death | Fatal:
    """Do a task at the seats of that name. This is what Dask calls."""
    seats: Seats = get_worker().plugins[name]
    return seats.work(task)


def _share_mb(worker: Any) -> int | None:
    """Divide what Dask lets a worker have among its threads; None: it sets no limit."""
    limit: int | None = worker.memory_manager.memory_limit
    return int(limit * MEMORY_SHARE / worker.state.nthreads / 2**20) if limit else None
