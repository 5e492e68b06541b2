# SPDX-License-Identifier: Apache-2.0
"""What happened in a run: one line per event and writer, and a summary at the end.

`runs/<id>/events-<writer>.jsonl` holds `Event` lines (timings live here and never in results);
`runs/<id>/summary.json` holds one `Summary`. Status, report and estimates read these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from speechmill.core.documents import read_document
from speechmill.core.files import write_bytes

COUNTS = "counts.json"  # in a run's folder


class Event(Struct, frozen=True, omit_defaults=True):
    """One stage done (or failed) for one recording. It began `wall_s` before its time."""

    time: float  # seconds since the epoch, at its end
    stage: str
    recording_id: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    audio_s: float = 0.0
    peak_rss_mb: float = 0.0  # of the worker process, so far
    failed: str | None = None  # reason
    detail: str = ""
    shard: str = ""
    worker: str = ""  # host:process; of a worker that died it isn't known


class StageCount(Struct):
    """What one run did in one stage. `processed` 0 means: everything was there already."""

    fingerprint: str
    processed: int = 0  # results written in this run, failures included
    cached: int = 0  # results found
    failed: int = 0  # items whose result is a failure, old or new
    pending: int = 0  # items without a result (interrupted, or blocked by a failure upstream)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    audio_s: float = 0.0  # audio processed in this run


class FailedItem(Struct, frozen=True):
    """A recording that did not get through a stage."""

    recording_id: str
    uri: str
    stage: str
    reason: str
    detail: str = ""
    permanent: bool = False
    attempts: int = 1


class Summary(Struct):
    """A finished or interrupted run."""

    run: str
    started: float
    finished: float | None = None
    exit_status: int | None = None
    recordings: int = 0
    aliases: int = 0  # recordings whose content another one has already
    audio_s: float = 0.0
    stages: dict[str, StageCount] = {}
    failures: list[FailedItem] = []
    warnings: list[str] = []
    peak_rss_mb: float = 0.0  # sum over the main process and its workers, at the worst moment seen
    workers: int = 1
    versions: dict[str, str] = {}  # of what the run was made with


def read_summary(folder: Path) -> Summary | None:
    """Read `summary.json` of a run's folder; None where the run was cut off before it wrote one."""
    try:
        return read_document(folder / "summary.json", Summary)
    except FileNotFoundError:
        return None


def write_summary(folder: Path, summary: Summary) -> None:
    """Write `summary.json` atomically."""
    write_bytes(folder / "summary.json", msgspec.json.format(msgspec.json.encode(summary), indent=2))


def read_events(folder: Path, recording_id: str | None = None) -> list[Event]:
    """Read every writer's events, or those of one recording, by time. A line cut off by a crash is left out."""
    decoder = msgspec.json.Decoder(Event)
    events = []
    for path in sorted(folder.glob("events-*.jsonl")):
        with path.open("rb") as file:
            whole = (decoder.decode(line) for line in file if line.endswith(b"\n"))
            events += [event for event in whole if recording_id in (None, event.recording_id)]
    return sorted(events, key=lambda event: event.time)


class EventFiles:
    """A run's events as they come: each call of `new` reads only what writers have added since the last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}  # by file name: how many bytes
        self._decoder = msgspec.json.Decoder(Event)

    def new(self) -> Iterator[Event]:
        """Yield new events, in order within each writer. One that doesn't name its worker gets its file's name."""
        for name in self._grown():
            writer = name.removeprefix("events-").removesuffix(".jsonl")
            for line in self._lines(name):
                event = self._decoder.decode(line)
                yield event if event.worker else structs.replace(event, worker=writer)

    def _grown(self) -> list[str]:
        """Name the files with something new: an orchestrated run has thousands, most of them of tasks that ended."""
        with os.scandir(self._folder) as entries:
            ours = [entry for entry in entries if entry.name.startswith("events-") and entry.name.endswith(".jsonl")]
            return sorted(entry.name for entry in ours if entry.stat().st_size > self._read.get(entry.name, 0))

    def _lines(self, name: str) -> Iterator[bytes]:
        with (self._folder / name).open("rb") as file:
            file.seek(self._read.get(name, 0))
            for line in file:
                if not line.endswith(b"\n"):
                    return  # its writer is still at it, or was cut off
                self._read[name] = self._read.get(name, 0) + len(line)
                yield line


def read_counts(folder: Path) -> dict[str, StageCount]:
    """Return what `exec` did of the corpus scope of a run: models made, filter, exports."""
    try:
        return read_document(folder / COUNTS, dict[str, StageCount])
    except FileNotFoundError:
        return {}


def add_counts(folder: Path, counts: Mapping[str, StageCount]) -> None:
    """Remember what was done of the corpus scope, for whoever concludes the run. The caller holds the workspace."""
    write_bytes(folder / COUNTS, msgspec.json.encode(read_counts(folder) | dict(counts)))
