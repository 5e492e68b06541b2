# SPDX-License-Identifier: Apache-2.0
"""Strata: kinds of segments that a sample is drawn from one by one, so that each is in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import ConfigError
from speechmill.pipeline.segment_columns import SegmentColumns

FIFTHS = 5  # of numbers: enough to see where quality falls off, few enough that each has segments to judge
OTHERS = "(others)"
UNKNOWN = "(unknown)"
_CODED = ("speaker", "language", "split")

Rows = NDArray[np.int64]


class Stratum(Struct, frozen=True):
    """Rows of the table that are alike."""

    name: str  # a speaker's is the name alone: what it is equal to, `speechmill purge` finds
    rows: Rows


def stratify(columns: SegmentColumns, rows: Rows, by: str, most: int) -> list[Stratum]:
    """Part rows into strata, at most `most` of them.

    by: `speaker`, `language` or `split`, each value a stratum, the rarest together where there are too many;
    `duration`, `score` (how sure the aligner is of the words, or the first score where it isn't) or the name of any
    number that filter rules know: fifths of the rows in its order. Raises ConfigError for another name.
    """
    if not len(rows):
        return []
    if by in _CODED:
        return _by_value(columns, rows, by, most)
    return _by_number(columns, rows, _number(columns, by), most)


def _number(columns: SegmentColumns, by: str) -> str:
    if by != "score":
        return by
    sure = columns.numbers("mean_word_score")
    if not np.isnan(sure).all():
        return "mean_word_score"
    if not columns.scores:
        raise ConfigError("--stratify score: this dataset has no scores; there are duration, speaker and language")
    return columns.scores[0]


def _by_value(columns: SegmentColumns, rows: Rows, by: str, most: int) -> list[Stratum]:
    coded = columns.coded(by)
    codes = coded.codes[rows]
    values, counts = np.unique(codes, return_counts=True)
    names = {int(code): coded.values[code] if code >= 0 else UNKNOWN for code in values}
    common = sorted(values.tolist(), key=lambda code: (-int(counts[values == code][0]), names[code]))
    alone = common if len(common) <= most else common[: max(0, most - 1)]
    found = [Stratum(names[code], rows[codes == code]) for code in alone]
    rest = rows[~np.isin(codes, alone)]
    return [*found, Stratum(OTHERS, rest)] if len(rest) else found


def _by_number(columns: SegmentColumns, rows: Rows, name: str, most: int) -> list[Stratum]:
    try:
        values = columns.numbers(name)[rows]
    except KeyError:
        known = ", ".join(("score", "duration", "speaker", "language", "split", *columns.scores))
        raise ConfigError(f"--stratify {name}: there is no such column; there are {known}") from None
    known_rows = ~np.isnan(values)
    missing = rows[~known_rows]
    fifths = min(FIFTHS, max(1, most - bool(len(missing))))
    edges = np.quantile(values[known_rows], np.arange(1, fifths) / fifths) if known_rows.any() else np.zeros(0)
    edges = np.unique(edges)
    part = np.searchsorted(edges, values[known_rows], side="right")
    of_part = [
        (rows[known_rows][part == number], values[known_rows][part == number]) for number in range(len(edges) + 1)
    ]
    found = [Stratum(_between(name, inside), these) for these, inside in of_part if len(these)]
    return [*found, Stratum(f"{name} {UNKNOWN}", missing)] if len(missing) else found


def _between(name: str, values: Sequence[float] | NDArray[np.float64]) -> str:
    return f"{name} {min(values):.4g} to {max(values):.4g}"
