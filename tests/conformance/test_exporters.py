# SPDX-License-Identifier: Apache-2.0
"""What every exporter keeps to, ours and third parties'."""

from __future__ import annotations

import hashlib
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exporters.whole import export_whole
from speechmill.core import registry
from speechmill.exporters import PARTS
from speechmill.pipeline.export.marker import EXPORT_MARKER, Export, read_marker

WORKSPACE = runpy.run_path(str(Path(__file__).parents[1] / "exporters" / "conftest.py"))
HEAVY = ("torch", "datasets", "lhotse", "webdataset", "pandas", "av", "onnxruntime")
FORMATS = "csv ctm elan huggingface jsonl kaldi lhotse mfa nemo rttm srt textgrid vtt webdataset"

every_exporter = pytest.mark.parametrize("name", registry.names("exporters"))


def digests(folder: Path) -> dict[str, str]:
    """Path inside the folder -> SHA-256, for every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def marker(folder: Path) -> Export:
    found = read_marker(folder)
    assert found is not None
    return found


def test_the_formats_are_there() -> None:
    assert set(registry.names("exporters")) >= set(FORMATS.split())


@every_exporter
def test_a_module_has_the_shape_of_a_backend(name: str) -> None:
    module: Any = registry.load("exporters", name)
    assert isinstance(module.VERSION, str)
    assert isinstance(module.REQUIRES, tuple)
    assert module.UNIT in ("hour", "recording")
    assert "".join(module.USAGE).strip()  # a text, or its lines
    assert module.Config.__struct_config__.frozen
    with pytest.raises(msgspec.ValidationError, match="unknown field `nonsense`"):
        msgspec.convert({"nonsense": 1}, module.Config)


@every_exporter
def test_importing_it_imports_nothing_heavy(name: str) -> None:
    code = f"import sys, speechmill.exporters.{name}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@every_exporter
def test_it_counts_the_kept_segments_and_leaves_the_workspace_alone(name: str, tmp_path: Path) -> None:
    dataset = WORKSPACE["make_workspace"](tmp_path / "workspace")
    assert export_whole(name, dataset, tmp_path / "first") == 3  # which may make what is made once
    before = digests(dataset.root)
    assert export_whole(name, dataset, tmp_path / "second") == 3
    assert digests(dataset.root) == before


@every_exporter
def test_the_same_dataset_elsewhere_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    found = []
    for place in ("here", "somewhere/else"):
        dataset = WORKSPACE["make_workspace"](tmp_path / place / "workspace")
        export_whole(name, dataset, tmp_path / place / "export")
        found.append(digests(tmp_path / place / "export"))
    assert found[0] == found[1]
    assert len(found[0]) > 3


@every_exporter
def test_nothing_kept_is_a_valid_export_of_nothing(name: str, tmp_path: Path) -> None:
    dataset = WORKSPACE["make_workspace"](tmp_path / "workspace", WORKSPACE["all_dropped"]())
    assert export_whole(name, dataset, tmp_path / "export") == 0
    assert (tmp_path / "export" / "ATTRIBUTION.tsv").read_text(encoding="utf-8").count("\n") == 1


@every_exporter
def test_licence_and_attribution_travel_and_local_paths_do_not(name: str, tmp_path: Path) -> None:
    export_whole(name, WORKSPACE["make_workspace"](tmp_path / "workspace"), tmp_path / "export")
    table = (tmp_path / "export" / "ATTRIBUTION.tsv").read_text(encoding="utf-8")
    assert table.split("\n")[1].split("\t")[:4] == ["talk-1a2b3c", "CC BY 4.0", "cc-by", WORKSPACE["ATTRIBUTION"]]
    content = b"".join(path.read_bytes() for path in (tmp_path / "export").rglob("*") if path.is_file())
    assert b"somebody" not in content
    assert str(tmp_path).encode() not in content


@every_exporter
def test_nothing_temporary_is_left(name: str, tmp_path: Path) -> None:
    export_whole(name, WORKSPACE["make_workspace"](tmp_path / "workspace"), tmp_path / "exports" / name)
    assert [path for path in digests(tmp_path / "exports") if ".tmp-" in path] == []
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [name]


@every_exporter
def test_what_is_given_out_has_a_checksum(name: str, tmp_path: Path) -> None:
    export_whole(name, WORKSPACE["make_workspace"](tmp_path / "workspace"), tmp_path / "export")
    lines = (tmp_path / "export" / "CHECKSUMS.sha256").read_text(encoding="utf-8").splitlines()
    found = {path: sha256 for sha256, _, path in (line.partition("  ") for line in lines)}
    expected = digests(tmp_path / "export")
    given = {path for path in expected if not path.startswith(f"{PARTS}/")} - {EXPORT_MARKER, "CHECKSUMS.sha256"}
    assert found == {path: expected[path] for path in given}


@every_exporter
def test_what_a_shard_has_written_stays_when_a_recording_is_added(name: str, tmp_path: Path) -> None:
    workspace, folder = tmp_path / "workspace", tmp_path / "export"
    segments = WORKSPACE["SEGMENTS"]
    export_whole(name, WORKSPACE["make_workspace"](workspace, segments[:3]), folder)
    before = marker(folder)
    assert [shard.recordings for shard in before.shards] == [("talk-1a2b3c",)]
    (workspace / "dataset" / "contents.parquet").unlink()
    export_whole(name, WORKSPACE["make_workspace"](workspace, segments), folder)
    after = marker(folder)
    assert after.shards[:1] == before.shards
    assert [shard.recordings for shard in after.shards[1:]] == [("tin-tuc-9f8e7d",)]
    digest_of = digests(folder)
    assert all(digest_of[file.path] == file.sha256 for shard in after.shards for file in shard.files)
    paths = [file.path for shard in after.shards for file in shard.files]
    assert len(paths) == len(set(paths)) > 1
