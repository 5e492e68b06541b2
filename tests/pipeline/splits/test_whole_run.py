# SPDX-License-Identifier: Apache-2.0
"""A real run with splits: what is shown of them; a planted leak fails the export, and the one before stays."""

from __future__ import annotations

import json
import shutil

import av
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speechmill import api
from speechmill.core.errors import LeakFound
from speechmill.pipeline.explain import explain
from speechmill.pipeline.overview import overview
from speechmill.store import assigned

pytestmark = pytest.mark.slow

TEXTS = {
    "a": "The quick brown fox jumps over the lazy dog",
    "b": "She sells sea shells by the sea shore",
    "c": "A stitch in time saves nine every day",
    "d": "All that glitters in here is not gold",
}
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "splits": {"dev": 0.25, "test": 0.25},
    "export": ["jsonl"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_tone):
    """A folder of four tones, and the workspace of a run on it with an export."""
    folder, out = tmp_path_factory.mktemp("audio"), tmp_path_factory.mktemp("made") / "out"
    for i, (name, text) in enumerate(TEXTS.items()):
        make_tone(folder / f"{name}.wav", 2.0 + 0.25 * i, 150.0 + 20.0 * i)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    assert api.run(folder, out, settings=SETTINGS, workers=1).exit_status == 0
    return folder, out


@pytest.fixture
def out(made, tmp_path):
    """A copy of it to alter."""
    return shutil.copytree(made[1], tmp_path / "out")


@pytest.fixture
def again(made, out):
    """Run once more."""
    return lambda: api.run(made[0], out, settings=SETTINGS, workers=1)


def alter(out, file, column, change):
    path = out / "dataset" / f"{file}.parquet"
    table = pq.read_table(path)
    values = [change(row) for row in table.to_pylist(maps_as_pydicts="strict")]
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type)), path)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_run_shares_out_all_four(out):
    splits = pq.read_table(out / "dataset" / "segments.parquet")["split"].to_pylist()
    assert sorted(set(splits)) == ["dev", "test", "train"]


def test_hours_per_split_are_shown(out, speechmill):
    splits = json.loads(speechmill("filter", out, "--json").stdout)["splits"]
    assert list(splits) == ["train", "dev", "test"]
    assert sum(splits.values()) == pytest.approx((2.0 + 2.25 + 2.5 + 2.75) / 3600)
    found = overview(out)
    assert found.splits == {name: round(hours, 4) for name, hours in splits.items()}
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "By split, 3" in report


def test_a_segment_is_explained_with_its_split_and_what_dropped_it(out):
    api.filter(out, ["num_chars >= 37"])
    rows = pq.read_table(out / "dataset" / "segments.parquet").to_pylist()
    kept = next(row for row in rows if not row["drops"])
    lines = explain(out, kept["id"])
    assert f"kept, for {kept['split']}" in lines
    assert f"  split         {kept['split']}, and it stays there" in lines
    dropped = [
        {"rule": "duplicate-text", "value": 0.91, "threshold": 0.8},
        {"rule": "between-splits", "value": None, "threshold": None},
    ]
    alter(out, "segments", "drops", lambda row: dropped if row["id"] == kept["id"] else row["drops"])
    alter(out, "segments", "duplicate_of", lambda row: "other-1" if row["id"] == kept["id"] else None)
    lines = explain(out, kept["id"])
    assert lines[-2:] == [
        "  dropped as    duplicate-text: says what another segment says, which is kept; similarity 0.91, and 0.8 is "
        "too much; kept is other-1",
        "  dropped as    between-splits: its recording has speakers, a channel or sound of two splits",
    ]


def test_a_planted_speaker_fails_the_command_and_leaves_the_export_before(out, speechmill):
    before = contents(out / "exports" / "jsonl")
    alter(out, "segments", "speaker", lambda row: "Ann")
    assert "speaker 'Ann' is in several splits" in speechmill("export", out, "jsonl", expect=2).stderr
    assert contents(out / "exports" / "jsonl") == before
    assert before


def test_a_planted_sentence_fails_a_run_and_both_segments_are_named(out, again):
    ids = pq.read_table(out / "dataset" / "segments.parquet")["id"].to_pylist()
    before = contents(out / "exports")
    alter(out, "segments", "text", lambda row: f"{TEXTS['a']} {row['id'][:1]}")
    with pytest.raises(LeakFound, match="a text is in several splits") as found:
        again()
    assert sum(name in str(found.value) for name in ids) >= 2
    assert contents(out / "exports") == before


def test_what_it_says_to_do_mends_it(out, again):
    before = contents(out / "exports" / "jsonl")
    alter(out, "segments", "speaker", lambda row: "Ann")
    shutil.rmtree(out / "dataset")
    shutil.rmtree(out / "decisions")
    assert again().exit_status == 0
    assert contents(out / "exports" / "jsonl") == before


@pytest.fixture(scope="module")
def copied(tmp_path_factory, make_melody):
    """The workspace of a run on four melodies and a copy of the first as MP3, with an export."""
    folder, out = tmp_path_factory.mktemp("melodies"), tmp_path_factory.mktemp("copied") / "out"
    for number, (name, text) in enumerate(TEXTS.items()):
        make_melody(folder / f"{name}.wav", number)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    as_mp3(folder / "a.wav", folder / "copy.mp3")
    (folder / "copy.txt").write_text("Whatever somebody else heard in that", encoding="utf-8")
    settings = {**SETTINGS, "deduplicate": {"audio": True}}
    assert api.run(folder, out, settings=settings, workers=1).exit_status == 0
    return out


def as_mp3(source, target):
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream("mp3", rate=16_000, layout="mono")
        stream.bit_rate = 48_000
        for frame in read.decode(audio=0):
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))


def test_a_copy_as_mp3_that_somebody_put_into_another_split_fails_the_export(copied, tmp_path, speechmill):
    out = shutil.copytree(copied, tmp_path / "out")
    before = contents(out / "exports")
    rows = pq.read_table(out / "dataset" / "segments.parquet", columns=["recording_id", "split", "duplicate_of"])
    found = {row["recording_id"]: row for row in rows.to_pylist()}
    gone = next(name for name, row in found.items() if row["duplicate_of"])
    kept = found[gone]["duplicate_of"]
    assert {gone.split("-")[0], kept.split("-")[0]} == {"a", "copy"}
    other = next(split for split in ("train", "dev", "test") if split != found[kept]["split"])
    alter(out, "segments", "drops", lambda row: [] if row["recording_id"] == gone else row["drops"])
    alter(out, "segments", "split", lambda row: other if row["recording_id"] == gone else row["split"])
    said = speechmill("export", out, "jsonl", expect=2).stderr
    assert "recordings sound alike" in said
    assert gone in said
    assert kept in said
    assert contents(out / "exports") == before


def test_what_is_purged_is_forgotten_and_the_others_stay_where_they_were(out, speechmill):
    rows = pq.read_table(out / "dataset" / "segments.parquet", columns=["recording_id", "split"]).to_pylist()
    was = {row["recording_id"]: row["split"] for row in rows}
    gone = next(name for name, split in was.items() if split == "test")
    sha256 = hash_of(out, gone)
    assert sha256 in assigned.read(out / "splits").of("recording")
    speechmill("purge", out, gone, "--yes")
    assert sha256 not in assigned.read(out / "splits").of("recording")
    assert len(assigned.read(out / "splits").of("recording")) == 3
    rows = pq.read_table(out / "dataset" / "segments.parquet", columns=["recording_id", "split"]).to_pylist()
    assert {row["recording_id"]: row["split"] for row in rows} == {k: v for k, v in was.items() if k != gone}
    speechmill("filter", out, "--rule", "num_chars >= 2")
    speechmill("export", out, "jsonl")


def hash_of(out, recording_id):
    rows = pq.read_table(out / "dataset" / "recordings.parquet", columns=["id", "sha256"]).to_pylist()
    return next(row["sha256"] for row in rows if row["id"] == recording_id)
