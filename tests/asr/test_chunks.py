# SPDX-License-Identifier: Apache-2.0
"""Chunks lie where silence lets them."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from speechmill.asr._chunks import chunks, silent
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * 16000)).astype(np.float32)


def cut(audio, speech, max_s=10.0, join_gap_s=1.0, pad_s=0.2):
    found = chunks(audio, speech, max_s=max_s, join_gap_s=join_gap_s, pad_s=pad_s)
    return [(round(chunk.start, 3), round(chunk.end, 3), chunk.channel) for chunk in found]


AUDIO = ArrayAudio([noise(30)])


def test_no_speech_gives_no_chunk():
    assert cut(AUDIO, []) == []


def test_near_intervals_share_a_chunk_and_far_ones_do_not():
    speech = [Interval(1, 2), Interval(3.5, 1), Interval(8, 1)]
    assert cut(AUDIO, speech) == [(0.8, 4.7, 0), (7.8, 9.2, 0)]


def test_padding_stays_inside_the_recording_and_half_the_gap():
    speech = [Interval(0.1, 9.0), Interval(9.3, 9.0), Interval(21.0, 9.0)]
    assert cut(AUDIO, speech) == [(0.0, 9.2, 0), (9.2, 18.5, 0), (20.8, 30.0, 0)]


def test_overlapping_intervals_are_heard_once():
    assert cut(AUDIO, [Interval(1, 3), Interval(2, 1), Interval(3, 2)]) == [(0.8, 5.2, 0)]


def test_intervals_past_the_end_are_clipped():
    assert cut(AUDIO, [Interval(29, 5), Interval(31, 1)]) == [(28.8, 30.0, 0)]


def test_channels_are_cut_apart_and_come_in_order_of_time():
    audio = ArrayAudio([noise(30), noise(30)])
    speech = [Interval(5, 1, channel=0), Interval(5.5, 1, channel=1), Interval(2, 1, channel=1)]
    assert cut(audio, speech) == [(1.8, 3.2, 1), (4.8, 6.2, 0), (5.3, 6.7, 1)]


def test_a_long_interval_is_cut_where_it_is_quietest():
    samples = noise(30)
    samples[7 * 16000 : 7 * 16000 + 3200] *= 0.01  # 7.0 .. 7.2 s
    samples[15 * 16000 : 15 * 16000 + 3200] *= 0.01
    found = cut(ArrayAudio([samples]), [Interval(0, 20)], pad_s=0.0)
    assert [end for _, end, _ in found[:-1]] == pytest.approx([7.1, 15.1], abs=0.06)
    assert found[0][0] == 0.0
    assert found[-1][1] == 20.0


def test_no_chunk_is_longer_than_asked_and_nothing_is_lost():
    found = cut(AUDIO, [Interval(0, 30)])
    assert max(end - start for start, end, _ in found) <= 10.0
    assert found[0][0] == 0.0
    assert found[-1][1] == 30.0
    assert all(left[1] == right[0] for left, right in pairwise(found))


@pytest.mark.parametrize(("level", "expected"), [(0.0, True), (0.0004, True), (0.001, False)])
def test_silence_is_a_peak_below_a_level(level, expected):
    assert silent(np.full(160, level, np.float32), -66.0) is expected


def test_nothing_is_silent():
    assert silent(np.empty(0, np.float32), -66.0)


@pytest.mark.parametrize("options", [{"max_chunk_s": 1.0}, {"pad_s": 3.0}, {"join_gap_s": -1.0}])
def test_options_that_leave_no_place_to_cut_are_refused(options):
    from speechmill.asr.pocketsphinx import Config

    with pytest.raises(msgspec.ValidationError, match=next(iter(options))):
        msgspec.convert(options, Config)
