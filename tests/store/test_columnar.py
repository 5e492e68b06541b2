# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc

import msgspec
import pyarrow as pa
import pytest

from speechmill.core.errors import FormatError
from speechmill.core.types import Drop, Recording, Rights, Segment, Word
from speechmill.formats.manifest import arrow_schema, segment_schema, table_of
from speechmill.store.columnar import structs_of

AWKWARD = (
    Segment("a-0-0000000-0001000", "a", 0.0, 1.0),
    Segment(
        "a-0-0001000-0002000",
        "a",
        1.0,
        1.0,
        channel=1,
        text="",
        language="vi",
        speaker="Đặng 🎙 Ánh",
        overlap=0.25,
        words=(Word("từ", 1.0, 0.5), Word("", 1.5, 0.5, 0.0), Word("từ", 1.75, 0.25, 1.0)),
        phones=(Word("t͡ɕ", 1.0, 0.5, 0.5),),
        scores={"snr_db": 1.5, "dnsmos": None},
        gaps={"dnsmos": "too-short", "words": "kein\x00Wort"},
        corrected=("text", "speaker"),
        drops=(Drop("snr_db", 1.5, 10.0), Drop("Ü")),
        duplicate_of="b-0-0000000-0001000",
    ),
    Segment("b-0-0000000-0001000", "b", 0.0, 1.0, text="plain", scores={"snr_db": None, "dnsmos": 3.0}, split="train"),
    Segment("b-0-0001000-0001001", "b", 1.0, 0.001, words=(Word("end", 1.0, 0.001, 0.125),), gaps={"": ""}),
)


class Kinds(msgspec.Struct, frozen=True):
    yes: bool
    raw: bytes
    count: int | None
    tags: dict[str, int]


def slowly(batch: pa.RecordBatch, kind: type[msgspec.Struct] = Segment) -> list[msgspec.Struct]:
    return [msgspec.convert(row, kind) for row in batch.to_pylist(maps_as_pydicts="strict")]


def batch_of(names: tuple[str, ...] = ("snr_db", "dnsmos")) -> pa.RecordBatch:
    return table_of(AWKWARD, segment_schema(names)).combine_chunks().to_batches()[0]


def test_rows_are_those_that_arrow_and_msgspec_make() -> None:
    found = structs_of(batch_of(), Segment)
    assert found == slowly(batch_of())
    assert found[1] == AWKWARD[1]
    assert found[0].scores == {"snr_db": None, "dnsmos": None}


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("stop", range(5))
def test_a_slice_holds_its_own_rows_only(first: int, stop: int) -> None:
    batch = batch_of()
    part = batch.slice(first, max(0, stop - first))
    assert structs_of(part, Segment) == slowly(batch)[first:stop]


def test_a_row_that_is_filtered_out_leaves_nothing_behind() -> None:
    batch = batch_of().filter(pa.array([True, False, False, True]))
    assert structs_of(batch, Segment) == slowly(batch)
    assert len(structs_of(batch, Segment)) == 2


@pytest.mark.parametrize("column", ["scores", "split", "duplicate_of", "words", "gaps"])
def test_a_column_of_another_version_that_is_missing_has_its_default(column: str) -> None:
    batch = batch_of().drop_columns([column])
    found = structs_of(batch, Segment)
    assert found == slowly(batch)
    assert found[1].id == AWKWARD[1].id


def test_rows_of_a_dataset_without_scores_have_each_their_own() -> None:
    found = structs_of(batch_of(()), Segment)
    assert [row.scores for row in found] == [{}, {}, {}, {}]
    assert found[0].scores is not found[1].scores


def test_a_column_that_a_struct_does_not_know_is_left_out() -> None:
    batch = batch_of().append_column("later", pa.array([1, 2, 3, 4]))
    assert structs_of(batch, Segment) == slowly(batch)


def test_no_rows_are_an_empty_list() -> None:
    assert structs_of(batch_of().slice(0, 0), Segment) == []
    empty = pa.RecordBatch.from_pylist([], schema=segment_schema(["a"]))
    assert structs_of(empty, Segment) == []


def test_a_struct_within_a_row_may_be_missing() -> None:
    rights = Rights("CC BY 4.0", "cc-by", attribution="Ánh")
    recordings = [
        Recording("a", "a.wav", "0", 1.0, 8000, 1, ("x", "y"), rights=rights),
        Recording("b", "b.wav", "1", 1.0, 8000, 2, (), num_speakers=2),
        Recording("c", "c.wav", "2", 1.0, 8000, 2, ("z",), rights=Rights(), loudness_lufs=-23.0),
    ]
    batch = table_of(recordings, arrow_schema(Recording)).combine_chunks().to_batches()[0]
    assert structs_of(batch, Recording) == recordings
    assert structs_of(batch.slice(1), Recording) == recordings[1:]


def test_truths_bytes_and_whole_numbers_are_read() -> None:
    rows = [Kinds(i % 3 == 0, bytes(range(i)), i if i % 2 else None, {"a": i} if i % 4 else {}) for i in range(20)]
    plain = [{name: getattr(row, name) for name in row.__struct_fields__} for row in rows]
    batch = pa.RecordBatch.from_pylist(plain, schema=arrow_schema(Kinds))
    assert structs_of(batch.slice(3), Kinds) == rows[3:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("id", pa.array(["a", None, "b", "c"])), "1 rows of column 'id' have no value"),
        (("start", pa.array([None, 0.5, None, 1.0])), "2 rows of column 'start' have no value"),
        (("corrected", pa.array([[None], [], [], []], pa.list_(pa.string()))), "1 rows of column 'corrected'"),
        (("start", pa.array(["0", "1", "2", "3"])), "column 'start' holds string"),
        (("words", pa.array(["0", "1", "2", "3"])), "column 'words' holds string"),
        (("gaps", pa.array([[("a", "b"), ("a", "c")], [], [], []], pa.map_(pa.string(), pa.string()))), "key twice"),
    ],
)
def test_what_is_no_segment_is_refused(change: tuple[str, pa.Array], message: str) -> None:
    batch = batch_of()
    with pytest.raises(FormatError, match=message):
        structs_of(batch.set_column(batch.schema.get_field_index(change[0]), *change), Segment)


def test_a_column_that_has_no_default_is_named() -> None:
    with pytest.raises(FormatError, match="no column 'recording_id'"):
        structs_of(batch_of().drop_columns(["recording_id"]), Segment)


def test_the_collector_of_cycles_is_left_as_it_was() -> None:
    structs_of(batch_of(), Segment)
    assert gc.isenabled()
    with pytest.raises(FormatError):
        structs_of(batch_of().drop_columns(["id"]), Segment)
    assert gc.isenabled()
