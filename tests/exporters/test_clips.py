# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import msgspec
import numpy as np
import pytest
import soundfile

from speechmill.core.errors import AudioError
from speechmill.exporters._clips import clip, encode
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


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_a_file_names_no_encoder_version(container: str) -> None:
    assert b"Lavf6" not in encode(np.zeros(100, np.float32), container)


def test_a_segment_behind_the_end_is_an_error(dataset: Dataset) -> None:
    segment = msgspec.structs.replace(next(iter(dataset.segments())), start=100.0)
    with pytest.raises(AudioError, match="no-samples"):
        clip(dataset, dataset.recordings()["talk-1a2b3c"], segment)
