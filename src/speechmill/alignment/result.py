# SPDX-License-Identifier: Apache-2.0
"""What came of each utterance: words and phones on the file's timeline, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

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
    words = fold(said, found.words, duration, found.chosen)
    timed = [
        TimedWord(moved.symbol, moved.start, moved.duration, moved.score, tuple(phones))
        for word, spoken in zip(words, _phones(said, found), strict=True)
        for moved in [shift(word, utterance.start)]
        for phones in [[shift(phone, utterance.start) for phone in spoken]]
    ]
    return Outcome(utterance, channel, tuple(timed), tick(found.score), (*utterance.warnings, *found.warnings))


def _phones(said: Spoken, found: Aligned) -> list[list[Word]]:
    """Return the phones of each token."""
    grouped, begin = [], 0
    for ways, way in zip(said.ways, found.chosen, strict=True):
        count = len(ways[way]) if ways else 0
        grouped.append([phone for phones in found.phones[begin : begin + count] for phone in phones])
        begin += count
    return grouped


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
