# SPDX-License-Identifier: Apache-2.0
"""Our own manifest as JSON lines: recordings.jsonl and segments.jsonl, every field of the dataset by its name.

For people and programs without Parquet. Audio is not copied: `audio` paths are relative to the workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, structs

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters._attribution import source_of, write_attribution
from speechmill.exporters._kept import by_recording
from speechmill.formats.manifest import write_jsonl
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes in."""

    kept_only: bool = True  # False: dropped segments too, each with its reasons


class Backend:
    """Writes recordings.jsonl, segments.jsonl and ATTRIBUTION.tsv."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._count = 0

    def export(self, dataset: Dataset, folder: Path) -> int:
        """Write the manifests; their first line is the schema version. Returns the number of segments."""
        self._count = 0  # an export starts anew
        if self._config.kept_only:
            recordings: list[Recording] = []
            write_jsonl(folder / "segments.jsonl", self._kept(dataset, recordings))
        else:
            recordings = list(dataset.recordings().values())
            write_jsonl(folder / "segments.jsonl", self._counted(dataset.segments(kept=False)))
        # A local path is of one machine, and may name its user: the file's name is enough.
        write_jsonl(folder / "recordings.jsonl", [structs.replace(one, uri=source_of(one)) for one in recordings])
        write_attribution(folder, recordings)
        return self._count

    def _kept(self, dataset: Dataset, recordings: list[Recording]) -> Iterator[Segment]:
        for recording, segments in by_recording(dataset):
            recordings.append(recording)
            yield from self._counted(segments)

    def _counted(self, segments: Iterator[Segment]) -> Iterator[Segment]:
        for segment in segments:
            self._count += 1
            yield segment
