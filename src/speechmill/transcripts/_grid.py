# SPDX-License-Identifier: Apache-2.0
"""Utterances from the tiers of a TextGrid.

A tier is one speaker's utterances and its name is the speaker, as the Montreal Forced Aligner has it. Tiers named
`words`, `Ann - words` or `words (Ann)` time the words; `phones` tiers are left alone; `utterances`, `transcript`
and the like name no speaker.
"""

from __future__ import annotations

import bisect
import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from speechmill.core.errors import TranscriptError
from speechmill.core.types import Utterance, Word
from speechmill.formats.textgrid import IntervalTier, TextGrid

_KIND = re.compile(
    r"(?:(?P<before>.+?)\s+-\s+)?"
    r"(?P<kind>words?|phones?|phonemes?|utterances?|transcripts?|transcriptions?|sentences?|segments?|text)"
    r"(?:\s+\((?P<after>.+)\))?",
    re.IGNORECASE,
)
_SILENCES = frozenset(("sp", "sil", "<sil>", "<eps>"))  # what aligners write where nobody speaks


class _Tier(NamedTuple):
    name: str
    kind: str  # w(ords), p(hones), or another letter for utterances
    speaker: str | None
    intervals: tuple[Word, ...]


def utterances(grid: TextGrid, pattern: str | None, pause_s: float) -> tuple[Utterance, ...] | None:
    """Return a grid's utterances in order of time, or None where no tier holds any.

    pattern: glob of the names of the tiers to use; None is all of them.
    pause_s: where there are words only, a longer pause starts a new utterance.
    Raises TranscriptError where no tier's name matches the pattern.
    """
    tiers = [_tier(tier) for tier in grid.tiers if isinstance(tier, IntervalTier)]
    chosen = [tier for tier in tiers if pattern is None or fnmatch.fnmatchcase(tier.name, pattern)]
    if pattern is not None and not chosen:
        raise TranscriptError("no-such-tier", f"no tier matches {pattern!r}; there are: {[t.name for t in tiers]}")
    spoken = [tier for tier in chosen if tier.kind not in "wp"]
    found: list[Utterance] = []
    for tier in spoken:
        found += _timed(tier, spoken, [words for words in tiers if words.kind == "w"])
    if not spoken:
        worded = [tier for tier in chosen if tier.kind == "w"]
        if not worded:
            return None
        found = [utterance for tier in worded for utterance in _by_pauses(tier, pause_s)]
    return tuple(sorted(found, key=lambda utterance: (utterance.start, utterance.duration)))


def _tier(tier: IntervalTier) -> _Tier:
    match = _KIND.fullmatch(tier.name.strip())
    if match is None:
        return _Tier(tier.name, "u", tier.name.strip() or None, tier.intervals)
    kind = match["kind"][0].lower()
    intervals = tuple(word for word in tier.intervals if kind != "w" or word.symbol.strip() not in _SILENCES)
    return _Tier(tier.name, kind, match["before"] or match["after"], intervals)


def _timed(tier: _Tier, spoken: Sequence[_Tier], worded: Sequence[_Tier]) -> Iterator[Utterance]:
    """Yield a tier's utterances, each with the words whose middle lies in it."""
    words = [word for other in worded if other.speaker == tier.speaker for word in other.intervals]
    if tier.speaker is not None:
        others = [other for other in spoken if other is not tier]
        nameless = [word for other in worded if other.speaker is None for word in other.intervals]
        # Words without a speaker are nobody's where two people speak at once.
        words += [word for word in nameless if not any(_speaks(other, _middle(word)) for other in others)]
    words.sort(key=_middle)
    for interval in tier.intervals:
        first = bisect.bisect_left(words, interval.start, key=_middle)
        last = bisect.bisect_left(words, interval.end, key=_middle)
        inside = tuple(words[first:last])
        yield Utterance(interval.symbol, interval.start, interval.duration, speaker=tier.speaker, words=inside)


def _middle(word: Word) -> float:
    return word.start + word.duration / 2


def _speaks(tier: _Tier, time: float) -> bool:
    before = bisect.bisect_right(tier.intervals, time, key=lambda interval: interval.start) - 1
    return before >= 0 and time < tier.intervals[before].end


def _by_pauses(tier: _Tier, pause_s: float) -> Iterator[Utterance]:
    run: list[Word] = []
    for word in (*tier.intervals, None):
        if run and (word is None or word.start - run[-1].end >= pause_s):
            text = " ".join(one.symbol for one in run)
            yield Utterance(text, run[0].start, run[-1].end - run[0].start, speaker=tier.speaker, words=tuple(run))
            run = []
        if word is not None:
            run.append(word)
