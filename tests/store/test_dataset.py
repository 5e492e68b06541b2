# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from speechmill.core.types import Drop, Recording, Segment, Word
from speechmill.formats.manifest import segment_schema, table_of, write_rows
from speechmill.store import dataset as module
from speechmill.store.dataset import Dataset


@pytest.fixture
def numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A hundred segments in row groups of 30, read seven at a time; each tenth was dropped."""
    segments = [
        Segment(f"{i}", f"rec-{i // 25}", float(i), 1.0, drops=(Drop("rule"),) if i % 10 == 0 else ())
        for i in range(100)
    ]
    (tmp_path / "dataset").mkdir()
    table = table_of(segments, segment_schema(["snr_db"]))
    pq.write_table(table, tmp_path / "dataset" / "segments.parquet", row_group_size=30)
    recordings = [Recording(f"rec-{i}", "u", "0", 25.0, 8000, 1, ("a",) if i else ()) for i in range(4)]
    write_rows(tmp_path / "dataset" / "recordings.parquet", recordings, Recording)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    return Dataset(tmp_path)


def ids(segments: object) -> list[int]:
    return [int(segment.id) for segment in segments]  # type: ignore[attr-defined]


def test_all_segments_are_read_in_order_with_or_without_the_dropped(numbered: Dataset) -> None:
    assert ids(numbered.segments(kept=False)) == list(range(100))
    assert ids(numbered.segments()) == [i for i in range(100) if i % 10]


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [(0, 0)],
        [(0, 1)],
        [(29, 31)],
        [(5, 8), (8, 9), (13, 14)],
        [(0, 100)],
        [(3, 95), (99, 200)],
        [(60, 90)],
        [(1, 2), (3, 4), (31, 32), (62, 63), (64, 99)],
        [(150, 160)],
        [(4, 4), (90, 91)],
    ],
)
def test_ranges_of_rows_are_those_rows(numbered: Dataset, ranges: list[tuple[int, int]]) -> None:
    wanted = [i for first, stop in ranges for i in range(first, min(stop, 100))]
    assert ids(numbered.rows(ranges, kept=False)) == wanted
    assert ids(numbered.rows(ranges)) == [i for i in wanted if i % 10]


def test_one_batch_of_segments_is_held_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 50)
    assert peak(tmp_path / "many", 1000) < 1.5 * peak(tmp_path / "one", 50)


def peak(root: Path, rows: int) -> int:
    """Return the most bytes that Python objects take while so many segments in one row group are walked over."""
    words = tuple(Word(f"w{i}", float(i), 0.5, 0.9) for i in range(40))
    (root / "dataset").mkdir(parents=True)
    table = table_of([Segment(f"{i}", "rec", float(i), 1.0, words=words) for i in range(rows)], segment_schema(["snr"]))
    pq.write_table(table, root / "dataset" / "segments.parquet")
    dataset = Dataset(root)
    sum(1 for _ in dataset.rows([(0, 1)]))  # what is made once
    tracemalloc.start()
    try:
        assert sum(len(segment.words) for segment in dataset.segments()) == 40 * rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_recording_without_audio_is_not_given(numbered: Dataset) -> None:
    assert list(numbered.recordings()) == ["rec-1", "rec-2", "rec-3"]


def test_reading_imports_no_pandas(numbered: Dataset) -> None:
    """It takes a third of a second, and Arrow imports it wherever it can."""
    code = (
        "import sys; from pathlib import Path; from speechmill.store.dataset import Dataset; "
        f"found = list(Dataset(Path({str(numbered.root)!r})).segments()); print(len(found), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["90", "False"]
