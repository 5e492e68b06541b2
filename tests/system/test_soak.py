# SPDX-License-Identifier: Apache-2.0
"""Five thousand videos described, fetched and decoded: memory and open files stay what they were after the first."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from msgspec import Struct, to_builtins
from tests.system.conftest import MakeProject
from tests.system.projects import Crawling, visits

from replica.handle import Replica
from replica.media import tone

pytestmark = pytest.mark.soak

CHANNELS, PER_CHANNEL = 10, 500
PATIENCE_S = 3600.0
SAMPLE_S = 2.0
MAX_GROWTH = 1.1  # of memory, from the second third of the crawl to the last
SLACK_MB = 24  # and besides: an allocator's arenas
MAX_MORE_FILES = 8  # connections come and go


class Sample(Struct, frozen=True):
    """One moment of a crawl."""

    seconds: float
    visits: int
    command_mb: float
    command_files: int
    workers: int
    workers_mb: float  # of all together
    worker_files: int  # of the one that has most


@pytest.fixture
def short_clip(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "clip.m4a").write_bytes(tone(1.0))
    return folder


def test_memory_and_open_files_stay_flat(
    make_project: MakeProject, start_replica: Callable[..., Replica], short_clip: Path
) -> None:
    replica = start_replica(media=short_clip, channels=CHANNELS, videos_per_channel=PER_CHANNEL)
    rights = {"basis": "consent", "evidence": "a replica"}
    sources = [{"youtube": {"channel": f"@channel{number}", "rights": rights}} for number in range(CHANNELS)]
    project = make_project(replica, sources=sources)
    crawl = project.start("--json")
    with Sampling(crawl, replica) as sampling:
        crawl.wait(timeout_s=PATIENCE_S)
    progress = crawl.summary["progress"]
    assert progress["stored"] == progress["canonical"] == CHANNELS * PER_CHANNEL
    found = during_the_work(sampling.samples)
    middle, last = found[len(found) // 3 : 2 * len(found) // 3], found[2 * len(found) // 3 :]
    print(json.dumps(row(progress["seconds"], middle, last, found)))
    assert peak(last, "command_files") <= peak(middle, "command_files") + MAX_MORE_FILES
    assert peak(last, "worker_files") <= peak(middle, "worker_files") + MAX_MORE_FILES
    for name in ("command_mb", "workers_mb"):
        assert typical(last, name) <= MAX_GROWTH * typical(middle, name) + SLACK_MB, name


class Sampling:
    """Looks at a crawl's processes for as long as the block."""

    def __init__(self, crawl: Crawling, replica: Replica) -> None:
        self.samples: list[Sample] = []
        self._crawl, self._replica = crawl, replica
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Sampling:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        started = time.monotonic()
        while not self._over.wait(SAMPLE_S):
            try:
                self.samples.append(self._sample(time.monotonic() - started))
            except psutil.Error:
                continue  # one of them has just ended

    def _sample(self, seconds: float) -> Sample:
        command, workers = psutil.Process(self._crawl.pid), self._crawl.children()
        return Sample(
            seconds=round(seconds, 1),
            visits=visits(self._replica),
            command_mb=megabytes(command),
            command_files=command.num_fds(),
            workers=len(workers),
            workers_mb=round(sum(map(megabytes, workers)), 1),
            worker_files=max((worker.num_fds() for worker in workers), default=0),
        )


def megabytes(process: psutil.Process) -> float:
    return round(process.memory_info().rss / 2**20, 1)


def during_the_work(samples: list[Sample]) -> list[Sample]:
    """Leave out the start, and what follows the last visit."""
    total = CHANNELS * PER_CHANNEL
    found = [one for one in samples if total // 10 <= one.visits < total]
    assert len(found) >= 12, f"only {len(found)} looks at it"
    return found


def peak(samples: list[Sample], name: str) -> int:
    return max(getattr(one, name) for one in samples)


def typical(samples: list[Sample], name: str) -> float:
    return statistics.median(getattr(one, name) for one in samples)


def row(seconds: float, middle: list[Sample], last: list[Sample], found: list[Sample]) -> dict[str, object]:
    """Return what the docs say of it."""
    names = ("command_mb", "workers_mb", "command_files", "worker_files")
    return {
        "name": "soak",
        "videos": CHANNELS * PER_CHANNEL,
        "seconds": round(seconds, 1),
        "middle": {name: typical(middle, name) for name in names},
        "last": {name: typical(last, name) for name in names},
        "peak": {name: peak(found, name) for name in names},
        "samples": [to_builtins(one) for one in found[:: max(1, len(found) // 12)]],
    }
