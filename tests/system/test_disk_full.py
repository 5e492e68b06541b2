# SPDX-License-Identifier: Apache-2.0
"""A disk that is full ends a crawl with a clear word; with room made, the same command goes on and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.system.checks import check_whole, listed
from tests.system.conftest import MakeProject

from replica.handle import Replica

pytestmark = pytest.mark.system

CHANNELS, PER_CHANNEL = 1, 64
SMALL_MB, LARGE_MB = 24, 400  # the recordings have about 40 MB


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of some MB."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


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
