# SPDX-License-Identifier: Apache-2.0
"""RTTM: who spoke when, one line for each kept segment.

Kept segments only, so what a filter left out looks like silence: it is the dataset's truth, not a diarization's.
A speaker's name with white space gets "_" for it and a hash of the name behind it: columns are parted by spaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment, Turn
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._kept import channel_of
from speechmill.exporters._per_recording import UNKNOWN, one_name, place, put_together
from speechmill.formats.rttm import write

VERSION = "3"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
from lhotse import SupervisionSet

turns = SupervisionSet.from_rttm("train.rttm")  # a file for each recording: train/RECORDING.rttm
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Backend:
    """Writes `<split>/<recording>.rttm`, and `<split>.rttm` with all of them."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write the recordings of a shard."""
        for recording, segments in shard.rows():
            turns = {recording.id: list(_turns(recording, segments))}
            write(place(folder, shard, recording, ".rttm"), turns, durable=False)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Put each split's recordings together."""
        put_together(shards, folder, ".rttm")


def _turns(recording: Recording, segments: Sequence[Segment]) -> Iterator[Turn]:
    for segment in segments:
        channel = channel_of(recording, segment)
        yield Turn(segment.start, segment.duration, one_name(segment.speaker or UNKNOWN), channel)
