# SPDX-License-Identifier: Apache-2.0
"""What runs in a worker process: one recording through a run of stages, decoded once.

A worker answers with results; when a recording takes long it writes them into the ledger itself, so that a
crash costs seconds of work. A watchdog ends the process when it grows beyond its share of memory or when its
parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil
from msgspec import Struct, structs

from speechmill import models
from speechmill.core.errors import AudioError
from speechmill.core.stage import Context, Item, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Canonical, Failed, Source, Stamp
from speechmill.pipeline.corrected import renamed
from speechmill.pipeline.events import Event
from speechmill.pipeline.plan import Node, Plan, stages
from speechmill.stages.glue import Glue
from speechmill.stages.normalise import Normalise
from speechmill.store.ledger import Ledger, Result

FLUSH_S = 3.0  # results older than this are written before the next stage starts


class Task(Struct, frozen=True):
    """One recording and the stages it still needs."""

    source: Source
    stages: tuple[str, ...]
    columns: dict[str, Any]  # what earlier runs made and these stages read
    shard: str
    duration: float  # seconds, as far as known before decoding
    timeout_s: float


class Outcome(Struct, frozen=True):
    """What came of a task: results by stage that are not in the ledger yet, and what happened."""

    results: dict[str, Result]
    written: dict[str, Failed | None]  # in the ledger already: stage -> its failure, if it failed
    events: tuple[Event, ...]
    changed: str | None = None  # a file that is not what was hashed any more: nothing may be kept under its key


class Death(Struct, frozen=True):
    """A worker that died over a task, or was stopped for taking too long."""

    reason: str  # "worker-died", "out-of-memory", "timeout"
    detail: str
    stage: str | None  # in which stage, where known


class Engine(Protocol):
    """Runs tasks, anywhere; answers come in any order, and only a bounded number is under way."""

    workers: int

    def map(self, plan: Plan, tasks: Iterator[Task]) -> Iterator[tuple[Task, Outcome | Death]]: ...

    def peak_rss_mb(self) -> float:
        """The most memory that main process and workers had together, as far as watched."""
        ...


class LazyAudio:
    """Canonical audio that is opened by the first stage that reads it."""

    def __init__(self, workspace: Path, canonical: Canonical) -> None:
        self._workspace = workspace
        self._canonical = canonical
        self._opened: Any = None

    @property
    def num_channels(self) -> int:
        return len(self._canonical.paths)

    @property
    def duration(self) -> float:
        return self._canonical.duration

    def adopt(self, audio: Any) -> None:
        """Take over a working copy that is open already."""
        self._opened = audio

    def read(
        self,
        start: float = 0.0,
        duration: float | None = None,
        *,
        channel: int = 0,
        sampling_rate: int = WORKING_HZ,
    ) -> Samples:
        """Return samples; see core.stage.Audio. Raises AudioError where the FLAC is gone or broken."""
        if self._opened is None:
            self._opened = self._open()
        samples: Samples = self._opened.read(start, duration, channel=channel, sampling_rate=sampling_rate)
        return samples

    def _open(self) -> Any:
        from speechmill.formats.audio import open_canonical

        try:
            return open_canonical(self._workspace, self._canonical)
        except AudioError as error:
            if error.reason == "canonical-audio-corrupt":  # what is gone is made again from the original
                for path in self._canonical.paths:
                    (self._workspace / path).unlink(missing_ok=True)
            raise

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


class Worker:
    """The stages of a plan, opened once, and what is under way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.workspace = Path(plan.workspace)
        self.nodes: dict[str, Node] = {node.name: node for node in plan.nodes}
        self.stages: Sequence[Glue] = stages(plan.resolved())
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._ledger = Ledger(self.workspace)
        context = Context(self.workspace, models.path)
        for stage in self.stages:
            model = self.nodes[stage.name].model
            stage.open(structs.replace(context, made=self.workspace / "models" / model) if model else context)

    def work(self, task: Task) -> Outcome:
        """Run a task's stages in order; one whose input is missing (its maker failed) is left out."""
        self._ledger.renamed = renamed(self.plan.nodes, [task.source])
        if changed := changes(task.source):
            return Outcome({}, {}, (), changed)
        chain = _Chain(self, task)
        marker = inflight(self.workspace, self.plan.run, task.source.key)
        marker.parent.mkdir(parents=True, exist_ok=True)  # another process may have tidied up
        try:
            for stage in self.stages:
                if stage.name in task.stages and set(stage.reads) <= chain.columns.keys():
                    marker.write_text(stage.name)
                    chain.step(stage)
        finally:
            chain.close()
        marker.unlink(missing_ok=True)  # not where something was raised: the marker says in which stage
        changed = changes(task.source)
        unwritten = {} if changed else chain.unwritten
        return Outcome(unwritten, chain.written, tuple(chain.events), changed)

    def flush(self, results: dict[str, Result], shard: str) -> None:
        """Write results into the ledger."""
        for name, result in results.items():
            node = self.nodes[name]
            self._ledger.write(node.folder, shard, node.writes, [result])


class _Chain:
    """One recording on its way through the stages."""

    def __init__(self, worker: Worker, task: Task) -> None:
        self._worker = worker
        self._task = task
        self._audio: LazyAudio | None = None
        self._flushed = time.monotonic()
        self._process = psutil.Process()
        self.columns = dict(task.columns)
        self.unwritten: dict[str, Result] = {}
        self.written: dict[str, Failed | None] = {}
        self.events: list[Event] = []
        self._open_audio()

    def step(self, stage: Glue) -> None:
        """Run one stage and keep what it made."""
        if time.monotonic() - self._flushed > FLUSH_S and not changes(self._task.source):
            self._flush()
        wall, cpu = time.perf_counter(), time.process_time()
        item = Item(self._task.source, {name: self.columns[name] for name in stage.reads}, self._audio)
        made = stage.process([item])[0]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        failed = made if isinstance(made, Failed) else None
        columns = {} if isinstance(made, Failed) else made.columns
        self.unwritten[stage.name] = Result(item.key, columns, failed)
        self.columns |= columns
        if isinstance(stage, Normalise) and failed is None:
            self._open_audio(stage)
        self.events.append(self._event(stage.name, wall, cpu, failed))

    def close(self) -> None:
        if self._audio is not None:
            self._audio.close()

    def _open_audio(self, made_by: Normalise | None = None) -> None:
        if "audio" in self.columns:
            self._audio = LazyAudio(self._worker.workspace, self.columns["audio"])
            if made_by is not None:
                self._audio.adopt(made_by.take())

    def _flush(self) -> None:
        self._worker.flush(self.unwritten, self._task.shard)
        self.written |= {name: result.failed for name, result in self.unwritten.items()}
        self.unwritten = {}
        self._flushed = time.monotonic()

    def _event(self, stage: str, wall: float, cpu: float, failed: Failed | None) -> Event:
        return Event(
            time=time.time(),
            stage=stage,
            recording_id=self._task.source.id,
            wall_s=round(wall, 4),
            cpu_s=round(cpu, 4),
            audio_s=self._audio.duration if self._audio else 0.0,
            peak_rss_mb=round(self._process.memory_info().rss / 2**20, 1),
            failed=failed.reason if failed else None,
            detail=failed.detail if failed else "",
            shard=self._task.shard,
            worker=self._worker.name,
        )


def changes(source: Source) -> str | None:
    """Name the first file of a source that has changed since it was hashed, or None."""
    for path, stamp in zip(source.files, source.stamps, strict=False):
        try:
            status = os.stat(path)
        except OSError:
            continue  # gone: the stage that needs it says so, one that has its results doesn't care
        if Stamp(status.st_size, status.st_mtime_ns) != stamp:
            return path
    return None


def inflight(workspace: Path, run: str, key: str) -> Path:
    """Return the file in which a worker says what stage a recording is in; the dead are known by it."""
    return workspace / "runs" / run / "inflight" / inflight_name(key)


def inflight_name(key: str) -> str:
    """Name the file of a recording that is under way."""
    return key[:32]


def at_work(run: Path) -> dict[str, str]:
    """Return what a run's workers are at now: the name of a recording's marker (see `inflight`) -> stage."""
    found = {}
    for marker in (run / "inflight").glob("*"):
        with contextlib.suppress(OSError):  # it is through
            found[marker.name] = marker.read_text()
    return {name: stage for name, stage in found.items() if stage}
