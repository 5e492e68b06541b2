# SPDX-License-Identifier: Apache-2.0
"""Flat start: where phones are before anything is known of them.

What has little energy is silence, at the ends and in long pauses; the rest is divided evenly among the phones. That
silence starts from silent frames, and not from an even share of all, is what lets words end where they do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechmill.acoustic.features import Matrix
from speechmill.acoustic.graph import SILENCE, Graph
from speechmill.acoustic.trees import Lookup

_THRESHOLD = 0.3  # of the way from the quietest to the loudest tenth
_PAUSE_S = 0.2  # a shorter gap may be a stop consonant
_SMOOTH_S = 0.025


def energetic(features: Matrix, hop_s: float) -> NDArray[np.bool_]:
    """Tell which frames are loud, from the first cepstrum: short gaps count as loud, ends and pauses don't."""
    width = max(1, round(_SMOOTH_S / hop_s))
    padded = np.pad(features[:, 0], (width // 2, width - 1 - width // 2), "edge")
    level = np.convolve(padded, np.full(width, 1 / width), "valid")
    low, high = np.quantile(level, [0.1, 0.9])
    loud: NDArray[np.bool_] = level > low + _THRESHOLD * (high - low)
    if not loud.any():
        return np.ones(len(features), np.bool_)
    places = np.flatnonzero(loud)
    gaps = np.flatnonzero(np.diff(places) <= _PAUSE_S / hop_s)
    for gap in gaps:
        loud[places[gap] : places[gap + 1]] = True
    return loud


def flat(features: Matrix, hop_s: float, sequence: Sequence[int], silence: Sequence[int]) -> NDArray[np.int32]:
    """Return a model's state for each frame: `sequence` evenly over what is loud, `silence` over each other stretch."""
    loud = energetic(features, hop_s)
    if loud.sum() < len(sequence):
        loud[:] = True
    states = np.empty(len(features), np.int32)
    states[loud] = spread(sequence, int(loud.sum()))
    for start, end in _stretches(~loud):
        states[start:end] = spread(silence, end - start)
    return states


def spread(sequence: Sequence[int], num_frames: int) -> NDArray[np.int32]:
    """Return `sequence` stretched evenly over frames."""
    return np.asarray(sequence, np.int32)[np.arange(num_frames) * len(sequence) // max(1, num_frames)]


def _stretches(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def first_choice(graph: Graph, lookup: Lookup) -> list[int]:
    """Return the states of each token's first way in its first pronunciations, without pauses."""
    units = [unit for unit in graph.units if unit.way == 0 and unit.variant == 0]
    return [state for unit in units for state in lookup(unit.phone, SILENCE, SILENCE)]
