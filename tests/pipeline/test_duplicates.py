# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speechmill.core.types import Segment
from speechmill.formats.manifest import segment_schema, table_of
from speechmill.measures.landmarks import SAMPLING_RATE, landmarks
from speechmill.pipeline.dataset_options import Deduplicate
from speechmill.pipeline.decide import Places
from speechmill.pipeline.duplicates import find, one_kept
from speechmill.pipeline.segment_columns import SegmentColumns


def babble(seed, seconds=8):
    """Tones of a tenth of a second, a few at a time: as full of peaks as speech."""
    random = np.random.default_rng(seed)
    samples = np.zeros(seconds * SAMPLING_RATE, np.float32)
    length = SAMPLING_RATE // 10
    for begin in range(0, len(samples) - length, length // 2):
        tone = np.sin(2 * np.pi * random.uniform(250, 3500) * np.arange(length) / SAMPLING_RATE)
        samples[begin : begin + length] += (0.2 * np.hanning(length) * tone).astype(np.float32)
    return samples


def segment(recording, number, text, duration=2.0):
    return Segment(f"{recording}-{number}", recording, number * 10.0, duration, text=text)


def places(folder: Path, segments, recordings=()) -> Places:
    """Write tables as a run does. recordings: (id, samples)."""
    table = table_of(segments, segment_schema(()))
    pq.write_table(table, folder / "segments.parquet", row_group_size=3)
    columns = {
        "recording_id": pa.array([name for name, _ in recordings], pa.string()),
        "landmarks": pa.array([landmarks(samples) for _, samples in recordings], pa.binary()),
    }
    pq.write_table(pa.table(columns), folder / "landmarks.parquet")
    return Places(folder / "segments.parquet", landmarks=folder / "landmarks.parquet")


def found(where: Places, asked: Deduplicate, kept=None):
    """Return by id of the segment: rule, value, threshold and what stays in its place; and the clusters."""
    columns = SegmentColumns(where.segments)
    ids = columns.ids().to_pylist()
    twice = find(columns, np.ones(len(ids), bool) if kept is None else np.array(kept), where, asked)
    instead = {row: twice.duplicate_of.values[code] for row, code in enumerate(twice.duplicate_of.codes) if code >= 0}
    gone = {}
    for dropped in twice.dropped:
        for row, value, threshold in zip(dropped.rows, dropped.values, dropped.thresholds, strict=True):
            gone[ids[row]] = (dropped.rule, round(float(value), 3), float(threshold), instead.pop(row))
    assert not instead
    return gone, twice.clusters


def test_of_recordings_that_sound_alike_the_one_with_most_kept_seconds_stays(tmp_path):
    segments = [segment("a", 0, "one"), segment("b", 0, "two", 3.0), segment("b", 1, "three"), segment("c", 0, "four")]
    where = places(tmp_path, segments, [("a", babble(1)), ("b", babble(1) * 0.3), ("c", babble(2))])
    gone, clusters = found(where, Deduplicate())
    assert gone == {"a-0": ("duplicate-audio", 1.0, 0.8, "b")}
    assert clusters == {"a": "a", "b": "a"}


def test_what_no_rule_kept_stays_for_nobody_but_holds_its_copies_in_its_split(tmp_path):
    """Else a copy of what was tested on could become training data once a rule leaves the original out."""
    segments = [segment("a", 0, "one"), segment("b", 0, "two", 3.0)]
    where = places(tmp_path, segments, [("a", babble(1)), ("b", babble(1))])
    assert found(where, Deduplicate(), [True, False]) == ({}, {"a": "a", "b": "a"})


def test_among_equals_the_smallest_id_stays_whatever_the_order(tmp_path):
    segments = [segment(name, 0, None) for name in "cab"]
    for order in ([0, 1, 2], [2, 0, 1]):
        mine = [segments[i] for i in order]
        where = places(tmp_path, mine, [(one.recording_id, babble(1)) for one in mine])
        gone, clusters = found(where, Deduplicate())
        assert {name: drop[3] for name, drop in gone.items()} == {"b-0": "a", "c-0": "a"}
        assert clusters == {"a": "a", "b": "a", "c": "a"}


def test_without_landmarks_no_recordings_are_compared(tmp_path):
    where = places(tmp_path, [segment("a", 0, "one"), segment("b", 0, "one")])
    assert found(Places(where.segments, landmarks=tmp_path / "none.parquet"), Deduplicate()) == ({}, {})


def test_of_like_texts_the_longest_segment_stays(tmp_path):
    said = "he came at a quarter to nine"
    segments = [
        segment("a", 0, said, 2.0),
        segment("a", 1, "So " + said, 2.5),
        segment("b", 0, said.upper() + "!", 2.2),
        segment("b", 1, "Good night."),
        segment("b", 2, "good night", 1.0),
        segment("b", 3, None),
        segment("b", 4, None),
    ]
    gone, clusters = found(places(tmp_path, segments), Deduplicate(audio=False, text=0.8))
    assert gone == {
        "a-0": ("duplicate-text", 0.875, 0.8, "a-1"),
        "b-0": ("duplicate-text", 0.875, 0.8, "a-1"),
        "b-2": ("duplicate-text", 1.0, 0.8, "b-1"),
    }
    assert clusters == {}


def test_texts_may_repeat_where_nothing_else_is_asked(tmp_path):
    where = places(tmp_path, [segment("a", 0, "one"), segment("b", 0, "one")])
    assert found(where, Deduplicate()) == ({}, {})


def test_a_segment_of_a_recording_that_goes_stays_for_no_text(tmp_path):
    segments = [segment("a", 0, "the very same words", 5.0), segment("b", 0, "other", 9.0)]
    segments += [segment("c", 0, "the very same words", 1.0)]
    where = places(tmp_path, segments, [("a", babble(1)), ("b", babble(1)), ("c", babble(2))])
    gone, _ = found(where, Deduplicate(text=0.9))
    assert {name: drop[::3] for name, drop in gone.items()} == {"a-0": ("duplicate-audio", "b")}


def test_who_is_near_only_one_that_goes_stays():
    stays, value = one_kept(np.array([0, 1, 2]), np.array([0, 1]), np.array([1, 2]), np.array([0.9, 0.8]))
    assert stays.tolist() == [-1, 0, -1]
    assert value.tolist() == [0.0, 0.9, 0.0]


@pytest.mark.parametrize("segments", [[], [segment("a", 0, None)]])
def test_nothing_to_compare(tmp_path, segments):
    assert found(places(tmp_path, segments), Deduplicate(text=0.8)) == ({}, {})
