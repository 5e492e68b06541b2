# SPDX-License-Identifier: Apache-2.0
"""Clipping of signals with so many samples cut off."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from speechmill.core.errors import Unscorable
from speechmill.measures.clipping import clipping


def falling(num_samples: int = 48_000) -> np.ndarray:
    """Samples as speech has them: ever fewer the louder, in waves of 3 kHz at most."""
    random = np.random.default_rng(0)
    loudness = np.interp(
        np.arange(num_samples), np.arange(0, num_samples, 400), random.gamma(1.0, 0.1, num_samples // 400)
    )
    spectrum = np.fft.rfft(random.standard_normal(num_samples))
    spectrum[num_samples // 8 :] = 0
    return loudness * np.fft.irfft(spectrum, num_samples)


def test_samples_at_full_scale_are_counted():
    samples = np.zeros(1_000)
    samples[:3], samples[3:5] = 1.0, -0.99
    assert clipping(samples.astype(np.float32)) == 0.005


def test_unclipped_sound_has_none():
    samples = falling()
    assert clipping((0.9 * samples / np.abs(samples).max()).astype(np.float32)) == 0.0


@pytest.mark.parametrize("level", [1.0, 0.3])
def test_a_plateau_is_found_at_any_level_and_after_resampling(level):
    samples = falling()
    limit = np.quantile(np.abs(samples), 0.98)  # two samples of a hundred are beyond
    cut = level * np.clip(samples / limit, -1, 1)
    assert clipping(cut.astype(np.float32)) == pytest.approx(0.02, abs=0.008)
    through = soxr.resample(soxr.resample(cut, 16_000, 24_000).clip(-1, 1), 24_000, 16_000)
    assert clipping(through.astype(np.float32)) == pytest.approx(0.02, abs=0.008)


def test_one_side_may_be_clipped_alone():
    samples = falling()
    cut = np.minimum(samples, np.quantile(samples, 0.98))
    assert clipping((0.5 * cut / np.abs(cut).max()).astype(np.float32)) == pytest.approx(0.02, abs=0.008)


def test_silence_is_not_clipped():
    assert clipping(np.zeros(16_000, np.float32)) == 0.0
    assert clipping(np.full(16_000, 1e-4, np.float32)) == 0.0


def test_no_samples_say_so():
    with pytest.raises(Unscorable, match="too-short"):
        clipping(np.zeros(0, np.float32))
