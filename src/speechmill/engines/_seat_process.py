# SPDX-License-Identifier: Apache-2.0
"""The process at a seat: takes tasks from its pipe, one at a time, and answers each."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import ConfigError, SpeechmillError
from speechmill.core.files import FATAL_ERRNOS
from speechmill.core.watchdog import watch
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Outcome, Task, Worker

IDLE_S = 600.0  # without a task: whoever asked is gone without a word, as a killed client of a cluster is


class Start(Struct, frozen=True):
    """Said to the process first."""

    plan: Plan
    memory_mb: int
    parent: int  # the process that it must not outlive


class Ready(Struct, frozen=True):
    """Said by the process when it can take tasks."""


class Bug(Struct, frozen=True):
    """Said by the process: a task raised what nobody foresaw. It costs its recording."""

    reason: str
    detail: str


class Fatal(Struct, frozen=True):
    """An error that ends the run: a full disk, or what is wrong for every recording alike."""

    error: Exception


def main(pipe: Pipe) -> None:
    """Serve tasks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    os.set_inheritable(pipe.fileno(), False)  # what a backend starts must not hold it open
    _prefer_as_victim()
    with contextlib.suppress(EOFError, OSError):  # whoever asked has what it wanted, or is gone
        start: Start = pipe.recv()
        watch(start.memory_mb, start.parent)
        worker = _worker(start.plan)
        pipe.send(worker if isinstance(worker, Fatal) else Ready())
        while isinstance(worker, Worker) and pipe.poll(IDLE_S):
            pipe.send(_answer(worker, pipe.recv()))


def _worker(plan: Plan) -> Worker | Fatal:
    try:
        return Worker(plan)
    except Exception as error:
        return Fatal(portable(error))


def _answer(worker: Worker, task: Task) -> Outcome | Bug | Fatal:
    try:
        return worker.work(task)
    except BaseException as error:  # SystemExit too: a library's exit is no reason for ours
        if isinstance(error, ConfigError) or (isinstance(error, OSError) and error.errno in FATAL_ERRNOS):
            return Fatal(portable(error))
        return Bug(f"error-{type(error).__name__}", str(error)[:2000])


def portable(error: Exception) -> Exception:
    """Return an error that crosses the border of a process: itself, where it can be made again from its arguments."""
    try:
        known = isinstance(error, SpeechmillError | OSError) and type(copy.copy(error)) is type(error)
    except TypeError:
        known = False
    return error if known else ConfigError(f"a worker could not start: {type(error).__name__}: {error}")


def _prefer_as_victim() -> None:
    """Ask Linux to kill a worker, not the main process, when the machine is out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
