# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from exporters.whole import export_whole
from speechmill.core.types import Recording, Segment
from speechmill.formats.manifest import read_jsonl
from speechmill.store.dataset import Dataset


def test_what_is_written_is_read_back(dataset: Dataset, folder: Path) -> None:
    expected = list(dataset.segments())
    assert export_whole("jsonl", dataset, folder) == len(expected) == 3
    assert list(read_jsonl(folder / "segments-train-00000.jsonl", Segment)) == expected
    found = {one.id: one.audio for one in read_jsonl(folder / "recordings.jsonl", Recording)}
    assert found == {one.id: one.audio for one in dataset.recordings().values()}
