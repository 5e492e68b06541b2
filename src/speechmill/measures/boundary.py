# SPDX-License-Identifier: Apache-2.0
"""Boundary error of words or phones against hand-made or synthesised truth.

Symbols are paired by sequence alignment, and only equal ones are compared, as in the evaluation
of the Montreal Forced Aligner (McAuliffe et al., Interspeech 2017). What was not matched is counted, not hidden:
a small error over few matches says little.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.types import Word
from speechmill.measures.wer import align_tokens

Offsets = NDArray[np.float64]


class Boundary(Struct, frozen=True):
    """Absolute errors of the starts and ends of matched symbols; None where nothing matched.

    within_*: share of all compared boundaries (starts and ends) off by at most that many ms, 0..1.
    """

    matched: int
    reference: int
    hypothesis: int
    start_mean_ms: float | None = None
    start_median_ms: float | None = None
    end_mean_ms: float | None = None
    end_median_ms: float | None = None
    within_10_ms: float | None = None
    within_25_ms: float | None = None
    within_50_ms: float | None = None


def boundary(reference: Sequence[Word], hypothesis: Sequence[Word]) -> Boundary:
    """Compare the symbols of one recording or utterance with the truth."""
    return pooled([(reference, hypothesis)])


def pooled(pairs: Iterable[tuple[Sequence[Word], Sequence[Word]]]) -> Boundary:
    """Compare many (reference, hypothesis) pairs; each boundary weighs the same."""
    pairs = list(pairs)
    num_reference = sum(len(reference) for reference, _ in pairs)
    num_hypothesis = sum(len(hypothesis) for _, hypothesis in pairs)
    offsets = np.concatenate([np.empty((0, 2)), *(boundary_offsets(*pair) for pair in pairs)])
    if not len(offsets):
        return Boundary(0, num_reference, num_hypothesis)
    # Times keep 0.1 ms; rounding keeps 10.000000001 ms from missing "at most 10 ms".
    errors = np.round(np.abs(offsets), 3)
    means, medians = errors.mean(axis=0), np.median(errors, axis=0)
    return Boundary(
        matched=len(offsets),
        reference=num_reference,
        hypothesis=num_hypothesis,
        start_mean_ms=float(means[0]),
        start_median_ms=float(medians[0]),
        end_mean_ms=float(means[1]),
        end_median_ms=float(medians[1]),
        within_10_ms=float(np.mean(errors <= 10)),
        within_25_ms=float(np.mean(errors <= 25)),
        within_50_ms=float(np.mean(errors <= 50)),
    )


def boundary_offsets(reference: Sequence[Word], hypothesis: Sequence[Word]) -> Offsets:
    """Return (num_matched, 2) signed errors in ms of starts and ends; positive is late."""
    pairs = align_tokens([word.symbol for word in reference], [word.symbol for word in hypothesis])
    rows = [
        (found.start - true.start, found.end - true.end)
        for true, found in ((reference[i], hypothesis[j]) for i, j in pairs if i is not None and j is not None)
        if true.symbol == found.symbol
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2) * 1000.0
