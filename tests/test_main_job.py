# SPDX-License-Identifier: Apache-2.0
"""The main job on sixty real utterances: a folder of audio in, a dataset out that other people's libraries open."""

import csv
import json
import shutil
import subprocess
import sys
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
import soundfile

from speechmill.measures.wer import tokens, wer
from speechmill.pipeline.scores import describe

pytestmark = pytest.mark.system

COLUMNS = {
    "id",
    "recording_id",
    "start",
    "duration",
    "channel",
    "text",
    "language",
    "speaker",
    "words",
    "phones",
    "scores",
    "drops",
}
EXPORTS = "huggingface,lhotse,nemo,textgrid,rttm"
TICK = 1e-3  # segments lie on whole milliseconds, words on tenths of them
FEW = 6


def read_rows(out, name="segments"):
    return pq.read_table(out / "dataset" / f"{name}.parquet").to_pylist(maps_as_pydicts="strict")


def texts_of(data):
    """File's stem -> text, as the corpus has it."""
    with (data / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["file"].rsplit("/")[-1].removesuffix(".flac"): row["text"] for row in rows}


def stem(recording_id):
    """What stands before the hash in a recording's id."""
    return recording_id.rpartition("-")[0]


@pytest.fixture(scope="module")
def data(shared_data):
    return shared_data / "librispeech_test_other"


@pytest.fixture(scope="module")
def job(data, speechmill, tmp_path_factory):
    """The workspace of a run with given text, and its summary."""
    pytest.importorskip("pocketsphinx")
    out = tmp_path_factory.mktemp("main") / "out"
    arguments = ("--language", "en", "--transcript", "sidecar", "--filter", "none", "--export", EXPORTS)
    summary = json.loads(speechmill("run", data, *arguments, "--out", out, "--json", timeout=900).stdout)
    return out, summary


@pytest.fixture(scope="module")
def rows(job):
    return read_rows(job[0])


def test_every_recording_gets_through_every_stage(job):
    _out, summary = job
    assert summary["recordings"] == 60
    assert summary["failures"] == []
    recording_scope = ("normalise", "vad", "transcribe", "diarize", "segment", "quality.snr", "quality.dnsmos", "align")
    assert {name: summary["stages"][name]["processed"] for name in recording_scope} == dict.fromkeys(
        recording_scope, 60
    )


def test_the_table_has_the_columns_promised(job):
    assert set(pq.read_schema(job[0] / "dataset" / "segments.parquet").names) >= COLUMNS


def test_each_utterance_is_one_segment_with_its_own_text(rows, data):
    assert len(rows) == 60
    assert {stem(row["recording_id"]): row["text"] for row in rows} == texts_of(data)
    assert {row["language"] for row in rows} == {"en"}
    assert all(row["speaker"] for row in rows)


def test_ids_are_unique_and_say_what_they_name(rows):
    assert len({row["id"] for row in rows}) == 60
    for row in rows:
        start, end = round(row["start"] * 1000), round((row["start"] + row["duration"]) * 1000)
        assert row["id"] == f"{row['recording_id']}-0-{start:07d}-{end:07d}"


def test_a_segment_lies_in_its_recording(rows, job, data):
    lengths = {row["id"]: row["duration"] for row in read_rows(job[0], "recordings")}
    real = {path.stem: soundfile.info(path).duration for path in data.rglob("*.flac")}
    for row in rows:
        assert lengths[row["recording_id"]] == pytest.approx(real[stem(row["recording_id"])], abs=1e-4)
        assert row["start"] >= 0
        assert row["duration"] > 0
        assert row["start"] + row["duration"] <= lengths[row["recording_id"]] + TICK


def test_words_are_those_of_the_text_in_order_inside_the_segment(rows):
    assert all(row["words"] or row["gaps"].get("align") for row in rows)
    aligned = [row for row in rows if row["words"]]
    assert len(aligned) >= 57  # of 60: some readings differ from their text
    for row in aligned:
        assert tokens(" ".join(word["symbol"] for word in row["words"])) == tokens(row["text"])
        for symbols in (row["words"], row["phones"]):
            assert symbols[0]["start"] >= row["start"] - TICK
            assert symbols[-1]["start"] + symbols[-1]["duration"] <= row["start"] + row["duration"] + TICK
            assert all(symbol["duration"] > 0 for symbol in symbols)
            assert all(left["start"] + left["duration"] <= right["start"] + TICK for left, right in pairwise(symbols))
            assert all(0 <= symbol["score"] <= 1 for symbol in symbols)


def test_scores_are_in_their_range(rows):
    known = describe()
    assert {name for row in rows for name in row["scores"]} == {"snr_db", "dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"}
    for row in rows:
        for name, value in row["scores"].items():
            low, high = known[name].column.range
            assert low <= value <= high, (row["id"], name)


DECODE = """
import sys, datasets
rows = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2], split="train")
for row in rows:
    print(row["id"], row["audio"]["sampling_rate"], len(row["audio"]["array"]))
"""


def test_datasets_opens_the_export_and_decodes_every_segment(job, rows, torchcodec_environment, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", DECODE, job[0] / "exports" / "huggingface", tmp_path / "cache"]
    done = subprocess.run(command, env=torchcodec_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    decoded = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _rate, _length in decoded] == [row["id"] for row in rows]
    for row, (_name, rate, length) in zip(rows, decoded, strict=True):
        assert int(rate) == 24_000
        assert int(length) == pytest.approx(row["duration"] * 24_000, abs=24)


def test_lhotse_loads_and_validates_the_export(job, rows):
    from lhotse import CutSet, RecordingSet, SupervisionSet, validate

    folder = job[0] / "exports" / "lhotse"
    recordings = RecordingSet.from_file(folder / "recordings_train.jsonl.gz").with_path_prefix(folder).to_eager()
    supervisions = SupervisionSet.from_file(folder / "supervisions_train.jsonl.gz").to_eager()
    cuts = CutSet.from_file(folder / "cuts_train.jsonl.gz").with_recording_path_prefix(folder).to_eager()
    validate(recordings, read_data=True)
    validate(supervisions)
    validate(cuts, read_data=True)
    assert (len(recordings), len(supervisions), len(cuts)) == (60, 60, 60)
    for row in rows:
        supervision = supervisions[row["id"]]
        assert (supervision.start, supervision.text) == (row["start"], row["text"])
        words = (supervision.alignment or {}).get("word", [])
        assert [item.symbol for item in words] == [word["symbol"] for word in row["words"]]


def test_praatio_reads_the_textgrids(job, rows):
    from praatio import textgrid

    for row in rows:
        path = job[0] / "exports" / "textgrid" / "train" / f"{row['recording_id']}.TextGrid"
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
        if row["words"]:
            assert grid.tierNames == ("words", "phones")
            entries = grid.getTier("words").entries
            assert [entry.label for entry in entries] == [word["symbol"] for word in row["words"]]
            starts = [word["start"] for word in row["words"]]
            assert [entry.start for entry in entries] == pytest.approx(starts, abs=TICK)
            assert len(grid.getTier("phones").entries) == len(row["phones"])
        else:
            assert [entry.label for entry in grid.getTier("utterances").entries] == [row["text"]]


def test_the_nemo_manifest_states_the_files_own_lengths(job, rows):
    folder = job[0] / "exports" / "nemo"
    entries = [json.loads(line) for line in (folder / "manifest_train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [entry["text"] for entry in entries] == [row["text"] for row in rows]
    for entry in entries:
        assert entry["duration"] == pytest.approx(soundfile.info(folder / entry["audio_filepath"]).duration, abs=1e-4)


def test_rttm_has_each_segment(job, rows):
    for row in rows:
        (line,) = (job[0] / "exports" / "rttm" / "train" / f"{row['recording_id']}.rttm").read_text().splitlines()
        kind, name, _channel, start, duration, *_rest = line.split()
        assert (kind, name) == ("SPEAKER", row["recording_id"])
        assert (float(start), float(duration)) == pytest.approx((row["start"], row["duration"]), abs=TICK)


def test_text_is_recognised_where_none_is_given(data, speechmill, tmp_path):
    """Six readings without their text. PocketSphinx is weak on this set: about 0.6 on all of it."""
    pytest.importorskip("pocketsphinx")
    folder = tmp_path / "audio"
    folder.mkdir()
    chosen = sorted(data.rglob("*.flac"), key=lambda path: path.stat().st_size)[10 : 10 + FEW]
    for path in chosen:
        shutil.copy(path, folder)
    arguments = ("--language", "en", "--transcript", "pocketsphinx", "--quality", "snr", "--export", "none")
    speechmill("run", folder, *arguments, "--out", tmp_path / "out", timeout=600)
    rows = read_rows(tmp_path / "out")
    texts = texts_of(data)
    assert {stem(row["recording_id"]) for row in rows} == {path.stem for path in chosen}
    heard = {path.stem: "" for path in chosen}
    for row in rows:
        heard[stem(row["recording_id"])] += f" {row['text']}"
        assert row["words"]
        assert row["words"][0]["start"] >= row["start"] - TICK
    reference = [word for path in chosen for word in tokens(texts[path.stem])]
    assert wer(reference, [word for path in chosen for word in tokens(heard[path.stem])]).rate < 0.9
