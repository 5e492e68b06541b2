# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pandas
import pytest
import soundfile
from tests.exporters.split_in_two import exported

from speechmill.core.types import Segment
from speechmill.exporters import csv as exporter
from speechmill.exporters.csv import Config, written_out
from speechmill.store.dataset import Dataset

ljspeech = Config(layout="ljspeech")
BY_RECORDING = {"talk-1a2b3c": "train", "tin-tuc-9f8e7d": "test"}


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def with_texts(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, texts: Sequence[str | None]) -> None:
    first = next(iter(dataset.segments()))
    segments = [
        msgspec.structs.replace(first, id=f"talk-1a2b3c-0-{number:07d}-0001000", text=text)
        for number, text in enumerate(texts)
    ]
    monkeypatch.setattr(dataset, "segments", lambda: iter(segments))


def test_python_reads_every_cell_back(dataset: Dataset, folder: Path) -> None:
    exported(exporter, Config(), dataset, folder, BY_RECORDING)
    by_id: dict[str, Segment] = {segment.id: segment for segment in dataset.segments()}
    found = table(folder)
    assert len(found) == len(by_id) == 3
    for row in found:
        segment = by_id[row["id"]]
        assert (row["text"], row["speaker"], row["language"]) == (segment.text, segment.speaker, segment.language)
        assert (float(row["duration"]), float(row["start"])) == (segment.duration, segment.start)
        assert (row["recording"], row["split"]) == (segment.recording_id, BY_RECORDING[segment.recording_id])
    assert [(row["score_snr_db"], row["score_dnsmos"]) for row in found if row["split"] == "train"] == [
        ("21.5", ""),
        ("15.0", "3.25"),
    ]
    assert {row["licence"] for row in found} == {"CC BY 4.0", ""}


def test_pandas_reads_it_and_the_clips_are_where_it_says(dataset: Dataset, folder: Path) -> None:
    exported(exporter, Config(), dataset, folder)
    found = pandas.read_csv(folder / "metadata.csv", keep_default_na=False)
    assert list(found.columns) == [
        *("id", "path", "text", "speaker", "language", "duration", "split", "recording", "start"),
        *("score_snr_db", "score_dnsmos", "licence", "attribution"),
    ]
    assert found.text.tolist() == [segment.text for segment in dataset.segments()]
    for path, duration in zip(found.path, found.duration, strict=True):
        assert soundfile.info(folder / path).frames == round(duration * 24_000)


def test_a_formula_is_text_unless_the_table_is_for_a_spreadsheet(
    dataset: Dataset, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "1=1", "'=1"]
    with_texts(dataset, monkeypatch, texts)
    exported(exporter, Config(), dataset, folder)
    assert [row["text"] for row in table(folder)] == texts
    exported(exporter, Config(spreadsheet=True), dataset, tmp_path / "sheet")
    assert [row["text"] for row in table(tmp_path / "sheet")] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "'\t=1",
        "1=1",
        "'=1",
    ]


def test_ljspeech_has_three_fields_and_a_wav_for_each_line(dataset: Dataset, folder: Path) -> None:
    exported(exporter, ljspeech, dataset, folder, BY_RECORDING)
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE))
    clean = 'She said "no" and <script>alert(1)</script> left, \\ done'
    assert [row[:2] for row in found] == [
        ["talk-1a2b3c-0-0000100-0001100", clean],
        ["talk-1a2b3c-1-0000500-0001700", "hello there"],
    ]
    assert {len(row) for row in found} == {3}
    for name, _text, _normalised in found:
        with soundfile.SoundFile(folder / "wavs" / f"{name}.wav") as file:
            assert (file.samplerate, file.subtype) == (24_000, "PCM_16")
    (line,) = (folder / "metadata_test.csv").read_text(encoding="utf-8").splitlines()
    assert line == "|".join(["tin-tuc-9f8e7d-0-0000250-0001750"] + ["Xin chào, tôi tên là Đặng Nguyễn Ánh"] * 2)
    counts = msgspec.json.decode((folder / "counts.json").read_bytes())
    assert counts["train"] == {"written": 2, "without_text": 0, "text_changed": 1}


def test_pandas_reads_ljspeech(dataset: Dataset, folder: Path) -> None:
    exported(exporter, ljspeech, dataset, folder)
    found = pandas.read_csv(folder / "metadata.csv", sep="|", header=None, quoting=3, keep_default_na=False)
    assert found.shape == (3, 3)
    assert found[0].tolist() == [segment.id for segment in dataset.segments()]


def test_what_breaks_a_line_becomes_a_blank_and_is_counted(
    dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_texts(dataset, monkeypatch, ["a|b", "a\nb", "a\r\nb\u2028c", "|", None, "Dr. Lee has 2 dogs."])
    exported(exporter, ljspeech, dataset, folder)
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split("|")[1:] for line in lines] == [
        ["a b", "a b"],
        ["a b", "a b"],
        ["a b c", "a b c"],
        ["Dr. Lee has 2 dogs.", "doctor Lee has two dogs."],
    ]
    counts = msgspec.json.decode((folder / "counts.json").read_bytes())
    assert counts == {"train": {"written": 4, "without_text": 2, "text_changed": 3}}


def test_a_language_without_rules_keeps_its_text() -> None:
    assert written_out("Es kostet 5 €, NASA!", "de") == "Es kostet 5 €, NASA!"
    assert written_out("Ngày 3/4, giá 5.000đ.", "vi") == "Ngày ba tháng tư, giá năm nghìn đồng."


def test_nothing_kept_is_a_header(empty_dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    exported(exporter, Config(), empty_dataset, folder)
    assert table(folder) == []
    assert (folder / "metadata.csv").read_bytes().startswith(b"id,path,text,")
    (tmp_path / "lj").mkdir()
    exported(exporter, ljspeech, empty_dataset, tmp_path / "lj")
    assert (tmp_path / "lj" / "metadata.csv").read_bytes() == b""
