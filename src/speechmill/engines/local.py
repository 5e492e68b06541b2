# SPDX-License-Identifier: Apache-2.0
"""Supervised processes on this machine: a dead worker costs the recording it had, no other.

Each worker is a seat (`_seat`) with a thread here that gives it tasks. There is no pool that they share: pebble's
breaks when a worker is killed between two tasks, concurrent.futures' and loky's when one is killed at all.
Workers are spawned, never forked, with one thread each for BLAS and onnxruntime.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator

from speechmill.core.errors import Unsupported
from speechmill.engines._machine import Meter, share_mb
from speechmill.engines._machine import usable_cores as usable_cores
from speechmill.engines._seat import Seat, Stopped
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Death, Engine, Outcome, Task

REQUIRES = ()


class LocalEngine(Engine):
    """`workers` processes; each may take `memory_mb` before its watchdog ends it."""

    def __init__(self, workers: int | None = None, memory_mb: int | None = None, address: str | None = None) -> None:
        if address is not None:
            raise Unsupported(f"the engine local runs on this machine, not at {address}; use --engine dask or ray")
        self.workers = workers or usable_cores()
        self.memory_mb = memory_mb or share_mb(self.workers)
        self._meter = Meter()

    def map(self, plan: Plan, tasks: Iterator[Task]) -> Iterator[tuple[Task, Outcome | Death]]:
        """Yield each task with what came of it. Errors that end a run (a full disk) are raised."""
        under_way = 0
        with self._meter.running(), _crew(plan, self.workers, self.memory_mb) as crew:
            while True:
                # Two each: one at work and one waiting, so that no worker waits for us.
                while under_way < 2 * self.workers and (task := next(tasks, None)) is not None:
                    crew.give(task)
                    under_way += 1
                if not under_way:
                    break
                answer = crew.take()
                under_way -= 1
                yield answer

    def peak_rss_mb(self) -> float:
        return self._meter.peak_rss_mb


Backend = LocalEngine


@contextlib.contextmanager
def _crew(plan: Plan, workers: int, memory_mb: int) -> Iterator[_Crew]:
    crew = _Crew(plan, workers, memory_mb)
    try:
        yield crew
    except BaseException:
        crew.stop()
        raise
    finally:
        crew.close()


class _Crew:
    """Seats, and a thread for each: it takes tasks from one queue and puts answers into another."""

    def __init__(self, plan: Plan, workers: int, memory_mb: int) -> None:
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Task, Outcome | Death] | Exception] = queue.SimpleQueue()
        self._unstarted = [Seat(plan, memory_mb) for _ in range(workers)]
        self._running: list[tuple[Seat, threading.Thread]] = []

    def give(self, task: Task) -> None:
        """Have a task done by whoever is free; no more seats are taken than there are tasks."""
        self._tasks.put(task)
        if self._unstarted:
            seat = self._unstarted.pop()
            thread = threading.Thread(target=self._serve, args=(seat,), daemon=True, name="seat")
            self._running.append((seat, thread))
            thread.start()

    def take(self) -> tuple[Task, Outcome | Death]:
        """Wait for an answer. Raises what ends the run."""
        answer = self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        """End all work at once."""
        for seat, _thread in self._running:
            seat.stop()

    def close(self) -> None:
        """Let all processes end, and wait for them."""
        for _ in self._running:
            self._tasks.put(None)
        for _seat, thread in self._running:
            thread.join()

    def _serve(self, seat: Seat) -> None:
        try:
            while (task := self._tasks.get()) is not None:
                self._answers.put((task, seat.work(task)))
        except Stopped:
            pass
        except Exception as error:
            self._answers.put(error)
        finally:
            seat.close()
