# SPDX-License-Identifier: Apache-2.0
"""What a run would take, before it starts: hours, disk and time.

Time per stage is what earlier runs in this workspace measured, or else the stage's own typical cost.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.timebase import CANONICAL_HZ
from speechmill.pipeline.corrected import renamed
from speechmill.pipeline.events import read_summary
from speechmill.pipeline.pending import shards
from speechmill.pipeline.plan import check_backends
from speechmill.pipeline.planned import Facts, facts
from speechmill.pipeline.run import prepare
from speechmill.pipeline.spec import Corpus
from speechmill.store.ledger import Ledger
from speechmill.store.workspace import Workspace

FLAC_SHARE = 0.5  # of PCM16 at 24 kHz: 0.46 on LibriSpeech test-other, 0.50 on the demo
TABLE_BYTES_PER_S = 400.0  # words, phones and scores of a second of speech, compressed


class StageEstimate(Struct, frozen=True):
    """One stage's share."""

    stage: str
    recordings: int
    audio_h: float
    cpu_h: float
    measured: bool  # from an earlier run here, not from the stage's typical cost


class Estimate(Struct, frozen=True):
    """A whole run's."""

    recordings: int
    audio_h: float
    unreadable: int
    aliases: int
    disk_gb: float
    cpu_h: float
    wall_h: float
    workers: int
    stages: tuple[StageEstimate, ...]


class Survey(Struct, frozen=True):
    """What a corpus holds, as far as it can be found without asking remote sources."""

    recordings: int
    audio_h: float
    facts: Facts


def survey(corpus: Corpus) -> Survey:
    """Count what is there of a corpus. Nothing, where its remote sources were never crawled."""
    check_backends(corpus)
    try:
        prepared = prepare(corpus, _workspace(corpus), None)
    except ConfigError:  # no recordings yet
        return Survey(0, 0.0, Facts())
    members = shards(prepared.sources, prepared.memory)
    sources = [source for source in prepared.sources if source.alias_of is None and source.error is None]
    return Survey(len(members), sum(member.duration for member in members) / 3600, facts(corpus, sources))


def _workspace(corpus: Corpus) -> Workspace:
    exists = (corpus.store / "workspace.json").exists()
    return Workspace.open(corpus.store) if exists else Workspace(corpus.store)


def estimate_corpus(corpus: Corpus, workers: int, limit: int | None = None) -> Estimate:
    """Estimate what is still to be done for a corpus. Writes nothing but file hashes, and those into a workspace."""
    check_backends(corpus)
    workspace = _workspace(corpus)
    prepared = prepare(corpus, workspace, limit)
    members = shards(prepared.sources, prepared.memory)
    ledger = Ledger(workspace.root, renamed(prepared.plan.nodes, prepared.sources))
    measured = measured_costs(workspace.root)
    rows = []
    for node in prepared.plan.nodes:
        done = ledger.states(node.folder)
        hours = sum(member.duration for member in members if member.key not in done) / 3600
        count = sum(member.key not in done for member in members)
        cost = measured.get(node.name, node.resources.cost)
        rows.append(StageEstimate(node.name, count, round(hours, 3), round(hours * cost, 4), node.name in measured))
    audio_s = sum(member.duration for member in members)
    canonical = audio_s * CANONICAL_HZ * 2 * FLAC_SHARE
    cpu_h = sum(row.cpu_h for row in rows)
    return Estimate(
        recordings=len(members),
        audio_h=round(audio_s / 3600, 3),
        unreadable=sum(source.error is not None for source in prepared.sources),
        aliases=sum(source.alias_of is not None for source in prepared.sources),
        disk_gb=round((canonical * (1 + len(corpus.export)) + audio_s * TABLE_BYTES_PER_S) / 1e9, 3),
        cpu_h=round(cpu_h, 3),
        wall_h=round(cpu_h / workers, 3),
        workers=workers,
        stages=tuple(rows),
    )


def measured_costs(root: Path) -> dict[str, float]:
    """CPU seconds per second of audio, by stage, over all runs of a workspace that said so.

    What is done once for the whole corpus (filter, exports) is set against the audio of its run.
    """
    cpu: dict[str, float] = {}
    audio: dict[str, float] = {}
    for folder in sorted(Workspace(root).runs.glob("*")):
        summary = read_summary(folder)
        for name, count in (summary.stages if summary else {}).items():
            whole = name == "filter" or name.startswith("export.")
            seconds = summary.audio_s * bool(count.processed) if summary and whole else count.audio_s
            cpu[name] = cpu.get(name, 0.0) + count.cpu_s
            audio[name] = audio.get(name, 0.0) + seconds
    return {name: cpu[name] / seconds for name, seconds in audio.items() if seconds > 0}
