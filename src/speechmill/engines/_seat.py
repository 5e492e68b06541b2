# SPDX-License-Identifier: Apache-2.0
"""A seat: one supervised process that does recordings, one at a time, and is replaced when it ends.

Whatever a recording does to its process (a crash, a hang, a hoard of memory), it costs that recording alone. A process
that ends between two recordings costs none: by its marker it is known whether a recording had begun.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.watchdog import OUT_OF_MEMORY
from speechmill.engines._seat_process import Bug, Fatal, Ready, Start
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.worker import Death, Outcome, Task, inflight

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MAX_TRIES = 3  # processes in a row that end with a task that had not begun: then it is not chance
MAX_STARTS = 5  # processes in a row that end before they take a task
START_S = 600.0  # that a process may take to open its stages; weights may come over a network
CLOSE_S = 5.0  # that a process has to end by itself
STALL_S = 60  # that a message may stay half sent: of a process that is stopped, the pipe fills up
LOOK_S = 1.0  # how often a process that says nothing is looked at

# A fresh interpreter, as by `multiprocessing`'s spawn, but it doesn't import the main module: in a worker of Dask or
# Ray that is all of Dask or Ray. Nor does it matter whether its parent may have children by multiprocessing's rules.
BOOT = """\
import sys
from multiprocessing.connection import {connection} as Pipe
pipe = Pipe(int(sys.argv[1]))
sys.path[:] = pipe.recv()
from speechmill.engines._seat_process import main
main(pipe)
"""


class Stopped(Exception):
    """Heard by who waits for a seat that somebody else stops: nothing is wrong."""


class Ended(Struct, frozen=True):
    """A process that ended, or was ended for being late, instead of answering."""

    status: int | None  # None: late


class Seat:
    """One process at a time, started when it is needed. For one thread; `stop` is for any."""

    def __init__(self, plan: Plan, memory_mb: int) -> None:
        self._plan = plan
        self._memory_mb = memory_mb
        self._process: _Process | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def work(self, task: Task) -> Outcome | Death:
        """Have a task done. Raises what ends a run: a full disk, or a process that can't start."""
        marker = inflight(Path(self._plan.workspace), self._plan.run, task.source.key)
        tries = 0
        while True:
            said = self._ready().ask(task, task.timeout_s)
            if isinstance(said, Outcome):
                return said
            if isinstance(said, Fatal):
                raise said.error
            if isinstance(said, Bug):
                return death(marker, said.reason, said.detail)
            self._replace()
            tries += 1
            if said.status is None or marker.exists() or tries == MAX_TRIES:
                return _death_of(said, marker, task)

    def stop(self) -> None:
        """End its process at once; who waits for it hears Stopped."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Let its process end by itself, or end it."""
        with self._lock:
            process, self._process, self._stopped = self._process, None, True
        if process is not None:
            process.close(CLOSE_S)

    def _ready(self) -> _Process:
        """Return a process that takes tasks; one that was killed while it had none is replaced unseen."""
        if self._process is not None and not self._process.is_alive():
            self._replace()
        why = ""
        for _ in range(MAX_STARTS):
            process = self._process or self._start()
            said = process.wait_ready()
            if isinstance(said, Ready):
                return process
            if isinstance(said, Fatal):
                raise said.error
            self._replace()
            why = _why(said, self._memory_mb)
        raise ConfigError(f"{MAX_STARTS} workers ended before they could begin: {why}")

    def _start(self) -> _Process:
        with self._lock:
            if self._stopped:
                raise Stopped
            self._process = _Process(Start(self._plan, self._memory_mb, os.getpid()))
            return self._process

    def _replace(self) -> None:
        """Have done with a process that ended."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                process.close(0.0)
            if self._stopped:
                raise Stopped


class _Process:
    """A process and the pipe to it."""

    def __init__(self, start: Start) -> None:
        self._ready: Ready | None = None
        self._pipe, theirs = multiprocessing.Pipe()
        _end_stalls(self._pipe.fileno())
        code = BOOT.format(connection=type(theirs).__name__)
        command = [sys.executable, "-P", "-c", code, str(theirs.fileno())]
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
        self._popen = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **_passing(theirs.fileno()))
        theirs.close()
        with contextlib.suppress(OSError):  # it is gone already: who waits for it is told
            self._pipe.send(sys.path)
            self._pipe.send(start)

    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def wait_ready(self) -> Ready | Fatal | Ended:
        """Wait until its stages are open, if they aren't."""
        if self._ready is not None:
            return self._ready
        said: Ready | Fatal | Ended = self._answer(START_S)
        self._ready = said if isinstance(said, Ready) else None
        return said

    def ask(self, task: Task, timeout_s: float) -> Outcome | Bug | Fatal | Ended:
        """Have a task done, within its time."""
        try:
            self._pipe.send(task)
        except OSError as error:
            return self._ended(error)
        said: Outcome | Bug | Fatal | Ended = self._answer(timeout_s)
        return said

    def kill(self) -> None:
        self._popen.kill()

    def close(self, patience_s: float) -> None:
        """Hang up, which ends it; wait, and kill it where it doesn't."""
        self._pipe.close()
        self._status(patience_s)

    def _answer(self, timeout_s: float) -> Any:
        end = time.monotonic() + timeout_s
        try:
            while not self._pipe.poll(min(max(0.0, end - time.monotonic()), LOOK_S)):
                if time.monotonic() >= end:
                    self.kill()
                    return Ended(None)
                if not self.is_alive() and not self._pipe.poll():
                    return Ended(self._status())  # and what it had started holds its end of the pipe
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            return self._ended(error)

    def _ended(self, error: Exception) -> Ended:
        if isinstance(error, BlockingIOError):
            self.kill()  # it stalls
        return Ended(self._status())

    def _status(self, patience_s: float = CLOSE_S) -> int:
        """Return the exit status; it comes a moment after the end of the pipe."""
        try:
            return self._popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.wait()


def death(marker: Path, reason: str, detail: str) -> Death:
    """Return a death in the stage that the marker names, and remove that."""
    stage = marker.read_text() if marker.exists() else None
    marker.unlink(missing_ok=True)
    return Death(reason, detail, stage or None)


def _death_of(ended: Ended, marker: Path, task: Task) -> Death:
    if ended.status is None:
        return death(marker, "timeout", f"stopped after {task.timeout_s:.0f} s")
    if ended.status == OUT_OF_MEMORY:
        return death(marker, "out-of-memory", "the worker outgrew its share of memory (see --memory)")
    return death(marker, "worker-died", _how(ended.status))


def _why(ended: Ended, memory_mb: int) -> str:
    if ended.status is None:
        return f"not ready after {START_S:.0f} s"
    if ended.status == OUT_OF_MEMORY:
        return f"{memory_mb} MB are too little to open the stages; give each more: --memory, or less --workers"
    return f"{_how(ended.status)}; see what they wrote above"


def _how(status: int) -> str:
    if status < 0:
        named = {one.value: f" ({one.name})" for one in signal.Signals}  # real-time signals have no name
        return f"killed by signal {-status}{named.get(-status, '')}"
    return f"exit status {status}"


def _end_stalls(handle: int) -> None:
    """Have messages through this end of a pipe raise BlockingIOError where they get no further, halfway."""
    if sys.platform == "win32":
        return
    with socket.socket(fileno=os.dup(handle)) as same:
        same.setblocking(True)  # whatever the default is that a program has set
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            same.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALL_S, 0))


def _passing(handle: int) -> dict[str, Any]:
    """Return what has a child inherit this end of a pipe and no other."""
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})}
    return {"pass_fds": (handle,)}
