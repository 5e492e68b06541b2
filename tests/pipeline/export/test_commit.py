# SPDX-License-Identifier: Apache-2.0
"""What reaches the disk before an export says that it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.export.small import Export, segments, write_dataset
from speechmill.pipeline.export import commit
from speechmill.pipeline.export.marker import EXPORT_MARKER, FileRecord, ShardRecord
from speechmill.pipeline.export.partial import Partial
from speechmill.pipeline.export.shards import file_records

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="which file it is can't be told there")


def record(path: str) -> FileRecord:
    return FileRecord(path, 1, "0" * 64)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths in the order in which they are fsynced; `*` for all of them at once."""
    found: list[str] = []
    fsync: Callable[[int], None] = os.fsync

    def noted(handle: int) -> None:
        found.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "sync", lambda: found.append("*"))
    return found


def test_the_files_of_an_export_are_on_the_disk_before_its_marker(
    tmp_path: Path, export: Export, synced: list[str]
) -> None:
    write_dataset(tmp_path / "workspace", segments("a"))
    export("huggingface")
    names = [Path(one).name for one in synced]
    marker = max(i for i, one in enumerate(synced) if Path(one).parent.name == "whole" and ".tmp-" in one)
    for name in ("train-00000.parquet", "data", commit.CHECKSUMS, "whole"):
        assert names.index(name) < marker, name
    assert (tmp_path / "workspace" / "exports" / "huggingface" / EXPORT_MARKER).exists()


def test_many_files_are_synced_at_once(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "audio").mkdir()
    files = [record(f"audio/{i}.wav") for i in range(65)]
    for one in files:
        (tmp_path / one.path).write_bytes(b"x")
    commit.settle(tmp_path, files)
    assert synced == ["*"]


def test_a_few_files_are_synced_one_by_one_and_their_folders_too(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "data" / "more").mkdir(parents=True)
    (tmp_path / "data" / "more" / "a").write_bytes(b"x")
    commit.settle(tmp_path, [record("data/more/a")])
    told = [Path(one).relative_to(tmp_path).as_posix() for one in synced]
    assert told == ["data/more/a", ".", "data", "data/more"]


def test_a_finished_shard_whose_bytes_are_lost_is_not_taken_up(tmp_path: Path) -> None:
    partial = Partial(tmp_path, "csv")
    files = partial.begin()
    (files / "a").write_bytes(b"whole")
    made = ShardRecord("train-00000", "train", "d", (), 0, 0.0, tuple(file_records(files)))
    partial.finish(files, made)
    assert partial.found("d") == made
    (partial.files("d") / "a").write_bytes(bytes(5))
    assert partial.found("d") is None
