# SPDX-License-Identifier: Apache-2.0
"""Reasons for a drop that are no rules of a filter: what they are called, and what they mean."""

from __future__ import annotations

from speechmill.core.types import SPLITS
from speechmill.pipeline.expressions import Coded, Floats

_WORDS = {
    "taken-down": "may not be used any more",
    "duplicate-audio": "sounds like another recording, which is kept",
    "duplicate-text": "says what another segment says, which is kept",
    "leak-text": "says nearly what a segment of dev or test says",
    "between-splits": "its recording has speakers, a channel or sound of two splits",
}


def meaning(rule: str) -> str | None:
    """Say in words what a drop means; None for a rule of a filter, which says it itself.

    >>> meaning("taken-down"), meaning("snr_db >= 10")
    ('may not be used any more', None)
    """
    return _WORDS.get(rule)


def labelled(rule: str) -> str:
    """Return a rule, and what it means where it doesn't say so.

    >>> labelled("leak-text")
    'leak-text (says nearly what a segment of dev or test says)'
    """
    words = meaning(rule)
    return f"{rule} ({words})" if words else rule


def split_hours(seconds: Floats, split: Coded) -> dict[str, float]:
    """Return the hours of each split that has any: train, dev, test. seconds: (num_segments,); -1: of no split."""
    found = {name: float(seconds[split.codes == code].sum()) / 3600 for code, name in enumerate(split.values)}
    return {name: found[name] for name in SPLITS if name in found}
