# SPDX-License-Identifier: Apache-2.0
"""Processes that make canonical audio, each with a pipe and a thread of its own.

Nothing is shared between them: one that is killed, whatever it was at, or takes too long costs what it had in hand
and is replaced. (Workers that share a queue and its locks can break all of it when one dies between two tasks.)
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from concurrent.futures import CancelledError, Future
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path

from msgspec import Struct

from speechmill import models
from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.core.files import FATAL_ERRNOS
from speechmill.core.stage import Context, Item
from speechmill.core.types import Failed, Source
from speechmill.core.watchdog import watch
from speechmill.stages.normalise import Normalise
from speechmill.store.ledger import Result

MEMORY_MB = 2048
MAX_STARTS = 5  # of processes for one task
START_S = 120.0  # in which one has loaded what it needs
MAX_DETAIL = 2000  # characters of an error that are kept

Answer = Result | Exception  # errors are true of every other recording too


class Task(Struct, frozen=True):
    """One recording to be normalised."""

    source: Source
    timeout_s: float
    future: Future[Result]


class Processes:
    """Does tasks, as many at once as there are processes; these are started when there is something to do."""

    def __init__(self, size: int, workspace: Path) -> None:
        self._workspace = workspace
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._running: set[_Process] = set()
        self._threads = [
            threading.Thread(target=self._serve, daemon=True, name=f"decode-{number}") for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def do(self, source: Source, timeout_s: float) -> Future[Result]:
        """Have a recording normalised. What is not done when this is closed is a CancelledError."""
        future: Future[Result] = Future()
        self._tasks.put(Task(source, timeout_s, future))
        return future

    def close(self) -> None:
        """Kill the processes. What they have in hand is left."""
        self._closed.set()
        with self._lock:
            for process in self._running:
                process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        """Be the thread of one process at a time."""
        process: _Process | None = None
        while (task := self._tasks.get()) is not None:
            if self._closed.is_set():
                task.future.cancel()
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                process = self._begun(process, task)
                answer: Answer = process.answer(task)
            except Exception as error:  # without an answer whoever waits for it would wait for ever
                process, answer = None, error
            self._conclude(task, answer)
        self._forget(process)

    def _begun(self, process: _Process | None, task: Task) -> _Process:
        """Give a task to a process that takes it: no recording is to blame for one that was dead before."""
        for _ in range(MAX_STARTS):
            if process is None:
                process = self._started()
            if process.begin(task):
                return process
            self._forget(process)
            process = None
        raise WorkspaceError(f"{MAX_STARTS} processes that decode died before they began; see what they wrote above")

    def _started(self) -> _Process:
        try:
            process = _Process(self._workspace)
        except OSError as error:
            raise WorkspaceError(f"no process that decodes can be started: {error}") from error
        with self._lock:
            self._running.add(process)
            if self._closed.is_set():
                process.kill()
        return process

    def _forget(self, process: _Process | None) -> None:
        if process is not None:
            with self._lock:
                self._running.discard(process)
            process.end()

    def _conclude(self, task: Task, answer: Answer) -> None:
        if self._closed.is_set():
            task.future.set_exception(CancelledError())  # killed by us: that says nothing of the recording
        elif isinstance(answer, Result):
            task.future.set_result(answer)
        else:
            task.future.set_exception(answer)


class _Process:
    """One process, used by one thread."""

    def __init__(self, workspace: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=main, args=(theirs, str(workspace), os.getpid()), daemon=True, name="crawl-decoder"
        )
        self._process.start()
        theirs.close()

    def begin(self, task: Task) -> bool:
        """Give it a task; False where it is dead, or dies before it has begun."""
        try:
            self._pipe.send(task.source)
            if self._pipe.poll(START_S):
                self._pipe.recv()
                return True
        except (EOFError, OSError):
            return False
        return False

    def answer(self, task: Task) -> Answer:
        """Wait for what comes of a task. One that kills the process, or takes too long, is a failure of its own."""
        key = task.source.key
        try:
            if not self._pipe.poll(task.timeout_s):
                self.kill()
                return broken(key, "timeout", "took too long to decode")
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            return broken(key, "worker-died", f"exit status {self._process.exitcode}")
        return answer

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()
        self._process.close()


def broken(key: str, reason: str, detail: str) -> Result:
    """Return the result of a recording that could not be normalised."""
    return Result(key, failed=Failed(key, Normalise.name, reason, detail[:MAX_DETAIL]))


def main(pipe: Pipe, workspace: str, parent: int) -> None:
    """Normalise what comes through the pipe, until its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    watch(MEMORY_MB, parent)
    stage = Normalise()
    stage.open(Context(Path(workspace), models.path))
    try:
        while True:
            source = pipe.recv()
            pipe.send(None)  # begun
            pipe.send(_answer(stage, source))
    except (EOFError, OSError):
        return


def _answer(stage: Normalise, source: Source) -> Answer:
    """Normalise one recording. Other errors than ours may not come through a pipe, so their text does."""
    try:
        return _normalised(stage, source)
    except OSError as error:
        if error.errno in FATAL_ERRNOS:
            return WorkspaceError(f"canonical audio can't be written: {error.strerror}")
        return broken(source.key, f"error-{type(error).__name__}", str(error))
    except ConfigError as error:
        return ConfigError(str(error))
    except Exception as error:  # true of this recording alone
        return broken(source.key, f"error-{type(error).__name__}", str(error))


def _normalised(stage: Normalise, source: Source) -> Result:
    made = stage.process([Item(source, {})])[0]
    working = stage.take()
    if working is not None:
        working.close()
    failed = made if isinstance(made, Failed) else None
    return Result(source.key, {} if isinstance(made, Failed) else made.columns, failed)
