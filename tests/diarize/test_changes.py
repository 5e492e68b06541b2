# SPDX-License-Identifier: Apache-2.0
"""Changes of speaker are not speakers."""

from __future__ import annotations

import numpy as np

from speechmill.diarize._changes import dissolve, steady

A, B, MIXED = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.5, 0.62]
JOINED = np.array([False] + [True] * 8)


def vectors(*rows) -> np.ndarray:
    found = np.array(rows, dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_window_between_unlike_neighbours_is_not_steady():
    found = steady(vectors(A, A, MIXED, B, B), JOINED[:5], 0.5)
    assert found.tolist() == [True, True, False, True, True]


def test_a_pause_between_two_speakers_leaves_all_windows_steady():
    joined = np.array([False, True, False, True])
    assert steady(vectors(A, A, B, B), joined, 0.5).all()


def test_few_windows_all_count():
    assert steady(vectors(A, B), JOINED[:2], 0.5).tolist() == [True, True]
    assert steady(vectors(A, B, B, A), JOINED[:4], 1.0).tolist() == [True, False, False, True]
    assert steady(vectors(A), JOINED[:1], 0.5).tolist() == [True]


def dissolved(labels, joined=JOINED) -> list[int]:
    rows = {0: A, 1: MIXED, 2: B}
    embeddings = vectors(*(rows[label] for label in labels))
    return dissolve(embeddings, np.full(len(labels), 0.8), np.array(labels), joined[: len(labels)], 0.4).tolist()


def test_who_is_heard_only_in_changes_is_dissolved():
    # 0.6 against 0.5: the mixture is nearer to the first.
    assert dissolved([0, 0, 1, 2, 2, 1, 0, 0]) == [0, 0, 0, 1, 1, 0, 0, 0]


def test_who_speaks_between_pauses_stays():
    joined = np.array([False, True, False, False, True, False, False, True])
    assert dissolved([0, 0, 1, 2, 2, 1, 0, 0], joined) == [0, 0, 1, 2, 2, 1, 0, 0]


def test_who_interrupts_one_speaker_stays():
    assert dissolved([0, 0, 1, 0, 0, 1, 0, 2, 2]) == [0, 0, 1, 0, 0, 1, 0, 2, 2]


def test_who_speaks_longer_than_a_change_stays():
    assert dissolved([0, 0, 1, 1, 1, 2, 2]) == [0, 0, 1, 1, 1, 2, 2]


def test_two_speakers_are_never_dissolved():
    assert dissolved([0, 2, 0, 2, 0, 2]) == [0, 1, 0, 1, 0, 1]
