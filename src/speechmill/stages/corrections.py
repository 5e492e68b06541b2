# SPDX-License-Identifier: Apache-2.0
"""What people corrected, applied: they outrank models, however the models cut the recording this time.

A correction with a text takes the place of the segments that lie mostly inside it; what of a neighbour reaches into
it is cut off. One without only names the speaker, and costs no stage any work: the join applies it.
Where corrections are kept is `store.corrections`; how they get there is `pipeline.correct`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from speechmill.core.timebase import on_millisecond
from speechmill.core.types import Alignment, Correction, Source, Utterance, Word

_SAME_S = 0.0005  # segments lie on whole milliseconds


def corrected(utterances: Iterable[Utterance], source: Source) -> tuple[Utterance, ...]:
    """Put corrections in the place of what models found, in the order of time."""
    given = [one for one in source.corrections if one.text is not None]
    if not given:
        return tuple(utterances)
    found = list(utterances)
    told_apart = {one.speaker for one in found}
    for one in given:
        found = [left for other in found for left in _outside(other, one, told_apart)]
    made = [_segment(one, source) for one in given if one.text]
    found += [structs.replace(one, overlap=_overlap(one, [*found, *made])) for one in made]
    return tuple(sorted(found, key=lambda one: (one.start or 0.0, one.channel, one.speaker or "")))


def boundaries(utterance: Utterance, corrections: Sequence[Correction]) -> Alignment | None:
    """Return the words and phones that a person set in a segment, each with the score 1; None where nobody did."""
    one = _behind(utterance, corrections)
    if one is None or not one.words:
        return None
    return Alignment(_certain(one.words), _certain(one.phones), 1.0)


def speaker(utterance: Utterance, corrections: Sequence[Correction]) -> str | None:
    """Return the speaker that a person named, for the segments that lie mostly in the stretch; None: nobody did."""
    for one in reversed(corrections):
        if one.text is None and one.speaker and _covered(utterance, one) > 0.5:
            return one.speaker
    return None


def marks(utterance: Utterance, corrections: Sequence[Correction]) -> tuple[str, ...]:
    """Return what a person set in a segment, of "text", "words" and "speaker"."""
    one = _behind(utterance, corrections)
    made = {
        "text": one is not None,
        "words": one is not None and bool(one.words),
        "speaker": (one is not None and bool(one.speaker)) or speaker(utterance, corrections) is not None,
    }
    return tuple(name for name, is_set in made.items() if is_set)


def _behind(utterance: Utterance, corrections: Sequence[Correction]) -> Correction | None:
    """Return the correction that a segment was made of."""
    start, duration = utterance.start or 0.0, utterance.duration or 0.0
    for one in corrections:
        same = abs(one.start - start) < _SAME_S and abs(one.duration - duration) < _SAME_S
        if one.text is not None and same and one.channel == utterance.channel and one.text == utterance.text:
            return one
    return None


def _segment(one: Correction, source: Source) -> Utterance:
    known = source.speaker if source.num_speakers in (None, 1) else None
    who = one.speaker or known
    return Utterance(one.text, one.start, one.duration, one.channel, who, source.language, words=_certain(one.words))


def _certain(symbols: Sequence[Word]) -> tuple[Word, ...]:
    return tuple(structs.replace(symbol, score=1.0) for symbol in symbols)


def _overlap(one: Utterance, others: Sequence[Utterance]) -> float:
    """Return the share of a segment in which somebody else has one: 0 where nobody knows who."""
    start, end = one.start or 0.0, (one.start or 0.0) + (one.duration or 0.0)
    spans = sorted(
        (max(start, other.start or 0.0), min(end, (other.start or 0.0) + (other.duration or 0.0)))
        for other in others
        if None not in (one.speaker, other.speaker) and other.speaker != one.speaker
    )
    shared, at = 0.0, start
    for first, last in spans:
        shared += max(0.0, last - max(first, at))
        at = max(at, last)
    return round(shared / (end - start), 4)


def _covered(utterance: Utterance, one: Correction) -> float:
    """Return the share of a segment that lies in a correction."""
    if utterance.channel != one.channel or not utterance.duration:
        return 0.0
    start = utterance.start or 0.0
    shared = min(start + utterance.duration, one.end) - max(start, one.start)
    return max(0.0, shared) / utterance.duration


def _outside(utterance: Utterance, one: Correction, told_apart: set[str | None]) -> list[Utterance]:
    """Return what a correction leaves of a segment: all, nothing, or what stands before and after it."""
    covered = _covered(utterance, one)
    # Somebody else who speaks at the same time: the correction says nothing of them.
    is_others = None not in (utterance.speaker, one.speaker) and utterance.speaker != one.speaker
    if covered == 0.0 or (is_others and one.speaker in told_apart):
        return [utterance]
    if covered > 0.5 or utterance.text == one.text:
        return []
    middles = [word.start + word.duration / 2 for word in utterance.words]
    before = sum(middle < one.start for middle in middles)
    after = sum(middle < one.end for middle in middles)
    if before == after:  # it has no words there, or none at all
        return [utterance]
    start, end = utterance.start or 0.0, (utterance.start or 0.0) + (utterance.duration or 0.0)
    parts = [(0, before, start, one.start), (after, len(middles), one.end, end)]
    return [_part(utterance, *part) for part in parts if part[0] < part[1]]


def _part(utterance: Utterance, first: int, last: int, start: float, end: float) -> Utterance:
    """Cut a segment down to some of its words, and to a stretch that may be short of these by half a word."""
    words = utterance.words[first:last]
    start, end = min(start, words[0].start), max(end, words[-1].end)
    start, duration = on_millisecond(start), on_millisecond(end - start)
    return structs.replace(utterance, text=_text(utterance, first, last), start=start, duration=duration, words=words)


def _text(utterance: Utterance, first: int, last: int) -> str:
    """Return the words' part of a segment's text, as it is written there where it is found."""
    text, end, spans = utterance.text or "", 0, []
    for word in utterance.words:
        start = text.find(word.symbol, end)
        if start < 0:
            return " ".join(word.symbol for word in utterance.words[first:last])
        end = start + len(word.symbol)
        spans.append((start, end))
    return text[spans[first][0] : spans[last][0] if last < len(spans) else len(text)].strip()
