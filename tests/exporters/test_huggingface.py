# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import soundfile

from exporters.whole import export_whole
from speechmill.exporters.huggingface import Config
from speechmill.store.dataset import Dataset


def load(folder: Path, cache: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(cache), split="train")


def test_datasets_opens_it_with_its_features(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    assert export_whole("huggingface", dataset, folder, Config()) == 3
    opened = load(folder, tmp_path / "cache")
    assert opened.features["audio"] == datasets.Audio(sampling_rate=24_000)
    assert opened.column_names == [
        "id",
        "audio",
        "text",
        "language",
        "speaker",
        "recording_id",
        "start",
        "duration",
        "words",
        "phones",
        "score_snr_db",
        "score_dnsmos",
        "licence",
        "attribution",
    ]
    rows = opened.remove_columns("audio")
    assert rows["text"][0] == 'She said "no"\nand <script>alert(1)</script> | left, \\ done'
    assert (rows[0]["score_snr_db"], rows[0]["score_dnsmos"]) == (21.5, None)
    assert (rows[2]["language"], rows[2]["licence"], rows[2]["duration"]) == ("vi", None, 1.5)
    assert rows[2]["words"] == [
        {"symbol": "xin", "start": 0.0, "duration": 0.25, "score": 0.5},
        {"symbol": "chào", "start": 0.25, "duration": 1.25, "score": 0.75},
    ]


def test_audio_is_exactly_the_segment_of_its_channel(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    export_whole("huggingface", dataset, folder, Config())
    raw = load(folder, tmp_path / "cache").cast_column("audio", datasets.Audio(decode=False))[1]["audio"]
    (tmp_path / "cut.flac").write_bytes(raw["bytes"])
    cut, rate = soundfile.read(tmp_path / "cut.flac", dtype="int16")
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="int16")
    assert (raw["path"], rate) == ("talk-1a2b3c-1-0000500-0001700.flac", 24_000)
    assert cut.tolist() == whole[12_000:40_800].tolist()


DECODE = """
import sys, datasets
row = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2], split="train")[1]
array = row["audio"]["array"]
print(row["audio"]["sampling_rate"], array.dtype, array.shape, round(float(abs(array).max()), 4))
"""


@pytest.mark.slow
def test_load_dataset_decodes_the_audio(
    dataset: Dataset, folder: Path, tmp_path: Path, torchcodec_environment: dict[str, str]
) -> None:
    export_whole("huggingface", dataset, folder, Config())
    command = [sys.executable, "-W", "ignore", "-c", DECODE, str(folder), str(tmp_path / "cache")]
    done = subprocess.run(command, env=torchcodec_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="float32")
    assert done.stdout.split("\n")[0] == f"24000 float32 (28800,) {abs(whole[12_000:40_800]).max():.4f}"


def test_nothing_kept_is_one_empty_shard(empty_dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    assert export_whole("huggingface", empty_dataset, folder, Config()) == 0
    assert [path.name for path in (folder / "data").iterdir()] == ["train-none.parquet"]
    # Without streaming, datasets 5 refuses every split that has no rows ("corresponds to no data").
    opened = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"), split="train", streaming=True)
    assert list(opened) == []
    assert "score_dnsmos" in opened.features


@pytest.mark.parametrize("config", [Config(max_shard_rows=1), Config(max_shard_mb=0)])
def test_a_full_shard_is_followed_by_another(dataset: Dataset, folder: Path, config: Config) -> None:
    export_whole("huggingface", dataset, folder, config)
    names = sorted(path.name for path in (folder / "data").iterdir())
    assert names == [f"train-{n:05d}.parquet" for n in range(2)]
    ids = [pq.read_table(folder / "data" / name)["id"].to_pylist() for name in names]
    talk, other, news = (segment.id for segment in dataset.segments())
    assert ids == [[talk, other], [news]]  # an hour of a recording is never cut


def test_row_groups_are_bounded(dataset: Dataset, folder: Path) -> None:
    export_whole("huggingface", dataset, folder, Config(max_group_rows=2))
    metadata = pq.read_metadata(folder / "data" / "train-00000.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [2, 1]


def test_features_are_lists_that_older_readers_know(dataset: Dataset, folder: Path) -> None:
    export_whole("huggingface", dataset, folder, Config())
    schema = pq.read_schema(folder / "data" / "train-00000.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert [sorted(item) for item in features["words"]] == [["duration", "score", "start", "symbol"]]
