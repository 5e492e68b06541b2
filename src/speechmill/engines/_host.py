# SPDX-License-Identifier: Apache-2.0
"""What works on a machine of a cluster: seats for one plan, as many as tasks come at once."""

from __future__ import annotations

import platform
import threading
from pathlib import Path

from speechmill.core.errors import ConfigError, SpeechmillError, WorkspaceError
from speechmill.engines._machine import share_mb, usable_cores
from speechmill.engines._seat import Seat, Stopped, death
from speechmill.engines._seat_process import Fatal, portable
from speechmill.pipeline.plan import Plan, check_backends, nodes
from speechmill.pipeline.worker import Death, Outcome, Task, inflight

MAX_LOSSES = 3  # of workers of a cluster that had one and the same recording


class Host:
    """Does tasks at its seats; `work` may be called by many threads at once, `end` by any."""

    def __init__(self, plan: Plan, memory_mb: int | None) -> None:
        self._plan = plan
        self._memory_mb = memory_mb or share_mb(usable_cores())
        self._idle: list[Seat] = []
        self._busy: set[Seat] = set()
        self._is_checked = False
        self._is_ended = False
        self._lock = threading.Lock()

    def hello(self) -> str:
        """Answer, which tells that this worker is there."""
        return platform.node()

    def work(self, task: Task) -> Outcome | Death | Fatal:
        """Have a task done. What ends the run is returned, not raised: clusters wrap what is raised."""
        try:
            if not self._is_checked:
                check(self._plan)
                self._is_checked = True
            return self._at_a_seat(task)
        except (SpeechmillError, OSError) as error:
            return Fatal(portable(error))

    def end(self) -> None:
        """End all work at once."""
        with self._lock:
            self._is_ended = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for seat in (*busy, *idle):
            seat.stop()
        for seat in idle:
            seat.close()

    def _at_a_seat(self, task: Task) -> Outcome | Death:
        with self._lock:
            if self._is_ended:
                raise Stopped
            seat = self._idle.pop() if self._idle else Seat(self._plan, self._memory_mb)
            self._busy.add(seat)
        try:
            return seat.work(task)
        finally:
            self._put_back(seat)

    def _put_back(self, seat: Seat) -> None:
        with self._lock:
            self._busy.discard(seat)
            if not self._is_ended:
                self._idle.append(seat)
                return
        seat.close()


def check(plan: Plan) -> None:
    """Raise WorkspaceError or ConfigError where this machine can't do a plan as the machine that made it would."""
    here = platform.node()
    if not (Path(plan.workspace) / "runs" / plan.run).is_dir():
        raise WorkspaceError(
            f"the worker on {here} does not see the workspace {plan.workspace}; "
            "put it on a disk that all workers share, under the same path (store: in the corpus file)"
        )
    try:
        corpus = plan.resolved()
        check_backends(corpus)
    except ConfigError as error:
        raise ConfigError(f"the worker on {here} can't do this run: {error}") from None
    if nodes(corpus, plan.pins) != plan.nodes:
        raise ConfigError(f"the worker on {here} has other versions of speechmill or its backends; install the same")


def lost(plan: Plan, task: Task, times: int) -> Death:
    """Return the death of a recording whose workers went away, again and again."""
    marker = inflight(Path(plan.workspace), plan.run, task.source.key)
    return death(marker, "worker-died", f"{times} workers of the cluster were lost while they had it")
