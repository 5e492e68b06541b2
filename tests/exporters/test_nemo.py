# SPDX-License-Identifier: Apache-2.0
"""NeMo itself needs torch and more; what its readers expect is written here, from nemo_adapters.py of NeMo 2."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import soundfile
from lhotse.lazy import LazyJsonlIterator
from tests.exporters.split_in_two import exported

from speechmill.exporters import About, Written, nemo
from speechmill.exporters.nemo import Backend, Config
from speechmill.store.dataset import Dataset

BY_RECORDING = {"talk-1a2b3c": "train", "tin-tuc-9f8e7d": "dev"}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_nemo_reads(folder: Path) -> list[tuple[dict[str, Any], bytes]]:
    """Yield lines with their audio in the way of NeMo's LazyNeMoTarredIterator: by shard, in the archive's order."""
    manifests = sorted((folder / "sharded_manifests").iterdir())
    archives = sorted(folder.glob("*.tar"))
    numbers = [int(re.search(r"manifest[^/]*_(\d+)[^/]*\.json", str(path))[1]) for path in manifests]  # type: ignore[index]
    assert numbers == [int(re.search(r"audio[^/]*_(\d+)[^/]*\.tar", str(path))[1]) for path in archives]  # type: ignore[index]
    assert numbers == list(range(len(numbers)))  # it takes a shard's number for its place in the list
    found = []
    for manifest, archive in zip(manifests, archives, strict=True):
        by_name = {line["audio_filepath"]: line for line in LazyJsonlIterator(manifest)}
        with tarfile.open(archive, mode="r|*") as tar:
            found += [(by_name[member.name], tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    return found


def test_each_kept_segment_is_a_line_and_a_file(dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(), dataset, folder)
    entries = lines(folder / "manifest_train.jsonl")
    assert [entry["text"] for entry in entries] == [
        'She said "no"\nand <script>alert(1)</script> | left, \\ done',
        "hello there",
        "Xin chào, tôi tên là Đặng Nguyễn Ánh",
    ]
    assert entries[2] == {
        "audio_filepath": "audio/tin-tuc-9f8e7d/tin-tuc-9f8e7d-0-0000250-0001750.flac",
        "duration": 1.5,
        "offset": 0.0,
        "text": "Xin chào, tôi tên là Đặng Nguyễn Ánh",
        "lang": "vi",
        "speaker": "anna",
        "sampling_rate": 24_000,
        "licence": None,
        "attribution": None,
    }


def test_each_split_has_a_manifest(dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(), dataset, folder, BY_RECORDING)
    assert [len(lines(folder / f"manifest_{split}.jsonl")) for split in ("train", "dev")] == [2, 1]
    assert not (folder / "manifest_test.jsonl").exists()


def test_text_is_utf8_and_not_escaped(dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(), dataset, folder)
    assert "Đặng Nguyễn Ánh".encode() in (folder / "manifest_train.jsonl").read_bytes()


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_a_file_holds_exactly_the_samples_of_its_channel(dataset: Dataset, folder: Path, container: str) -> None:
    exported(nemo, Config(audio=container), dataset, folder)  # type: ignore[arg-type]
    name = f"audio/talk-1a2b3c/talk-1a2b3c-1-0000500-0001700.{container}"
    cut, rate = soundfile.read(folder / name, dtype="int16")
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="int16")
    assert rate == 24_000
    assert cut.tolist() == whole[12_000:40_800].tolist()  # 0.5 s to 1.7 s


def test_nothing_kept_is_an_empty_manifest(empty_dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(), empty_dataset, folder)
    assert (folder / "manifest_train.jsonl").read_bytes() == b""


def test_archives_are_read_with_their_manifests(dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(tarred=True), dataset, folder)
    found = as_nemo_reads(folder / "train")
    assert [(line["shard_id"], line["text"]) for line, _ in found] == [
        (0, 'She said "no"\nand <script>alert(1)</script> | left, \\ done'),
        (0, "hello there"),
        (1, "Xin chào, tôi tên là Đặng Nguyễn Ánh"),
    ]
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="int16")
    assert soundfile.read(io.BytesIO(found[1][1]), dtype="int16")[0].tolist() == whole[12_000:40_800].tolist()
    assert lines(folder / "train" / "tarred_audio_manifest.json") == [line for line, _ in found]


def test_each_split_has_archives_of_its_own(dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(tarred=True), dataset, folder, BY_RECORDING)
    assert [len(as_nemo_reads(folder / split)) for split in ("train", "dev")] == [2, 1]
    assert sorted(path.name for path in (folder / "dev").iterdir()) == [
        "audio_0.tar",
        "sharded_manifests",
        "tarred_audio_manifest.json",
    ]


def test_a_shard_that_is_gone_leaves_an_archive_without_files(dataset: Dataset, folder: Path) -> None:
    written = exported(nemo, Config(tarred=True), dataset, folder)
    for file in written[0].files:
        (folder / file).unlink()
    left: list[Written] = written[1:]
    Backend(Config(tarred=True), None).index(left, About("podcasts", (), {}), folder)  # type: ignore[arg-type]
    assert [line["shard_id"] for line, _ in as_nemo_reads(folder / "train")] == [1]
    assert len(lines(folder / "train" / "tarred_audio_manifest.json")) == 1


def test_equal_datasets_give_equal_archives(dataset: Dataset, folder: Path) -> None:
    exported(nemo, Config(tarred=True), dataset, folder)
    exported(nemo, Config(tarred=True), dataset, folder.with_name("again"))
    for name in ("audio_0.tar", "audio_1.tar"):
        assert (folder / "train" / name).read_bytes() == (folder.with_name("again") / "train" / name).read_bytes()
