# SPDX-License-Identifier: Apache-2.0
"""Error of a voice activity detector, exact on the timeline: no frames.

Follows pyannote.metrics' detection error rate: (miss + false alarm) / reference speech.
It doesn't say who speaks; see `measures.der`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from speechmill.core.types import Interval, Turn
from speechmill.measures.der import der


class Detection(Struct, frozen=True):
    """Seconds of missed speech, of false alarm and of reference speech, inside the scored region."""

    miss: float
    false_alarm: float
    total: float

    @property
    def rate(self) -> float:
        """(miss + false alarm) / total. Without any reference speech: 0 if all is silent, else 1."""
        wrong = self.miss + self.false_alarm
        if self.total == 0:
            return float(wrong > 0)
        return wrong / self.total


def detection_error(
    reference: Sequence[Interval], hypothesis: Sequence[Interval], duration: float, collar_s: float = 0.0
) -> Detection:
    """Compare detected speech with the reference's over [0, duration] of each channel.

    collar_s: left out on either side of each reference boundary. Intervals of a channel may
    overlap; time counts once.
    """
    score = der(_as_turns(reference), _as_turns(hypothesis), duration=duration, collar_s=collar_s)
    return Detection(score.miss, score.false_alarm, score.total)


def _as_turns(intervals: Sequence[Interval]) -> list[Turn]:
    return [Turn(interval.start, interval.duration, "speech", interval.channel) for interval in intervals]
