# SPDX-License-Identifier: Apache-2.0
"""k-means on the sphere and smoothing in time, on vectors that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.diarize._clustering import Heard, centroids, fit, k_means, means_of, relabel, settle, smoothed


def heard(rows, seconds=None) -> Heard:
    embeddings = np.array(rows, dtype=np.float32)
    return Heard(
        embeddings,
        np.ones(len(embeddings)) if seconds is None else np.array(seconds, dtype=np.float64),
        np.array([False] + [True] * (len(embeddings) - 1)),
    )


def grouped(one: Heard, count: int) -> list[int]:
    return relabel(k_means(one, one.embeddings @ one.embeddings.T, count)).tolist()


def test_windows_gather_around_the_nearest_centroid():
    one = heard([[1, 0], [0.8, 0.6], [0, 1], [1, 0]])
    # Of the ways to make two groups of (1, 0), (0.8, 0.6), (0, 1), (1, 0) that leaves out (0, 1) fits best.
    assert grouped(one, 2) == [0, 0, 1, 0]
    assert grouped(one, 1) == [0, 0, 0, 0]


def test_as_many_groups_as_windows():
    assert grouped(heard([[1, 0], [1, 0], [0, 1]]), 3) == [0, 1, 2]
    assert grouped(heard([[1, 0], [1, 0], [0, 1]]), 7) == [0, 1, 2]


def test_equal_windows_and_zeros_are_grouped_too():
    assert len(grouped(heard([[1, 0]] * 5), 3)) == 5
    assert len(grouped(heard([[0, 0]] * 5), 3)) == 5


def test_a_centroid_is_the_weighted_mean_of_length_one():
    # 3 (1, 0) + 4 (0, 1) = (3, 4), of length 5.
    found = means_of(heard([[1, 0], [0, 1], [0, 1]], [3, 4, 9]), np.array([0, 0, 1]))
    assert found.tolist() == [pytest.approx([0.6, 0.8]), [0.0, 1.0]]


def test_a_group_without_windows_keeps_its_centroid():
    before = np.array([[1, 0], [0, 1]], dtype=np.float32)
    found = centroids(np.array([[0.6, 0.8]], np.float32), np.array([0]), np.ones(1), before)
    assert found.tolist() == [pytest.approx([0.6, 0.8]), [0.0, 1.0]]


def test_fit_is_seconds_times_cosine():
    one = heard([[1, 0], [0.6, 0.8]], [2, 5])
    assert fit(one, np.array([0, 0]), np.array([[1, 0]], np.float32)) == pytest.approx(2 * 1 + 5 * 0.6)


SCORES = np.array([[0.9, 0.5], [0.9, 0.5], [0.6, 0.7], [0.9, 0.5], [0.9, 0.5]], dtype=np.float32)


@pytest.mark.parametrize(
    ("joined", "cost", "expected"),
    [
        ([0, 1, 1, 1, 1], 0.0, [0, 0, 1, 0, 0]),
        ([0, 1, 1, 1, 1], 0.04, [0, 0, 1, 0, 0]),  # two changes cost 0.08 and win 0.1
        ([0, 1, 1, 1, 1], 0.06, [0, 0, 0, 0, 0]),  # they cost 0.12
        ([0, 1, 0, 0, 1], 0.06, [0, 0, 1, 0, 0]),  # between pauses they cost half
    ],
)
def test_a_change_of_speaker_must_win_what_it_costs(joined, cost, expected):
    assert smoothed(SCORES, np.array(joined, dtype=bool), cost).tolist() == expected


def test_smoothing_nothing_and_one_speaker():
    assert smoothed(np.zeros((0, 2), np.float32), np.zeros(0, bool), 1.0).tolist() == []
    assert smoothed(np.zeros((3, 1), np.float32), np.ones(3, bool), 1.0).tolist() == [0, 0, 0]


def test_settling_gives_a_stray_window_to_its_neighbours():
    one = heard([[1, 0], [1, 0], [0.7, 0.714], [1, 0], [0, 1], [0, 1], [0, 1]])
    assert settle(one, np.array([5, 5, 2, 5, 2, 2, 2]), 0.3).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_labels_are_numbered_by_first_appearance():
    assert relabel(np.array([7, 7, 2, 9, 2])).tolist() == [0, 0, 1, 2, 1]
