# SPDX-License-Identifier: Apache-2.0
"""Rows in few bytes are the rows they were, in order, by number and by key."""

import pytest
from msgspec import structs

from speechmill.core.errors import FormatError
from speechmill.core.types import Correction, Rights, Source, Stamp
from speechmill.formats.manifest import write_rows
from speechmill.pipeline.packed import TOGETHER, ByKey, Packed, stream_rows
from speechmill.store.ledger import Ledger

FULL = Source(
    "Bài_1-0a1b2c3d", "/audio/Bài 1.wav", "k1", "5" * 64, 2**40, ("/audio/Bài 1.vtt",), "chào", "vi", "An", 2, "mix",
    Rights("CC-BY-4.0", "cc-by", "page"), "2026-11-01", stamps=(Stamp(7, 1_700_000_000_123_456_789),),
    error="unreadable: no", reference="/audio/clean.wav", corrections=(Correction("c1", 0.1, 0.3, text="x"),),
)  # fmt: skip


def rows(count: int) -> list[Source]:
    return [Source(f"r{i}", f"/audio/r{i}.wav", f"k{i}", size=i) for i in range(count)]


@pytest.mark.parametrize("count", [0, 1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 5])
def test_packed_rows_are_the_rows_they_were(count):
    packed = Packed(iter(rows(count)), Source)
    assert len(packed) == count
    assert list(packed) == [packed[i] for i in range(count)] == rows(count)
    assert packed == rows(count)
    assert packed == tuple(rows(count))
    assert packed != [*rows(count), FULL]
    with pytest.raises(IndexError):
        packed[count]


def test_every_field_comes_back_with_its_type():
    (found,) = Packed([FULL], Source)
    assert found == FULL
    assert structs.astuple(found) == structs.astuple(FULL)


def test_rows_are_looked_up_in_any_order():
    packed, order = Packed(rows(400), Source), [399, 0, 200, 201, 5, 399]
    assert [packed[i].size for i in order] == order
    assert packed[-1].size == 399
    assert [row.size for row in packed[126:131]] == [126, 127, 128, 129, 130]


def test_one_more_row_is_not_equal():
    assert Packed(rows(2), Source) != rows(1)
    assert Packed(rows(2), Source) != [*rows(1), FULL]


def test_of_rows_with_one_key_the_first_is_found(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.number("another")  # keys are numbered from wherever the ledger is
    same = structs.replace(FULL, key="k2", id="alias")
    found = ByKey(Packed([*rows(3), same], Source), ledger.number, ledger.find)
    assert found["k2"].id == "r2"
    assert (len(found), list(found)) == (3, ["k0", "k1", "k2"])
    assert [row.id for row in found.values()] == ["r0", "r1", "r2"]


@pytest.mark.parametrize("key", ["another", "unheard of", "later"])
def test_a_key_without_a_row_is_not_there(tmp_path, key):
    ledger = Ledger(tmp_path)
    ledger.number("another")
    found = ByKey(rows(3), ledger.number, ledger.find)
    ledger.number("later")
    assert key not in found
    assert found.place(key) is None
    with pytest.raises(KeyError):
        found[key]


def test_rows_of_a_file_come_in_order(tmp_path):
    write_rows(tmp_path / "rows.parquet", [FULL, *rows(1100)], Source)
    assert list(stream_rows(tmp_path / "rows.parquet", Source)) == [FULL, *rows(1100)]


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FormatError, match=r"rows\.parquet"):
        list(stream_rows(tmp_path / "rows.parquet", Source))
