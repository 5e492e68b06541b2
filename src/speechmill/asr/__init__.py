# SPDX-License-Identifier: Apache-2.0
"""Speech recognition: one backend is one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechmill.core.stage import Audio
from speechmill.core.types import Interval, Transcript


class AsrBackend(Protocol):
    """Writes down what is said."""

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Transcribe the speech intervals (every channel of them), with word times.

        Reads 16 kHz samples a stretch at a time: a recording may be ten hours long.
        """
        ...
