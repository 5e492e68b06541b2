# SPDX-License-Identifier: Apache-2.0
"""Average linkage and its clean-up, against definitions and small figures."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.diarize._clustering import average_linkage, centroids, cut, relabel


def unit(degrees) -> np.ndarray:
    """Unit vectors in the plane: the cosine of two is that of the angle between them."""
    angles = np.deg2rad(np.asarray(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_nearest_merge_first_and_clusters_at_their_mean_distance():
    # 0 and 60 degrees: 1 - cos 60 = 0.5. Then 180: (1 - cos 180 + 1 - cos 120) / 2 = 1.75.
    assert [round(distance, 5) for *_, distance in average_linkage(unit([0, 60, 180]))] == [0.5, 1.75]


def test_a_cut_keeps_groups_apart():
    merges = average_linkage(unit([0, 90, 5, 95, 180]))
    assert cut(merges, 5, lambda distance, _: distance < 0.1).tolist() == [0, 1, 0, 1, 2]
    assert cut(merges, 5, lambda _, clusters: clusters > 2).tolist() in ([0, 1, 0, 1, 1], [0, 0, 0, 0, 1])
    assert cut(merges, 5, lambda *_: True).tolist() == [0] * 5


def _by_definition(vectors: np.ndarray) -> list[float]:
    """Average linkage without short cuts: try all pairs of clusters, each time."""
    distance = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    clusters, heights = [[index] for index in range(len(vectors))], []
    while len(clusters) > 1:
        height, one, other = min(
            (distance[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(clusters)
            for j, b in enumerate(clusters)
            if i < j
        )
        heights.append(height)
        clusters[one] = clusters[one] + clusters.pop(other)
    return heights


@pytest.mark.parametrize("seed", range(8))
def test_the_chain_merges_as_the_definition_does(seed):
    vectors = np.abs(np.random.default_rng(seed).normal(size=(25, 6)))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    assert [height for *_, height in average_linkage(vectors)] == pytest.approx(_by_definition(vectors), abs=1e-9)


def test_equal_vectors_all_merge():
    merges = average_linkage(unit([10] * 6))
    assert len(merges) == 5
    assert cut(merges, 6, lambda distance, _: distance < 1e-6).tolist() == [0] * 6


def test_one_vector_has_nothing_to_merge_with():
    assert average_linkage(unit([10])) == []


def test_labels_count_up_from_the_first():
    assert relabel(np.array([7, 3, 7, 9, 3])).tolist() == [0, 1, 0, 2, 1]


def test_a_centroid_is_weighted_and_of_length_one():
    means = centroids(unit([0, 90, 90]), np.array([0, 0, 1]), np.array([1.0, 1.0, 5.0]))
    assert np.abs(means - np.array([[0.5**0.5, 0.5**0.5], [0.0, 1.0]])).max() < 1e-6
