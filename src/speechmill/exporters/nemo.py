# SPDX-License-Identifier: Apache-2.0
"""A NeMo manifest: one JSON line and one audio file for each segment.

The keys are those of NeMo's ASR manifests (audio_filepath, duration, offset, text, lang, speaker). NeMo takes a
relative audio_filepath from the manifest's own folder, so the export may be moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters._attribution import rights_of, write_attribution
from speechmill.exporters._clips import Container, clip, encode
from speechmill.exporters._kept import SAMPLING_RATE, by_recording, language_of
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    audio: Container = "flac"  # lossless and half the size of wav, which some older readers want


class Backend:
    """Writes manifest.jsonl, audio/<recording>/<segment>.<flac|wav> and ATTRIBUTION.tsv."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def export(self, dataset: Dataset, folder: Path) -> int:
        """Write the kept segments. Returns how many there are."""
        count = 0
        recordings: list[Recording] = []
        with (folder / "manifest.jsonl").open("wb") as manifest:
            for recording, segments in by_recording(dataset):
                recordings.append(recording)
                # A folder for each recording: a million files in one folder are slow to list.
                (folder / "audio" / recording.id).mkdir(parents=True)
                for segment in segments:
                    manifest.write(msgspec.json.encode(self._entry(dataset, recording, segment, folder)) + b"\n")
                    count += 1
        write_attribution(folder, recordings)
        return count

    def _entry(self, dataset: Dataset, recording: Recording, segment: Segment, folder: Path) -> dict[str, Any]:
        """Write a segment's audio; return its line."""
        samples = clip(dataset, recording, segment)
        name = f"audio/{recording.id}/{segment.id}.{self._config.audio}"
        (folder / name).write_bytes(encode(samples, self._config.audio))
        rights = rights_of(recording)
        return {
            "audio_filepath": name,
            "duration": len(samples) / SAMPLING_RATE,
            "offset": 0.0,
            "text": segment.text or "",
            "lang": language_of(recording, segment),
            "speaker": segment.speaker,
            "licence": rights.licence,
            "attribution": rights.attribution,
        }
