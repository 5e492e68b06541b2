# SPDX-License-Identifier: Apache-2.0
"""Lhotse: manifests as gzipped JSON lines beside the audio, or Lhotse Shar.

Written by hand in the layout that lhotse 1.x reads, without lhotse. A cut is one segment; its supervision and the words
and phones of it count from the cut's start. Scores are custom fields (`supervision.snr_db`), beside `licence`,
`attribution` and `recording_start`, the segment's place in its recording.

`layout: jsonl` is a set of manifests for each split, named as lhotse's own recipes name them, which is what
`lhotse.recipes.utils.read_manifests_if_cached` and icefall look for: {recordings,supervisions,cuts}_train.jsonl.gz.
Times in supervisions_*.jsonl.gz count from the recording's start. Recordings are whole, with what a filter left out of
them. Paths are relative; with `audio: copy`, to the export, with `audio: reference`, to the workspace:

    CutSet.from_file(folder / "cuts_train.jsonl.gz").with_recording_path_prefix(folder)

`layout: shar` is a folder for each split, train/cuts.000000.jsonl.gz with train/recording.000000.tar, which holds the
kept segments only and is read from one end to the other: what to train from over a network, or from many machines.

    CutSet.from_shar(in_dir=folder / "train")
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from speechmill.core.errors import AudioError
from speechmill.core.stage import Context
from speechmill.core.timebase import tick
from speechmill.core.types import Recording
from speechmill.exporters import About, Row, Shard, Written
from speechmill.exporters._kept import SAMPLING_RATE
from speechmill.exporters._lhotse_shar import write_shar
from speechmill.exporters._lhotse_supervisions import Supervision, in_groups, supervisions
from speechmill.exporters._lines import concatenate, gzipped, part, parts, splits_of, write_json, write_lines
from speechmill.store.columnar import uncollected
from speechmill.store.dataset import Dataset

VERSION = "2"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
from lhotse import CutSet

cuts = CutSet.from_file("cuts_train.jsonl.gz").with_recording_path_prefix(".")
# what was made with `layout: shar`: cuts = CutSet.from_shar(in_dir="train")
"""
_MANIFESTS = ("recordings", "supervisions", "cuts")


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    layout: Literal["jsonl", "shar"] = "jsonl"  # shar: tar files of clips, for sequential reading
    audio: Literal["copy", "reference"] = "copy"  # of jsonl: a copy may be moved elsewhere; a reference takes no disk
    clips: Literal["flac", "wav"] = "flac"  # of shar


class Backend:
    """Writes manifests and audio/*.flac where copied; or Shar."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write a shard's lines, to be put together; or its tar with the cuts in it."""
        if self._config.layout == "shar":
            write_shar(shard, folder, self._config.clips)
            return
        with ExitStack() as stack:
            recordings, lines, cuts = (
                stack.enter_context(gzipped(part(folder, shard.name, f"{kind}.jsonl.gz"))) for kind in _MANIFESTS
            )
            for row in shard.rows():
                source = self._recording(shard.dataset, row.recording, folder)
                write_json(recordings, source)
                for some in in_groups(row):
                    _write(some, source, lines, cuts)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Put the lines of each split's shards together. Shar has no index: its files are listed by their names."""
        if self._config.layout == "shar":
            return
        for split, written in splits_of(shards).items():
            for kind in _MANIFESTS:
                concatenate(parts(folder, written, f"{kind}.jsonl.gz"), folder / f"{kind}_{split}.jsonl.gz")

    def _recording(self, dataset: Dataset, recording: Recording, folder: Path) -> dict[str, Any]:
        """Describe a recording, its audio copied where asked for: one mono file for each channel."""
        from speechmill.formats.flac import stream_info

        paths = list(recording.audio)
        if self._config.audio == "copy":
            paths = [f"audio/{recording.id}.{channel}.flac" for channel in range(len(paths))]
            for path, target in zip(recording.audio, paths, strict=True):
                (folder / "audio").mkdir(exist_ok=True)
                shutil.copyfile(dataset.root / path, folder / target)
        num_samples = min(stream_info(dataset.root / path).num_samples for path in recording.audio)
        return {
            "id": recording.id,
            "sources": [{"type": "file", "channels": [n], "source": path} for n, path in enumerate(paths)],
            "sampling_rate": SAMPLING_RATE,
            "num_samples": num_samples,
            "duration": num_samples / SAMPLING_RATE,
            "channel_ids": list(range(len(paths))),
        }


def _write(row: Row, source: dict[str, Any], lines: BinaryIO, cuts: BinaryIO) -> None:
    """Write the supervision and the cut of each segment."""
    with uncollected():
        described = supervisions(row, _lengths(row, source["duration"]))
        write_lines(lines, (whole for _, whole in described))
        write_lines(cuts, _cuts(row, [own for own, _ in described], msgspec.Raw(msgspec.json.encode(source))))


def _lengths(row: Row, seconds: float) -> list[float]:
    """Return the seconds of each segment of a recording that lasts so many."""
    # Rounding to whole milliseconds may put a segment's end just behind the last sample.
    lengths = [tick(min(segment.end, seconds) - segment.start) for segment in row.segments]
    for segment, length in zip(row.segments, lengths, strict=True):
        if length <= 0:
            raise AudioError("no-samples", f"segment {segment.id} begins behind the end of {row.recording.audio}")
    return lengths


def _cuts(row: Row, described: Sequence[Supervision], recording: msgspec.Raw) -> list[dict[str, Any]]:
    """Describe cuts that are exactly one supervision each. recording: as JSON."""
    return [
        {
            "id": segment.id,
            "start": segment.start,
            "duration": supervision["duration"],
            "channel": supervision["channel"],
            "supervisions": [supervision],
            "recording": recording,
            "type": "MonoCut",
        }
        for segment, supervision in zip(row.segments, described, strict=True)
    ]
