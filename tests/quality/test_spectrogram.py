# SPDX-License-Identifier: Apache-2.0
"""What the estimator sees of a cut, checked on sounds whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.quality._spectrogram import log_mel

TIME = np.arange(16_000) / 16_000
NOISE = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)


def test_a_second_has_61_frames_of_48_bands():
    features = log_mel(NOISE)
    assert features.shape == (61, 48)
    assert features.dtype == np.float32
    assert log_mel(NOISE[:512]).shape == (1, 48)
    assert log_mel(NOISE[:767]).shape == (1, 48)


def test_a_tone_lies_in_its_band():
    """1 kHz is 1000 mel; the bands' middles lie 56.7 mel apart from 119 mel on; the 17th, at 1026, is nearest."""
    features = log_mel((0.1 * np.sin(2 * np.pi * 1_000 * TIME)).astype(np.float32))
    assert set(features.argmax(axis=1)) == {16}


def test_bands_hold_one_on_average():
    assert (10.0 ** log_mel(NOISE)).sum(axis=1).mean() == pytest.approx(1.0, abs=1e-5)


def test_neither_gain_nor_an_offset_matters():
    np.testing.assert_allclose(log_mel(1e-3 * NOISE), log_mel(NOISE), atol=1e-5)
    np.testing.assert_allclose(log_mel(NOISE + np.float32(3.0)), log_mel(NOISE), atol=1e-4)


def test_digital_silence_in_a_cut_is_the_floor():
    half = NOISE.copy()
    half[8_000:] = 0
    assert (log_mel(half)[32:] == np.float32(-9)).all()
