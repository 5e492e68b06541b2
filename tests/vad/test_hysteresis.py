# SPDX-License-Identifier: Apache-2.0
"""Frame probabilities become stretches by rules that can be followed by hand."""

from __future__ import annotations

import math

import msgspec
import pytest

from speechmill.vad._hysteresis import Limits, stretches

# Frames of 100 samples, so that every figure below is frame number times 100.
LIMITS = Limits(
    threshold=0.5, neg_threshold=0.35, min_speech=200, min_silence=200, pad=0, max_speech=math.inf, split_silence=100
)


def walk(probabilities, num_samples=None, **changes):
    length = 100 * len(probabilities) if num_samples is None else num_samples
    return stretches(probabilities, 100, length, msgspec.structs.replace(LIMITS, **changes))


def test_speech_ends_where_the_silence_began():
    assert walk([0, 1, 1, 1, 0, 0, 0, 0]) == [(100, 400)]


def test_a_gap_shorter_than_min_silence_is_bridged():
    assert walk([1, 1, 1, 0, 1, 1, 1, 0, 0, 0]) == [(0, 700)]


def test_speech_of_min_speech_or_less_is_dropped():
    assert walk([0, 1, 1, 0, 0, 0]) == []
    assert walk([0, 1, 1, 0, 0, 0], min_speech=199) == [(100, 300)]


def test_between_the_thresholds_nothing_changes():
    assert walk([0.4, 0.4, 0.4, 0.4]) == []
    assert walk([0.6, 0.4, 0.4, 0.4, 0, 0, 0]) == [(0, 400)]


def test_open_speech_ends_with_the_recording():
    assert walk([0, 1, 1, 1], num_samples=390) == [(100, 390)]


def test_padding_stays_inside_the_recording():
    assert walk([1, 1, 1, 0, 0, 0], pad=50) == [(0, 350)]
    assert walk([0, 1, 1, 1], num_samples=390, pad=50) == [(50, 390)]


def test_neighbours_share_a_gap_too_short_for_two_pads():
    speech = [1, 1, 1, 0, 0, 0, 1, 1, 1]
    assert walk(speech, pad=100) == [(0, 400), (500, 900)]
    assert walk(speech, pad=500) == [(0, 450), (450, 900)]


def test_long_speech_is_split_at_its_last_pause():
    #         0  1  2  3  4  5  6  7  8  9 10
    speech = [1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    assert walk(speech, min_silence=400, max_speech=800) == [(0, 400), (700, 1100)]


def test_long_speech_without_a_pause_is_cut_hard():
    # Frame 4 is the first more than 300 samples in; speech opens again with the next one.
    assert walk([1] * 9, max_speech=300, min_speech=0) == [(0, 400), (500, 900)]


@pytest.mark.parametrize("probabilities", [[], [0.0] * 5])
def test_no_speech_gives_no_stretch(probabilities):
    assert walk(probabilities) == []
