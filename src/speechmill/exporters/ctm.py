# SPDX-License-Identifier: Apache-2.0
"""CTM, NIST's time-marked words: what sclite scores, one line for each word of the kept segments.

Lines are ordered as sclite wants them: recording and channel by their bytes, then start by its number. The last
column, the confidence, is there where an aligner gave one. Segments whose words have no times have no lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._kept import channel_of
from speechmill.exporters._per_recording import one_field, place, put_together
from speechmill.formats.ctm import write

VERSION = "1"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
from speechmill.formats.ctm import read

words = read("train.ctm")  # (recording, channel) -> words; a file for each recording: train/RECORDING.ctm
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What a line is."""

    level: Literal["words", "phones"] = "words"


class Backend:
    """Writes `<split>/<recording>.ctm`, and `<split>.ctm` with all of them."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write the recordings of a shard."""
        for recording, segments in shard.rows():
            words = in_order(recording, segments, self._config.level)
            write(place(folder, shard, recording, ".ctm"), words, durable=False)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Put each split's recordings together."""
        put_together(shards, folder, ".ctm")


def in_order(
    recording: Recording, segments: Sequence[Segment], level: Literal["words", "phones"]
) -> dict[tuple[str, int], list[Word]]:
    """Return the symbols of a recording by (id, channel), in sclite's order."""
    found: dict[tuple[str, int], list[Word]] = {}
    fields: dict[str, str] = {}
    for segment in segments:
        words = segment.words if level == "words" else segment.phones
        found.setdefault((recording.id, channel_of(recording, segment)), []).extend(_in_fields(words, fields))
    by_bytes = sorted(found, key=lambda key: str(key[1] + 1))  # channel 10 comes before 2
    return {key: sorted(found[key], key=lambda word: word.start) for key in by_bytes}


def _in_fields(words: Iterable[Word], fields: dict[str, str]) -> Iterator[Word]:
    """Yield words that can be written. fields: how those were written that were met before, most of them many times."""
    for word in words:
        if word.symbol not in fields:
            fields[word.symbol] = one_field(word.symbol)
        field = fields[word.symbol]
        yield word if field == word.symbol else structs.replace(word, symbol=field)
