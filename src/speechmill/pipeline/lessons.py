# SPDX-License-Identifier: Apache-2.0
"""Which of a corpus's segments a model is trained on: those that a sane rule lets in, hours capped by lot.

A segment's lot is a hash of the seed and of its content, so the choice doesn't depend on order or names. What a person
corrected is drawn before all others. Recordings are looked at a shard at a time: 100,000 segments need no more memory
than what is chosen of them.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from speechmill.align import Lesson
from speechmill.core.files import digest
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ, milliseconds
from speechmill.core.types import Canonical, Source, Utterance
from speechmill.stages.corrections import marks
from speechmill.stages.corrections import speaker as corrected_speaker
from speechmill.store.ledger import Ledger

VERSION = "1"  # raise it when other segments are chosen: models are then made anew
MIN_S = 0.5  # shorter is half a word
MAX_S = 30.0  # longer is often a text that lies on a recording without times
MIN_WORD_SCORE = 0.5  # the recogniser's own confidence, where it gives any
MIN_CHARS_PER_S, MAX_CHARS_PER_S = 0.5, 40.0  # slower means missing text, faster means text that was not said
ENOUGH_S, ENOUGH_UTTERANCES = 60.0, 20  # of less, a model knows its few words by heart and nothing else


class Lessons(Struct, frozen=True):
    """The utterances chosen, in the order of their keys, and how many were left out, by reason."""

    chosen: tuple[Lesson, ...]
    left_out: dict[str, int]
    digest: str  # of what was chosen

    @property
    def seconds(self) -> float:
        return math.fsum(lesson.duration for lesson in self.chosen)

    @property
    def enough(self) -> bool:
        """Tell whether a model can be made of so little."""
        return self.seconds >= ENOUGH_S and len(self.chosen) >= ENOUGH_UTTERANCES


class Recorded(Struct, frozen=True):
    """Where in a ledger a corpus's segments are."""

    ledger: Ledger
    workspace: Path
    normalise: str  # folder of the stage's results
    segment: str
    sources: Mapping[str, Source]  # by key
    shards: Mapping[str, str]  # key -> shard

    def rows(self) -> Iterator[tuple[Source, Canonical, tuple[Utterance, ...]]]:
        """Yield each recording that has segments, a shard at a time."""
        ordered = sorted(self.sources, key=lambda key: (self.shards.get(key, ""), key))
        for _shard, group in groupby(ordered, key=lambda key: self.shards.get(key, "")):
            keys = list(group)
            audio = self.ledger.load(self.normalise, keys, ["audio"])
            found = self.ledger.load(self.segment, keys, ["segments"])
            for key in keys:
                if key in audio and key in found:
                    yield self.sources[key], audio[key]["audio"], found[key]["segments"]

    def texts(self) -> Iterator[tuple[str, str | None]]:
        """Yield the text of every segment that has some, and its language."""
        for source, _canonical, segments in self.rows():
            yield from ((one.text, one.language or source.language) for one in segments if one.text)


def choose(recorded: Recorded, language: str | None, max_hours: float, seed: int) -> Lessons:
    """Choose utterances of one language (None: of any) from the corpus itself."""
    left_out: Counter[str] = Counter()
    lot = Lot(max_hours, seed)
    for source, canonical, segments in recorded.rows():
        for i, segment in enumerate(segments):
            reason = unfit(segment, source, language)
            if reason is None:
                lot.add(_lesson(recorded.workspace, source, canonical, segment, i), first=_is_checked(segment, source))
            else:
                left_out[reason] += 1
    return lot.drawn(left_out)


class Lot:
    """Draws utterances until there are enough hours; the same ones in whatever order they are offered."""

    def __init__(self, max_hours: float, seed: int) -> None:
        self._limit_ms, self._seed = max_hours * 3_600_000, str(seed)
        self._heap: list[tuple[int, str, Lesson]] = []  # the worst ticket first
        self._total_ms = 0  # whole numbers: their sum is the same in any order
        self._over = 0

    def add(self, lesson: Lesson, *, first: bool = False) -> None:
        """Offer an utterance; `first`: it is drawn before all that are not."""
        ticket = int(digest(self._seed, lesson.key)[:16], 16) - (1 << 64 if first else 0)
        heapq.heappush(self._heap, (-ticket, lesson.key, lesson))
        self._total_ms += milliseconds(lesson.duration)
        while self._heap and self._total_ms - milliseconds(self._heap[0][2].duration) >= self._limit_ms:
            self._total_ms -= milliseconds(heapq.heappop(self._heap)[2].duration)
            self._over += 1

    def drawn(self, left_out: Mapping[str, int]) -> Lessons:
        """Return what was drawn."""
        chosen = tuple(sorted((lesson for _ticket, _key, lesson in self._heap), key=lambda lesson: lesson.key))
        over = {"over-max-hours": self._over} if self._over else {}
        facts = [f"{one.key}\t{one.language}\t{one.speaker}\t{one.text}" for one in chosen]
        return Lessons(chosen, dict(sorted({**left_out, **over}.items())), digest(*facts))


def unfit(segment: Utterance, source: Source, language: str | None) -> str | None:
    """Say why a segment is not trained on, or None."""
    mine, seconds = segment.language or source.language, segment.duration or 0.0
    if not segment.text:
        return "no-text"
    if language is not None and mine is not None and _primary(mine) != _primary(language):
        return "other-language"
    if not MIN_S <= seconds <= MAX_S:
        return "duration"
    if segment.overlap > 0:
        return "overlap"
    if _is_checked(segment, source):
        return None
    if not MIN_CHARS_PER_S <= len(segment.text) / seconds <= MAX_CHARS_PER_S:
        return "speaking-rate"
    scores = [word.score for word in segment.words if word.score is not None]
    return "doubtful-transcript" if scores and sum(scores) / len(scores) < MIN_WORD_SCORE else None


def _is_checked(segment: Utterance, source: Source) -> bool:
    """Tell whether a person wrote the text."""
    return "text" in marks(segment, source.corrections)


def _primary(language: str) -> str:
    return language.lower().split("-")[0]


def _lesson(workspace: Path, source: Source, canonical: Canonical, segment: Utterance, number: int) -> Lesson:
    start, seconds = segment.start or 0.0, segment.duration or 0.0
    path = workspace / canonical.paths[min(segment.channel, len(canonical.paths) - 1)]
    place = f"{milliseconds(start):09d}-{milliseconds(seconds):06d}-{segment.channel}-{number:05d}"
    return Lesson(
        key=f"{source.key}-{place}",
        duration=seconds,
        read=partial(_read, path, start, seconds),
        text=segment.text or "",
        language=segment.language or source.language,
        speaker=speaker_of(
            source.key, corrected_speaker(segment, source.corrections) or segment.speaker, segment.channel
        ),
    )


def _read(path: Path, start: float, seconds: float) -> Samples:
    from speechmill.formats.audio import read_canonical

    return read_canonical(path, start, seconds, sampling_rate=WORKING_HZ)


def speaker_of(key: str, speaker: str | None, channel: int) -> str:
    """Name a segment's speaker: one who was only told apart, or not even that, is his recording's own."""
    name = speaker or f"#channel-{channel}"
    return f"{key}{name}" if name.startswith("#") else name


def summary(lessons: Lessons) -> str:
    """Say what was chosen, for a person."""
    speakers = len({lesson.speaker for lesson in lessons.chosen})
    return f"{lessons.seconds / 60:.1f} min in {len(lessons.chosen)} utterances of {speakers} speakers"


def too_little(lessons: Lessons, stage: str) -> str:
    """Say what is missing for a model, and what to do."""
    left = ", ".join(f"{number} {reason}" for reason, number in lessons.left_out.items())
    return (
        f"{stage}: too little to train a model on: {summary(lessons)}"
        f"{f' (left out: {left})' if left else ''}; at least {ENOUGH_S:g} s in {ENOUGH_UTTERANCES} utterances "
        f"with text are needed. Segments keep the word times they had. Name a curated folder with `{stage}.train_on`, "
        f"a finished model with `{stage}.model`, or add recordings"
    )


def among(sources: Sequence[Source], keys: Sequence[str]) -> dict[str, Source]:
    """Return the distinct, readable sources of these keys."""
    wanted = set(keys)
    return {one.key: one for one in sources if one.key in wanted and one.alias_of is None and one.error is None}
