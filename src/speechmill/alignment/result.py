# SPDX-License-Identifier: Apache-2.0
"""What came of each utterance: words and phones on the file's timeline, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from speechmill.acoustic.long import LongAligned
from speechmill.acoustic.types import Aligned
from speechmill.alignment.corpus import Recording, Utterance
from speechmill.core.timebase import shift, tick
from speechmill.core.types import Word
from speechmill.text.spoken import Spoken, fold


class TimedWord(Struct, frozen=True):
    """A word as the text has it, when it is said, how sure that is (0..1), and its phones."""

    symbol: str
    start: float
    duration: float
    score: float | None
    phones: tuple[Word, ...] = ()

    @property
    def end(self) -> float:
        return self.start + self.duration

    @property
    def word(self) -> Word:
        return Word(self.symbol, self.start, self.duration, self.score)


class Outcome(Struct, frozen=True):
    """What came of one utterance. It has a reason, or words and a score."""

    utterance: Utterance
    channel: int | None = None  # where it was heard; None: the mean of all channels
    words: tuple[TimedWord, ...] = ()
    score: float | None = None
    warnings: tuple[str, ...] = ()  # "reason: detail"
    not_spoken: tuple[int, ...] = ()  # tokens of the text that aren't heard: looked for in long audio only
    reason: str = ""  # why there are no words
    detail: str = ""

    @property
    def phones(self) -> tuple[Word, ...]:
        return tuple(phone for word in self.words for phone in word.phones)


class AlignedRecording(Struct, frozen=True):
    """A file's outcomes, in the order of its utterances. `duration`: of what could be decoded."""

    recording: Recording
    duration: float
    outcomes: tuple[Outcome, ...]


def outcome(utterance: Utterance, said: Spoken, found: Aligned, duration: float, channel: int | None) -> Outcome:
    """Bring what was found in an utterance's audio of so many seconds onto its tokens and the file's timeline."""
    phones, begin = [], 0
    for ways, way in zip(said.ways, found.chosen, strict=True):
        count = len(ways[way]) if ways else 0
        phones.append([phone for own in found.phones[begin : begin + count] for phone in own])
        begin += count
    timed = _timed(fold(said, found.words, duration, found.chosen), phones, utterance.start)
    return Outcome(utterance, channel, timed, tick(found.score), (*utterance.warnings, *found.warnings))


def long_outcome(utterance: Utterance, said: Spoken, found: LongAligned, channel: int | None) -> Outcome:
    """Bring what was found in long audio onto the tokens that are spoken there, and name the others."""
    heard = [i for i, words in enumerate(found.words) if words is not None]
    words = [found.words[i] or () for i in heard]
    ways = tuple((said.ways[i][found.chosen[i]],) if own else () for i, own in zip(heard, words, strict=True))
    part = Spoken(said.text, tuple(said.tokens[i] for i in heard), ways)
    folded = fold(part, [word for own in words for word in own], utterance.duration)
    timed = _timed(folded, [[phone for own in found.phones[i] for phone in own] for i in heard], utterance.start)
    absent = tuple(i for i, own in enumerate(found.words) if own is None)
    warnings = (*utterance.warnings, *found.warnings)
    if not any(words):
        return failed(utterance, "not-spoken", f"none of {len(absent)} words is heard in the audio")
    return Outcome(utterance, channel, timed, tick(found.score), warnings, absent)


def _timed(words: Sequence[Word], phones: Sequence[Sequence[Word]], offset: float) -> tuple[TimedWord, ...]:
    """Move words and their phones to the file's timeline."""
    moved = (shift(word, offset) for word in words)
    return tuple(
        TimedWord(word.symbol, word.start, word.duration, word.score, tuple(shift(phone, offset) for phone in own))
        for word, own in zip(moved, phones, strict=True)
    )


def failed(utterance: Utterance, reason: str, detail: str) -> Outcome:
    """Return the outcome of an utterance that could not be aligned."""
    return Outcome(utterance, reason=reason, detail=detail, warnings=utterance.warnings)


def all_failed(recording: Recording, reason: str, detail: str) -> AlignedRecording:
    """Return the outcomes of a file of which nothing could be aligned."""
    outcomes = tuple(failed(utterance, reason, detail) for utterance in recording.utterances)
    return AlignedRecording(recording, recording.duration, outcomes)


def least_certain(outcomes: Sequence[Outcome], count: int) -> list[tuple[TimedWord, Outcome]]:
    """Return the words with the lowest scores, and what they are of; those of the same score in order of time."""
    scored = [(word, one) for one in outcomes for word in one.words if word.score is not None]
    return sorted(scored, key=lambda pair: (pair[0].score, pair[1].utterance.key, pair[0].start))[:count]


def without_words(one: Outcome) -> Outcome:
    """Return an outcome of which only the summary is kept."""
    return structs.replace(one, words=())
