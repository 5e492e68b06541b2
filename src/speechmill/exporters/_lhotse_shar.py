# SPDX-License-Identifier: Apache-2.0
"""Lhotse Shar: cuts.NNNNNN.jsonl.gz, and in the same order recording.NNNNNN.tar with each cut's audio and what it is.

As `lhotse.shar` 1.x reads it: a tar has pairs of members, `<cut id>.flac` and `<cut id>.json`, a Recording that lasts
as long as the cut and whose one source is a placeholder. Nothing else may lie in the folder: every file there is taken
for a field of the cuts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from speechmill.core.types import Recording
from speechmill.exporters import Row, Shard
from speechmill.exporters._clips import Clips, Container, clips_of
from speechmill.exporters._kept import SAMPLING_RATE
from speechmill.exporters._lhotse_supervisions import Supervision, in_groups, supervisions
from speechmill.exporters._lines import gzipped, write_json
from speechmill.exporters._tar import Tar


def write_shar(shard: Shard, folder: Path, container: Container) -> None:
    """Write a shard as one Shar shard of the folder of its split."""
    number = int(shard.name.rpartition("-")[2])
    split = folder / shard.split
    split.mkdir(parents=True, exist_ok=True)
    with (
        gzipped(split / f"cuts.{number:06d}.jsonl.gz") as cuts,
        Tar(split / f"recording.{number:06d}.tar") as tar,
    ):
        for row in shard.rows():
            with clips_of(shard.dataset, row.recording, row.segments) as cut:
                for some in in_groups(row):
                    for segment, (said, _) in zip(some.segments, _described(some, cut), strict=True):
                        held = _placeholder(row.recording, said["channel"], cut.num_samples(segment))
                        tar.add(f"{segment.id}.{container}", cut.file(segment, container))
                        tar.add(f"{segment.id}.json", msgspec.json.encode(held))
                        write_json(cuts, _cut(said, held))


def _described(row: Row, cut: Clips) -> list[tuple[Supervision, Supervision]]:
    return supervisions(row, [cut.num_samples(segment) / SAMPLING_RATE for segment in row.segments])


def _placeholder(recording: Recording, channel: int, num_samples: int) -> dict[str, Any]:
    """Describe a recording whose audio is the tar's member before it."""
    return {
        "id": recording.id,
        "sources": [{"type": "shar", "channels": [channel], "source": ""}],
        "sampling_rate": SAMPLING_RATE,
        "num_samples": num_samples,
        "duration": num_samples / SAMPLING_RATE,
        "channel_ids": [channel],
    }


def _cut(supervision: dict[str, Any], recording: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": supervision["id"],
        "start": 0.0,
        "duration": recording["duration"],
        "channel": supervision["channel"],
        "supervisions": [supervision],
        "recording": recording,
        "type": "MonoCut",
    }
