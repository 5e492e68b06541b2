# SPDX-License-Identifier: Apache-2.0
"""Leaks that somebody planted in a dataset are found, whatever made them; what leaks is not exported."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speechmill.core.errors import LeakFound
from speechmill.core.files import write_bytes
from speechmill.formats.manifest import write_parquet
from speechmill.measures.landmarks import landmarks
from speechmill.pipeline.dataset_options import Deduplicate, Splits
from speechmill.pipeline.leaks import find_leaks, refuse_leaks
from speechmill.pipeline.refilter import read_index
from speechmill.store import assigned


def one_of(corpus, split):
    return next(name.split("-")[0] for name, found in corpus.splits().items() if found == split)


def alter(corpus, file, column, change):
    """Write a column of the dataset anew: `change` takes a row and returns its value."""
    path = corpus.workspace.dataset / f"{file}.parquet"
    table = pq.read_table(path)
    values = [change(row) for row in table.to_pylist(maps_as_pydicts="strict")]
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type)), path)


def said_by(corpus, name, who):
    alter(corpus, "segments", "speaker", lambda row: who if row["recording_id"] == name else row["speaker"])


def test_a_dataset_as_it_is_decided_has_none(twelve):
    assert find_leaks(twelve.workspace) == []
    refuse_leaks(twelve.workspace)


def test_without_splits_there_is_nothing_to_find(corpus, make):
    corpus.grown("t1", [make.recording("a"), make.recording("b")], make.said("a") + make.said("b"), splits=None)
    alter(corpus, "segments", "split", lambda row: "test" if row["recording_id"] == "a" else "train")
    assert find_leaks(corpus.workspace) == []


def test_a_shared_speaker_is_found(twelve):
    train, test = one_of(twelve, "train"), one_of(twelve, "test")
    for name in (train, test):
        said_by(twelve, name, "Ann")
    (leak,) = find_leaks(twelve.workspace)
    assert (leak.kind, leak.name) == ("speaker", "Ann")
    assert dict(zip(leak.splits, leak.ids, strict=True)) == {"train": train, "test": test}
    with pytest.raises(
        LeakFound, match=r"speaker 'Ann' is in several splits \(test: rec\d+, train: rec\d+\)\. See all"
    ):
        refuse_leaks(twelve.workspace)


def test_a_speaker_of_the_recording_is_found_where_segments_name_nobody(twelve):
    train, dev = one_of(twelve, "train"), one_of(twelve, "dev")
    alter(twelve, "recordings", "speaker", lambda row: "Ann" if row["id"] in (train, dev) else row["speaker"])
    assert [(leak.kind, set(leak.splits)) for leak in find_leaks(twelve.workspace)] == [("speaker", {"train", "dev"})]


def test_speakers_told_apart_inside_recordings_are_nobody_shared(twelve):
    for split in ("train", "dev", "test"):
        name = one_of(twelve, split)
        said_by(twelve, name, f"{name}#1")
    assert find_leaks(twelve.workspace) == []


def test_a_shared_channel_is_found(twelve):
    ids = one_of(twelve, "train"), one_of(twelve, "test")
    alter(twelve, "recordings", "origin", lambda row: "youtube")
    whose = {"rights": {"author": "Radio X"}}
    alter(twelve, "recordings", "rights", lambda row: whose["rights"] if row["id"] in ids else None)
    assert [(leak.kind, leak.name) for leak in find_leaks(twelve.workspace)] == [("channel", "youtube: Radio X")]


def test_the_same_recording_in_two_splits_is_found(twelve):
    ids = one_of(twelve, "train"), one_of(twelve, "dev")
    alter(twelve, "recordings", "sha256", lambda row: "same" if row["id"] in ids else row["sha256"])
    assert [(leak.kind, leak.name) for leak in find_leaks(twelve.workspace)] == [("content", "same")]


def test_a_recording_torn_in_two_is_found(twelve, make):
    rows = [make.recording(f"r{i}") for i in range(4)]
    twelve.grown("t2", rows, [one for row in rows for one in make.said(row.id, "one two", "three four")])
    alter(twelve, "segments", "split", lambda row: "train" if row["id"] == "r0-0" else "test")
    kinds = {(leak.kind, leak.name) for leak in find_leaks(twelve.workspace)}
    assert ("content", "sha-r0") in kinds


def test_a_recording_that_was_of_another_split_before_is_found(twelve):
    was = one_of(twelve, "test")
    path = assigned.path_in(twelve.workspace.splits)
    known = assigned.read(twelve.workspace.splits)
    path.unlink()
    other = {**known.of("recording"), f"sha-{was}": 0}
    assigned.remember(twelve.workspace.splits, assigned.Assigned({}), {"recording": other})
    (leak,) = find_leaks(twelve.workspace)
    assert (leak.kind, leak.name, leak.splits) == ("moved", f"sha-{was}", ("train", "test"))


def test_a_near_duplicate_sentence_is_found_with_both_segments(twelve, make):
    train, test = one_of(twelve, "train"), one_of(twelve, "test")
    near = f"So {make.sentence(test).title()}!"
    alter(twelve, "segments", "text", lambda row: near if row["recording_id"] == train else row["text"])
    (leak,) = find_leaks(twelve.workspace)
    assert (leak.kind, leak.name, leak.splits, leak.ids) == (
        "text",
        near,
        ("train", "test"),
        (f"{train}-0", f"{test}-0"),
    )


def test_a_sentence_of_dev_in_test_is_found(twelve, make):
    dev, test = one_of(twelve, "dev"), one_of(twelve, "test")
    alter(twelve, "segments", "text", lambda r: make.sentence(test) if r["recording_id"] == dev else r["text"])
    assert [(leak.kind, leak.splits) for leak in find_leaks(twelve.workspace)] == [("text", ("dev", "test"))]


def test_yes_is_no_leak(twelve):
    alter(twelve, "segments", "text", lambda row: "Yes, of course.")
    assert find_leaks(twelve.workspace) == []


def sound(corpus, table: str, heard: dict[str, np.ndarray]) -> None:
    """Write the landmarks of recordings, as a join does."""
    rows = [{"recording_id": name, "landmarks": landmarks(samples)} for name, samples in heard.items()]
    write_parquet(corpus.workspace.tables / f"landmarks-{table}.parquet", pa.Table.from_pylist(rows))


def reencoded(samples: np.ndarray) -> np.ndarray:
    """Quieter, with 11 bits, in noise, and without its first second."""
    noise = 0.003 * np.random.default_rng(9).standard_normal(len(samples))
    return (np.round((0.6 * samples + noise) * 1024) / 1024)[16_000:].astype(np.float32)


def test_a_reencoded_duplicate_is_found(twelve, make):
    train, test = one_of(twelve, "train"), one_of(twelve, "test")
    heard = {name: make.melody(number) for number, name in enumerate((train, test, one_of(twelve, "dev")))}
    sound(twelve, "t1", heard)
    assert find_leaks(twelve.workspace) == []
    sound(twelve, "t1", {**heard, train: reencoded(heard[test])})
    (leak,) = find_leaks(twelve.workspace)
    assert (leak.kind, dict(zip(leak.ids, leak.splits, strict=True))) == ("audio", {train: "train", test: "test"})
    with pytest.raises(LeakFound, match="recordings sound alike"):
        refuse_leaks(twelve.workspace)


@pytest.mark.parametrize("deduplicate", [None, Deduplicate(audio=False), Deduplicate(audio=True)])
def test_a_reencoded_duplicate_goes_where_the_recording_is(twelve, make, deduplicate):
    """Whether one of the two is dropped or both are kept: a copy is in no other split."""
    test = one_of(twelve, "test")
    names = [f"rec{i}" for i in range(12)]
    rows = [make.recording(name, speaker=f"speaker{i}") for i, name in enumerate(names)]
    segments = [one for name in (*names, "copy") for one in make.said(name)]
    twelve.write("t2", [*rows, make.recording("copy")], segments)
    sound(
        twelve, "t2", {one_of(twelve, "train"): make.melody(0), test: make.melody(1), "copy": reencoded(make.melody(1))}
    )
    twelve.decide("t2", deduplicate=deduplicate)
    found = {twelve.splits()["copy-0"], twelve.splits()[f"{test}-0"]}
    assert found == ({"test", None} if deduplicate and deduplicate.audio else {"test"})
    refuse_leaks(twelve.workspace)


def test_dropped_segments_leak_nothing(twelve):
    train, test = one_of(twelve, "train"), one_of(twelve, "test")
    for name in (train, test):
        said_by(twelve, name, "Ann")
    drop = [{"rule": "snr_db >= 99", "value": 1.0, "threshold": 99.0}]
    alter(twelve, "segments", "drops", lambda row: drop if row["recording_id"] == train else row["drops"])
    alter(twelve, "segments", "split", lambda row: None if row["recording_id"] == train else row["split"])
    assert find_leaks(twelve.workspace) == []


def test_a_kept_segment_of_no_split_is_found(twelve):
    train = one_of(twelve, "train")
    alter(twelve, "segments", "split", lambda row: None if row["recording_id"] == train else row["split"])
    assert [(leak.kind, leak.ids) for leak in find_leaks(twelve.workspace)] == [("unsplit", (f"{train}-0",))]


def test_what_was_looked_through_is_looked_through_again_when_a_file_changes(twelve, monkeypatch):
    refuse_leaks(twelve.workspace)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("speechmill.pipeline.leaks.find_leaks", lambda _workspace: pytest.fail("looked again"))
        refuse_leaks(twelve.workspace)
    for split in ("train", "test"):
        said_by(twelve, one_of(twelve, split), "Ann")
    for _twice in range(2):
        with pytest.raises(LeakFound):
            refuse_leaks(twelve.workspace)


def test_other_options_for_splits_are_looked_through_anew(twelve):
    refuse_leaks(twelve.workspace)
    done = twelve.workspace.splits / "checked.json"
    before = done.read_bytes()
    twelve.decide("t1", splits=Splits(0.25, 0.25, text=0.5))
    refuse_leaks(twelve.workspace)
    assert done.read_bytes() != before
    assert read_index(twelve.workspace).decisions in done.read_text()


def test_a_broken_note_of_what_was_looked_through_is_looked_through_again(twelve):
    write_bytes(twelve.workspace.splits / "checked.json", b"{")
    refuse_leaks(twelve.workspace)
    assert (twelve.workspace.splits / "checked.json").read_bytes() != b"{"
