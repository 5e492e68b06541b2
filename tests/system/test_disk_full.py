# SPDX-License-Identifier: Apache-2.0
"""A disk that is full ends a crawl with a clear word; with room made, the same command goes on and nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.checks import check_whole, listed
from tests.system.conftest import MakeProject

from replica.handle import Replica

pytestmark = pytest.mark.system

CHANNELS, PER_CHANNEL = 1, 64
SMALL_DISK, LARGE_MB = "24m", 400  # the recordings have about 40 MB


def test_a_full_disk_ends_a_crawl_that_goes_on_when_there_is_room(
    make_project: MakeProject, start_replica: Callable[..., Replica], small_disk: Path
) -> None:
    replica = start_replica(channels=CHANNELS, videos_per_channel=PER_CHANNEL, search_results=PER_CHANNEL)
    project = make_project(replica, store=str(small_disk / "workspace"))
    for _ in range(2):  # the second time the disk is full from the start
        crawl = project.start()
        crawl.wait(2)
        assert "no space is left" in crawl.said.lower() or "disk is full" in crawl.said.lower()
        assert "Traceback" not in crawl.said
    subprocess.run(["mount", "-o", f"remount,size={LARGE_MB}m", str(small_disk)], check=True)
    project.start().wait()
    check_whole(project, listed(CHANNELS, PER_CHANNEL))
