# SPDX-License-Identifier: Apache-2.0
"""What goes into training and alignment, and what comes out."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from speechmill.core.stage import Samples
from speechmill.core.types import Word

Way = tuple[str, ...]  # words, as the lexicon spells them
Ways = tuple[tuple[Way, ...], ...]  # for each token of a text the ways it may be said; none: nobody knows how


class Example(Struct, frozen=True):
    """One utterance to train on: where its samples come from and what is said in it."""

    key: str  # names it in messages and orders it: training doesn't depend on the order examples come in
    duration: float  # seconds
    read: Callable[[], Samples]  # 16 kHz, mono; called anew in each pass that needs it, from any thread
    ways: Ways
    speaker: str = ""  # features are normalised, and models adapted, per speaker; "": nobody knows who


class Aligned(Struct, frozen=True):
    """When the words and phones of an utterance are said, in seconds from its start.

    A word's score, 0..1, says how sure it is that the word is said there; the utterance's score is that of all of it.
    """

    words: tuple[Word, ...]  # those of the chosen ways, in order; a word the lexicon lacks is there, with the score 0
    phones: tuple[tuple[Word, ...], ...]  # those of each word, in order, without silence; none where it is not known
    chosen: tuple[int, ...]  # index of the way each token was said; 0 where it has none
    score: float  # 0..1
    warnings: tuple[str, ...] = ()  # "reason: detail", the reason one of `acoustic.checks`
