# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import soundfile
from praatio import textgrid as praatio
from tests.exporters.split_in_two import exported

from speechmill.alignment.corpus import find
from speechmill.exporters import mfa
from speechmill.exporters.mfa import Config
from speechmill.store.dataset import Dataset

BAO = "Bảo__the_host_6eddddf3"
BY_RECORDING = {"talk-1a2b3c": "train", "tin-tuc-9f8e7d": "dev"}
textgrid = Config(layout="textgrid")


def test_a_clip_and_its_text_lie_in_the_folder_of_the_speaker(dataset: Dataset, folder: Path) -> None:
    exported(mfa, Config(), dataset, folder, BY_RECORDING)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "counts.json",
        "dev/anna/tin-tuc-9f8e7d-0-0000250-0001750.lab",
        "dev/anna/tin-tuc-9f8e7d-0-0000250-0001750.wav",
        f"train/{BAO}/talk-1a2b3c-1-0000500-0001700.lab",
        f"train/{BAO}/talk-1a2b3c-1-0000500-0001700.wav",
        "train/anna/talk-1a2b3c-0-0000100-0001100.lab",
        "train/anna/talk-1a2b3c-0-0000100-0001100.wav",
    ]
    assert (folder / "train/anna/talk-1a2b3c-0-0000100-0001100.lab").read_bytes() == (
        b'She said "no" and <script>alert(1)</script> | left, \\ done\n'
    )


@pytest.mark.parametrize("audio", ["wav", "flac"])
def test_our_reader_of_such_corpora_finds_all_of_it(audio: str, dataset: Dataset, folder: Path) -> None:
    exported(mfa, Config(audio=audio), dataset, folder)
    corpus = find(folder)
    assert corpus.problems == ()
    found = {one.text: (one.speaker, one.duration) for of in corpus.recordings for one in of.utterances}
    assert found["hello there"] == (BAO, 1.2)
    assert found["Xin chào, tôi tên là Đặng Nguyễn Ánh"] == ("anna", 1.5)
    assert corpus.speakers == (BAO, "anna")


def test_whole_recordings_have_a_tier_for_each_speaker(dataset: Dataset, folder: Path) -> None:
    exported(mfa, textgrid, dataset, folder)
    corpus = find(folder)
    assert corpus.problems == ()
    assert [(of.key, of.duration) for of in corpus.recordings] == [
        ("train/talk-1a2b3c_0", 3.0),
        ("train/talk-1a2b3c_1", 3.0),
        ("train/tin-tuc-9f8e7d", 2.0),
    ]
    assert [(one.speaker, one.start, one.end) for of in corpus.recordings for one in of.utterances] == [
        ("anna", 0.1, 1.1),
        (BAO, 0.5, 1.7),
        ("anna", 0.25, 1.75),
    ]
    grid = praatio.openTextgrid(str(folder / "train/talk-1a2b3c_1.TextGrid"), includeEmptyIntervals=False)
    assert grid.tierNames == (BAO,)
    assert [tuple(entry) for entry in grid.getTier(BAO).entries] == [(0.5, 1.7, "hello there")]
    assert soundfile.info(folder / "train/talk-1a2b3c_1.wav").frames == 72_000


def test_segments_that_overlap_go_to_a_second_tier(
    dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(dataset.segments()))
    spoken = [
        msgspec.structs.replace(first, id=f"{number}", start=start, duration=1.0, text=f"t{number}")
        for number, start in enumerate((0.0, 0.5, 1.0))
    ]
    spoken.append(msgspec.structs.replace(first, id="3", start=2.0, duration=0.5, text="t3", speaker="anna_2"))
    monkeypatch.setattr(dataset, "segments", lambda: iter(spoken))
    exported(mfa, textgrid, dataset, folder)
    (recording,) = find(folder).recordings
    assert [(one.speaker, one.text) for one in recording.utterances] == [
        ("anna", "t0"),
        ("anna_3", "t1"),
        ("anna", "t2"),
        ("anna_2", "t3"),
    ]


def test_an_unknown_speaker_is_the_recordings_and_no_text_no_file(
    dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(dataset.segments()))
    spoken = [
        msgspec.structs.replace(first, id="x", speaker=None),
        msgspec.structs.replace(first, id="y", text=" \n"),
        msgspec.structs.replace(first, id="z", speaker="../.."),
    ]
    monkeypatch.setattr(dataset, "segments", lambda: iter(spoken))
    exported(mfa, Config(), dataset, folder)
    assert {of.utterances[0].speaker for of in find(folder).recordings} == {
        "talk_1a2b3c_537a7e47",
        "______0cfd1c96",
    }
    counts = msgspec.json.decode((folder / "counts.json").read_bytes())
    assert counts == {"train": {"written": 2, "without_text": 1, "text_changed": 2}}


def test_nothing_kept_is_an_empty_corpus(empty_dataset: Dataset, folder: Path) -> None:
    exported(mfa, Config(), empty_dataset, folder)
    assert [path.name for path in folder.iterdir()] == ["counts.json"]
