# SPDX-License-Identifier: Apache-2.0
"""RTTM: who spoke when, one file for each recording and one line for each kept segment.

Kept segments only, so what a filter left out looks like silence: it is the dataset's truth, not a diarization's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment, Turn
from speechmill.exporters._attribution import write_attribution
from speechmill.exporters._kept import by_recording, channel_of
from speechmill.formats.rttm import write
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()
UNKNOWN = "unknown"  # RTTM has no line without a speaker


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Backend:
    """Writes <recording>.rttm and ATTRIBUTION.tsv."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def export(self, dataset: Dataset, folder: Path) -> int:
        """Write the recordings that have kept segments. Returns the number of segments."""
        count = 0
        recordings: list[Recording] = []
        for recording, segments in by_recording(dataset):
            turns = list(_turns(recording, segments))
            count += len(turns)
            recordings.append(recording)
            write(folder / f"{recording.id}.rttm", {recording.id: turns})
        write_attribution(folder, recordings)
        return count


def _turns(recording: Recording, segments: Iterator[Segment]) -> Iterator[Turn]:
    for segment in segments:
        channel = channel_of(recording, segment)
        yield Turn(segment.start, segment.duration, one_field(segment.speaker or UNKNOWN), channel)


def one_field(speaker: str) -> str:
    """Make a name that can stand between spaces: white space becomes "_", and no comment starts with it.

    >>> one_field(" Bảo, the host")
    'Bảo,_the_host'
    """
    return "_".join(speaker.split()).lstrip(";") or UNKNOWN
