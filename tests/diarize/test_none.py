# SPDX-License-Identifier: Apache-2.0
"""Without diarization a channel is a speaker."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmill.core.stage import Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize import none
from speechmill.formats.array_audio import ArrayAudio

AUDIO = ArrayAudio([np.zeros(160_000), np.zeros(160_000)])


def diarize(speech, num_speakers=None):
    return none.Backend(none.Config(), Context(Path(), Path)).diarize(AUDIO, speech, num_speakers)


def test_one_channel_is_one_speaker():
    assert diarize([Interval(5, 1), Interval(1, 2)]) == [Turn(1, 2, "#1"), Turn(5, 1, "#1")]


def test_each_channel_is_a_speaker_named_by_first_appearance():
    speech = [Interval(3, 1, 0), Interval(1, 1, 1)]
    assert diarize(speech) == [Turn(1, 1, "#1", 1), Turn(3, 1, "#2", 0)]


def test_one_speaker_on_two_channels_is_one():
    assert {turn.speaker for turn in diarize([Interval(3, 1, 0), Interval(1, 1, 1)], 1)} == {"#1"}
