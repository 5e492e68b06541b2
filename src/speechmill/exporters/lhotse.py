# SPDX-License-Identifier: Apache-2.0
"""Lhotse manifests: recordings, supervisions and cuts as gzipped JSON lines.

Written by hand in the layout that lhotse 1.x reads, without lhotse. A cut is one segment, with its supervision's times
counted from the cut's start, as lhotse wants; in supervisions.jsonl.gz they count from the recording's. Scores are
custom fields (`supervision.snr_db`), beside `licence` and `attribution`.

Paths are relative. With `audio: copy`, to the export; with `audio: reference`, to the workspace:

    CutSet.from_file(folder / "cuts.jsonl.gz").with_recording_path_prefix(folder)
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from speechmill.core.errors import AudioError
from speechmill.core.stage import Context
from speechmill.core.timebase import shift, tick
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters._attribution import rights_of, write_attribution
from speechmill.exporters._kept import SAMPLING_RATE, by_recording, channel_of, language_of
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    audio: Literal["copy", "reference"] = "copy"  # a copy may be moved elsewhere; a reference takes no disk


class Backend:
    """Writes {recordings,supervisions,cuts}.jsonl.gz and ATTRIBUTION.tsv, and audio/*.flac where copied."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def export(self, dataset: Dataset, folder: Path) -> int:
        """Write the kept segments and the recordings that they are from. Returns the number of segments."""
        count = 0
        exported: list[Recording] = []
        with ExitStack() as stack:
            names = ("recordings", "supervisions", "cuts")
            recordings, supervisions, cuts = (stack.enter_context(_lines(folder / f"{n}.jsonl.gz")) for n in names)
            for recording, segments in by_recording(dataset):
                exported.append(recording)
                source = self._recording(dataset, recording, folder)
                _write(recordings, source)
                for segment in segments:
                    supervision = _supervision(recording, segment, source["duration"])
                    _write(supervisions, supervision)
                    _write(cuts, _cut(segment, supervision, source))
                    count += 1
        write_attribution(folder, exported)
        return count

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


@contextmanager
def _lines(path: Path) -> Iterator[BinaryIO]:
    """Open a gzip file that holds no name and no date, so that the same lines make the same bytes."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as lines:
        yield lines  # type: ignore[misc]


def _write(lines: BinaryIO, entry: dict[str, Any]) -> None:
    lines.write(msgspec.json.encode(entry) + b"\n")


def _supervision(recording: Recording, segment: Segment, duration: float) -> dict[str, Any]:
    """Describe a segment, times from the start of the recording; `duration` is the recording's, in seconds."""
    # Rounding to whole milliseconds may put a segment's end just behind the last sample.
    length = tick(min(segment.end, duration) - segment.start)
    if length <= 0:
        raise AudioError("no-samples", f"segment {segment.id} begins behind the end of {recording.audio}")
    rights = rights_of(recording)
    return {
        "id": segment.id,
        "recording_id": recording.id,
        "start": segment.start,
        "duration": length,
        "channel": channel_of(recording, segment),
        "text": segment.text,
        "language": language_of(recording, segment),
        "speaker": segment.speaker,
        "alignment": _alignment(segment, 0.0),
        "custom": {**segment.scores, "licence": rights.licence, "attribution": rights.attribution},
    }


def _alignment(segment: Segment, offset: float) -> dict[str, list[list[Any]]]:
    """Return words and phones, moved by `offset` seconds, as lhotse stores its alignment items."""
    return {
        name: [_item(shift(symbol, offset)) for symbol in symbols]
        for name, symbols in (("word", segment.words), ("phone", segment.phones))
        if symbols
    }


def _item(word: Word) -> list[Any]:
    return [word.symbol, word.start, word.duration, word.score]


def _cut(segment: Segment, supervision: dict[str, Any], recording: dict[str, Any]) -> dict[str, Any]:
    """Describe a cut that is exactly one supervision."""
    return {
        "id": segment.id,
        "start": supervision["start"],
        "duration": supervision["duration"],
        "channel": supervision["channel"],
        "supervisions": [{**supervision, "start": 0.0, "alignment": _alignment(segment, -segment.start)}],
        "recording": recording,
        "type": "MonoCut",
    }
