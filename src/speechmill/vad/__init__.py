# SPDX-License-Identifier: Apache-2.0
"""Voice activity detection: one backend is one file."""

from __future__ import annotations

from typing import Protocol

from speechmill.core.stage import Audio
from speechmill.core.types import Interval


class VadBackend(Protocol):
    """Finds speech."""

    def speech(self, audio: Audio, channel: int) -> list[Interval]:
        """Return one channel's speech, ordered and disjoint, each with its `channel` set."""
        ...
