# SPDX-License-Identifier: Apache-2.0
"""A microphone per speaker: bleed goes, speech stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmill.core.stage import Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize import channel
from speechmill.formats.array_audio import ArrayAudio


def track(*levels: float) -> np.ndarray:
    """One second of noise for each level."""
    generator = np.random.default_rng(0)
    return np.concatenate([level * generator.uniform(-1, 1, 16_000) for level in levels])


def diarize(tracks, speech, **options):
    backend = channel.Backend(channel.Config(**options), Context(Path(), Path))
    return backend.diarize(ArrayAudio(tracks), speech, None)


def test_what_is_quieter_by_12_db_at_the_same_time_is_bleed():
    # Channel 1 hears channel 0's speaker at a tenth: 20 dB down.
    tracks = [track(0.5, 0.5, 0, 0), track(0.05, 0.05, 0, 0.5)]
    turns = diarize(tracks, [Interval(0, 2, 0), Interval(0, 2, 1), Interval(3, 1, 1)])
    assert turns == [Turn(0, 2, "#1", 0), Turn(3, 1, "#2", 1)]


def test_two_who_speak_at_once_are_both_kept():
    # A third of the level: 9.5 dB.
    turns = diarize([track(0.6, 0.6), track(0.2, 0.2)], [Interval(0, 2, 0), Interval(0, 2, 1)])
    assert turns == [Turn(0, 2, "#1", 0), Turn(0, 2, "#2", 1)]
    assert diarize([track(0.6), track(0.2)], [Interval(0, 1, 0), Interval(0, 1, 1)], crosstalk_db=9.0) == [
        Turn(0, 1, "#1", 0)
    ]


def test_a_quiet_speaker_alone_is_speech():
    assert diarize([track(0, 0.5), track(0.01, 0)], [Interval(1, 1, 0), Interval(0, 1, 1)]) == [
        Turn(0, 1, "#1", 1),
        Turn(1, 1, "#2", 0),
    ]


def test_an_interval_that_begins_as_bleed_is_cut():
    # Channel 1: two seconds of bleed, then its own speaker for two.
    turns = diarize([track(0.5, 0.5, 0, 0), track(0.05, 0.05, 0.5, 0.5)], [Interval(0, 2, 0), Interval(0, 4, 1)])
    assert turns == [Turn(0, 2, "#1", 0), Turn(2, 2, "#2", 1)]


def test_an_answer_between_two_remarks_keeps_its_middle():
    tracks = [track(0.5, 0, 0.5), track(0.05, 0.5, 0.05)]
    turns = diarize(tracks, [Interval(0, 1, 0), Interval(2, 1, 0), Interval(0, 3, 1)])
    assert turns == [Turn(0, 1, "#1", 0), Turn(1, 1, "#2", 1), Turn(2, 1, "#1", 0)]


def test_reverberation_after_bleed_goes_with_it():
    # 0.2 s of channel 1 outlast channel 0's speech.
    assert diarize([track(0.5, 0.0), track(0.05, 0.05)], [Interval(0, 1, 0), Interval(0, 1.2, 1)]) == [
        Turn(0, 1, "#1", 0)
    ]


def test_one_channel_needs_no_audio():
    assert diarize([track(0.0)], [Interval(0.1, 0.5)]) == [Turn(0.1, 0.5, "#1")]


def test_digital_silence_beside_speech_is_bleed():
    assert diarize([track(0.5), track(0.0)], [Interval(0, 1, 0), Interval(0, 1, 1)]) == [Turn(0, 1, "#1", 0)]
