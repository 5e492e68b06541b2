# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from speechmill.core.stage import Context
from speechmill.exporters.nemo import Backend, Config
from speechmill.store.dataset import Dataset


def test_each_kept_segment_is_a_line_and_a_file(dataset: Dataset, folder: Path, context: Context) -> None:
    assert Backend(Config(), context).export(dataset, folder) == 3
    with (folder / "manifest.jsonl").open(encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
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
        "licence": None,
        "attribution": None,
    }


def test_text_is_utf8_and_not_escaped(dataset: Dataset, folder: Path, context: Context) -> None:
    Backend(Config(), context).export(dataset, folder)
    assert "Đặng Nguyễn Ánh".encode() in (folder / "manifest.jsonl").read_bytes()


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_a_file_holds_exactly_the_samples_of_its_channel(
    dataset: Dataset, folder: Path, context: Context, container: str
) -> None:
    Backend(Config(audio=container), context).export(dataset, folder)
    name = f"audio/talk-1a2b3c/talk-1a2b3c-1-0000500-0001700.{container}"
    cut, rate = soundfile.read(folder / name, dtype="int16")
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="int16")
    assert rate == 24_000
    assert cut.tolist() == whole[12_000:40_800].tolist()  # 0.5 s to 1.7 s


def test_nothing_kept_is_an_empty_manifest(empty_dataset: Dataset, folder: Path, context: Context) -> None:
    assert Backend(Config(), context).export(empty_dataset, folder) == 0
    assert (folder / "manifest.jsonl").read_bytes() == b""
