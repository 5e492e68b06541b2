# SPDX-License-Identifier: Apache-2.0
"""From speech, turns and a transcript to utterances that a model can be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechmill.core.types import Interval, Source, Transcript, Turn, Utterance


class SegmentBackend(Protocol):
    """Cuts a recording into utterances."""

    def segments(
        self, source: Source, duration: float, speech: Sequence[Interval], turns: Sequence[Turn], transcript: Transcript
    ) -> list[Utterance]:
        """Return timed utterances inside [0, duration], ordered by start then channel."""
        ...
