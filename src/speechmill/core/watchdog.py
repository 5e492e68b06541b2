# SPDX-License-Identifier: Apache-2.0
"""The watchdog of a worker process: ends it when it outgrows its share of memory, or when its parent is gone."""

from __future__ import annotations

import os
import threading
import time

import psutil

OUT_OF_MEMORY = 86  # exit statuses by which the watchdog says why
ORPHANED = 87
WATCH_S = 0.1


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
