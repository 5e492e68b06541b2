# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import msgspec
import numpy as np
import pytest
import soundfile

from speechmill.core.errors import AudioError, LostAudio, WorkspaceError
from speechmill.exporters._clips import clips_of, encode
from speechmill.store.dataset import Dataset


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_sixteen_bit_samples_come_back_exactly(container: str) -> None:
    pcm = np.array([-32768, -1, 0, 1, 32767] * 1000, np.int16)
    samples, rate = soundfile.read(io.BytesIO(encode(pcm / np.float32(32768), container)), dtype="int16")
    assert rate == 24_000
    assert samples.tolist() == pcm.tolist()


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_one_sample_is_enough_and_overload_is_clipped(container: str) -> None:
    samples, _ = soundfile.read(io.BytesIO(encode(np.array([1.5], np.float32), container)), dtype="int16")
    assert samples.tolist() == [32767]


@pytest.mark.parametrize("container", ["flac", "wav", "opus"])
def test_a_file_names_no_encoder_version(container: str) -> None:
    assert b"Lav" not in encode(np.zeros(100, np.float32), container).replace(b"ffmpeg", b"")


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_each_segment_is_cut_from_its_channel_at_the_sample(dataset: Dataset, container: str) -> None:
    recordings, cuts = dataset.recordings(), 0
    for segment in dataset.segments():
        recording = recordings[segment.recording_id]
        with clips_of(dataset, recording) as cut:
            content = cut.file(segment, container)
            assert cut.file(segment, container) == content
            assert cut.num_samples(segment) == round(segment.duration * 24_000)
        found, rate = soundfile.read(io.BytesIO(content), dtype="int16")
        whole, _ = soundfile.read(dataset.root / recording.audio[segment.channel], dtype="int16")
        first = round(segment.start * 24_000)
        assert rate == 24_000
        assert found.tolist() == whole[first : first + round(segment.duration * 24_000)].tolist()
        with clips_of(dataset, recording, list(dataset.segments())[::-1]) as cut:
            assert cut.file(segment, container) == content
            assert cut.samples(segment).tolist() == found.tolist()
        cuts += 1
    assert cuts == 3


def test_opus_is_as_long_as_its_segment(dataset: Dataset) -> None:
    segment = next(iter(dataset.segments()))
    with clips_of(dataset, dataset.recordings()["talk-1a2b3c"]) as cut:
        content = cut.file(segment, "opus")
    assert content.startswith(b"OggS")
    found, _ = soundfile.read(io.BytesIO(content), dtype="int16")
    assert len(found) == 24_000


def test_a_segment_behind_the_end_is_an_error(dataset: Dataset) -> None:
    segment = msgspec.structs.replace(next(iter(dataset.segments())), start=100.0)
    with clips_of(dataset, dataset.recordings()["talk-1a2b3c"]) as cut, pytest.raises(AudioError, match="no-samples"):
        cut.flac(segment)


@pytest.mark.parametrize("damage", ["gone", "cut off", "emptied", "not FLAC"])
def test_lost_audio_is_told_with_its_path(dataset: Dataset, damage: str) -> None:
    recording = dataset.recordings()["talk-1a2b3c"]
    path = dataset.root / recording.audio[0]
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut off": content[:-3000], "emptied": b"", "not FLAC": b"x" * 5000}[damage])
    segment = next(iter(dataset.segments()))
    for container in ("flac", "wav", "opus"):
        with clips_of(dataset, recording) as cut, pytest.raises(LostAudio) as caught:
            cut.file(segment, container)
        assert caught.value.path == path


def test_files_are_closed(dataset: Dataset) -> None:
    recording = dataset.recordings()["talk-1a2b3c"]
    with clips_of(dataset, recording) as cut:
        for segment in dataset.segments():
            if segment.recording_id == recording.id:
                cut.flac(segment)
        cutters = list(cut._open.values())
    assert len(cutters) == 2
    assert all(cutter._file.closed for cutter in cutters)


@pytest.mark.parametrize("path", ["/etc/hostname", "../outside.flac", "recordings/../../outside.flac"])
def test_audio_outside_the_workspace_is_not_read(dataset: Dataset, path: str) -> None:
    recording = msgspec.structs.replace(dataset.recordings()["talk-1a2b3c"], audio=(path,))
    segment = next(iter(dataset.segments()))
    with clips_of(dataset, recording, [segment]) as cut, pytest.raises(WorkspaceError, match="does not lie below"):
        cut.flac(segment)
