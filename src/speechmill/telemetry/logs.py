# SPDX-License-Identifier: Apache-2.0
"""Structured logs: one JSON object a line on stderr, with the recording it is about."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TextIO

import msgspec
from msgspec import Struct

from speechmill.pipeline.events import Event
from speechmill.pipeline.record import Scope
from speechmill.telemetry.metrics import shard_label

Level = Literal["info", "warning", "error"]


class Line(Struct, omit_defaults=True):
    """A line of the log; what doesn't apply is left out."""

    time: str  # ISO 8601, UTC
    level: Level
    message: str
    run: str = ""
    shard: str = ""
    stage: str = ""
    recording: str = ""
    reason: str = ""  # of a failure
    detail: str = ""
    worker: str = ""
    wall_s: float = 0.0
    audio_s: float = 0.0
    peak_rss_mb: float = 0.0


class JsonLog:
    """An observer that writes lines: what is begun, each stage of each recording, what failed and why."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._run = self._shards = ""

    def note(self, text: str, level: Level = "info") -> None:
        whole = text.encode(errors="replace").decode()  # a path that is no UTF-8 has lone surrogates
        self._write(Line(_now(), level, whole, self._run, self._shards))

    def scope(self, scope: Scope) -> None:
        self._run, self._shards = scope.folder.name, shard_label(scope.shards)

    def begin(self, recordings: int, audio_s: float) -> None:
        self.note(f"{recordings} recordings, {audio_s:.0f} s of audio to work on")

    def done(self, recording_id: str, audio_s: float, events: Sequence[Event]) -> None:
        for event in events:
            self._write(self._line(event))

    def _line(self, event: Event) -> Line:
        failed = event.failed is not None
        return Line(
            _iso(event.time),
            "error" if failed else "info",
            f"{event.stage} failed: {event.failed}" if failed else f"{event.stage} done",
            self._run,
            event.shard or self._shards,
            event.stage,
            event.recording_id,
            event.failed or "",
            event.detail,
            event.worker,
            event.wall_s,
            round(event.audio_s, 3),
            event.peak_rss_mb,
        )

    def _write(self, line: Line) -> None:
        print(msgspec.json.encode(line).decode(), file=self._file or sys.stderr, flush=True)


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
