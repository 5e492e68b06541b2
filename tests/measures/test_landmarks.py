# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from speechmill.core.errors import FormatError
from speechmill.measures.landmarks import OCTAVE, SAMPLING_RATE, TICKS, Landmarker, decode, landmarks


@pytest.fixture(scope="module")
def babble():
    return babbling(np.random.default_rng(0), 40)


def babbling(random, seconds):
    """Tones of a tenth of a second, a few at a time: as full of peaks as speech."""
    samples = np.zeros(seconds * SAMPLING_RATE, np.float32)
    length = SAMPLING_RATE // 10
    shape = np.hanning(length)
    for begin in range(0, len(samples) - length, length // 2):
        tone = np.sin(2 * np.pi * random.uniform(250, 3500) * np.arange(length) / SAMPLING_RATE)
        samples[begin : begin + length] += (random.uniform(0.05, 0.3) * shape * tone).astype(np.float32)
    return samples


def test_a_tone_is_a_peak_where_it_is():
    samples = np.zeros(2 * SAMPLING_RATE, np.float32)
    samples[16_000:17_600] = np.hanning(1600) * np.sin(2 * np.pi * 1000 * np.arange(1600) / SAMPLING_RATE)
    found = decode(landmarks(samples))
    loudest = np.argmin(abs(found.time / TICKS - 1.05 + 0.032))  # times are of the window's start
    assert abs(found.time[loudest] / TICKS + 0.032 - 1.05) < 0.01
    assert abs(2 ** (found.frequency[loudest] / OCTAVE) - 1000) < 5
    assert found.duration == 2.0


@pytest.mark.parametrize("size", [1, 1000, 16_000, 300_000])
def test_the_size_of_chunks_changes_nothing(babble, size):
    samples = babble[: 20 * size] if size == 1 else babble
    made = Landmarker()
    for begin in range(0, len(samples), size):
        made.push(samples[begin : begin + size])
    assert made.finish() == landmarks(samples)


def test_gain_changes_nothing(babble):
    assert landmarks(babble * np.float32(0.125)) == landmarks(babble)


def test_silence_has_none():
    assert len(decode(landmarks(np.zeros(5 * SAMPLING_RATE, np.float32))).time) == 0
    assert len(decode(landmarks(np.zeros(0, np.float32))).time) == 0


def test_a_long_pause_is_kept(babble):
    pause = np.zeros(300 * SAMPLING_RATE, np.float32)  # longer than 16 bits of ticks
    found = decode(landmarks(np.concatenate([babble[:32_000], pause, babble[:32_000]])))
    alone = decode(landmarks(babble[:32_000]))
    assert len(found.time) >= 2 * len(alone.time) - 4
    assert abs(found.time[-1] - found.time[0] - (302 * TICKS + alone.time[-1] - alone.time[0])) <= 20


def test_an_hour_takes_less_than_a_megabyte(babble):
    assert len(landmarks(babble)) / 40 * 3600 < 1_000_000


def test_other_versions_are_refused(babble):
    made = landmarks(babble[:32_000])
    with pytest.raises(FormatError, match="not of version 1; run the stage again"):
        decode(b"\x02" + made[1:])
    with pytest.raises(FormatError):
        decode(made[:-1])
    with pytest.raises(FormatError):
        decode(b"")
