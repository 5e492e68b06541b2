# SPDX-License-Identifier: Apache-2.0
"""How large a shard may become.

The one place for it: an exporter whose Config has `max_shard_mb` or `max_shard_rows` is asked, others get the defaults.
Sizes are estimated from seconds of audio in the format that its `audio` option names, since nothing is encoded yet.
"""

from __future__ import annotations

from msgspec import Struct

from speechmill.core.registry import Choice
from speechmill.core.timebase import CANONICAL_HZ

MAX_SHARD_MB = 500  # small enough to send again, large enough to be few
MAX_SHARD_ROWS = 100_000
_WAV = 2.0 * CANONICAL_HZ
# Bytes of a second; FLAC of speech at 24 kHz takes about half of WAV, Opus about 24 kbit/s.
BYTES_PER_S = {"wav": _WAV, "flac": 0.55 * _WAV, "copy": 0.55 * _WAV, "opus": 4000.0}  # copy: whole recordings
ROW_BYTES = 1000  # of a segment's text, words and phones


class Limits(Struct, frozen=True):
    """Where a new shard is begun."""

    max_bytes: float
    max_rows: int
    bytes_per_s: float

    def estimate(self, rows: int, seconds: float) -> float:
        """Return the bytes that so many segments are going to take, roughly."""
        return rows * ROW_BYTES + seconds * self.bytes_per_s


def limits_of(choice: Choice) -> Limits:
    """Return the limits of an exporter as it is asked for."""
    megabytes = getattr(choice.config, "max_shard_mb", MAX_SHARD_MB)
    rows = getattr(choice.config, "max_shard_rows", MAX_SHARD_ROWS)
    audio = getattr(choice.config, "audio", None)
    return Limits(megabytes * 1e6, rows, BYTES_PER_S.get(str(audio), 0.0))
