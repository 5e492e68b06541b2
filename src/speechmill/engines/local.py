# SPDX-License-Identifier: Apache-2.0
"""A supervised pool of processes on this machine: a dead worker costs the recording it had, no other.

pebble's pool outlives a worker that is killed, crashes or hangs (concurrent.futures and loky lose everything).
Workers are spawned, never forked, with one thread each for BLAS and onnxruntime.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from speechmill.core.errors import ConfigError
from speechmill.core.files import FATAL_ERRNOS
from speechmill.core.watchdog import OUT_OF_MEMORY, watch
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Death, Engine, Outcome, Task, Worker, inflight

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MEMORY_SHARE = 0.8  # of what is free, divided among the workers
WATCH_S = 0.5

_worker: Worker | None = None  # one per process, made by the pool's initializer


class LocalEngine(Engine):
    """`workers` processes; each may take `memory_mb` before its watchdog ends it."""

    def __init__(self, workers: int | None = None, memory_mb: int | None = None) -> None:
        self.workers = workers or usable_cores()
        free_mb = psutil.virtual_memory().available * MEMORY_SHARE / 2**20
        self.memory_mb = memory_mb or max(1024, int(free_mb / self.workers))
        self._peak_rss_mb = 0.0

    def map(self, plan: Plan, tasks: Iterator[Task]) -> Iterator[tuple[Task, Outcome | Death]]:
        """Yield each task with what came of it. Errors that end a run (a full disk) are raised."""
        from pebble import ProcessPool

        answers: queue.SimpleQueue[tuple[Task, concurrent.futures.Future[Outcome]]] = queue.SimpleQueue()
        under_way = 0
        with (
            _one_thread_each(),
            _measured(self),
            ProcessPool(
                max_workers=self.workers,
                context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(plan, self.memory_mb, os.getpid()),
            ) as pool,
        ):
            try:
                while True:
                    # Two each: one at work and one waiting, so that no worker waits for us.
                    while under_way < 2 * self.workers and (task := next(tasks, None)) is not None:
                        future = pool.schedule(_work, args=(task,), timeout=task.timeout_s)
                        future.add_done_callback(lambda done, task=task: answers.put((task, done)))
                        under_way += 1
                    if not under_way:
                        break
                    task, future = answers.get()
                    under_way -= 1
                    yield task, _answer(plan, task, future)
            except BaseException:
                pool.stop()
                raise

    def peak_rss_mb(self) -> float:
        return self._peak_rss_mb

    def measure(self) -> None:
        """Add up the memory of this process and all below it."""
        total = 0
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        self._peak_rss_mb = max(self._peak_rss_mb, total / 2**20)


def usable_cores() -> int:
    """Cores this process may use: a container's or a batch system's share, not the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _answer(plan: Plan, task: Task, future: concurrent.futures.Future[Outcome]) -> Outcome | Death:
    from pebble import ProcessExpired

    marker = inflight(Path(plan.workspace), plan.run, task.source.key)
    try:
        return future.result()
    except concurrent.futures.TimeoutError:
        return _death(marker, "timeout", f"stopped after {task.timeout_s:.0f} s")
    except ConfigError:
        raise
    except ProcessExpired as error:
        if error.exitcode == OUT_OF_MEMORY:
            return _death(marker, "out-of-memory", "the worker outgrew its share of memory (see --memory)")
        return _death(marker, "worker-died", _how(error.exitcode))
    except BaseException as error:
        fatal = isinstance(error, OSError) and error.errno in FATAL_ERRNOS
        if fatal or not future.done() or future.exception() is not error:
            raise  # a full disk; or Ctrl-C here, not an exception there
        return _death(marker, f"error-{type(error).__name__}", str(error)[:2000])


def _death(marker: Path, reason: str, detail: str) -> Death:
    stage = marker.read_text() if marker.exists() else None
    marker.unlink(missing_ok=True)
    return Death(reason, detail, stage or None)


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        named = {one.value: f" ({one.name})" for one in signal.Signals}  # real-time signals have no name
        return f"killed by signal {-status}{named.get(-status, '')}"
    return f"exit status {status}"


def _start(plan: Plan, memory_mb: int, parent: int) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    _prefer_as_victim()
    watch(memory_mb, parent)
    _worker = Worker(plan)


def _work(task: Task) -> Outcome:
    if _worker is None:
        raise RuntimeError("a worker was given a task before it was started")
    return _worker.work(task)


def _prefer_as_victim() -> None:
    """Ask Linux to kill a worker, not the main process, when the machine is out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have spawned workers inherit one thread for every library that would take all cores."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _measured(engine: LocalEngine) -> Iterator[None]:
    stop = threading.Event()

    def watch_memory() -> None:
        while not stop.wait(WATCH_S):
            engine.measure()

    thread = threading.Thread(target=watch_memory, daemon=True, name="memory")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
