# SPDX-License-Identifier: Apache-2.0
"""Energy VAD on tones whose level and place are known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from speechmill.core.stage import Context
from speechmill.formats.array_audio import ArrayAudio
from speechmill.vad.energy import Backend, Config, noise_floor

HZ = 16_000


def sound(seconds, *bursts, floor_db=-60.0):
    """Noise at `floor_db`, with a tone of (start, end, level in dBFS) for each burst."""
    samples = np.random.default_rng(0).standard_normal(int(seconds * HZ)) * 10 ** (floor_db / 20)
    time = np.arange(len(samples)) / HZ
    for start, end, level_db in bursts:
        tone = np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * 200 * time)
        samples += tone * ((time >= start) & (time < end))
    return samples.astype(np.float32)


def speech(samples, **options):
    found = Backend(Config(**options), Context(Path(), Path)).speech(ArrayAudio([samples]), 0)
    return [(interval.start, round(interval.end, 4)) for interval in found]


def test_what_is_louder_than_the_noise_is_speech():
    # A frame reaches 10 ms beyond its hop on both sides.
    assert speech(sound(5, (2, 3, -20)), pad_ms=0) == [(1.99, 3.01)]
    assert speech(sound(5, (2, 3, -20))) == [(1.96, 3.04)]


def test_a_quiet_recording_gives_what_a_loud_one_gives():
    loud = sound(5, (1, 2, -10), (3, 4, -12), floor_db=-40)
    assert speech(0.03 * loud) == speech(loud) == [(0.96, 2.04), (2.96, 4.04)]


@pytest.mark.parametrize(("level_db", "num_found"), [(-60, 0), (-50, 1)])
def test_the_threshold_is_counted_from_the_noise(level_db, num_found):
    # -60 dBFS on noise of -60 dBFS is 3 dB over it, -50 dBFS 10.4 dB.
    assert len(speech(sound(5, (2, 3, level_db)))) == num_found


def test_speech_goes_on_between_the_thresholds():
    samples = sound(6, (2, 3, -40), (3, 4, -53))  # 20 dB and 7.8 dB over the noise
    assert speech(samples, threshold_db=9, pad_ms=0) == [(1.99, 4.0)]
    assert speech(samples, threshold_db=9, neg_threshold_db=8.9, pad_ms=0) == [(1.99, 3.01)]


def test_lengths_mean_what_they_mean_everywhere():
    two = sound(5, (1, 2, -20), (2.2, 3, -20))
    assert speech(two, pad_ms=0) == [(0.99, 3.01)]
    assert speech(two, pad_ms=0, min_silence_ms=100) == [(0.99, 2.01), (2.19, 3.01)]
    assert speech(two, pad_ms=0, min_silence_ms=100, min_speech_ms=900) == [(0.99, 2.01)]
    assert max(end - start for start, end in speech(two, max_speech_s=0.6)) <= 0.6


def test_steady_noise_is_no_speech_also_after_it_rose():
    samples = sound(120)
    samples[60 * HZ :] *= 10
    found = speech(samples)
    assert [end for _, end in found if end > 80] == []


def test_a_block_boundary_leaves_no_trace():
    assert speech(sound(63, (59.5, 60.5, -20)), pad_ms=0) == [(59.49, 60.51)]


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100), np.zeros(3 * HZ), np.full(3 * HZ, 0.5)])
def test_what_has_one_level_is_no_speech(samples):
    assert speech(samples) == []


def test_the_floor_is_the_level_that_a_fifth_stays_below():
    levels = np.array([-60] * 25 + [-20] * 75, np.float32)
    assert set(noise_floor(levels).tolist()) == {-60.0}
    levels = np.array([-60] * 15 + [-20] * 85, np.float32)
    assert set(noise_floor(levels).tolist()) == {-20.0}


def test_the_floor_reaches_fifteen_seconds_to_both_sides():
    floor = noise_floor(np.repeat(np.array([-60, -20], np.float32), 6_000))  # a step after a minute
    assert floor[[4_400, 8_000]].tolist() == [-60.0, -20.0]


@pytest.mark.parametrize("text", ['{"threshold_db": 0}', '{"pad_ms": -1}', '{"threshold": 0.5}'])
def test_odd_options_are_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Config)
