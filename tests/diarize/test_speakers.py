# SPDX-License-Identifier: Apache-2.0
"""How many speakers, on made-up voices whose cosines are known."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.diarize._clustering import Heard
from speechmill.diarize._speakers import Limits, contrasts, find_speakers

LIMITS = Limits(
    speaker_cost=3.0,
    evidence_s=40.0,
    contrast=0.045,
    min_speaker_s=1.0,
    change_cost=0.05,
    max_speakers=10,
)


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


def labelled(windows, num_speakers=None) -> list[int]:
    joined = np.array([False] + [True] * (len(windows) - 1))[: len(windows)]
    order = np.arange(len(windows))
    apart = np.abs(order[:, None] - order) > 1
    heard = Heard(windows, np.full(len(windows), 0.8), joined)
    return find_speakers(heard, apart, LIMITS, num_speakers).tolist()


def found(order, *, num_speakers=None, **options) -> str:
    return grouping(labelled(voices(order, **options), num_speakers))


@pytest.mark.parametrize("order", ["a" * 30, "aaaaabbbbb" * 3, "aaabbbccc" * 4, "aabbccddee" * 4])
def test_distinct_voices_are_counted(order):
    assert found(order) == order


def test_voices_that_share_a_channel_are_told_apart():
    # As over a telephone: everybody is within the merging distance of everybody.
    order = "aaaabbbb" * 5
    assert found(order, between=0.67, within=0.77) == order


@pytest.mark.parametrize("windows", [2, 3, 6, 10, 20, 60, 400])
def test_one_voice_is_not_split(windows):
    for seed in range(5):
        assert found("a" * windows, seed=seed) == "a" * windows


def test_a_voice_of_less_than_a_second_joins_the_nearest():
    assert found("aaaaab" + "a" * 20, between=0.2) == "a" * 26


@pytest.mark.parametrize("num_speakers", [1, 2, 3, 4])
def test_as_many_as_asked_for(num_speakers):
    labels = found("aaaabbbb" * 4, num_speakers=num_speakers)
    assert len(set(labels)) == num_speakers
    if num_speakers == 2:
        assert labels == "aaaabbbb" * 4


def test_each_speaker_has_a_second_of_speech():
    assert len(set(found("a" * 3, num_speakers=5))) == 2  # 2.4 s
    assert found("a", num_speakers=5) == "a"


def test_equal_windows_are_one_speaker_or_as_many_as_asked_for():
    windows = np.repeat(voices("a"), 8, axis=0)
    assert labelled(windows) == [0] * 8
    assert len(set(labelled(windows, 3))) == 3


def test_silent_windows_of_zeros_do_not_break_anything():
    windows = np.zeros((6, 256), np.float32)
    assert labelled(windows) == [0] * 6
    assert len(set(labelled(windows, 2))) == 2


def test_none_and_one():
    assert labelled(np.zeros((0, 256), np.float32)) == []
    assert labelled(voices("a"), 2) == [0]


def test_contrast_by_hand():
    # Cosines: 1 within each pair, 0 between; windows next to each other are left out.
    windows = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    cosines = windows @ windows.T
    apart = np.abs(np.subtract.outer(range(4), range(4))) > 1
    assert contrasts(cosines, apart, np.array([0, 1, 0, 1]))[0, 1] == 1.0
    # Of the pairs that are apart, 0-3 is within a group (cosine 0); 0-2 and 1-3 are between them (cosine 1).
    assert contrasts(cosines, apart, np.array([0, 1, 1, 0]))[0, 1] == -1.0
    # Nothing of one group is apart from anything of the other.
    assert contrasts(cosines[:2, :2], apart[:2, :2], np.array([0, 1]))[0, 1] == 0.0
