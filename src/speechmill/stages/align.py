# SPDX-License-Identifier: Apache-2.0
"""Stage `align`: the text of each segment -> when each word and phone is said.

The text is first put as it is said, "$43,000" as "forty three thousand dollars"; times are those of the tokens as
written. What no rule can say gets what its neighbours leave between them, with the score 0.
Where there is no aligner for a language, or a segment can't be aligned, the segment keeps the word times
it had and the gap says why.
"""

from __future__ import annotations

from speechmill.core.columns import GAPS
from speechmill.core.conditions import holds
from speechmill.core.errors import Unalignable
from speechmill.core.registry import Choice, knows_language
from speechmill.core.stage import Item, Patch, Resources
from speechmill.core.timebase import shift
from speechmill.core.types import Alignment, Utterance
from speechmill.stages.glue import Glue
from speechmill.text.spoken import spoken
from speechmill.words import choose


class Align(Glue):
    """Aligns each segment that has text."""

    name = "align"
    reads = ("audio", "segments")
    writes = ("segments.words", "segments.phones", GAPS + "align")
    resources = Resources(cost=0.025, timeout_per_audio_s=10.0)

    def __init__(self, choice: Choice) -> None:
        super().__init__((choice,))

    def work(self, item: Item) -> Patch:
        rows = [self._align(item, segment) for segment in item.columns["segments"]]
        return Patch(
            {
                "segments.words": tuple(alignment.words if alignment else None for alignment, _gap in rows),
                "segments.phones": tuple(alignment.phones if alignment else None for alignment, _gap in rows),
                GAPS + "align": tuple(gap for _alignment, gap in rows),
            }
        )

    def _align(self, item: Item, segment: Utterance) -> tuple[Alignment | None, str | None]:
        choice, language = self.choices[0], segment.language or item.source.language
        if not segment.text:
            return None, "no-text"
        if not holds(choice.when, item.source):
            return None, f"not-asked-for: align applies when {choice.when}"
        if not knows_language(choice.module, language):
            return None, f"no-aligner: {choice.backend} does not know the language {language!r}"
        start = segment.start or 0.0
        samples = item.opened().read(start, segment.duration, channel=segment.channel)
        try:
            said = spoken(segment.text, language or _only(choice), choose(language).split)
            found: Alignment = self.backend().align(samples, said, language)
        except Unalignable as error:
            return None, str(error)
        words, phones = (tuple(shift(word, start) for word in row) for row in (found.words, found.phones))
        return Alignment(words, phones), None


def _only(choice: Choice) -> str | None:
    """Return the language of an aligner that knows one only: it takes text of no stated language for that."""
    languages = getattr(choice.module, "LANGUAGES", None) or ()
    return next(iter(languages)) if len(languages) == 1 else None
