# SPDX-License-Identifier: Apache-2.0
"""NeMo manifests: one JSON line a segment, with the keys of NeMo's ASR manifests.

With audio files beside them, manifest_<split>.jsonl and audio/<recording>/<segment>.flac: NeMo takes a relative
audio_filepath from the manifest's own folder, so the export may be moved.

`tarred: true` is what NeMo streams large corpora from. A folder for each split holds audio_<n>.tar,
sharded_manifests/manifest_<n>.json with its lines, and tarred_audio_manifest.json with all of them; shard_id says in
which archive a line's audio lies. NeMo's readers count archives from 0 without gaps: for a shard that has
become empty there is an archive without files.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._attribution import rights_of
from speechmill.exporters._clips import Clips, clips_of
from speechmill.exporters._kept import SAMPLING_RATE, language_of
from speechmill.exporters._lines import part, parts, splits_of, write_json
from speechmill.exporters._tar import Tar, key_of

VERSION = "2"
REQUIRES = ()
UNIT = "hour"
USAGE = """\
import json

lines = [json.loads(line) for line in open("manifest_train.jsonl", encoding="utf-8")]
# NeMo reads it by: model.train_ds.manifest_filepath=manifest_train.jsonl
# and what was made with `tarred: true`, where N is the number of the last archive, by:
#   model.train_ds.is_tarred=true
#   model.train_ds.manifest_filepath=train/tarred_audio_manifest.json
#   model.train_ds.tarred_audio_filepaths=train/audio__OP_0..N_CL_.tar
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    audio: Literal["flac", "wav"] = "flac"  # lossless and half the size of wav, which some older readers want
    tarred: bool = False  # archives to stream from, in place of a file for each segment


class Backend:
    """Writes manifest_<split>.jsonl and audio/, or a folder of archives for each split."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write the audio of a shard, and its lines."""
        if self._config.tarred:
            self._archive(shard, folder)
        else:
            self._files(shard, folder)

    def _files(self, shard: Shard, folder: Path) -> None:
        with part(folder, shard.name, "jsonl").open("wb") as lines:
            for recording, segments in shard.rows():
                # A folder for each recording: a million files in one folder are slow to list.
                (folder / "audio" / recording.id).mkdir(parents=True, exist_ok=True)
                with clips_of(shard.dataset, recording, segments) as cut:
                    for segment in segments:
                        name = f"audio/{recording.id}/{segment.id}.{self._config.audio}"
                        (folder / name).write_bytes(cut.file(segment, self._config.audio))
                        write_json(lines, _entry(recording, segment, cut, name))

    def _archive(self, shard: Shard, folder: Path) -> None:
        number = _number(shard.name)
        manifests = folder / shard.split / "sharded_manifests"
        manifests.mkdir(parents=True)
        with (
            (manifests / f"manifest_{number}.json").open("wb") as lines,
            Tar(folder / shard.split / f"audio_{number}.tar") as tar,
        ):
            for recording, segments in shard.rows():
                with clips_of(shard.dataset, recording, segments) as cut:
                    for segment in segments:
                        name = f"{key_of(segment.id)}.{self._config.audio}"
                        tar.add(name, cut.file(segment, self._config.audio))
                        write_json(lines, _entry(recording, segment, cut, name) | {"shard_id": number})

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Put the lines of each split together."""
        for split, held in splits_of(shards).items():
            if not self._config.tarred:
                _together(parts(folder, held, "jsonl"), folder / f"manifest_{split}.jsonl")
                continue
            place = folder / split
            manifests = place / "sharded_manifests"
            manifests.mkdir(parents=True, exist_ok=True)
            numbers = {_number(one.name) for one in held}
            for missing in set(range(max(numbers, default=0))) - numbers:
                (manifests / f"manifest_{missing}.json").touch()
                with Tar(place / f"audio_{missing}.tar"):
                    pass
            there = [manifests / f"manifest_{number}.json" for number in sorted(numbers)]
            _together(there, place / "tarred_audio_manifest.json")


def _entry(recording: Recording, segment: Segment, cut: Clips, name: str) -> dict[str, Any]:
    rights = rights_of(recording)
    return {
        "audio_filepath": name,
        "duration": cut.num_samples(segment) / SAMPLING_RATE,
        "offset": 0.0,
        "text": segment.text or "",
        "lang": language_of(recording, segment),
        "speaker": segment.speaker,
        "sampling_rate": SAMPLING_RATE,
        "licence": rights.licence,
        "attribution": rights.attribution,
    }


def _number(shard: str) -> int:
    return int(shard.rpartition("-")[2])


def _together(paths: Sequence[Path], target: Path) -> None:
    with target.open("wb") as whole:
        for path in paths:
            with path.open("rb") as one:
                shutil.copyfileobj(one, whole)
