# SPDX-License-Identifier: Apache-2.0
"""A segment's text as metrics count it: words as for scoring, characters as readers see them."""

from __future__ import annotations

from collections.abc import Sequence

from speechmill.core.errors import Unscorable
from speechmill.core.types import Transcript, Utterance, Word
from speechmill.measures.wer import tokens
from speechmill.quality import Cut
from speechmill.text.characters import graphemes, plain
from speechmill.words import choose

Scored = tuple[str, float | None]  # a word, and its recogniser's confidence where it has one


def words(text: str, language: str | None) -> list[str]:
    """Split text into words as they are said, in lower case; scripts without blanks by the segmenter that is there."""
    return tokens(text, language, numbers=True, split=choose(language).split)


def text_words(cut: Cut) -> list[str]:
    """Return the words of the segment's text. Raises Unscorable: "no-text", "no-words"."""
    if not (cut.segment.text or "").strip():
        raise Unscorable("no-text")
    found = words(cut.segment.text or "", cut.language)
    if not found:
        raise Unscorable("no-words", f"{cut.segment.text!r} has no letter and no digit"[:200])
    return found


def num_characters(text: str) -> int:
    """Count characters but blanks.

    >>> num_characters("ẹ́kọ́ ok")
    5
    """
    return sum(not one.isspace() for one in graphemes(plain(text)))


def own_words(cut: Cut) -> list[Scored]:
    """Return the text's words with their recogniser's confidences, where the text is the recogniser's."""
    timed = cut.segment.words
    if not timed or all(word.score is None for word in timed):
        return [(word, None) for word in text_words(cut)]
    written = text_words(cut)  # says why where there are none
    found = [(one, word.score) for word in timed for one in words(word.symbol, cut.language)]
    return found or [(word, None) for word in written]  # a sign may be a word only beside its number


def heard_words(transcript: Transcript, segment: Utterance, language: str | None) -> list[Scored]:
    """Return what a transcript has inside a segment's span: words whose middle lies there.

    Of an utterance whose words have no times, all words are inside where its own middle is.
    """
    start, end = segment.start or 0.0, (segment.start or 0.0) + (segment.duration or 0.0)
    found: list[Scored] = []
    for utterance in transcript.utterances:
        if utterance.channel != segment.channel or _is_beside(utterance, start, end):
            continue
        spans: Sequence[Word] = utterance.words or _as_word(utterance, start, end)
        inside = (word for word in spans if start <= word.start + word.duration / 2 < end)
        found += [(one, word.score) for word in inside for one in words(word.symbol, language)]
    return found


def _is_beside(utterance: Utterance, start: float, end: float) -> bool:
    """Tell whether an utterance, and so every word of it, ends before a stretch or starts after it."""
    if utterance.start is None or utterance.duration is None:
        return False
    return utterance.start > end or utterance.start + utterance.duration < start


def _as_word(utterance: Utterance, start: float, end: float) -> tuple[Word, ...]:
    """A whole utterance as one symbol; without times it is said everywhere."""
    if utterance.start is None or utterance.duration is None:
        return (Word(utterance.text or "", start, end - start),)
    return (Word(utterance.text or "", utterance.start, utterance.duration),)
