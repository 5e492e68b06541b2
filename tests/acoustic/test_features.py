# SPDX-License-Identifier: Apache-2.0
"""Features of tones, noise and nothing."""

import numpy as np
import pytest

from speechmill.acoustic import kernels
from speechmill.acoustic.features import FeatureConfig, dynamic, static
from speechmill.core.errors import AudioError


def tone(hertz, seconds=0.5):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 16_000)) / 16_000)).astype(np.float32)


def test_there_is_a_frame_for_each_whole_hop():
    config = FeatureConfig()
    assert static(np.zeros(16_079, np.float32), config).shape == (200, 13)
    assert static(np.zeros(79, np.float32), config).shape == (0, 13)
    assert dynamic(static(np.zeros(800, np.float32), config), config).shape == (10, 39)


def test_a_step_is_seen_by_the_frames_whose_window_reaches_it():
    rng = np.random.default_rng(0)
    samples = np.concatenate([rng.normal(0, 1e-4, 8000), rng.normal(0, 0.1, 8000)]).astype(np.float32)
    level = static(samples, FeatureConfig(window_ms=20))[:, 0]
    loud = level > (level[:90].mean() + level[110:].mean()) / 2
    assert not loud[:98].any()  # frame 97 is centred at 0.4875 s and ends 2.5 ms before the step
    assert loud[99:].all()  # frame 99 is centred at 0.4975 s


def test_long_audio_is_the_same_in_blocks():
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 0.1, 16_000 * 12).astype(np.float32)  # 2,400 frames, more than one block
    whole = static(samples, FeatureConfig())
    part = static(samples[80 * 2000 : 80 * 2200], FeatureConfig())
    assert whole.shape == (2400, 13)
    np.testing.assert_allclose(whole[2010:2190], part[10:190], atol=1e-3)


def test_a_constant_slope_is_found():
    config = FeatureConfig(delta_ms=20)
    ramp = np.arange(100, dtype=np.float32)[:, None]
    found = dynamic(ramp, config)
    np.testing.assert_allclose(found[10:90, 1], 4.0, atol=1e-4)  # 1 a frame over the 4 frames that deltas look ahead
    np.testing.assert_allclose(found[10:90, 2], 0.0, atol=1e-4)


@pytest.mark.parametrize("num_frames", [1, 2, 31, 33, 70])  # 32 are transformed at once, two as one
def test_power_spectra_are_those_of_a_plain_fourier_transform(num_frames):
    config = FeatureConfig()
    samples = np.random.default_rng(2).normal(0, 0.1, 80 * num_frames).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(emphasised(samples), 256)[::80]
    expected = np.abs(np.fft.rfft(windows * np.hamming(256), 512, axis=1)) ** 2
    signal, turns = emphasised(samples), 2 * np.pi * np.arange(256) / 512
    circle = np.stack([np.cos(turns), -np.sin(turns)]).astype(np.float32)
    places = np.array([int(f"{place:09b}"[::-1], 2) for place in range(512)], np.int32)
    found = np.empty((num_frames, 257), np.float32)
    kernels.powers(signal, config.hop, np.hamming(256).astype(np.float32), circle, places, found)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def emphasised(samples):
    padded = np.concatenate([np.zeros(88), samples, np.zeros(88)]).astype(np.float32)
    return np.append(padded[0], padded[1:] - np.float32(0.97) * padded[:-1])


@pytest.mark.parametrize("hertz", [100, 180, 320])
def test_pitch_of_a_voice_is_found(hertz):
    pulses = np.zeros(8000, np.float32)
    pulses[:: round(16_000 / hertz)] = 0.5
    found = static(pulses, FeatureConfig(window_ms=30, pitch=True))
    assert found.shape == (100, 15)
    assert 2 ** float(np.median(found[20:80, 13])) == pytest.approx(hertz, rel=0.03)
    assert float(np.median(found[20:80, 14])) > 0.8


def test_samples_that_are_no_numbers_are_refused():
    samples = tone(300)
    samples[7] = np.nan
    with pytest.raises(AudioError, match="not-finite"):
        static(samples, FeatureConfig())
