# SPDX-License-Identifier: Apache-2.0
"""The Python interface says what the command line says."""

import pytest

import speechmill
from speechmill.core.errors import ConfigError, WorkspaceError

SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "export": [],
}


@pytest.fixture
def folder(tone_corpus):
    return tone_corpus({"a": "one two three", "b": "x"})


@pytest.mark.slow
def test_a_folder_becomes_a_dataset_that_can_be_filtered(folder, tmp_path):
    out = tmp_path / "out"
    summary = speechmill.run(folder, out, settings=SETTINGS, workers=1)
    assert (summary.exit_status, summary.recordings, summary.failures) == (0, 2, [])
    dataset = speechmill.open(out)
    assert [segment.text for segment in dataset.segments()] == ["one two three", "x"]
    index = speechmill.filter(out, ["num_chars >= 2"])
    assert index.rules == ("num_chars >= 2",)
    assert [segment.text for segment in dataset.segments()] == ["one two three"]
    (dropped,) = [segment for segment in dataset.segments(kept=False) if segment.drops]
    assert [(drop.rule, drop.value, drop.threshold) for drop in dropped.drops] == [("num_chars >= 2", 1.0, 2.0)]
    recording = dataset.recordings()[dropped.recording_id]
    assert len(dataset.cut(recording, dropped, sampling_rate=16_000)) == pytest.approx(dropped.duration * 16_000, abs=1)
    again = speechmill.run(folder, out, settings=SETTINGS, workers=1)
    assert {name for name, count in again.stages.items() if count.processed} == {"filter"}  # back to its own rules
    assert [segment.text for segment in dataset.segments()] == ["one two three", "x"]


def test_a_source_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        speechmill.run(tmp_path / "nothing")


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(WorkspaceError, match="is not a workspace"):
        speechmill.open(tmp_path)
    with pytest.raises(WorkspaceError, match="is not a workspace"):
        speechmill.filter(tmp_path, "none")
