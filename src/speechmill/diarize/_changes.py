# SPDX-License-Identifier: Apache-2.0
"""Windows in which the speaker changes: they sound like somebody else, who isn't there.

They are kept out of the clustering where they can be told, and a speaker who is heard in nothing
but changes between two others is dissolved.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from speechmill.diarize._clustering import Floats, Labels, centroids, relabel

Flags = NDArray[np.bool_]

_LONGEST_CHANGE = 2  # windows: at a hop of half a window no more than two have a share of both speakers


def steady(embeddings: Floats, joined: Flags, change_cosine: float) -> Flags:
    """Tell which windows hear one speaker: not those whose neighbours are unlike each other.

    joined: (num_windows,), whether a window shares audio with the one before it; its neighbours on either side
    share none. Without at least two steady windows, all count.
    """
    found = np.ones(len(embeddings), dtype=bool)
    if len(embeddings) > 2:
        across = np.einsum("ij,ij->i", embeddings[:-2], embeddings[2:])
        found[1:-1] = ~(joined[1:-1] & joined[2:]) | (across >= change_cosine)
    return found if found.sum() > 1 else np.ones_like(found)


def dissolve(embeddings: Floats, seconds: NDArray[np.float64], labels: Labels, joined: Flags, share: float) -> Labels:
    """Give the windows of speakers who are but changes to the nearest of the others.

    share: of a speaker's time in changes between two others, from which on there is no such speaker.
    """
    labels = relabel(labels)
    while labels.max() >= 2:
        in_changes = np.bincount(labels, seconds * _is_change(labels, joined)) / np.bincount(labels, seconds)
        phantom = int(np.argmax(in_changes))
        if in_changes[phantom] < share:
            break
        nearness = embeddings @ centroids(embeddings, labels, seconds).T
        nearness[:, phantom] = -np.inf
        labels = relabel(np.where(labels == phantom, np.argmax(nearness, axis=1), labels))
    return labels


def _is_change(labels: Labels, joined: Flags) -> Flags:
    """Mark runs of one or two windows, without a pause before or after, between two other speakers."""
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1) | ~np.append(joined, False))
    marked = np.zeros(len(labels), dtype=bool)
    for start, end in itertools.pairwise(edges[1:-1]):
        short = end - start <= _LONGEST_CHANGE
        marked[start:end] = short and joined[start] and joined[end] and labels[start - 1] != labels[end]
    return marked
