# SPDX-License-Identifier: Apache-2.0
"""A corpus for the Montreal Forced Aligner, and for `speechmill align`, which reads the same folders.

As its guide to corpora has it, a clip's text stands in a .lab of the same name, and the folder that they lie in names
the speaker, by whom MFA normalises and adapts: <split>/<speaker>/<segment>.wav and .lab. Segments whose speaker nobody
knows lie in a folder of their recording. `layout: textgrid` has whole recordings with what a filter left out of them,
and for each a TextGrid with a tier for each speaker: <split>/<recording>.wav and .TextGrid; a recording of several
channels is several. A tier can't hold what overlaps: where a speaker's segments do, a second one has "_2" to its name,
and is another speaker for MFA.

Names are made of letters, digits and "_". Segments without text are left out; counts.json says how many.

    mfa align train DICTIONARY ACOUSTIC_MODEL aligned
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.timebase import tick
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters import About, Row, Shard, Written
from speechmill.exporters._clips import clips_of
from speechmill.exporters._counts import Counts, write_counts
from speechmill.exporters._kept import channel_of
from speechmill.exporters._names import one_line, safe_name
from speechmill.exporters._whole_audio import copy_whole
from speechmill.formats.textgrid import IntervalTier, TextGrid, in_order, write
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
import subprocess

subprocess.run(["mfa", "align", "train", "DICTIONARY", "ACOUSTIC_MODEL", "aligned"], check=True)
# or: speechmill align train LEXICON aligned
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    layout: Literal["lab", "textgrid"] = "lab"  # textgrid: whole recordings
    audio: Literal["wav", "flac"] = "wav"  # MFA before version 2 read nothing else


class Backend:
    """Writes a corpus for each split, and counts.json."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> Counts:
        """Write the files of a shard; they are final."""
        without = changed = 0
        for row in shard.rows():
            texts = [one_line(segment.text) for segment in row.segments]
            without += texts.count("")
            changed += sum(
                bool(text) and text != segment.text for text, segment in zip(texts, row.segments, strict=True)
            )
            said = [(segment, text) for segment, text in zip(row.segments, texts, strict=True) if text]
            if self._config.layout == "lab":
                self._write_clips(shard.dataset, row, said, folder / shard.split)
            else:
                self._write_whole(shard.dataset, row, said, folder / shard.split)
        return Counts(without_text=without, text_changed=changed)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Write the counts; files are found by their names."""
        write_counts(folder, shards)

    def _write_clips(self, dataset: Dataset, row: Row, said: Sequence[tuple[Segment, str]], folder: Path) -> None:
        with clips_of(dataset, row.recording, row.segments) as cut:
            for segment, text in said:
                place = folder / _speaker(row.recording, segment)
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{segment.id}.{self._config.audio}").write_bytes(cut.file(segment, self._config.audio))
                (place / f"{segment.id}.lab").write_text(f"{text}\n", encoding="utf-8", newline="\n")

    def _write_whole(self, dataset: Dataset, row: Row, said: Sequence[tuple[Segment, str]], folder: Path) -> None:
        """Write the channels in which something is said, each with its tiers."""
        folder.mkdir(parents=True, exist_ok=True)
        for channel in sorted({channel_of(row.recording, segment) for segment, _text in said}):
            name = row.recording.id if len(row.recording.audio) == 1 else f"{row.recording.id}_{channel}"
            source = dataset.root / row.recording.audio[channel]
            duration = copy_whole(source, folder / f"{name}.{self._config.audio}")
            here = [(segment, text) for segment, text in said if channel_of(row.recording, segment) == channel]
            grid = TextGrid(0.0, duration, tuple(_tiers(row.recording, here, duration)))
            write(folder / f"{name}.TextGrid", grid, durable=False)


def _speaker(recording: Recording, segment: Segment) -> str:
    return safe_name(segment.speaker or recording.id)


def _tiers(recording: Recording, said: Sequence[tuple[Segment, str]], duration: float) -> Iterator[IntervalTier]:
    by_speaker: dict[str, list[Word]] = {}
    for segment, text in said:
        spoken = by_speaker.setdefault(_speaker(recording, segment), [])
        spoken.append(Word(text, segment.start, segment.duration))
    for speaker, spoken in by_speaker.items():
        numbered = (f"{speaker}_{number}" for number in itertools.count(2))
        names = itertools.chain([speaker], (name for name in numbered if name not in by_speaker))
        for name, lane in zip(names, _lanes(spoken), strict=False):
            yield IntervalTier(name, in_order(lane, duration))


def _lanes(spoken: Sequence[Word]) -> list[list[Word]]:
    """Deal what is said into as few lanes as hold it without overlap."""
    lanes: list[list[Word]] = []
    for word in sorted(spoken, key=lambda word: word.start):
        free = next((lane for lane in lanes if tick(lane[-1].end) <= tick(word.start)), None)
        if free is None:
            lanes.append([word])
        else:
            free.append(word)
    return lanes
