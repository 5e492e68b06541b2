# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import shutil
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import soundfile
from lhotse.kaldi import load_kaldi_data_dir
from tests.exporters.kaldi_rules import problems, rows
from tests.exporters.split_in_two import exported

from speechmill.core.types import Segment
from speechmill.exporters import kaldi
from speechmill.exporters._lines import merged
from speechmill.exporters.kaldi import Config
from speechmill.store.dataset import Dataset

BY_RECORDING = {"talk-1a2b3c": "train", "tin-tuc-9f8e7d": "dev"}
BAO = "Bảo__the_host_6eddddf3"
LAYOUTS = [Config(), Config(layout="segments"), Config(audio="flac"), Config(layout="segments", audio="flac")]


def with_segments(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, segments: Sequence[Segment]) -> None:
    monkeypatch.setattr(dataset, "segments", lambda: iter(segments))


@pytest.mark.parametrize("config", LAYOUTS)
def test_kaldi_finds_nothing_to_complain_of(config: Config, dataset: Dataset, folder: Path) -> None:
    exported(kaldi, config, dataset, folder, BY_RECORDING)
    assert {split: problems(folder / split) for split in ("train", "dev")} == {"train": [], "dev": []}
    assert not (folder / "test").exists()


def test_the_files_say_who_says_what_and_for_how_long(dataset: Dataset, folder: Path) -> None:
    exported(kaldi, Config(), dataset, folder)
    anna, vi = "anna-talk-1a2b3c-0-0000100-0001100", "anna-tin-tuc-9f8e7d-0-0000250-0001750"
    bao = f"{BAO}-talk-1a2b3c-1-0000500-0001700"
    read = {name: (folder / "train" / name).read_text(encoding="utf-8").split("\n") for name in ("text", "spk2utt")}
    assert read["text"] == [
        f"{bao} hello there",
        f'{anna} She said "no" and <script>alert(1)</script> | left, \\ done',
        f"{vi} Xin chào, tôi tên là Đặng Nguyễn Ánh",
        "",
    ]
    assert read["spk2utt"] == [f"{BAO} {bao}", f"anna {anna} {vi}", ""]
    assert rows(folder / "train" / "utt2dur") == [[bao, "1.200000"], [anna, "1.000000"], [vi, "1.500000"]]
    assert rows(folder / "train" / "utt2lang") == [[bao, "en"], [anna, "en"], [vi, "vi"]]


def test_a_clip_is_the_segment_to_the_sample(dataset: Dataset, folder: Path) -> None:
    exported(kaldi, Config(), dataset, folder)
    path = dict(rows(folder / "train" / "wav.scp"))[f"{BAO}-talk-1a2b3c-1-0000500-0001700"]
    assert path == "audio/talk-1a2b3c/talk-1a2b3c-1-0000500-0001700.wav"
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="int16")
    clip, rate = soundfile.read(folder / path, dtype="int16")
    assert rate == 24_000
    assert clip.tolist() == whole[12_000:40_800].tolist()


def test_segments_lie_in_whole_recordings_one_for_each_channel(dataset: Dataset, folder: Path) -> None:
    exported(kaldi, Config(layout="segments"), dataset, folder)
    train = folder / "train"
    assert [row[1:] for row in rows(train / "segments")] == [
        ["talk-1a2b3c.1", "0.500000", "1.700000"],
        ["talk-1a2b3c.0", "0.100000", "1.100000"],
        ["tin-tuc-9f8e7d.0", "0.250000", "1.750000"],
    ]
    assert rows(train / "wav.scp")[0] == ["talk-1a2b3c.0", "audio/talk-1a2b3c.0.wav"]
    assert [row[1] for row in rows(train / "reco2dur")] == ["3.000000", "3.000000", "2.000000"]
    with wave.open(str(folder / "audio/talk-1a2b3c.0.wav")) as file:
        assert (file.getnframes(), file.getframerate(), file.getnchannels()) == (72_000, 24_000, 1)


def test_lhotse_imports_a_folder_with_segments(dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(kaldi, Config(layout="segments"), dataset, folder)
    monkeypatch.chdir(folder)
    recordings, supervisions, _ = load_kaldi_data_dir(Path("train"), 24_000)
    assert supervisions is not None
    first = supervisions[f"{BAO}-talk-1a2b3c-1-0000500-0001700"]
    assert (first.text, first.speaker, first.language) == ("hello there", BAO, "en")
    assert (first.start, first.duration) == (0.5, 1.2)
    whole, _ = soundfile.read(dataset.root / "recordings/aa/talk-1.flac", dtype="float32")
    assert recordings["talk-1a2b3c.1"].load_audio(offset=0.5, duration=1.2)[0].tolist() == whole[12_000:40_800].tolist()


def test_lhotse_imports_a_folder_of_clips(dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(kaldi, Config(), dataset, folder)
    monkeypatch.chdir(folder)
    recordings, supervisions, _ = load_kaldi_data_dir(Path("train"), 24_000)
    assert supervisions is not None
    assert [(one.speaker, one.duration) for one in supervisions] == [(BAO, 1.2), ("anna", 1.0), ("anna", 1.5)]
    assert [one.load_audio().shape for one in recordings] == [(1, 28_800), (1, 24_000), (1, 36_000)]


@pytest.mark.skipif(shutil.which("flac") is None, reason="the flac command is not installed")
def test_flac_is_read_through_the_flac_command(dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(kaldi, Config(audio="flac"), dataset, folder)
    monkeypatch.chdir(folder)
    recordings, _, _ = load_kaldi_data_dir(Path("train"), 24_000)
    assert [one.load_audio().shape for one in recordings] == [(1, 28_800), (1, 24_000), (1, 36_000)]


def test_flac_stands_in_wav_scp_as_a_pipe(dataset: Dataset, folder: Path) -> None:
    exported(kaldi, Config(layout="segments", audio="flac"), dataset, folder)
    line = (folder / "train" / "wav.scp").read_text().split("\n")[0]
    assert line == "talk-1a2b3c.0 flac -c -d -s audio/talk-1a2b3c.0.flac |"
    assert soundfile.info(folder / "audio/talk-1a2b3c.0.flac").frames == 72_000


def test_speakers_whose_names_begin_alike_keep_both_orders(
    dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a", "a-b", "a#1", "a!", "a b", "ab", "A", "é", "a_b", None)
    first = next(iter(dataset.segments()))
    many = [
        msgspec.structs.replace(first, id=f"talk-1a2b3c-0-{start:07d}-{start + 500:07d}", speaker=name, words=())
        for start, name in enumerate(names * 2)
    ]
    with_segments(dataset, monkeypatch, many)
    exported(kaldi, Config(), dataset, folder)
    assert problems(folder / "train") == []
    assert len(rows(folder / "train" / "spk2utt")) == 9 + 2  # nobody is taken for somebody, not even for himself


def test_segments_without_text_and_kaldis_own_symbols_are_counted(
    dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = (None, " \n", "<s>", "say <s> we are #0 </s>\u00a0now\u2028so", "#01 is fine", "plain")
    first = next(iter(dataset.segments()))
    many = [
        msgspec.structs.replace(first, id=f"talk-1a2b3c-0-{number:07d}-0001000", text=text)
        for number, text in enumerate(texts)
    ]
    with_segments(dataset, monkeypatch, many)
    exported(kaldi, Config(), dataset, folder)
    assert problems(folder / "train") == []
    assert [" ".join(row[1:]) for row in rows(folder / "train" / "text")] == [
        "say we are # 0 now so",
        "#01 is fine",
        "plain",
    ]
    counts = msgspec.json.decode((folder / "counts.json").read_bytes())
    assert counts == {"train": {"written": 3, "without_text": 3, "text_changed": 2}}
    assert len(list((folder / "audio" / "talk-1a2b3c").iterdir())) == 3


def test_nothing_kept_is_no_folder(empty_dataset: Dataset, folder: Path) -> None:
    exported(kaldi, Config(), empty_dataset, folder)
    assert not (folder / "train").exists()


@pytest.mark.parametrize(
    ("file", "wrong", "complaint"),
    [
        ("utt2spk", lambda text: "\n".join(reversed(text.split("\n")[:-1])) + "\n", "utt2spk: not sorted"),
        ("spk2utt", lambda text: text.replace("anna ", "anna x ", 1), "spk2utt: not the inverse"),
        ("text", lambda text: text.replace("hello", "hello\u00a0"), "text: white space"),
        ("text", lambda text: text.replace("hello", "<s>"), "text: <s>"),
        ("text", lambda text: text.split("\n", 1)[1], "text: other utterances"),
        ("wav.scp", lambda text: text.split("\n", 1)[1], "wav.scp: other recordings"),
        ("wav.scp", lambda text: text.rstrip("\n"), "wav.scp: no newline"),
        ("utt2dur", lambda text: re.sub(r" .*", " 0", text), "utt2dur: a bad line"),
        ("utt2lang", lambda text: text.split("\n", 1)[1], "utt2lang: other utterances"),
    ],
)
def test_the_rules_find_what_is_wrong(dataset: Dataset, folder: Path, file: str, wrong, complaint: str) -> None:
    exported(kaldi, Config(), dataset, folder)
    path = folder / "train" / file
    path.write_text(wrong(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert any(found.startswith(complaint) for found in problems(folder / "train"))


def test_more_files_than_may_be_open_are_merged(tmp_path: Path) -> None:
    paths = []
    for number in range(600):
        paths.append(tmp_path / f"{number:03d}")
        paths[-1].write_bytes(b"%05d\n%05d\n" % (number, 2000 - number))
    lines = list(merged(paths, tmp_path / "scratch"))
    assert len(lines) == 1200
    assert lines == sorted(lines)
    assert not (tmp_path / "scratch").exists()


def test_sort_agrees_as_kaldis_script_asks_it(dataset: Dataset, folder: Path) -> None:
    exported(kaldi, Config(), dataset, folder)
    utt2spk = folder / "train" / "utt2spk"
    for options in ((), ("-k2",)):
        done = subprocess.run(["sort", *options, str(utt2spk)], capture_output=True, check=True, env={"LC_ALL": "C"})
        assert done.stdout == utt2spk.read_bytes()
