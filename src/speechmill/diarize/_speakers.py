# SPDX-License-Identifier: Apache-2.0
"""How many speakers, and which window is whose.

Windows are grouped around 1, 2, 3, ... centroids. A further speaker must explain more than chance would: with
r(k) the mean distance of the windows to their k centroids and T the seconds of speech, the k with the
largest -T log r(k) - k * speaker_cost is taken (the form of the Bayesian information criterion of a Gaussian of
unknown variance; Schwarz, Annals of Statistics 1978). T grows no further than `evidence_s`: any one voice can be
halved so that both halves differ a little, and in a long recording that little would be certain. Every two speakers
must also differ by a least contrast.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.diarize._clustering import Flags, Floats, Heard, Labels, fit, k_means, means_of, settle

_PATIENCE = 2  # counts tried after the best one
_CLOSEST = 1e-6  # distance of windows that are all the same
_ROUNDING = 1e-6  # of sums of seconds


class Limits(Struct, frozen=True):
    """What makes a group of windows a speaker of its own."""

    speaker_cost: float  # seconds times the logarithm of the mean distance that one more speaker must save
    evidence_s: float  # seconds of speech that count, at most
    contrast: float  # least contrast of two speakers
    min_speaker_s: float  # a speaker has at least this much speech
    change_cost: float  # of a change of speaker from one window to the next, in cosines
    max_speakers: int  # tried


def find_speakers(heard: Heard, apart: Flags, limits: Limits, num_speakers: int | None = None) -> Labels:
    """Label each window with its speaker, 0, 1, ... by first appearance.

    apart: (num_windows, num_windows), pairs that share no audio. num_speakers: None where it is to be found; else
    as many, if there is min_speaker_s of speech for each.
    """
    room = min(len(heard), int(heard.seconds.sum() / limits.min_speaker_s + _ROUNDING))
    if room < 2 or num_speakers == 1:
        return np.zeros(len(heard), dtype=np.int64)
    cosines = heard.embeddings @ heard.embeddings.T
    if num_speakers is not None:
        return _as_many(heard, cosines, min(num_speakers, room), limits)
    one = np.zeros(len(heard), dtype=np.int64)
    best, labels, waited = _worth(heard, one, limits), one, 0
    for count in range(2, min(limits.max_speakers, room) + 1):
        found = settle(heard, k_means(heard, cosines, count), limits.change_cost)
        worth = _worth(heard, found, limits) if _holds(heard, cosines, apart, found, count, limits) else -np.inf
        best, labels, waited = (worth, found, 0) if worth > best else (best, labels, waited + 1)
        if waited > _PATIENCE:
            break
    return labels


def _as_many(heard: Heard, cosines: Floats, num_speakers: int, limits: Limits) -> Labels:
    """Group around so many centroids; smooth in time unless that loses one."""
    labels = k_means(heard, cosines, num_speakers)
    settled = settle(heard, labels, limits.change_cost)
    return settled if settled.max() + 1 == num_speakers else _without_holes(labels, num_speakers)


def _without_holes(labels: Labels, wanted: int) -> Labels:
    """Number labels by first appearance; a label that no window has gets one of the largest group's."""
    labels = labels.copy()
    for missing in np.setdiff1d(np.arange(wanted), labels):
        sizes = np.bincount(labels)
        labels[np.flatnonzero(labels == sizes.argmax())[-1]] = missing
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def _worth(heard: Heard, labels: Labels, limits: Limits) -> float:
    total = float(heard.seconds.sum())
    distance = 1.0 - fit(heard, labels, means_of(heard, labels)) / total
    evidence_s = min(total, limits.evidence_s)
    return -evidence_s * float(np.log(max(distance, _CLOSEST))) - (int(labels.max()) + 1) * limits.speaker_cost


def _holds(heard: Heard, cosines: Floats, apart: Flags, labels: Labels, count: int, limits: Limits) -> bool:
    """Tell whether all speakers are left after smoothing, say enough, and differ from each other."""
    if labels.max() + 1 < count or np.bincount(labels, heard.seconds).min() < limits.min_speaker_s:
        return False
    return bool(contrasts(cosines, apart, labels).min() >= limits.contrast)


def contrasts(cosines: Floats, apart: Flags, labels: Labels) -> NDArray[np.float64]:
    """Mean cosine within two groups less that between them, for each two: infinite on the diagonal.

    Only pairs of windows that are `apart` count; 0 where there is nothing to compare.
    """
    member = (labels[:, None] == np.arange(int(labels.max()) + 1)).astype(np.float32)
    sums = (member.T @ np.where(apart, cosines, np.float32(0)) @ member).astype(np.float64)
    counts = (member.T @ apart.astype(np.float32) @ member).astype(np.float64)
    within = np.add.outer(np.diag(sums), np.diag(sums))
    within_counts = np.add.outer(np.diag(counts), np.diag(counts))
    known = (within_counts > 0) & (counts > 0)
    found = np.where(known, within / np.maximum(within_counts, 1) - sums / np.maximum(counts, 1), 0.0)
    np.fill_diagonal(found, np.inf)
    return found
