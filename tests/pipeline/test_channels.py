# SPDX-License-Identifier: Apache-2.0
"""An interview with a microphone per speaker: diarized by its channels, overlap measured."""

import wave

import numpy as np
import pyarrow.parquet as pq
import pytest

HZ = 16_000


@pytest.fixture
def interview(tmp_path, shared_data):
    """Two real speakers on two channels: the second starts two seconds before the first ends."""
    from speechmill.formats.audio import read_audio

    folder = tmp_path / "audio"
    folder.mkdir()
    names = ("1688/1688-142285-0000.flac", "1998/1998-15444-0000.flac")
    left, right = (read_audio(shared_data / "librispeech_test_other" / name)[0][0] for name in names)
    late = len(left) - 2 * HZ
    both = np.zeros((2, late + len(right)), np.float32)
    both[0, : len(left)], both[1, late:] = left, right
    with wave.open(str(folder / "interview.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes((both.T * 32767).astype("<i2").tobytes())
    return folder, late / HZ


@pytest.mark.slow
def test_each_channel_is_a_speaker_and_overlap_is_measured(speechmill, interview, tmp_path):
    folder, late = interview
    settings = ("--channels", "each", "--diarize", "channel", "--quality", "snr", "--align", "none", "--filter", "none")
    speechmill("run", folder, "--out", tmp_path / "out", "--language", "en", "--transcript", "pocketsphinx", *settings)
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist()
    assert {row["channel"] for row in rows} == {0, 1}
    assert {(row["channel"], row["speaker"][-2:]) for row in rows} == {(0, "#1"), (1, "#2")}
    assert min(row["start"] for row in rows if row["channel"] == 1) >= late - 0.3
    overlapped = [row for row in rows if row["overlap"] > 0]
    assert {row["channel"] for row in overlapped} == {0, 1}
    assert all(row["overlap"] <= 1 for row in rows)
    (recording,) = pq.read_table(tmp_path / "out" / "dataset" / "recordings.parquet").to_pylist()
    assert len(recording["audio"]) == 2
