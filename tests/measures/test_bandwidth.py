# SPDX-License-Identifier: Apache-2.0
"""Bandwidth of noise and of real speech that was limited on purpose."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from speechmill.core.errors import Unscorable
from speechmill.measures.bandwidth import bandwidth_hz

HZ = 24_000


def in_16_bits(samples: np.ndarray) -> np.ndarray:
    return (np.round(np.clip(samples, -1, 1) * 32767) / 32768).astype(np.float32)


def tilted_noise(seconds: int = 3) -> np.ndarray:
    """Noise that falls by 6 dB an octave, as speech does in the long run."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(seconds * HZ))
    spectrum[1:] /= np.arange(1, len(spectrum))
    samples = np.fft.irfft(spectrum, seconds * HZ)
    return (0.1 * samples / np.sqrt(np.mean(samples**2))).astype(np.float32)


def through(samples: np.ndarray, rate: int) -> np.ndarray:
    return in_16_bits(soxr.resample(soxr.resample(samples, HZ, rate), rate, HZ))


@pytest.mark.parametrize(("rate", "expected"), [(8_000, 4_000), (11_025, 5_512), (16_000, 8_000), (22_050, 11_025)])
def test_what_was_resampled_ends_at_half_its_rate(rate, expected):
    assert bandwidth_hz(through(tilted_noise(), rate)) == pytest.approx(expected, rel=0.05)


def test_what_has_no_edge_is_as_wide_as_can_be():
    assert bandwidth_hz(in_16_bits(tilted_noise())) == 12_000.0


def test_loudness_changes_little():
    quiet = through(0.1 * tilted_noise(), 8_000)
    assert bandwidth_hz(quiet) == pytest.approx(4_000, rel=0.05)


def test_faint_noise_over_all_frequencies_hides_no_edge():
    noise = 1e-4 * np.random.default_rng(1).standard_normal(3 * HZ)
    assert bandwidth_hz(in_16_bits(through(tilted_noise(), 8_000) + noise)) == pytest.approx(4_000, rel=0.05)


def test_blocks_leave_no_trace(monkeypatch):
    samples = through(tilted_noise(), 8_000)
    expected = bandwidth_hz(samples)
    monkeypatch.setattr("speechmill.measures.bandwidth.BLOCK", 7)
    assert bandwidth_hz(samples) == expected


@pytest.mark.parametrize(
    ("samples", "reason"), [(np.zeros(HZ), "silence"), (np.ones(2_399), "too-short"), (np.zeros(0), "too-short")]
)
def test_what_has_no_bandwidth_says_why(samples, reason):
    with pytest.raises(Unscorable) as caught:
        bandwidth_hz(samples.astype(np.float32))
    assert caught.value.reason == reason
