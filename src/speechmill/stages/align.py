# SPDX-License-Identifier: Apache-2.0
"""Stage `align`: the text of each segment -> when each word and phone is said.

The text is first put as it is said, "$43,000" as "forty three thousand dollars"; times are those of the tokens as
written. What no rule can say gets what its neighbours leave between them, with the score 0.
Where there is no aligner for a language, or a segment can't be aligned, the segment keeps the word times
it had and the gap says why. Boundaries that a person set are taken as they are, with the score 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from speechmill.align import SCORE, AlignBackend
from speechmill.align._recording import Cut
from speechmill.core.columns import GAPS, SCORES
from speechmill.core.conditions import holds
from speechmill.core.errors import Unalignable
from speechmill.core.registry import Choice, knows_language
from speechmill.core.stage import Item, Patch, Resources
from speechmill.core.timebase import shift
from speechmill.core.types import Alignment, Utterance
from speechmill.stages.corrections import boundaries
from speechmill.stages.glue import Glue
from speechmill.text.spoken import spoken
from speechmill.words import choose

DOUBTS = GAPS + "align.doubts"  # no gap of its own: why words that are there may be wrong


class Align(Glue):
    """Aligns each segment that has text."""

    name = "align"
    reads = ("audio", "segments")
    writes: tuple[str, ...] = ("segments.words", "segments.phones", GAPS + "align")
    resources = Resources(cost=0.025, timeout_per_audio_s=10.0)

    def __init__(self, choice: Choice) -> None:
        super().__init__((choice,))
        self._scored = bool(getattr(choice.module, "SCORED", False))
        if self._scored:
            self.writes = (*type(self).writes, SCORES + SCORE, DOUBTS)

    def work(self, item: Item) -> Patch:
        found = [self._given(item, segment) for segment in item.columns["segments"]]
        cuts = [one for one in found if isinstance(one, Cut)]
        aligned = iter(self._aligned(cuts) if cuts else ())
        starts = [segment.start or 0.0 for segment in item.columns["segments"]]
        made = [
            _outcome(next(aligned), start) if isinstance(one, Cut) else one
            for one, start in zip(found, starts, strict=True)
        ]
        columns: dict[str, Any] = {
            "segments.words": tuple(one.words if isinstance(one, Alignment) else None for one in made),
            "segments.phones": tuple(one.phones if isinstance(one, Alignment) else None for one in made),
            GAPS + "align": tuple(one if isinstance(one, str) else None for one in made),
        }
        if self._scored:
            columns[SCORES + SCORE] = tuple(one.score if isinstance(one, Alignment) else None for one in made)
            columns[DOUBTS] = tuple(_doubts(one) if isinstance(one, Alignment) else None for one in made)
        return Patch(columns)

    def _given(self, item: Item, segment: Utterance) -> Alignment | Cut | str:
        """Return what the aligner is to do; or what a person did already; or why nothing is done."""
        choice, language = self.choices[0], segment.language or item.source.language
        if not segment.text:
            return "no-text"
        if corrected := boundaries(segment, item.source.corrections):
            return corrected
        if not holds(choice.when, item.source):
            return f"not-asked-for: align applies when {choice.when}"
        if not knows_language(choice.module, language):
            return f"no-aligner: {choice.backend} does not know the language {language!r}"
        try:
            said = spoken(segment.text, language or _only(choice), choose(language).split)
        except Unalignable as error:
            return str(error)
        read = partial(item.opened().read, segment.start or 0.0, segment.duration, channel=segment.channel)
        return Cut(read, said, language, segment.speaker)

    def _aligned(self, cuts: Sequence[Cut]) -> Sequence[Alignment | Unalignable]:
        backend = self.backend()
        if not hasattr(backend, "align_all"):
            return [_tried(backend, cut) for cut in cuts]
        try:
            made: Sequence[Alignment | Unalignable] = backend.align_all(cuts)
        except Unalignable as error:
            return [error] * len(cuts)
        if len(made) != len(cuts):
            raise ValueError(f"align {self.choices[0].backend}: {len(made)} alignments of {len(cuts)} segments")
        return made


def _tried(backend: AlignBackend, cut: Cut) -> Alignment | Unalignable:
    try:
        return backend.align(cut.read(), cut.said, cut.language)
    except Unalignable as error:
        return error


def _outcome(made: Alignment | Unalignable, start: float) -> Alignment | str:
    """Put an alignment on the recording's timeline; an error becomes its reason."""
    if isinstance(made, Unalignable):
        return str(made)
    words, phones = (tuple(shift(word, start) for word in row) for row in (made.words, made.phones))
    return Alignment(words, phones, made.score, made.doubts)


def _doubts(made: Alignment) -> str | None:
    """Name the reasons to doubt an alignment, each once: details would make every segment's another."""
    return ", ".join(sorted(set(made.doubts))) or None


def _only(choice: Choice) -> str | None:
    """Return the language of an aligner that knows one only: it takes text of no stated language for that."""
    languages = getattr(choice.module, "LANGUAGES", None) or ()
    return next(iter(languages)) if len(languages) == 1 else None
