# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile

from speechmill.formats.opus import encode_opus


def hum(num_samples: int) -> np.ndarray:
    time = np.arange(num_samples) / 24_000
    return np.rint(6000 * np.sin(2 * np.pi * 220 * time + 20 * time**2)).astype(np.int16)


@pytest.mark.parametrize("num_samples", [1, 2, 479, 480, 481, 960, 24_001, 50_000])
def test_a_file_is_as_long_as_its_samples(num_samples: int) -> None:
    content = encode_opus(hum(num_samples), 24_000)
    found, _ = soundfile.read(io.BytesIO(content), dtype="int16")
    assert len(found) == num_samples
    with av.open(io.BytesIO(content)) as container:
        decoded = [frame.samples for frame in container.decode(audio=0)]
    assert sum(decoded) == 2 * num_samples  # Opus is decoded at 48 kHz


def test_sound_stays_where_it_is_to_a_sample() -> None:
    samples = hum(48_000)
    found, _ = soundfile.read(io.BytesIO(encode_opus(samples, 24_000)), dtype="int16")
    likeness = [np.corrcoef(found[100:-100], np.roll(samples, shift)[100:-100])[0, 1] for shift in range(-5, 6)]
    assert max(likeness) > 0.99
    assert abs(int(np.argmax(likeness)) - 5) <= 1


def test_equal_samples_give_equal_bytes_that_name_no_version() -> None:
    content = encode_opus(hum(30_000), 24_000)
    assert content == encode_opus(hum(30_000), 24_000)
    assert b"Lav" not in content
    assert content[14:18] == bytes(4)  # the number of the stream, which else is drawn by chance
