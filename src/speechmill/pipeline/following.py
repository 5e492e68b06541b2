# SPDX-License-Identifier: Apache-2.0
"""Follow a run from outside, whoever works on it: one process, many, or an orchestrator's tasks.

What earlier runs had done is looked up in the ledger once; after that only what writers append to their events is read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from speechmill.core.types import Source
from speechmill.formats.manifest import read_rows
from speechmill.pipeline.corrected import renamed
from speechmill.pipeline.events import EventFiles, Summary, read_summary
from speechmill.pipeline.pending import Member
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.run import INTERRUPTED, STOPPED
from speechmill.pipeline.timeline import Board
from speechmill.pipeline.training import read_plan
from speechmill.pipeline.worker import at_work
from speechmill.store import corrections
from speechmill.store.ledger import Ledger
from speechmill.store.workspace import Workspace

SILENT_S = 120.0  # a long recording in a slow stage takes that long; tell, don't judge


class Followed:
    """A run as it is now, and after each `update`. Raises WorkspaceError where it isn't one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        plan = read_plan(folder)
        members = read_rows(folder / "shards.parquet", Member)
        self.board = Board(plan.nodes, ((one.recording_id, one.shard) for one in members))
        self.corpus = str(plan.corpus.get("name") or "Run")
        self.audio_s = sum(member.duration for member in members)
        self._look_up(plan, {member.key: member.recording_id for member in members})
        self.summary: Summary | None = None
        self.at_work: Counter[str] = Counter()  # recordings by the stage that a worker has them in
        self._events = EventFiles(folder)
        self.update()

    def _look_up(self, plan: Plan, ids: Mapping[str, str]) -> None:
        """Find what the ledger has."""
        workspace = Workspace.open(self.folder.resolve().parents[1])
        corrected = bool(corrections.by_audio(workspace.corrections))
        sources = read_rows(self.folder / "sources.parquet", Source) if corrected else []  # seconds for 100,000
        ledger = Ledger(workspace.root, renamed(plan.nodes, sources))
        for node in plan.nodes:
            for key, state in ledger.states(node.folder).items():
                if key in ids:
                    self.board.found(ids[key], node.name, ok=state.ok)

    def update(self) -> None:
        """Take in what has happened since."""
        self.summary = read_summary(self.folder)  # before the events: what it sums up is then all there
        for event in self._events.new():
            self.board.add(event)
        self.at_work = Counter() if self.summary else Counter(at_work(self.folder).values())

    @property
    def state(self) -> str:
        """What the run is: going on (or killed, which can't be told apart), finished, interrupted, stopped."""
        if self.summary is None:
            return "not finished"
        return {STOPPED: "stopped", INTERRUPTED: "interrupted"}.get(self.summary.exit_status or 0, "finished")

    @property
    def started(self) -> float:
        """When the run was planned, in seconds since the epoch: its name says it."""
        planned = datetime.strptime(self.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        return min(planned.timestamp(), self.board.workers.origin)

    @property
    def ended(self) -> float:
        """When the run ended, or now."""
        return (self.summary and self.summary.finished) or time.time()

    @property
    def silent_s(self) -> float | None:
        """Seconds since a run that isn't finished was heard of, where they are many: it may have been killed."""
        if self.summary is not None or self.board.last is None:
            return None
        silent = time.time() - self.board.last
        return silent if silent > SILENT_S else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the recordings are through, at the pace so far; None where no pace is known."""
        lanes, stages = self.board.workers, self.board.stages
        spent = sum(row.wall_s for row in stages)
        if self.summary or not spent:
            return None
        at_once = max(1e-9, spent / max(1e-9, lanes.end - lanes.origin))
        left = 0.0
        for row in stages:
            done = row.done + row.failed
            if row.missing and not (done and row.wall_s):
                return None
            left += row.missing * row.wall_s / done if row.missing else 0.0
        return left / at_once
