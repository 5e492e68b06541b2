# SPDX-License-Identifier: Apache-2.0
"""No diarization: whatever is said on a channel, one speaker says it.

For recordings of one speaker, and where speakers don't matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from speechmill.core.stage import Audio, Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize._turns import in_order, named

VERSION = "1"
REQUIRES = ()
MODELS = ()
LANGUAGES = None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Backend:
    """Gives each channel's speech to one speaker."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def diarize(self, audio: Audio, speech: Sequence[Interval], num_speakers: int | None) -> list[Turn]:
        """Return one turn per interval; "#1", or one speaker per channel. Nothing is heard, nothing is counted."""
        same = num_speakers == 1
        return named([(part, 0 if same else part.channel) for part in in_order(speech)])
