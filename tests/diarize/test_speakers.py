# SPDX-License-Identifier: Apache-2.0
"""How many speakers, on made-up voices whose cosines are known."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.diarize._speakers import Likeness, Limits, find_speakers

LIMITS = Limits(distance=0.36, contrast=0.06, contrast_windows=1.5, relative=0.4, min_speaker_s=2.0)


def voices(order, *, between=0.45, within=0.75, seed=0) -> np.ndarray:
    """Windows of speakers, one letter each; cosines of `between` two speakers and `within` one, on average."""
    generator = np.random.default_rng(seed)
    speakers = sorted(set(order))
    basis = np.linalg.qr(generator.normal(size=(256, 256)))[0]
    rows = []
    for letter in order:
        noise = generator.normal(size=200)
        noise *= np.sqrt(1 - within) / np.linalg.norm(noise)
        own = np.sqrt(within - between) * basis[1 + speakers.index(letter)]
        rows.append(np.sqrt(between) * basis[0] + own + noise @ basis[56:])
    return np.asarray(rows, dtype=np.float32)


def grouping(labels) -> str:
    return "".join("abcdefgh"[label] for label in labels)


def found(order, *, num_speakers=None, **options) -> str:
    windows = voices(order, **options)
    return grouping(find_speakers(windows, np.full(len(windows), 0.8), LIMITS, num_speakers))


@pytest.mark.parametrize("order", ["a" * 30, "aaaaabbbbb" * 3, "aaabbbccc" * 4, "aabbccddee" * 4])
def test_distinct_voices_are_counted(order):
    assert found(order) == order


def test_voices_that_share_a_channel_are_told_apart():
    # As over a telephone: everybody is within the merging distance of everybody.
    order = "aaaabbbb" * 5
    assert found(order, between=0.67, within=0.77) == order


@pytest.mark.parametrize("windows", [2, 3, 6, 10, 20, 60])
def test_one_voice_is_not_split(windows):
    for seed in range(5):
        assert found("a" * windows, seed=seed) == "a" * windows


def test_a_voice_of_less_than_two_seconds_joins_the_nearest():
    assert found("a" * 20 + "bb") == "a" * 22  # 1.6 s
    assert found("a" * 20 + "bbb") == "a" * 20 + "bbb"  # 2.4 s


@pytest.mark.parametrize("num_speakers", [1, 2, 3, 4])
def test_as_many_as_asked_for(num_speakers):
    labels = found("aaaabbbb" * 4, num_speakers=num_speakers)
    assert len(set(labels)) == num_speakers
    if num_speakers == 2:
        assert labels == "aaaabbbb" * 4


def test_more_speakers_than_windows_gives_each_window_its_own():
    assert found("aaa", num_speakers=5) == "abc"


def test_equal_windows_are_one_speaker_or_as_many_as_asked_for():
    windows = np.repeat(voices("a"), 8, axis=0)
    seconds = np.full(8, 0.8)
    assert find_speakers(windows, seconds, LIMITS).tolist() == [0] * 8
    assert len(set(find_speakers(windows, seconds, LIMITS, 3).tolist())) == 3


def test_silent_windows_of_zeros_do_not_break_anything():
    assert find_speakers(np.zeros((6, 256), np.float32), np.full(6, 0.8), LIMITS).tolist() == [0] * 6


def test_none_and_one():
    assert find_speakers(np.zeros((0, 256), np.float32), np.zeros(0), LIMITS).tolist() == []
    assert find_speakers(voices("a"), np.ones(1), LIMITS, 2).tolist() == [0]


def test_contrast_by_hand():
    # Cosines: 1 within each pair, 0 between; windows next to each other are left out.
    windows = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    assert Likeness(windows).contrast(np.array([0, 1, 0, 1])) == 1.0
    # Of the pairs that are apart, 0-3 is within a group (cosine 0); 0-2 and 1-3 are between them (cosine 1).
    assert Likeness(windows).contrast(np.array([0, 1, 1, 0])) == -1.0
