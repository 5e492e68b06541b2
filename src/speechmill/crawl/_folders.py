# SPDX-License-Identifier: Apache-2.0
"""Folders for what is on its way: one for each crawling process, held by a lock, cleared when its owner is dead."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TextIO

import psutil

LOCK = "lock"
MAKING_S = 60.0


class OwnFolder:
    """`<workspace>/crawl/tmp/<owner>/`. The owner's name is the folder's, in the catalog too."""

    def __init__(self, workspace: Path) -> None:
        self.owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self.path = tmp(workspace) / self.owner
        self.path.mkdir(parents=True)
        self._lock: TextIO = (self.path / LOCK).open("w")
        _lock(self._lock)

    def remove(self) -> None:
        """Let go of the folder and delete it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def tmp(workspace: Path) -> Path:
    """Return the folder of all owners' folders."""
    return workspace / "crawl" / "tmp"


def clear_dead(workspace: Path) -> list[str]:
    """Delete the folders of owners that are gone. Returns their names."""
    found = []
    for folder in sorted(path for path in tmp(workspace).glob("*") if path.is_dir()):
        if _is_dead(folder):
            shutil.rmtree(folder, ignore_errors=True)
            found.append(folder.name)
    return found


def _is_dead(folder: Path) -> bool:
    if os.name == "nt":
        number = folder.name.partition("-")[0]
        return number.isdigit() and not psutil.pid_exists(int(number))
    try:
        with (folder / LOCK).open("r+") as file:
            return _lock(file)
    except FileNotFoundError:  # cut off while it was made or deleted, or being made right now
        return time.time() - folder.stat().st_mtime > MAKING_S


def _lock(file: TextIO) -> bool:
    """Try to take the lock; it goes with the process, however that ends."""
    if os.name == "nt":
        return True
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
