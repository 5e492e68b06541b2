# SPDX-License-Identifier: Apache-2.0
"""Processes that tests wait for the end of."""

from __future__ import annotations

import psutil


def gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended. Where nobody asks how, as in some containers, it stays as a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
