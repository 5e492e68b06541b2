# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from speechmill.core.errors import WorkspaceError
from speechmill.core.types import Recording, Segment
from speechmill.exporters._kept import by_recording, channel_of, language_of, score_names
from speechmill.formats.manifest import segment_schema, table_of, write_parquet, write_rows
from speechmill.store.dataset import Dataset


def table(root: Path, segments: list[Segment]) -> Dataset:
    recording = Recording("a", "a.wav", "", 9.0, 16_000, 1, ("a.flac",))
    write_rows(root / "dataset" / "recordings.parquet", [recording], Recording)
    rows = table_of(segments, segment_schema([]))
    write_parquet(root / "dataset" / "segments.parquet", rows)
    return Dataset(root)


def test_segments_come_by_recording_without_the_dropped_ones(dataset: Dataset) -> None:
    found = [(recording.id, [segment.start for segment in segments]) for recording, segments in by_recording(dataset)]
    assert found == [("talk-1a2b3c", [0.1, 0.5]), ("tin-tuc-9f8e7d", [0.25])]


def test_score_names_are_known_where_no_segment_was_kept(empty_dataset: Dataset) -> None:
    assert score_names(empty_dataset) == ["snr_db", "dnsmos"]


def test_a_table_without_scores_has_no_score_names(tmp_path: Path) -> None:
    assert score_names(table(tmp_path, [Segment("a-0", "a", 0.0, 1.0, text="x")])) == []


def test_a_segment_of_an_unknown_recording_is_an_error(tmp_path: Path) -> None:
    dataset = table(tmp_path, [Segment("b-0", "b", 0.0, 1.0, text="x")])
    with pytest.raises(WorkspaceError, match=r"segments of 'b', which recordings\.parquet doesn't have"):
        list(by_recording(dataset))


def test_channel_and_language_fall_back_on_the_recording() -> None:
    mixed = Recording("a", "a.wav", "", 9.0, 16_000, 2, ("mix.flac",), language="vi")
    segment = Segment("a-1", "a", 0.0, 1.0, channel=1)
    assert channel_of(mixed, segment) == 0
    assert language_of(mixed, segment) == "vi"
    assert language_of(mixed, msgspec.structs.replace(segment, language="en")) == "en"
