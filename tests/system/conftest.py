# SPDX-License-Identifier: Apache-2.0
"""Crawls with everything real but the platforms: databases, object stores, processes, yt-dlp."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.postgres import PASSWORD, Server, postgres
from tests.services.s3 import S3Server
from tests.system.projects import Project

from replica.handle import Replica
from replica.media import tone

__all__ = ["postgres"]

CLIPS = 16
LARGE = 6  # of the clips; even, so that videos under CC BY have it
LARGE_BYTES = 9 << 20  # more than one part of an upload

MakeProject = Callable[..., Project]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of short recordings, one of which is a large file."""
    folder = tmp_path_factory.mktemp("clips")
    content = tone(1.0)
    for number in range(CLIPS):
        padding = b"" if number != LARGE else (8 + LARGE_BYTES).to_bytes(4, "big") + b"free" + bytes(LARGE_BYTES)
        (folder / f"clip{number:02d}.m4a").write_bytes(content + padding)
    return folder


@pytest.fixture(scope="session")
def start_replica(clips: Path) -> Iterator[Callable[..., Replica]]:
    """Start replicas that end with the session; they speak English and have short recordings."""
    started: list[Replica] = []

    def start(**world: Any) -> Replica:
        started.append(Replica.start(**{"media": clips, "ports": 2, "languages": ("en",), **world}))
        return started[-1]

    yield start
    for replica in started:
        replica.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeProject]:
    """Make a corpus of a replica: in its workspace alone, or with PostgreSQL and S3.

    What the crawl's processes have in their environment this one has too, to look at what they left.
    """
    made: list[Project] = []

    def make(
        replica: Replica,
        *,
        postgres: Server | None = None,
        s3: S3Server | None = None,
        crawl: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Project:
        folder = tmp_path / f"project{len(made)}"
        folder.mkdir()
        environment: dict[str, str] = {}
        if postgres is not None:
            fields = {"catalog": postgres.new_database(password=None), **fields}
            environment["PGPASSWORD"] = PASSWORD
        if s3 is not None:
            crawl = {"originals": f"s3://{s3.bucket}/{tmp_path.name}/{folder.name}", **(crawl or {})}
            environment |= s3.environment
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        made.append(Project(folder, replica, environment=environment, crawl=crawl, **fields))
        return made[-1]

    yield make
    for project in made:
        shutil.rmtree(project.folder, ignore_errors=True)  # what a hundred crawls leave is large


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of the size that the module states as SMALL_DISK."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={request.module.SMALL_DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
