# SPDX-License-Identifier: Apache-2.0
"""The watchdog of a process: ends a worker when it outgrows its share of memory, or when its parent is gone.

A task of an orchestrator that is killed with -9 can't end the command it has started; so the command is told by an
environment variable whom not to outlive, and sees to it itself.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

import psutil

OUT_OF_MEMORY = 86  # exit statuses by which the watchdog says why
ORPHANED = 87
WATCH_S = 0.1
ENDS_WITH = "SPEECHMILL_ENDS_WITH"  # numbers of processes that a command must not outlive
ENDS_WITH_S = 0.5


def watch(memory_limit_mb: int, parent: int) -> None:
    """Start the watchdog of this process. parent: the number of the process that it must not outlive."""
    threading.Thread(target=_watch, args=(memory_limit_mb, parent), daemon=True, name="watchdog").start()


def _watch(memory_limit_mb: int, parent: int) -> None:
    process = psutil.Process()
    while True:
        if process.memory_info().rss > memory_limit_mb * 2**20:
            os._exit(OUT_OF_MEMORY)
        if os.getppid() != parent or not psutil.pid_exists(parent):  # Windows keeps a dead parent's number
            os._exit(ORPHANED)
        time.sleep(WATCH_S)


def end_with_others() -> None:
    """End this process and its group when one of those is gone that the environment names; without any, do nothing."""
    if numbers := [int(number) for number in os.environ.get(ENDS_WITH, "").split()]:
        threading.Thread(target=_end_with, args=(numbers,), daemon=True, name="ends-with").start()


def _end_with(numbers: Sequence[int]) -> None:
    while all(_lives(number) for number in numbers):
        time.sleep(ENDS_WITH_S)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # all that it has started
    os._exit(ORPHANED)


def _lives(number: int) -> bool:
    """Tell whether a process is there; one that has ended and that nobody asks about is not."""
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
