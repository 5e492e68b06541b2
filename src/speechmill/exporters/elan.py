# SPDX-License-Identifier: Apache-2.0
"""ELAN documents (.eaf): one for each recording, with a tier of segments for each speaker.

On it depends a tier of words, and on that one of phones, both by ELAN's constraint Included_In: annotations have times
of their own, lie in one of the tier above, and may leave gaps. Times are in milliseconds, all that ELAN keeps; what is
shorter shares the annotation before it ("a b"). Segments of one speaker that overlap go to tiers numbered (2), (3), ...
A label that an aligner sets between words depends on none and has no place. The recording's own file is the medium,
by its name: put it beside the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.timebase import milliseconds
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._attribution import source_of
from speechmill.exporters._per_recording import UNKNOWN, place
from speechmill.formats.eaf_document import Annotation, DocumentTier, Kind, write

VERSION = "1"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
import pympi

document = pympi.Elan.Eaf("train/RECORDING.eaf")
for tier in document.get_tier_names():
    print(tier, document.get_annotation_data_for_tier(tier))  # start and end in ms, text
"""
_SEGMENT, _WORD, _PHONE = Kind("segment"), Kind("word", "Included_In"), Kind("phone", "Included_In")


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Backend:
    """Writes `<split>/<recording>.eaf`."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write the recordings of a shard."""
        for recording, segments in shard.rows():
            tiers = tiers_of(segments)
            write(place(folder, shard, recording, ".eaf"), tiers, media_of(recording), durable=False)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Add nothing: each file stands alone."""


def media_of(recording: Recording) -> str:
    """Return the name of a recording's own file; of a web address, what a browser would save it under."""
    return PurePosixPath(unquote(urlsplit(source_of(recording)).path)).name or recording.id


def tiers_of(segments: Iterable[Segment]) -> list[DocumentTier]:
    """Lay the segments of one recording out in tiers, parents before what depends on them."""
    by_speaker: dict[str, list[Segment]] = {}
    for segment in sorted(segments, key=lambda one: (one.start, one.id)):
        by_speaker.setdefault(segment.speaker or UNKNOWN, []).append(segment)
    tiers: list[DocumentTier] = []
    for speaker, spoken in by_speaker.items():
        for number, lane in enumerate(lanes(spoken), start=1):
            taken = {tier.name for tier in tiers}
            tiers += _lane_tiers(_free(speaker if number == 1 else f"{speaker} ({number})", taken), speaker, lane)
    return tiers


def lanes(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Deal segments, ordered by start, into as few lanes as hold them without overlap in milliseconds."""
    found: list[list[Segment]] = []
    for segment in segments:
        free = next((lane for lane in found if _span(lane[-1])[1] <= _span(segment)[0]), None)
        if free is None:
            found.append([segment])
        else:
            free.append(segment)
    return found


def _span(segment: Segment) -> tuple[int, int]:
    start = max(0, milliseconds(segment.start))
    return start, max(start + 1, milliseconds(segment.end))


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no tier has, nor those that would depend on it."""
    while {name, f"words@{name}", f"phones@{name}"} & taken:
        name += "'"
    return name


def _lane_tiers(name: str, speaker: str, lane: Sequence[Segment]) -> Iterator[DocumentTier]:
    words: list[Annotation] = []
    phones: list[Annotation] = []
    for segment in lane:
        mine = fitted(segment.words, *_span(segment))
        words += mine
        phones += _in_words(segment.phones, mine)
    spoken = tuple(Annotation(*_span(segment), segment.text or "") for segment in lane)
    yield DocumentTier(name, _SEGMENT, spoken, speaker)
    if words:
        yield DocumentTier(f"words@{name}", _WORD, tuple(words), speaker, name)
    if phones:
        yield DocumentTier(f"phones@{name}", _PHONE, tuple(phones), speaker, f"words@{name}")


def _in_words(phones: Sequence[Word], words: Sequence[Annotation]) -> Iterator[Annotation]:
    """Yield each word's phones: those whose middle lies in it."""
    rest = sorted(phones, key=lambda phone: phone.start)
    at = 0
    for word in words:
        while at < len(rest) and _middle(rest[at]) < word.start_ms:
            at += 1
        first = at
        while at < len(rest) and _middle(rest[at]) < word.end_ms:
            at += 1
        yield from fitted(rest[first:at], word.start_ms, word.end_ms)


def _middle(phone: Word) -> float:
    return (phone.start + phone.duration / 2) * 1000


def fitted(symbols: Iterable[Word], start_ms: int, end_ms: int) -> list[Annotation]:
    """Put symbols onto whole milliseconds from `start_ms` to `end_ms`, each behind the one before it.

    What has then nothing left shares the annotation before it, or the one behind where it is the first.
    """
    placed: list[Annotation] = []
    waiting: list[str] = []
    for symbol in sorted(symbols, key=lambda one: one.start):
        first = max(milliseconds(symbol.start), placed[-1].end_ms if placed else start_ms)
        last = min(milliseconds(symbol.end), end_ms)
        if last > first:
            placed.append(Annotation(first, last, " ".join([*waiting, symbol.symbol])))
            waiting = []
        elif placed:
            placed[-1] = placed[-1]._replace(text=f"{placed[-1].text} {symbol.symbol}")
        else:
            waiting.append(symbol.symbol)
    return [Annotation(start_ms, end_ms, " ".join(waiting))] if waiting else placed
