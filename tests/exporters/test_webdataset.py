# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import io
import json
import warnings
from pathlib import Path

import msgspec
import pytest
import soundfile
import webdataset
from tests.exporters.split_in_two import exported

from speechmill.exporters import webdataset as module
from speechmill.exporters.webdataset import Config
from speechmill.store.dataset import Dataset

BY_RECORDING = {"talk-1a2b3c": "train", "tin-tuc-9f8e7d": "dev"}


def samples(*paths: Path) -> list[dict[str, bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library leaves archives to be closed by chance
        found = list(webdataset.WebDataset([str(path) for path in paths], shardshuffle=False))
        gc.collect()
    return found


@pytest.mark.parametrize("audio", ["flac", "wav", "opus"])
def test_the_library_reads_each_segment_with_its_audio(dataset: Dataset, folder: Path, audio: str) -> None:
    exported(module, Config(audio=audio), dataset, folder)  # type: ignore[arg-type]
    found = samples(folder / "train-00000.tar", folder / "train-00001.tar")
    assert [one["__key__"] for one in found] == [
        "talk-1a2b3c-0-0000100-0001100",
        "talk-1a2b3c-1-0000500-0001700",
        "tin-tuc-9f8e7d-0-0000250-0001750",
    ]
    clip, rate = soundfile.read(io.BytesIO(found[1][audio]), dtype="int16")
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="int16")
    assert rate == 24_000
    assert len(clip) == 28_800
    if audio != "opus":
        assert clip.tolist() == whole[12_000:40_800].tolist()


def test_what_is_known_of_a_segment_stands_beside_it(dataset: Dataset, folder: Path) -> None:
    exported(module, Config(), dataset, folder)
    about = json.loads(samples(folder / "train-00000.tar")[0]["json"])
    assert about == {
        "id": "talk-1a2b3c-0-0000100-0001100",
        "recording": "talk-1a2b3c",
        "start": 0.1,
        "duration": 1.0,
        "sampling_rate": 24_000,
        "text": 'She said "no"\nand <script>alert(1)</script> | left, \\ done',
        "language": "en",
        "speaker": "anna",
        "words": [
            {"symbol": "she", "start": 0.0, "duration": 0.4, "score": 0.9},
            {"symbol": '"no"', "start": 0.5, "duration": 0.5, "score": None},
        ],
        "phones": [
            {"symbol": "SH", "start": 0.0, "duration": 0.2, "score": None},
            {"symbol": "IY", "start": 0.2, "duration": 0.2, "score": None},
            {"symbol": "N", "start": 0.5, "duration": 0.3, "score": None},
            {"symbol": "OW", "start": 0.8, "duration": 0.2, "score": None},
        ],
        "scores": {"snr_db": 21.5, "dnsmos": None},
        "licence": "CC BY 4.0",
        "attribution": "Ánh & Co. <b>| CC</b>",
    }


def test_each_split_has_an_index_of_its_archives(dataset: Dataset, folder: Path) -> None:
    exported(module, Config(), dataset, folder, BY_RECORDING)
    assert json.loads((folder / "index-train.json").read_bytes()) == {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": "podcasts",
        "shardlist": [
            {"url": "train-00000.tar", "nsamples": 2, "filesize": (folder / "train-00000.tar").stat().st_size}
        ],
    }
    assert json.loads((folder / "index-dev.json").read_bytes())["shardlist"][0]["nsamples"] == 1
    assert len(samples(folder / "dev-00000.tar")) == 1
    assert not (folder / "index-test.json").exists()


def test_a_key_has_no_dots(dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [msgspec.structs.replace(one, id=f"v1.{i}-{one.id}") for i, one in enumerate(dataset.segments())]
    monkeypatch.setattr(dataset, "segments", lambda: iter(some))
    exported(module, Config(), dataset, folder)
    found = samples(*sorted(folder.glob("*.tar")))
    assert [json.loads(one["json"])["id"] for one in found] == [one.id for one in some]
    assert all(set(one) >= {"flac", "json", "__key__"} for one in found)


def test_equal_datasets_give_equal_bytes(dataset: Dataset, folder: Path) -> None:
    exported(module, Config(), dataset, folder)
    exported(module, Config(), dataset, folder.with_name("again"))
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["index-train.json", "train-00000.tar", "train-00001.tar"]
    for name in names:
        assert (folder / name).read_bytes() == (folder.with_name("again") / name).read_bytes()


def test_nothing_kept_is_an_empty_index(empty_dataset: Dataset, folder: Path) -> None:
    exported(module, Config(), empty_dataset, folder)
    assert json.loads((folder / "index-train.json").read_bytes())["shardlist"] == []
