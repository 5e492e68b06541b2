# SPDX-License-Identifier: Apache-2.0
"""Time: the only place that rounds.

Words and phones keep a tenth of a millisecond; segments lie on whole milliseconds, so that
an id made of milliseconds names exactly one interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechmill.core.types import Utterance, Word

CANONICAL_HZ = 24_000  # at rest: the rate TTS models want
WORKING_HZ = 16_000  # in memory: the rate VAD, ASR and quality models want


def to_samples(seconds: float, sampling_rate: int) -> int:
    """Seconds to the nearest sample index."""
    return round(seconds * sampling_rate)


def to_seconds(samples: int, sampling_rate: int) -> float:
    """A sample index to seconds, rounded to 0.1 ms."""
    return round(samples / sampling_rate, 4)


def tick(seconds: float) -> float:
    """Round to 0.1 ms, the resolution of words and phones."""
    return round(seconds, 4)


def ticks(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round many times as `tick` does each: to the nearest double of so many ten thousandths."""
    rounded: NDArray[np.float64] = np.round(seconds, 4)
    return rounded


def milliseconds(seconds: float) -> int:
    """Round to whole milliseconds, the resolution of segments."""
    return round(seconds * 1000)


def on_millisecond(seconds: float) -> float:
    """Round to whole milliseconds, in seconds."""
    return round(seconds, 3)


def shift(word: Word, offset: float) -> Word:
    """Move a word from a cut's timeline to its recording's."""
    return Word(word.symbol, tick(word.start + offset), tick(word.duration), word.score)


def segment_id(recording_id: str, utterance: Utterance) -> str:
    """`recording-channel-start-end`, in milliseconds: stable from run to run."""
    if utterance.start is None or utterance.duration is None:
        raise ValueError(f"an utterance of {recording_id} has no times and so no segment id")
    start, end = milliseconds(utterance.start), milliseconds(utterance.start + utterance.duration)
    return f"{recording_id}-{utterance.channel}-{start:07d}-{end:07d}"
