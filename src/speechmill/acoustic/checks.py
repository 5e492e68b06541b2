# SPDX-License-Identifier: Apache-2.0
"""What can't be right about an alignment, by name: words and phones too long, squeezed, left out, or doubtful.

A check looks at times and scores alone, so it does for every aligner. What it finds is a warning, "reason: detail";
REASONS says what each means. Nothing is put right here and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from speechmill.acoustic.types import Aligned
from speechmill.core.types import Interval, Word

REASONS = {
    "oov": "a word that the lexicon lacks: it has a time, but nobody knows how it is said",
    "word-too-long": "a word lasts longer than anybody says it: something else was taken for it",
    "phone-too-long": "a phone lasts longer than anybody says it, other than by hesitating",
    "squeezed": "phones in a row are as short as can be: they were fitted in, not heard",
    "unaligned-head": "somebody speaks before the first word",
    "unaligned-tail": "somebody speaks after the last word",
    "speech-outside-words": "somebody speaks between words, where the text has nothing",
    "low-confidence": "words, or all of the text, don't sound as they do elsewhere",
}


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """From where on an alignment is suspect."""

    max_word_s: float = 2.5  # the longest word of our test speech lasts 1.0 s
    max_phone_s: float = 0.8  # the longest of 3,434 phones that people timed lasts 0.50 s
    shortest_s: float = 0.02  # three states of 5 ms, and a frame; two in a thousand timed by people are as short
    min_run: int = 4  # phones in a row at their shortest; fast speech has two or three
    min_speech_s: float = 0.25  # outside of words: breaths and clicks are shorter, in 19 of 20 true texts
    min_score: float = 0.2  # of the whole: true texts that are new to a model have it nine times in ten
    min_word_score: float = 0.1  # of a word: nine in ten of those below it are wrong
    named: int = 5  # words that a warning names


LIMITS = Limits()


def warnings(aligned: Aligned, outside: Sequence[Interval] = (), limits: Limits = LIMITS) -> tuple[str, ...]:
    """Return what is suspect about an alignment, in the order of REASONS.

    outside: where somebody speaks and no word is. A word without phones is one that nobody knows how to say.
    """
    return (
        *_unknown(aligned),
        *_long(aligned, limits),
        *_squeezed(aligned, limits),
        *_outside(aligned, outside, limits),
        *_doubtful(aligned, limits),
    )


def _unknown(aligned: Aligned) -> Iterator[str]:
    for word, phones in zip(aligned.words, aligned.phones, strict=True):
        if not phones:
            yield f"oov: {word.symbol}"


def _long(aligned: Aligned, limits: Limits) -> Iterator[str]:
    for word in aligned.words:
        if word.duration > limits.max_word_s:
            yield f"word-too-long: {_place(word)} lasts {word.duration:.1f} s"
    for word, phones in zip(aligned.words, aligned.phones, strict=True):
        for phone in phones:
            if phone.duration > limits.max_phone_s:
                yield f"phone-too-long: {phone.symbol} of {_place(word)} lasts {phone.duration:.1f} s"


def _squeezed(aligned: Aligned, limits: Limits) -> Iterator[str]:
    run: list[tuple[Word, Word]] = []
    named = [(word, phone) for word, phones in zip(aligned.words, aligned.phones, strict=True) for phone in phones]
    for word, phone in named:
        if phone.duration <= limits.shortest_s + 1e-6:
            run.append((word, phone))
            continue
        yield from _run(run, limits)
        run = []
    yield from _run(run, limits)


def _run(run: Sequence[tuple[Word, Word]], limits: Limits) -> Iterator[str]:
    if len(run) >= limits.min_run:
        yield f"squeezed: {len(run)} phones from {_place(run[0][0])} on last {sum(p.duration for _, p in run):.2f} s"


def _outside(aligned: Aligned, outside: Sequence[Interval], limits: Limits) -> Iterator[str]:
    for stretch in outside:
        if stretch.duration < limits.min_speech_s or not aligned.words:
            continue
        detail = f"{stretch.duration:.2f} s of speech at {stretch.start:.2f} s"
        if stretch.end <= aligned.words[0].start + 1e-6:
            yield f"unaligned-head: {detail}, before the first word"
        elif stretch.start >= aligned.words[-1].end - 1e-6:
            yield f"unaligned-tail: {detail}, after the last word"
        else:
            before = [one for one, after in pairwise(aligned.words) if one.end <= stretch.start + 1e-6]
            yield f"speech-outside-words: {detail}, after {before[-1].symbol if before else '?'}"


def _doubtful(aligned: Aligned, limits: Limits) -> Iterator[str]:
    doubtful = [
        word
        for word, phones in zip(aligned.words, aligned.phones, strict=True)
        if phones and word.score is not None and word.score < limits.min_word_score
    ]
    if aligned.score < limits.min_score or doubtful:
        worst = sorted(doubtful, key=lambda word: (word.score, word.start))[: limits.named]
        names = f": {', '.join(map(_place, worst))}" if worst else ""
        yield (
            f"low-confidence: {aligned.score:.2f} for the whole, "
            f"{len(doubtful)} of {len(aligned.words)} words below {limits.min_word_score:g}{names}"
        )


def _place(word: Word) -> str:
    return f"{word.symbol} at {word.start:.2f} s"
