# SPDX-License-Identifier: Apache-2.0
"""Wakes tasks of one event loop that wait for something to have changed."""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """Wakes whoever waits for something to have changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1
        self._event.set()
        self._event = asyncio.Event()

    async def heard(self, seconds: float) -> None:
        """Wait for the bell, so many seconds at most."""
        event = self._event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(
                seconds
            ):  # not wait_for: before Python 3.12 it loses a cancellation now and then
                await event.wait()
