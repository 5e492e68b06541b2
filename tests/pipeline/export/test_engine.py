# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from pipeline.export.small import Export, dropped, segments, write_dataset
from speechmill.core.errors import LostAudio
from speechmill.exporters import huggingface
from speechmill.pipeline.export import commit, engine
from speechmill.pipeline.export.marker import read_marker
from speechmill.pipeline.export.shards import ExportFailed

NAMES = ("a", "b", "c")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "workspace", [one for name in NAMES for one in segments(name)])
    return tmp_path / "workspace"


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "exports" / "huggingface"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> dict[str, list[str]]:
    found = sorted((folder / "data").glob("*.parquet"))
    return {path.stem: sorted(set(pq.read_table(path)["recording_id"].to_pylist())) for path in found}


def inodes(folder: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_ino for path in (folder / "data").iterdir()}


def test_one_more_recording_is_one_more_shard(root: Path, folder: Path, export: Export) -> None:
    assert (export().written, rows(folder)) == (3, {f"train-{i:05d}": [name] for i, name in enumerate(NAMES)})
    before = inodes(folder)
    write_dataset(root, [one for name in ("a", "aa", "b", "c") for one in segments(name)])
    made = export()
    assert (made.written, made.kept) == (1, 3)
    assert rows(folder)["train-00003"] == ["aa"]
    assert {name: inode for name, inode in inodes(folder).items() if name in before} == before


def test_a_recording_that_is_gone_leaves_its_shard_and_its_number_is_not_given_again(
    root: Path, folder: Path, export: Export
) -> None:
    export()
    write_dataset(root, [one for name in ("a", "b") for one in segments(name)])
    assert (export().written, rows(folder)) == (0, {"train-00000": ["a"], "train-00001": ["b"]})
    write_dataset(root, [one for name in ("a", "b", "d") for one in segments(name)])
    assert (export().written, sorted(rows(folder))) == (1, ["train-00000", "train-00001", "train-00003"])


def test_only_the_shard_of_what_changed_is_written(root: Path, folder: Path, export: Export) -> None:
    export(max_shard_rows=4)
    before = contents(folder)
    first, second = segments("b")
    write_dataset(root, [*segments("a"), first, dropped(second), *segments("c")])
    made = export(max_shard_rows=4)
    assert (made.written, made.kept, made.export.segments) == (1, 1, 5)
    changed = {name for name, content in contents(folder).items() if content != before[name]}
    assert changed == {"data/train-00000.parquet", "CHECKSUMS.sha256", ".speechmill-export.json"}


def test_a_recording_of_another_split_goes_to_another_shard(root: Path, folder: Path, export: Export) -> None:
    export()
    write_dataset(root, [*segments("a"), *segments("b", "test"), *segments("c")])
    assert export().written == 1
    assert rows(folder) == {"test-00000": ["b"], "train-00000": ["a"], "train-00002": ["c"]}


def test_fresh_packs_anew(root: Path, folder: Path, export: Export) -> None:
    export()
    write_dataset(root, [*segments("a"), *segments("c")])
    export()
    assert sorted(rows(folder)) == ["train-00000", "train-00002"]
    assert (export(fresh=True).written, rows(folder)) == (1, {"train-00000": ["a"], "train-00001": ["c"]})


def test_another_limit_packs_anew(folder: Path, export: Export) -> None:
    export()
    export(max_shard_rows=100)
    assert rows(folder) == {"train-00000": ["a", "b", "c"]}


def test_a_file_that_was_cut_short_is_written_again(folder: Path, export: Export) -> None:
    export()
    whole = contents(folder)
    os.truncate(folder / "data" / "train-00001.parquet", 10)
    assert (export().written, contents(folder)) == (1, whole)


def test_two_processes_write_the_same_bytes_as_one(folder: Path, export: Export) -> None:
    export()
    alone = contents(folder)
    assert export(fresh=True, workers=2).written == 0  # equal names and rows: they stay
    (folder / ".speechmill-export.json").unlink()
    assert export(workers=2).written == 3
    assert contents(folder) == alone


@pytest.mark.parametrize("workers", [1, 2])
def test_lost_audio_comes_through_and_what_is_done_is_taken_up(
    root: Path, folder: Path, export: Export, workers: int
) -> None:
    audio = root / "recordings" / "c.flac"
    content = audio.read_bytes()
    audio.unlink()
    with pytest.raises(LostAudio) as caught:
        export(workers=workers)
    assert caught.value.path == audio
    assert not folder.exists()
    audio.write_bytes(content)
    done = len(list((root / "exports" / ".partial-huggingface").glob("[!.w]*")))
    assert done >= 1
    made = export(workers=workers)
    assert made.export.segments == 6
    assert not (root / "exports" / ".partial-huggingface").exists()


@pytest.mark.parametrize("name", ["lhotse", "kaldi", "nemo", "webdataset", "csv"])
def test_every_exporter_tells_lost_audio_as_such(root: Path, export: Export, name: str) -> None:
    (root / "recordings" / "b.flac").unlink()
    with pytest.raises(LostAudio) as caught:
        export(name)
    assert caught.value.path == root / "recordings" / "b.flac"


def test_an_error_names_shard_and_recording(export: Export, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a table that can't be")

    monkeypatch.setattr(huggingface, "table_of", fail)
    with pytest.raises(ExportFailed, match="huggingface, shard train-00000, recording a: ValueError: a table"):
        export()


def test_checksums_hold(folder: Path, export: Export) -> None:
    export()
    command = ["sha256sum", "--check", "--strict", "--quiet", "CHECKSUMS.sha256"]
    subprocess.run(command, cwd=folder, check=True)
    listed = {line.split("  ", 1)[1] for line in (folder / "CHECKSUMS.sha256").read_text().splitlines()}
    assert listed == contents(folder).keys() - {"CHECKSUMS.sha256", ".speechmill-export.json"}


class Killed(BaseException):
    """What a kill would be, if a test could survive one."""


STEPS = ("place", "write_checksums", "write_marker", "swap: old", "swap: new", "swap: done")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_a_whole_export(
    root: Path, folder: Path, export: Export, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    export()
    before = contents(folder)
    write_dataset(root, [one for name in (*NAMES, "d") for one in segments(name)])
    kill(monkeypatch, step, folder)
    with pytest.raises(Killed):
        export()
    monkeypatch.undo()
    there = folder if folder.exists() else commit.old_of(folder)
    assert read_marker(there) is not None
    if step != "swap: done":
        assert contents(there) == before
    assert commit.cut_off(folder.parent).keys() == ({"huggingface"} if step in STEPS[4:] else set())
    made = export()
    assert (made.export.segments, made.written) == (8, 0 if step == "swap: done" else 1)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["huggingface"]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "CHECKSUMS.sha256"], cwd=folder, check=True)


def kill(monkeypatch: pytest.MonkeyPatch, step: str, folder: Path) -> None:
    """Be killed before a step: of a swap, before the old export is renamed, the new one, or the old one removed."""
    if not step.startswith("swap"):
        module = engine if step == "write_marker" else commit

        def die(*_: object) -> None:
            raise Killed

        monkeypatch.setattr(module, step, die)
        return
    replace = Path.replace
    sources = {"swap: old": folder, "swap: new": folder.parent / ".partial-huggingface" / "whole"}

    def dying(self: Path, target: Path) -> Path:
        if self == sources.get(step):
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    if step == "swap: done":

        def unsynced(one: Path) -> None:
            if one == folder.parent:
                raise Killed

        monkeypatch.setattr(commit, "sync_folder", unsynced)


@pytest.mark.parametrize("where", ["shard", "record", "checksums", "marker"])
def test_a_full_disk_leaves_the_last_good_export(
    root: Path, folder: Path, export: Export, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    export()
    before = contents(folder)
    write_dataset(root, [one for name in (*NAMES, "d") for one in segments(name)])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    places = {
        "shard": "speechmill.exporters.huggingface.table_of",
        "record": "speechmill.pipeline.export.partial.write_bytes",
        "checksums": "speechmill.pipeline.export.commit.write_checksums",
        "marker": "speechmill.pipeline.export.marker.write_bytes",
    }
    monkeypatch.setattr(places[where], full)
    with pytest.raises(OSError, match="No space left"):
        export()
    monkeypatch.undo()
    assert contents(folder) == before
    assert export().export.segments == 8


def test_a_marker_that_lies_is_no_marker(folder: Path, export: Export) -> None:
    export()
    (folder / ".speechmill-export.json").write_bytes(b'{"fingerprint": 7}')
    assert read_marker(folder) is None
    assert export().written == 3
    assert msgspec.json.decode((folder / ".speechmill-export.json").read_bytes())["segments"] == 6
