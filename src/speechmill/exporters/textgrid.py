# SPDX-License-Identifier: Apache-2.0
"""Praat TextGrids: one for each recording, words and phones of each speaker in tiers of their own.

Tiers are named as the Montreal Forced Aligner names them: `words` and `phones`, or `<speaker> - words` where there
are several speakers. Two rules keep what a tier can't hold: segments of one speaker that overlap go to tiers
numbered (2), (3), ...; and the text of a segment that has no words stands in a tier `utterances`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.timebase import tick
from speechmill.core.types import Segment, Word
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._names import one_line, safe_name
from speechmill.exporters._per_recording import UNKNOWN, place
from speechmill.formats.textgrid import IntervalTier, TextGrid, in_order, write

VERSION = "2"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
from praatio import textgrid

grid = textgrid.openTextgrid("train/RECORDING.TextGrid", includeEmptyIntervals=False)
words = grid.getTier("words").entries  # with several speakers: "SPEAKER - words"
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Backend:
    """Writes `<split>/<recording>.TextGrid`, in Praat's long format."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write the recordings of a shard."""
        for recording, segments in shard.rows():
            grid = text_grid(recording.duration, segments)
            write(place(folder, shard, recording, ".TextGrid"), grid, durable=False)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Add nothing: each file stands alone."""


def text_grid(duration: float, segments: Iterable[Segment]) -> TextGrid:
    """Lay the segments of one recording of `duration` seconds out in tiers."""
    by_speaker: dict[str, list[Segment]] = {}
    for segment in sorted(segments, key=lambda segment: (segment.start, segment.id)):
        by_speaker.setdefault(segment.speaker or UNKNOWN, []).append(segment)
    tiers = []
    for speaker, spoken in by_speaker.items():
        prefix = f"{_in_a_line(speaker)} - " if len(by_speaker) > 1 else ""
        for number, lane in enumerate(lanes(spoken), start=1):
            suffix = f" ({number})" if number > 1 else ""
            tiers.extend(_tiers(prefix, suffix, lane, duration))
    return TextGrid(0.0, duration, tuple(tiers))


def _in_a_line(speaker: str) -> str:
    """Return a name that is read back: praatio ends a tier's name at the line."""
    return speaker if speaker == one_line(speaker) else safe_name(speaker)


def lanes(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Deal segments, ordered by start, into as few lanes as hold them without overlap."""
    found: list[list[Segment]] = []
    for segment in segments:
        free = next((lane for lane in found if tick(_end(lane[-1])) <= tick(_start(segment))), None)
        if free is None:
            found.append([segment])
        else:
            free.append(segment)
    return found


def _start(segment: Segment) -> float:
    return min([segment.start, *(symbol.start for symbol in (*segment.words, *segment.phones))])


def _end(segment: Segment) -> float:
    return max([segment.end, *(symbol.end for symbol in (*segment.words, *segment.phones))])


def _tiers(prefix: str, suffix: str, lane: list[Segment], duration: float) -> list[IntervalTier]:
    columns: dict[str, Iterable[Word]] = {
        "words": chain.from_iterable(segment.words for segment in lane),
        "phones": chain.from_iterable(segment.phones for segment in lane),
    }
    bare = [segment for segment in lane if segment.text and not segment.words]
    if bare:
        columns["utterances"] = [Word(segment.text or "", segment.start, segment.duration) for segment in bare]
    return [IntervalTier(f"{prefix}{name}{suffix}", in_order(symbols, duration)) for name, symbols in columns.items()]
