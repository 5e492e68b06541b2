# SPDX-License-Identifier: Apache-2.0
"""The process of a crew: takes shards from its standard input, one at a time, and answers with their records."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
from multiprocessing.connection import Connection

from speechmill.core.errors import SpeechmillError
from speechmill.core.watchdog import watch
from speechmill.pipeline.export.marker import ShardRecord
from speechmill.pipeline.export.shards import ExportFailed, Job, write_shard

NO_LIMIT_MB = 1 << 40


def main() -> None:
    """Serve until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    asks, answers = _pipes()
    with contextlib.suppress(EOFError, OSError):
        root, choice, parent = asks.recv()
        watch(NO_LIMIT_MB, parent)
        while True:
            job: Job = asks.recv()
            answers.send(_done(root, choice, job))


def _pipes() -> tuple[Connection, Connection]:
    """Return the pipes, and give what libraries print another way: it must not get between answers."""
    asks, answers = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return asks, answers


def _done(root: object, choice: object, job: Job) -> ShardRecord | Exception:
    try:
        return write_shard(root, choice, job)  # type: ignore[arg-type]
    except Exception as error:
        return portable(error, job)


def portable(error: Exception, job: Job) -> Exception:
    """Return an error that crosses the border of a process: itself, where it can be made again from its arguments."""
    try:
        known = isinstance(error, SpeechmillError | OSError) and type(copy.copy(error)) is type(error)
    except TypeError:
        known = False
    return error if known else ExportFailed(f"shard {job.members.name}: {type(error).__name__}: {error}")
