# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import gzip
import io
import runpy
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import soundfile
from lhotse import CutSet, RecordingSet, SupervisionSet, validate
from lhotse.recipes.utils import read_manifests_if_cached

from speechmill.core.errors import AudioError
from speechmill.exporters import lhotse
from speechmill.exporters.lhotse import Config
from speechmill.store.dataset import Dataset

exported = runpy.run_path(str(Path(__file__).with_name("split_in_two.py")))["exported"]
from_workspace = Config(audio="reference")
shar = Config(layout="shar")
# lhotse's reader of tar files leaves them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
TWO_SPLITS = {"talk-1a2b3c": "train", "tin-tuc-9f8e7d": "test"}


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let no file that lhotse left open be closed in another test."""
    yield
    gc.collect()


def test_lhotse_validates_all_three_manifests(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, Config(), dataset, folder)
    recordings = RecordingSet.from_file(folder / "recordings_train.jsonl.gz").with_path_prefix(folder)
    supervisions = SupervisionSet.from_file(folder / "supervisions_train.jsonl.gz")
    cuts = CutSet.from_file(folder / "cuts_train.jsonl.gz").with_recording_path_prefix(folder)
    validate(recordings, read_data=True)
    validate(supervisions)
    validate(cuts.to_eager(), read_data=True)
    assert [recording.id for recording in recordings] == ["talk-1a2b3c", "tin-tuc-9f8e7d"]
    assert [len(list(items)) for items in (recordings, supervisions, cuts)] == [2, 3, 3]


def test_each_split_has_manifests_that_lhotses_recipes_find(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, Config(), dataset, folder, TWO_SPLITS)
    types = ("recordings", "supervisions", "cuts")
    found = read_manifests_if_cached(["train", "dev", "test"], folder, types=types)
    assert found is not None
    assert {split: len(list(of["cuts"])) for split, of in found.items()} == {"train": 2, "test": 1}
    assert [recording.id for recording in found["test"]["recordings"]] == ["tin-tuc-9f8e7d"]


def test_supervisions_keep_text_words_phones_and_scores(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, Config(), dataset, folder)
    first, second, third = SupervisionSet.from_file(folder / "supervisions_train.jsonl.gz")
    assert first.text == 'She said "no"\nand <script>alert(1)</script> | left, \\ done'
    assert (first.snr_db, first.dnsmos) == (21.5, None)
    assert first.licence == "CC BY 4.0"
    assert first.alignment["word"][0] == ("she", 0.1, 0.4, 0.9)
    assert [item.symbol for item in first.alignment["phone"]] == ["SH", "IY", "N", "OW"]
    assert (second.channel, second.speaker, second.start, second.end) == (1, "Bảo, the host", 0.5, 1.7)
    assert (third.language, third.licence) == ("vi", None)


def test_a_cut_holds_its_channel_and_counts_from_its_own_start(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, Config(), dataset, folder)
    cuts = CutSet.from_file(folder / "cuts_train.jsonl.gz").with_recording_path_prefix(folder)
    cut = cuts.to_eager()["talk-1a2b3c-1-0000500-0001700"]
    (supervision,) = cut.supervisions
    assert (cut.start, cut.duration, supervision.start) == (0.5, 1.2, 0.0)
    assert [(item.symbol, item.start) for item in supervision.alignment["word"]] == [("hello", 0.0), ("there", 0.7)]
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="float32")
    assert cut.load_audio()[0].tolist() == whole[12_000:40_800].tolist()


def test_a_reference_is_a_path_in_the_workspace(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, from_workspace, dataset, folder)
    assert not (folder / "audio").exists()
    recordings = RecordingSet.from_file(folder / "recordings_train.jsonl.gz").to_eager()
    assert [source.source for source in recordings["talk-1a2b3c"].sources] == [
        "recordings/aa/talk-0.flac",
        "recordings/aa/talk-1.flac",
    ]
    validate(recordings.with_path_prefix(dataset.root), read_data=True)


def test_nothing_kept_is_three_empty_manifests(empty_dataset: Dataset, folder: Path) -> None:
    exported(lhotse, Config(), empty_dataset, folder)
    assert list(RecordingSet.from_jsonl(folder / "recordings_train.jsonl.gz")) == []
    assert list(SupervisionSet.from_jsonl(folder / "supervisions_train.jsonl.gz")) == []
    assert list(CutSet.from_jsonl(folder / "cuts_train.jsonl.gz")) == []


def test_more_shards_change_no_line(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    exported(lhotse, Config(), dataset, folder, fewest=1)
    exported(lhotse, Config(), dataset, tmp_path / "one-shard", fewest=9)
    for kind in ("recordings", "supervisions", "cuts"):
        of_two, of_one = (place / f"{kind}_train.jsonl.gz" for place in (folder, tmp_path / "one-shard"))
        assert gzip.decompress(of_two.read_bytes()) == gzip.decompress(of_one.read_bytes())


def test_shar_gives_the_same_audio_and_alignments_as_the_manifests(
    dataset: Dataset, folder: Path, tmp_path: Path
) -> None:
    exported(lhotse, from_workspace, dataset, tmp_path / "jsonl")
    expected = CutSet.from_file(tmp_path / "jsonl" / "cuts_train.jsonl.gz").with_recording_path_prefix(dataset.root)
    exported(lhotse, shar, dataset, folder)
    found = list(CutSet.from_shar(in_dir=folder / "train"))
    assert len(found) == 3
    for cut, other in zip(found, expected, strict=True):
        assert (cut.id, cut.start, cut.duration, cut.num_samples) == (other.id, 0.0, other.duration, other.num_samples)
        assert cut.supervisions[0].to_dict() == other.supervisions[0].to_dict()
        assert cut.load_audio().tolist() == other.load_audio().tolist()


def test_lhotse_validates_shar_as_it_streams(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, shar, dataset, folder)
    for cut in CutSet.from_shar(in_dir=folder / "train"):
        validate(cut, read_data=True)


def test_shar_has_a_folder_for_each_split_and_a_file_pair_for_each_shard(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, shar, dataset, folder, TWO_SPLITS)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == [
        "test/cuts.000000.jsonl.gz",
        "test/recording.000000.tar",
        "train/cuts.000000.jsonl.gz",
        "train/recording.000000.tar",
    ]
    (cut,) = CutSet.from_shar(in_dir=folder / "test")
    assert [(item.symbol, item.start, item.score) for item in cut.supervisions[0].alignment["word"]] == [
        ("xin", 0.0, 0.5),
        ("chào", 0.25, 0.75),
    ]
    assert cut.supervisions[0].recording_start == 0.25


def test_shar_of_wav_holds_wav(dataset: Dataset, folder: Path) -> None:
    exported(lhotse, Config(layout="shar", clips="wav"), dataset, folder)
    with tarfile.open(folder / "train" / "recording.000001.tar") as tar:
        first = tar.getmembers()[0]
        assert first.name == "tin-tuc-9f8e7d-0-0000250-0001750.wav"
        samples, rate = soundfile.read(io.BytesIO(tar.extractfile(first).read()))
    assert (len(samples), rate) == (36_000, 24_000)
    assert [cut.load_audio().shape for cut in CutSet.from_shar(in_dir=folder / "train")][2] == (1, 36_000)


def with_segment(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, start: float, duration: float) -> None:
    first = msgspec.structs.replace(next(iter(dataset.segments())), start=start, duration=duration, words=(), phones=())
    monkeypatch.setattr(dataset, "segments", lambda: iter([first]))


@pytest.mark.parametrize("config", [from_workspace, shar])
def test_a_segment_rounded_past_the_end_ends_with_the_audio(
    config: Config, dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_segment(dataset, monkeypatch, 2.5, 0.501)
    exported(lhotse, config, dataset, folder)
    if config.layout == "shar":
        (cut,) = CutSet.from_shar(in_dir=folder / "train")
    else:
        (cut,) = CutSet.from_file(folder / "cuts_train.jsonl.gz").with_recording_path_prefix(dataset.root)
    assert cut.duration == cut.supervisions[0].duration == 0.5
    assert cut.load_audio().shape == (1, 12_000)


@pytest.mark.parametrize("config", [from_workspace, shar])
def test_a_segment_behind_the_end_is_an_error(
    config: Config, dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_segment(dataset, monkeypatch, 3.0, 0.5)
    with pytest.raises(AudioError, match="no-samples"):
        exported(lhotse, config, dataset, folder)
