# SPDX-License-Identifier: Apache-2.0
"""What of a text gives away that nobody said it: repetition, phrases known for it. Pure functions of words."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from speechmill.quality import _tables
from speechmill.quality._text import words

TABLE = "phrases.toml"  # phrases known to be made up, by language
_LONGEST = 4  # words in an n-gram: a longer loop repeats these too
_GAP = r"(?:\S+ ){0,3}\S+"  # what * stands for


def unique_share(said: Sequence[str]) -> float:
    """Return different words over words, 0..1."""
    return len(set(said)) / len(said)


def repeated_share(said: Sequence[str]) -> float:
    """Return the share of words that repeat, back to back, the n-gram just before them; n from 1 to 4.

    >>> repeated_share("so so so it goes on and on and on".split())
    0.5
    """
    repeats = [False] * len(said)
    for size in range(1, _LONGEST + 1):
        for start in range(size, len(said) - size + 1):
            if said[start - size : start] == said[start : start + size]:
                repeats[start : start + size] = [True] * size
    return sum(repeats) / len(said)


def known_share(said: Sequence[str], language: str | None) -> float:
    """Return the share of words that belong to a phrase known to be made up; 0 for languages without a list."""
    pattern = _known((language or "").lower().split("-")[0])
    if pattern is None:
        return 0.0
    text = " ".join(said)
    return sum(len(match[0].split()) for match in pattern.finditer(text)) / len(said)


def speech_share(speech_s: float, duration: float) -> float:
    """Return the share of a segment in which the VAD hears speech, 0..1."""
    return min(1.0, speech_s / duration) if duration > 0 else 0.0


@functools.cache
def _known(language: str) -> re.Pattern[str] | None:
    phrases: list[str] | None = _tables.read(TABLE).get(language)
    if not phrases:
        return None
    spoken = [_expression(phrase, language) for phrase in sorted(phrases, key=len, reverse=True)]
    return re.compile(rf"(?<!\S)(?:{'|'.join(spoken)})(?!\S)")


def _expression(phrase: str, language: str) -> str:
    parts = [" ".join(words(part, language)) for part in phrase.split("*")]
    return f" {_GAP} ".join(re.escape(part) for part in parts if part) + (f" {_GAP}" if phrase.endswith("*") else "")
