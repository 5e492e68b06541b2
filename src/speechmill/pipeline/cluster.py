# SPDX-License-Identifier: Apache-2.0
"""What a run of a corpus would take on a cluster, before money is spent on it: from an hour to a million.

Stage times are what earlier runs in the workspace measured, or else typical; `Part.measured` says which. Tasks and
shards are counted as the flows cut them. `benchmarks/estimate.py` compares estimates with runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from speechmill.core.timebase import CANONICAL_HZ
from speechmill.pipeline.batches import is_remote
from speechmill.pipeline.estimate import FLAC_SHARE, TABLE_BYTES_PER_S, Survey, measured_costs, survey
from speechmill.pipeline.flow import Flow, Step, flows
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.pending import GUESSED_BYTES_PER_S, SHARD_RECORDINGS, SHARD_S
from speechmill.pipeline.plan import nodes
from speechmill.pipeline.spec import Corpus

HOURS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
# From queued to started, besides our own start. Airflow's as benchmarks/orchestrate.py has it, where the platform and
# its tasks share two cores; of the others, which start a pod for a task, an assumption.
TASK_S = {"none": 0.0, "airflow": 5.0, "flyte": 10.0, "kubeflow": 20.0}
START_S = 1.0  # of `speechmill exec`: Python, the run's folder, the networks
RECORDING_S = 0.0002  # of an engine, for each recording in each step
GPU_FACTOR = 30.0  # a GPU's speed to a core's, for a network that no run here has measured on a GPU
FINISH_COST = 0.001  # CPU seconds per second of audio: join, filter, dataset
EXPORT_COST = 0.001  # and for each export
TRAIN_COST = 1 / 60  # CPU seconds per second of the speech that a model is trained on: docs/alignment.md
RECORDINGS_AN_HOUR = 6.0  # where the corpus has none to count


class Part(Struct, frozen=True):
    """One step's share."""

    step: str
    tasks: int
    cpu_h: float  # of one core
    gpu_h: float
    wall_h: float
    measured: bool  # by runs in this workspace


class Scale(Struct, frozen=True):
    """A corpus of so many hours."""

    audio_h: float
    recordings: int
    shards: int
    tasks: int
    cpu_h: float  # of one core, overhead left out
    gpu_h: float
    overhead_h: float  # of one core: starting tasks, handing recordings around
    wall_h: float
    storage_gb: float  # canonical audio, ledger, dataset, exports; and originals, of remote sources
    parts: tuple[Part, ...]

    def price(self, cpu: float, gpu: float) -> float:
        """Return what it costs, at prices for an hour of a core and of a GPU."""
        return (self.cpu_h + self.overhead_h) * cpu + self.gpu_h * gpu


def estimate_cluster(corpus: Corpus, hours: Sequence[float] = HOURS, orchestrator: str = "airflow") -> list[Scale]:
    """Estimate a run of a corpus at each of these sizes. Writes nothing.

    orchestrator: a name in TASK_S. How many cores work at once follows from `orchestrate:`: parallel x workers.
    """
    found = survey(corpus)
    an_hour = found.recordings / found.audio_h if found.recordings and found.audio_h else RECORDINGS_AN_HOUR
    known = measured_costs(corpus.store)
    return [_Sizing(corpus, orchestrator, size, math.ceil(size * an_hour), known, found).scale() for size in hours]


class _Sizing:
    """One size of a corpus, step by step."""

    def __init__(
        self,
        corpus: Corpus,
        orchestrator: str,
        hours: float,
        recordings: int,
        known: Mapping[str, float],
        found: Survey,
    ) -> None:
        self._corpus = corpus
        self._found = found
        self._options: OrchestrateOptions = corpus.orchestrate
        self._task_s = TASK_S[orchestrator] + START_S
        self._hours = hours
        self._recordings = recordings
        self._shards = max(1, math.ceil(hours * 3600 / SHARD_S), math.ceil(recordings / SHARD_RECORDINGS))
        self._known = known
        self._nodes = {node.name: node for node in nodes(corpus)}

    def scale(self) -> Scale:
        """Add the steps up."""
        parts = [self._part(step) for flow in self._working() for step in flow.steps if self._is_done(step)]
        steps = sum(part.tasks for part in parts)
        over_shards = sum(part.tasks > 1 for part in parts) or 1
        overhead = steps * self._task_s + over_shards * self._recordings * RECORDING_S
        return Scale(
            audio_h=self._hours,
            recordings=self._recordings,
            shards=self._shards,
            tasks=steps,
            cpu_h=round(sum(part.cpu_h for part in parts), 3),
            gpu_h=round(sum(part.gpu_h for part in parts), 3),
            overhead_h=round(overhead / 3600, 3),
            wall_h=round(sum(part.wall_h for part in parts), 3),
            storage_gb=round(self._storage() / 1e9, 3),
            parts=tuple(parts),
        )

    def _working(self) -> list[Flow]:
        """The flows but crawling: how long that takes is the platforms' to say, by their budgets."""
        return [flow for flow in flows(self._corpus) if flow.name != "crawl"]

    def _is_done(self, step: Step) -> bool:
        """Of two that stand in for each other, the dear one: an estimate is no less than what may come."""
        return step.when is None or step.when.any

    def _part(self, step: Step) -> Part:
        cost, measured = self._cost(step)
        work_h = self._hours * cost
        tasks = min(self._shards, self._options.tasks) if step.over_shards else 1
        lanes = min(tasks, self._options.parallel)
        waves = math.ceil(tasks / lanes)
        speed = lanes * (self._options.workers if step.over_shards else 1) * (tasks / (waves * lanes))
        gpu_h = 0.0
        if step.need.gpu:
            work_h = gpu_h = work_h / GPU_FACTOR
            speed = lanes * (tasks / (waves * lanes))
        wall_h = work_h / speed + waves * self._task_s / 3600
        cpu_h = 0.0 if step.need.gpu else work_h
        return Part(step.name, tasks, round(cpu_h, 4), round(gpu_h, 4), round(wall_h, 4), measured)

    def _cost(self, step: Step) -> tuple[float, bool]:
        """CPU seconds per second of audio, and whether a run here measured all of it."""
        if step.name == "finish":
            names = ["filter", *(f"export.{choice.backend}" for choice in self._corpus.export)]
            typical = dict.fromkeys(names, EXPORT_COST) | {"filter": FINISH_COST}
        elif step.name == "train":
            most = getattr(self._corpus.align.config, "max_hours", self._hours) if self._corpus.align else 0.0
            return TRAIN_COST * min(1.0, most / self._hours), False
        elif step.over_shards:
            mine = [node for node in self._nodes.values() if node.name in step.command[4].split(",")]
            typical = {node.name: node.resources.cost * self._share(step) for node in mine}
        else:
            return 0.0, True
        return sum(self._known.get(name, cost) for name, cost in typical.items()), set(typical) <= set(self._known)

    def _share(self, step: Step) -> float:
        """The share of recordings that a step has work with; of a corpus that isn't there yet, all."""
        if step.when is None or not self._found.recordings:
            return 1.0
        return float(getattr(self._found.facts, step.when.fact)) / self._found.recordings

    def _storage(self) -> float:
        seconds = self._hours * 3600
        canonical = seconds * CANONICAL_HZ * 2 * FLAC_SHARE
        originals = seconds * GUESSED_BYTES_PER_S if any(map(is_remote, self._corpus.sources)) else 0.0
        return canonical * (1 + len(self._corpus.export)) + seconds * TABLE_BYTES_PER_S + originals
