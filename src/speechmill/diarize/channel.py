# SPDX-License-Identifier: Apache-2.0
"""One microphone per speaker: a channel's speech is that speaker's, less what bleeds in from the others.

Where channels are active at once, those that are much quieter than the loudest heard its speaker from
across the table. It tells channels apart, not voices: two people on one microphone stay one.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from speechmill.core.stage import Audio, Context
from speechmill.core.timebase import on_millisecond
from speechmill.core.types import Interval, Turn
from speechmill.diarize._turns import in_order, named

VERSION = "1"
REQUIRES = ()
MODELS = ()
LANGUAGES = None

_FLOOR_DB = -120.0  # level of digital silence


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How bleed is told from speech."""

    crosstalk_db: Annotated[float, Meta(gt=0)] = (
        12.0  # quieter by this is bleed: 3:1 rule of microphone distance is 9.5
    )
    piece_s: Annotated[float, Meta(ge=0.05, le=5)] = 0.5  # stretch that is judged at once: about two syllables
    min_turn_s: Annotated[float, Meta(ge=0)] = 0.3  # less left of a cut interval is the bleed's reverberation: goes too


class Backend:
    """Tells speakers apart by their microphones."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def diarize(self, audio: Audio, speech: Sequence[Interval], num_speakers: int | None) -> list[Turn]:
        """Return the speech of each channel that is no bleed, as turns of that channel's speaker.

        speech: disjoint within a channel. num_speakers can't change what the microphones say.
        """
        parts = in_order(speech)
        others = _Others(parts)
        kept = [piece for part in parts for piece in self._without_bleed(audio, part, others.during(part))]
        return named([(piece, piece.channel) for piece in kept])

    def _without_bleed(self, audio: Audio, part: Interval, others: Sequence[Interval]) -> list[Interval]:
        """What remains of an interval, joined."""
        pieces = _pieces(part, others, self.config.piece_s)
        bleed = [self._is_bleed(audio, start, end, part.channel, others) for start, end in pieces]
        if not any(bleed):
            return [part]
        runs: list[list[float]] = []
        for (start, end), drop, after_drop in zip(pieces, bleed, [True, *bleed], strict=False):
            if not drop and after_drop:
                runs.append([start, end])
            elif not drop:
                runs[-1][1] = end
        left = [Interval(start, end - start, part.channel) for start, end in runs]
        return [piece for piece in left if piece.duration >= self.config.min_turn_s]

    def _is_bleed(self, audio: Audio, start: float, end: float, channel: int, others: Sequence[Interval]) -> bool:
        rivals = sorted({other.channel for other in others if other.start < end and start < other.end})
        if not rivals:
            return False
        loudest = max(_level_db(audio, start, end, rival) for rival in rivals)
        return loudest - _level_db(audio, start, end, channel) >= self.config.crosstalk_db


class _Others:
    """Looks up the speech of other channels that overlaps an interval."""

    def __init__(self, parts: Sequence[Interval]) -> None:
        self._parts: dict[int, list[Interval]] = {}
        for part in parts:
            self._parts.setdefault(part.channel, []).append(part)

    def during(self, part: Interval) -> list[Interval]:
        return [
            other
            for channel, ordered in self._parts.items()
            if channel != part.channel
            for other in ordered[_first_ending_after(ordered, part.start) : _first_from(ordered, part.end)]
        ]


def _first_ending_after(ordered: Sequence[Interval], time: float) -> int:
    return bisect.bisect_right(ordered, time, key=lambda part: part.end)


def _first_from(ordered: Sequence[Interval], time: float) -> int:
    return bisect.bisect_left(ordered, time, key=lambda part: part.start)


def _pieces(part: Interval, others: Sequence[Interval], piece_s: float) -> list[tuple[float, float]]:
    """Cut an interval where other channels start and stop, and further into (start, end) of about piece_s."""
    inner = {on_millisecond(edge) for other in others for edge in (other.start, other.end)}
    edges = [part.start, *sorted(edge for edge in inner if part.start < edge < part.end), part.end]
    cuts = [part.start]
    for start, end in itertools.pairwise(edges):
        count = max(1, round((end - start) / piece_s))
        cuts += [on_millisecond(start + (end - start) * index / count) for index in range(1, count)]
        cuts.append(end)
    return list(itertools.pairwise(cuts))


def _level_db(audio: Audio, start: float, end: float, channel: int) -> float:
    """Root mean square level of a stretch of a channel, in dBFS."""
    samples = audio.read(start, end - start, channel=channel).astype(np.float64)
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    return max(_FLOOR_DB, 10 * math.log10(power)) if power > 0 else _FLOOR_DB
