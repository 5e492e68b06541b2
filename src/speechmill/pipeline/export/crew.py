# SPDX-License-Identifier: Apache-2.0
"""Processes that write shards side by side: one shard each at a time, whoever is free takes the next.

A process that dies (out of memory, a crash of a library) ends the export with the shard's name; the shards that are
finished stay for the next try. Ctrl-C, or any error, ends all of them at once: what they were writing is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from speechmill.core.registry import Choice
from speechmill.pipeline.export.marker import ShardRecord
from speechmill.pipeline.export.shards import ExportFailed, Job, write_shard

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
CLOSE_S = 5.0  # that a process has to end by itself
# The main module isn't imported: a script that exports needs no `if __name__ == "__main__"`.
BOOT = """\
from multiprocessing.connection import Connection
import os, sys
sys.path[:] = Connection(os.dup(0), writable=False).recv()
from speechmill.pipeline.export.crew_process import main
main()
"""


def write_all(root: Path, choice: Choice, jobs: Iterable[Job], workers: int) -> Iterator[tuple[Job, ShardRecord]]:
    """Write shards. Yields each as it is finished. root: the workspace.

    Raises LostAudio, ExportFailed, or an OSError of a full disk. One worker is this process, and so it is on Windows,
    whose pipes are others.
    """
    if workers == 1 or os.name == "nt":
        for job in jobs:
            yield job, write_shard(root, choice, job)
        return
    with contextlib.ExitStack() as stack:
        yield from _Crew(root, choice, workers, stack).work(iter(jobs))


class _Crew:
    def __init__(self, root: Path, choice: Choice, workers: int, stack: contextlib.ExitStack) -> None:
        self._start = (list(sys.path), root, choice)
        self._most = workers
        self._stack = stack
        self._members: dict[Connection, _Member] = {}

    def work(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, ShardRecord]]:
        """Yield shards in the order in which they are finished."""
        for job in jobs:
            self._hire().give(job)
            if len(self._members) == self._most:
                break
        while busy := [pipe for pipe, member in self._members.items() if member.job is not None]:
            for pipe in wait(busy):
                member = self._members[pipe]  # type: ignore[index]
                yield member.take()
                if (job := next(jobs, None)) is not None:  # type: ignore[assignment]
                    member.give(job)

    def _hire(self) -> _Member:
        member = _Member(*self._start)
        self._stack.callback(member.end)
        self._members[member.answers] = member
        return member


class _Member:
    """One process and what it is doing."""

    def __init__(self, path: list[str], root: Path, choice: Choice) -> None:
        self.job: Job | None = None
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
        command = [sys.executable, "-c", BOOT]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Copies, which the connections close; of a number that somebody else has by then nothing is closed twice.
        self._asks = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self.answers = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()
        self._say(path)
        self._say((root, choice, os.getpid()))

    def give(self, job: Job) -> None:
        """Have a shard written."""
        self.job = job
        self._say(job)

    def take(self) -> tuple[Job, ShardRecord]:
        """Return the shard that is written. Raises what went wrong with it."""
        job = self.job
        assert job is not None
        try:
            said = self.answers.recv()
        except (EOFError, OSError):
            status = self._process.wait()
            raise ExportFailed(
                f"the process that wrote shard {job.members.name} ended with status {status}; if it was out of memory, "
                "take fewer --workers. What is finished is kept: export again"
            ) from None
        if isinstance(said, BaseException):
            raise said
        self.job = None
        return job, said

    def end(self) -> None:
        """End the process, at once where it is at work."""
        self._asks.close()
        if self.job is not None:
            self._process.kill()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.answers.close()

    def _say(self, what: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # it is dead, which `take` finds out
            self._asks.send(what)
