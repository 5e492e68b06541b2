# SPDX-License-Identifier: Apache-2.0
"""Which columns that stages write lie behind the names that rules use."""

from __future__ import annotations

from collections.abc import Iterable

from speechmill.core.columns import SCORES
from speechmill.pipeline.expressions import NAMES

_OF_WORDS = ("num_words", "has_words", "min_word_score", "mean_word_score")


def columns_of(names: Iterable[str]) -> list[str]:
    """Return the columns behind names.

    >>> columns_of(["duration", "num_words", "snr_db"])
    ['segments', 'segments.words', 'segments.scores.snr_db']
    """
    found = []
    for name in names:
        if name in _OF_WORDS:
            found.append("segments.words")
        else:
            found.append("segments" if name in NAMES else SCORES + name)
    return list(dict.fromkeys(found))
