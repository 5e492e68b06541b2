# SPDX-License-Identifier: Apache-2.0
"""Voice activity detection error, with numbers to check by hand."""

from __future__ import annotations

import pytest

from speechmill.core.types import Interval
from speechmill.measures.detection import Detection, detection_error


def test_missed_and_false_seconds():
    # Speech 1-5 and 7-9; detected 2-6 and 7-9: 1 s missed, 1 s false, 6 s of speech.
    score = detection_error([Interval(1, 4), Interval(7, 2)], [Interval(2, 4), Interval(7, 2)], duration=10)
    assert score == Detection(miss=1, false_alarm=1, total=6)
    assert score.rate == pytest.approx(2 / 6)


def test_a_collar_forgives_errors_at_reference_boundaries():
    # Left of 1-5 with half a second off each end: 1.5-4.5.
    assert detection_error([Interval(1, 4)], [Interval(1.4, 4)], duration=10, collar_s=0.5) == Detection(0, 0, 3)


def test_overlapping_intervals_count_once():
    score = detection_error([Interval(0, 3), Interval(2, 3)], [Interval(0, 5), Interval(1, 1)], duration=5)
    assert score == Detection(0, 0, 5)


def test_channels_are_summed():
    score = detection_error([Interval(0, 4, 0), Interval(0, 4, 1)], [Interval(0, 4, 1)], duration=4)
    assert score == Detection(miss=4, false_alarm=0, total=8)


def test_silence_that_is_taken_for_speech():
    assert detection_error([], [Interval(0, 1)], duration=5).rate == 1
    assert detection_error([], [], duration=5).rate == 0
