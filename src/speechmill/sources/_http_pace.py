# SPDX-License-Identifier: Apache-2.0
"""A site's crawl delay, kept by all clients of a run: threads and processes take turns by a locked file."""

from __future__ import annotations

import hashlib
import struct
import sys
import time
from pathlib import Path
from typing import IO

_STAMP = struct.Struct("<d")  # seconds since 1970


class Pace:
    """The turns of sites that want pauses."""

    def __init__(self, folder: Path) -> None:
        """folder: shared by those who take turns."""
        self._folder = folder

    def take_turn(self, origin: str, delay: float, longest: float) -> float:
        """Return the seconds to wait for our turn, which is taken where they are not more than `longest`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"pace-{hashlib.sha256(origin.encode()).hexdigest()[:16]}"
        with (self._folder / name).open("a+b") as file:
            _lock(file)  # until it is closed
            file.seek(0)
            written = file.read(_STAMP.size)
            now = time.time()
            turn = _STAMP.unpack(written)[0] if len(written) == _STAMP.size else now
            wait = max(0.0, turn - now)
            if wait > 2 * max(longest, delay):  # a clock that was set back
                wait = 0.0
            if wait <= longest:
                file.truncate(0)
                file.write(_STAMP.pack(now + wait + delay))
        return wait


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)
