# SPDX-License-Identifier: Apache-2.0
"""What this machine has for workers, and what a run took of it."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

MEMORY_SHARE = 0.8  # of what is free, divided among the workers
LEAST_MB = 1024
FIRST_MEASURE_S = 0.01
MEASURE_S = 0.5
CGROUP = Path("/sys/fs/cgroup")  # of version 2; a container sees its own there


def usable_cores() -> int:
    """Cores this process may use: a container's or a batch system's share, not the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_mb(workers: float) -> int:
    """Return what each of so many workers may take of this machine's memory, or of this container's."""
    free = min(psutil.virtual_memory().available, free_in_container())
    return max(LEAST_MB, int(free * MEMORY_SHARE / 2**20 / max(workers, 1)))


def free_in_container(cgroup: Path = CGROUP) -> float:
    """Return the bytes that a container may still take; infinity outside of one, or where it has no limit."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        pages = re.search(r"^inactive_file (\d+)$", (cgroup / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return math.inf
    cached = int(pages[1]) if pages else 0  # of files: given back when memory is wanted
    return math.inf if limit == "max" else int(limit) - used + cached


class Meter:
    """The most memory that this process and all below it had together, as far as looked."""

    def __init__(self) -> None:
        self.peak_rss_mb = 0.0

    def measure(self) -> None:
        """Look now."""
        total = 0
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        self.peak_rss_mb = max(self.peak_rss_mb, total / 2**20)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look every half second meanwhile, and more often at first: a short run has a peak too."""
        stop = threading.Event()

        def watch() -> None:
            wait_s = FIRST_MEASURE_S
            while not stop.wait(wait_s):
                self.measure()
                wait_s = min(2 * wait_s, MEASURE_S)

        thread = threading.Thread(target=watch, daemon=True, name="memory")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
