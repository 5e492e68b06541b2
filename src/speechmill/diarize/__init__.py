# SPDX-License-Identifier: Apache-2.0
"""Who speaks when: one backend is one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechmill.core.stage import Audio
from speechmill.core.types import Interval, Turn


class DiarizeBackend(Protocol):
    """Tells speakers apart."""

    def diarize(self, audio: Audio, speech: Sequence[Interval], num_speakers: int | None) -> list[Turn]:
        """Return turns ordered by start, speakers named "#1", "#2" by first appearance.

        speech: intervals of every channel. num_speakers is honoured where it is given.
        """
        ...
