# SPDX-License-Identifier: Apache-2.0
"""How many speakers, and which window is whose.

Average linkage with a threshold proposes; one test then decides on every split and every merge: are
two groups further apart than a single voice cut in half would be? A threshold on distance alone fails
where all speakers share a channel (a telephone call): there everybody sounds alike, but consistently so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.diarize._clustering import Floats, Labels, average_linkage, centroids, cut, relabel

_ROUNDS = 10  # of moving windows to the nearest centroid; it settles in two or three


class Limits(Struct, frozen=True):
    """What makes a group of windows a speaker of its own."""

    distance: float  # average-linkage distance up to which windows are merged
    contrast: float  # least contrast of two speakers, however much they say
    contrast_windows: float  # ... and this, divided by the number of windows, as few windows differ by chance
    relative: float  # ... and this share of the contrast of all speakers found: some voices and channels spread wide
    min_speaker_s: float  # a speaker with less speech is merged into the nearest


def find_speakers(
    embeddings: Floats, seconds: NDArray[np.float64], limits: Limits, num_speakers: int | None = None
) -> Labels:
    """Label each window with its speaker, 0, 1, ... by first appearance.

    embeddings: (num_windows, dimension) unit vectors in the order of time. seconds: (num_windows,), the speech
    each window stands for. num_speakers: None where it is to be found; else as many, if there are as many windows.
    """
    total = len(embeddings)
    if total < 2:
        return np.zeros(total, dtype=np.int64)
    labels = cut(average_linkage(embeddings), total, lambda height, _: height <= limits.distance)
    labels = _absorb_small(embeddings, seconds, labels, limits.min_speaker_s)
    likeness = Likeness(embeddings)
    if num_speakers is None:
        labels = _split(embeddings, seconds, labels, likeness, limits)
        labels = _merge(labels, likeness, limits)
        labels = refine(embeddings, seconds, labels)
        labels = _absorb_small(embeddings, seconds, labels, limits.min_speaker_s)
    else:
        labels = _force(embeddings, seconds, labels, likeness, num_speakers, limits)
    return relabel(labels)


class Likeness:
    """Cosines of all pairs of windows but those next to each other in time, which share audio."""

    def __init__(self, embeddings: Floats) -> None:
        order = np.arange(len(embeddings))
        self._apart = (np.abs(order[:, None] - order) > 1).astype(np.float32)
        self._cosines = (embeddings @ embeddings.T) * self._apart

    def contrast(self, labels: Labels, members: Labels | None = None) -> float:
        """Mean cosine within groups less that between them; 0 where there is nothing to compare.

        members: rows to look at, with one label each; None: all.
        """
        cosines, apart = self._cosines, self._apart
        if members is not None:
            rows = np.ix_(members, members)
            cosines, apart = cosines[rows], apart[rows]
        sums, counts = _by_group(cosines, labels), _by_group(apart, labels)
        return _contrast(np.trace(sums), np.trace(counts), sums.sum(), counts.sum())

    def pairs(self, labels: Labels) -> NDArray[np.float64]:
        """Contrast of each two groups as if there were no other: (groups, groups), infinite on the diagonal."""
        sums, counts = _by_group(self._cosines, labels), _by_group(self._apart, labels)
        found = np.full(sums.shape, np.inf)
        for one, other in zip(*np.triu_indices(len(sums), 1), strict=True):
            both = np.ix_((one, other), (one, other))
            found[one, other] = found[other, one] = _contrast(
                np.trace(sums[both]), np.trace(counts[both]), sums[both].sum(), counts[both].sum()
            )
        return found


def _by_group(matrix: Floats, labels: Labels) -> NDArray[np.float64]:
    """Sum a matrix over the rows and columns of each two groups."""
    member = (labels[:, None] == np.arange(int(labels.max()) + 1)).astype(np.float32)
    return np.asarray(member.T @ matrix @ member, dtype=np.float64)


def _contrast(within: float, within_count: float, total: float, total_count: float) -> float:
    between_count = total_count - within_count
    if within_count == 0 or between_count == 0:
        return 0.0
    return float(within / within_count - (total - within) / between_count)


def _least(limits: Limits, windows: int | NDArray[np.int64], overall: float) -> Any:
    """The least contrast that makes two speakers of so many windows."""
    return np.maximum(max(limits.contrast, limits.relative * overall), limits.contrast_windows / windows)


def halves(embeddings: Floats, seconds: NDArray[np.float64]) -> Labels:
    """Split windows in two, 0 and 1: by the sign of the first principal component, then two-means on the sphere.

    Windows that can't be told apart are split in the middle.
    """
    centred = (embeddings - embeddings.mean(axis=0)).astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    labels = (centred @ directions[:, -1] > 0).astype(np.int64)
    if labels.all() or not labels.any():
        return (np.arange(len(embeddings)) >= len(embeddings) // 2).astype(np.int64)
    return refine(embeddings, seconds, labels)


def refine(embeddings: Floats, seconds: NDArray[np.float64], labels: Labels) -> Labels:
    """Move windows to the nearest centroid until none moves; no speaker is ever left without a window."""
    for _ in range(_ROUNDS):
        means = centroids(embeddings, labels, seconds)
        moved = np.argmax(embeddings @ means.T, axis=1).astype(np.int64)
        if len(np.unique(moved)) < len(means) or np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _absorb_small(embeddings: Floats, seconds: NDArray[np.float64], labels: Labels, least: float) -> Labels:
    """Merge the smallest speaker into the nearest until all have `least` seconds."""
    labels = relabel(labels)
    while True:
        mass = np.bincount(labels, seconds)
        if len(mass) == 1 or mass.min() >= least:
            return labels
        small = int(np.argmin(mass))
        means = centroids(embeddings, labels, seconds)
        nearness = means @ means[small]
        nearness[small] = -np.inf
        labels = relabel(np.where(labels == small, int(np.argmax(nearness)), labels))


def _split(
    embeddings: Floats, seconds: NDArray[np.float64], labels: Labels, likeness: Likeness, limits: Limits
) -> Labels:
    """Split each speaker in two, again and again, while the halves are distinct."""
    labels = labels.copy()
    waiting = list(range(int(labels.max()) + 1))
    while waiting:
        speaker = waiting.pop()
        members = np.flatnonzero(labels == speaker)
        half = halves(embeddings[members], seconds[members])
        smaller = np.bincount(half, seconds[members], minlength=2).min()
        least = _least(limits, len(members), likeness.contrast(labels))
        if smaller >= limits.min_speaker_s and likeness.contrast(half, members) >= least:
            new = int(labels.max()) + 1
            labels[members[half == 1]] = new
            waiting += [speaker, new]
    return labels


def _merge(labels: Labels, likeness: Likeness, limits: Limits) -> Labels:
    """Merge the two least distinct speakers while they are not distinct."""
    while labels.max() > 0:
        windows = np.bincount(labels)
        least = _least(limits, windows[:, None] + windows, likeness.contrast(labels))
        ratios = likeness.pairs(labels) / least
        if ratios.min() >= 1:
            break
        labels = _join(labels, ratios)
    return labels


def _join(labels: Labels, distance: NDArray[Any]) -> Labels:
    """Merge the two groups of the least distance."""
    one, other = sorted(int(index) for index in np.unravel_index(np.argmin(distance), distance.shape))
    return relabel(np.where(labels == other, one, labels))


def _force(
    embeddings: Floats,
    seconds: NDArray[np.float64],
    labels: Labels,
    likeness: Likeness,
    num_speakers: int,
    limits: Limits,
) -> Labels:
    """Merge the nearest speakers, or split the most divided one, until there are as many as asked for."""
    while labels.max() + 1 > num_speakers:
        means = centroids(embeddings, labels, seconds)
        distance = 1.0 - means @ means.T
        np.fill_diagonal(distance, np.inf)
        labels = _join(labels, distance)
    while labels.max() + 1 < min(num_speakers, len(embeddings)):
        labels = _split_most_divided(embeddings, seconds, labels, likeness, limits)
    return refine(embeddings, seconds, labels)


def _split_most_divided(
    embeddings: Floats, seconds: NDArray[np.float64], labels: Labels, likeness: Likeness, limits: Limits
) -> Labels:
    """Split the speaker whose halves differ most for their number of windows; there is one with two windows."""
    best, chosen = -np.inf, np.zeros(0, dtype=np.int64)
    for speaker in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == speaker)
        if len(members) < 2:
            continue
        half = halves(embeddings[members], seconds[members])
        ratio = likeness.contrast(half, members) / _least(limits, len(members), 0.0)
        if ratio > best:
            best, chosen = ratio, members[half == 1]
    labels = labels.copy()
    labels[chosen] = labels.max() + 1
    return labels
