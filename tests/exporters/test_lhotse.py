# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import soundfile
from lhotse import CutSet, RecordingSet, SupervisionSet, validate

from speechmill.core.errors import AudioError
from speechmill.core.stage import Context
from speechmill.exporters.lhotse import Backend, Config
from speechmill.store.dataset import Dataset

from_workspace = Config(audio="reference")


def test_lhotse_validates_all_three_manifests(dataset: Dataset, folder: Path, context: Context) -> None:
    assert Backend(Config(), context).export(dataset, folder) == 3
    recordings = RecordingSet.from_file(folder / "recordings.jsonl.gz").with_path_prefix(folder)
    supervisions = SupervisionSet.from_file(folder / "supervisions.jsonl.gz")
    cuts = CutSet.from_file(folder / "cuts.jsonl.gz").with_recording_path_prefix(folder)
    validate(recordings, read_data=True)
    validate(supervisions)
    validate(cuts.to_eager(), read_data=True)
    assert [recording.id for recording in recordings] == ["talk-1a2b3c", "tin-tuc-9f8e7d"]
    assert [len(list(items)) for items in (recordings, supervisions, cuts)] == [2, 3, 3]


def test_supervisions_keep_text_words_phones_and_scores(dataset: Dataset, folder: Path, context: Context) -> None:
    Backend(Config(), context).export(dataset, folder)
    first, second, third = SupervisionSet.from_file(folder / "supervisions.jsonl.gz")
    assert first.text == 'She said "no"\nand <script>alert(1)</script> | left, \\ done'
    assert (first.snr_db, first.dnsmos) == (21.5, None)
    assert first.licence == "CC BY 4.0"
    assert first.alignment["word"][0] == ("she", 0.1, 0.4, 0.9)
    assert [item.symbol for item in first.alignment["phone"]] == ["SH", "IY", "N", "OW"]
    assert (second.channel, second.speaker, second.start, second.end) == (1, "Bảo, the host", 0.5, 1.7)
    assert (third.language, third.licence) == ("vi", None)


def test_a_cut_holds_its_channel_and_counts_from_its_own_start(
    dataset: Dataset, folder: Path, context: Context
) -> None:
    Backend(Config(), context).export(dataset, folder)
    cuts = CutSet.from_file(folder / "cuts.jsonl.gz").with_recording_path_prefix(folder)
    cut = cuts.to_eager()["talk-1a2b3c-1-0000500-0001700"]
    (supervision,) = cut.supervisions
    assert (cut.start, cut.duration, supervision.start) == (0.5, 1.2, 0.0)
    assert [(item.symbol, item.start) for item in supervision.alignment["word"]] == [("hello", 0.0), ("there", 0.7)]
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="float32")
    assert cut.load_audio()[0].tolist() == whole[12_000:40_800].tolist()


def test_a_reference_is_a_path_in_the_workspace(dataset: Dataset, folder: Path, context: Context) -> None:
    Backend(from_workspace, context).export(dataset, folder)
    assert not (folder / "audio").exists()
    recordings = RecordingSet.from_file(folder / "recordings.jsonl.gz").to_eager()
    assert [source.source for source in recordings["talk-1a2b3c"].sources] == [
        "recordings/aa/talk-0.flac",
        "recordings/aa/talk-1.flac",
    ]
    validate(recordings.with_path_prefix(dataset.root), read_data=True)


def test_nothing_kept_is_three_empty_manifests(empty_dataset: Dataset, folder: Path, context: Context) -> None:
    assert Backend(Config(), context).export(empty_dataset, folder) == 0
    assert list(RecordingSet.from_jsonl(folder / "recordings.jsonl.gz")) == []
    assert list(SupervisionSet.from_jsonl(folder / "supervisions.jsonl.gz")) == []
    assert list(CutSet.from_jsonl(folder / "cuts.jsonl.gz")) == []


def with_segment(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, start: float, duration: float) -> None:
    first = msgspec.structs.replace(next(iter(dataset.segments())), start=start, duration=duration, words=(), phones=())
    monkeypatch.setattr(dataset, "segments", lambda: iter([first]))


def test_a_segment_rounded_past_the_end_ends_with_the_audio(
    dataset: Dataset, folder: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_segment(dataset, monkeypatch, 2.5, 0.501)
    Backend(from_workspace, context).export(dataset, folder)
    (cut,) = CutSet.from_file(folder / "cuts.jsonl.gz").with_recording_path_prefix(dataset.root)
    assert cut.end == 3.0
    assert cut.load_audio().shape == (1, 12_000)


def test_a_segment_behind_the_end_is_an_error(
    dataset: Dataset, folder: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_segment(dataset, monkeypatch, 3.0, 0.5)
    with pytest.raises(AudioError, match="no-samples"):
        Backend(from_workspace, context).export(dataset, folder)
