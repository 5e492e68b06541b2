# SPDX-License-Identifier: Apache-2.0
"""A workspace that somebody else made: its tables may name any file and any number."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import structs
from tests.fuzz.targets import RECORDING, SEGMENT, SOURCE

from speechmill.core import registry
from speechmill.core.errors import FormatError, LostAudio, SpeechmillError, WorkspaceError
from speechmill.core.registry import Choice
from speechmill.core.types import Recording, Segment, Source
from speechmill.formats.manifest import SCHEMA_VERSION, read_rows, write_rows
from speechmill.pipeline import batches, frozen
from speechmill.pipeline.export.commit import intact
from speechmill.pipeline.export.marker import EXPORT_MARKER, FileRecord, ShardRecord, read_marker
from speechmill.store.dataset import Dataset

OUTSIDE = (
    *("../../secret", "../secret", "/etc/passwd", "a/../../../secret", "..\\..\\secret", "C:\\secret", "C:secret"),
    *("\\\\server\\share\\secret", "recordings/\x00", ".."),
)
HOSTILE = st.sampled_from(OUTSIDE) | st.text(max_size=20)
NUMBERS = st.sampled_from([float("nan"), float("inf"), float("-inf"), -1.0, 1e308, 1e9]) | st.floats()


def workspace(root: Path, recording: Recording = RECORDING, segment: Segment = SEGMENT) -> Dataset:
    write_rows(root / "dataset" / "recordings.parquet", [recording], Recording)
    write_rows(root / "dataset" / "segments.parquet", [segment], Segment)
    return Dataset(root)


@pytest.mark.parametrize("path", OUTSIDE)
def test_audio_outside_the_workspace_is_not_read(path: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    dataset = workspace(tmp_path / "a" / "b", structs.replace(RECORDING, audio=(path,)))
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet: .* does not lie below"):
        dataset.recordings()
    with pytest.raises(WorkspaceError, match="does not lie below"):
        dataset.cut(structs.replace(RECORDING, audio=(path,)), SEGMENT)


def test_audio_that_is_a_link_out_of_the_workspace_is_not_read(tmp_path: Path) -> None:
    dataset = workspace(tmp_path / "w")
    (tmp_path / "w" / "recordings").mkdir()
    (tmp_path / "w" / "recordings" / "r.flac").symlink_to("/etc/passwd")
    with pytest.raises(WorkspaceError, match="is a link that leads out"):
        dataset.recordings()


@pytest.mark.parametrize("name", ["../r", "a/b", "", ".", "C:r", "r\n", "x" * 300])
def test_an_id_that_can_not_name_a_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet"):
        workspace(tmp_path, structs.replace(RECORDING, id=name)).recordings()
    choice = Choice("sources", "podcast", registry.load("sources", "podcast").Config(feeds=("https://x.test/feed",)))
    batches.write_batch(tmp_path, batches.query_id(choice), [structs.replace(SOURCE, id=name)])
    with pytest.raises(WorkspaceError, match=r"000001-[0-9a-f]+\.parquet"):
        batches.read_batch(tmp_path, choice)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 1e308])
def test_numbers_that_measure_nothing_are_refused(number: float, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet: r lasts"):
        workspace(tmp_path, structs.replace(RECORDING, duration=number)).recordings()
    for field in ("start", "duration"):
        with pytest.raises(FormatError, match=rf"segments\.parquet: segment 'r-0' has the {field} "):
            list(workspace(tmp_path, segment=structs.replace(SEGMENT, **{field: number})).segments())
    with pytest.raises(FormatError, match="has the channel -3"):
        list(workspace(tmp_path, segment=structs.replace(SEGMENT, channel=-3)).segments())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=HOSTILE, path=HOSTILE, start=NUMBERS, duration=NUMBERS)
def test_a_hostile_row_is_refused_or_stays_inside(
    name: str, path: str, start: float, duration: float, tmp_path: Path
) -> None:
    dataset = workspace(
        tmp_path / "w",
        structs.replace(RECORDING, id=name, audio=(path,), duration=duration),
        structs.replace(SEGMENT, start=start, duration=duration),
    )
    with pytest.raises(SpeechmillError, match=r"dataset|w[/\\]") as caught:  # there is no audio at all
        dataset.cut(next(iter(dataset.recordings().values())), next(dataset.segments()))
    if isinstance(caught.value, LostAudio):
        assert caught.value.path.resolve().is_relative_to(dataset.root.resolve())


def test_shards_that_do_not_tell_from_where_to_where_they_go_are_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "sources.parquet", [SOURCE], Source)
    write_rows(tmp_path / "shards.parquet", [SEGMENT], Segment)
    with pytest.raises(FormatError, match=r"shards\.parquet: its first column is not the shard"):
        frozen.read_shards(tmp_path, ["00000"])
    pq.write_table(pa.table({"shard": pa.array([None], pa.string())}), tmp_path / "shards.parquet")
    with pytest.raises(WorkspaceError, match=r"shards\.parquet"):
        frozen.read_shards(tmp_path, ["00000"])
    nobody = pa.table({"shard": pa.array([None], pa.string())}).replace_schema_metadata(
        {"speechmill.schema": SCHEMA_VERSION}
    )
    pq.write_table(nobody, tmp_path / "shards.parquet")
    with pytest.raises(FormatError, match=r"shards\.parquet: its first column is not the shard"):
        frozen.read_shards(tmp_path, ["00000"])


def test_a_batch_of_another_form_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.parquet", [SEGMENT], Segment)
    with pytest.raises(FormatError, match=r"x\.parquet: not a readable Parquet file"):
        read_rows(tmp_path / "x.parquet", Source)


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_marker_that_names_files_outside_its_export_is_none(path: str, tmp_path: Path) -> None:
    good = FileRecord("train/r.rttm", 1, "0" * 64)
    shard = {"name": "train-00000", "split": "train", "digest": "d", "units": [], "segments": 1, "seconds": 1.0}
    files = [{"path": path, "bytes": 1, "sha256": "0" * 64}]
    marker = {"fingerprint": "f", "shards": [shard | {"files": [good]}]}
    (tmp_path / EXPORT_MARKER).write_bytes(msgspec.json.encode(marker))
    assert read_marker(tmp_path) is not None
    for hostile in (marker | {"files": files}, marker | {"shards": [shard | {"files": files}]}):
        (tmp_path / EXPORT_MARKER).write_bytes(msgspec.json.encode(hostile))
        assert read_marker(tmp_path) is None


@pytest.mark.parametrize(("name", "split"), [("../train-00000", "train"), ("train-00000", "../x"), ("x-00000", "x")])
def test_a_marker_whose_shards_have_other_names_is_none(name: str, split: str, tmp_path: Path) -> None:
    shard = {"name": name, "split": split, "digest": "d", "units": [], "segments": 1, "seconds": 1.0, "files": []}
    (tmp_path / EXPORT_MARKER).write_bytes(msgspec.json.encode({"fingerprint": "f", "shards": [shard]}))
    assert read_marker(tmp_path) is None


def test_a_link_is_no_file_of_a_shard(tmp_path: Path) -> None:
    shard = ShardRecord("train-00000", "train", "d", (), 1, 1.0, (FileRecord("a", 3, "0" * 64),))
    (tmp_path / "secret").write_text("abc")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "a").symlink_to(tmp_path / "secret")
    assert not intact(tmp_path / "export", shard)
    (tmp_path / "export" / "a").unlink()
    (tmp_path / "export" / "a").write_text("abc")
    assert intact(tmp_path / "export", shard)


@pytest.mark.parametrize("uri", ["/etc/passwd", "{w}/../secret", "{w}/crawl/store/link", "secret"])
@pytest.mark.parametrize("field", ["uri", "sidecars", "reference"])
def test_a_batch_that_names_files_of_this_disk_is_refused(uri: str, field: str, tmp_path: Path) -> None:
    place = tmp_path / "w"
    (place / "crawl" / "store").mkdir(parents=True)
    (tmp_path / "secret").write_text("s")
    (place / "crawl" / "store" / "link").symlink_to(tmp_path / "secret")
    good = structs.replace(SOURCE, uri=str(place / "crawl" / "store" / "a"), sidecars=())
    batches.refuse_elsewhere([good], place, None)
    batches.refuse_elsewhere([structs.replace(good, uri=str(tmp_path / "far" / "a"))], place, tmp_path / "far")
    path = uri.format(w=place)
    with pytest.raises(WorkspaceError, match=r"r-1a2b3c is .* lies neither in the workspace nor"):
        batches.refuse_elsewhere(
            [structs.replace(good, **{field: (path,) if field == "sidecars" else path})], place, None
        )
