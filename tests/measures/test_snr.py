# SPDX-License-Identifier: Apache-2.0
"""SNR of signals whose powers are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.core.errors import Unscorable
from speechmill.core.types import Interval
from speechmill.measures.snr import snr_db


def square(amplitude: float, seconds: float) -> np.ndarray:
    """A square wave: its power is the square of its amplitude, in any stretch."""
    return (amplitude * np.where(np.arange(round(seconds * 16_000)) % 32 < 16, 1, -1)).astype(np.float32)


def test_noise_is_measured_where_nobody_speaks():
    # (0.101 - 0.001) / 0.001 = 100 = 20 dB
    samples = np.concatenate([square(0.001**0.5, 0.5), square(0.101**0.5, 1.0)])
    assert snr_db(samples, [Interval(0.5, 1.0)]) == pytest.approx(20.0, abs=1e-4)


def test_a_tight_clean_cut_takes_its_quietest_frames_as_noise():
    # A pause of 100 ms, all called speech: P = (0.000001 * 100 + 0.010001 * 900) / 1000 = 0.009, (P - N) / N = 9000
    samples = np.concatenate([square(0.010001**0.5, 0.5), square(0.001, 0.1), square(0.010001**0.5, 0.4)])
    assert snr_db(samples, [Interval(0.0, 1.0)]) == pytest.approx(10 * np.log10(9000), abs=0.01)


def test_less_than_min_noise_is_not_measured():
    samples = np.concatenate([square(0.5, 0.05), square(0.1, 1.0)])
    tight = [Interval(0.05, 1.0)]
    assert snr_db(samples, tight) == -20.0  # the quietest frames are as loud as the speech
    assert snr_db(samples, tight, min_noise_s=0.05) == -20.0
    loud = [Interval(0.0, 0.05)]
    assert snr_db(samples, loud) == pytest.approx(10 * np.log10((0.25 - 0.01) / 0.01), abs=1e-4)


def test_the_range_is_closed_on_both_sides():
    loud_noise = np.concatenate([square(0.9, 1.0), square(0.1, 1.0)])
    assert snr_db(loud_noise, [Interval(1.0, 1.0)]) == -20.0
    no_noise = np.concatenate([np.zeros(16_000, np.float32), square(1.0, 1.0)])
    # 16 bit rounding is all the noise there is: 2**30 * 12 = 101 dB, clipped
    assert snr_db(no_noise, [Interval(1.0, 1.0)]) == 100.0


def test_noise_from_outside_the_segment_is_ignored():
    samples = square(0.1, 1.0)
    assert snr_db(samples, [Interval(-5.0, 20.0)]) == snr_db(samples, [Interval(0.0, 1.0)])


@pytest.mark.parametrize(
    ("samples", "speech", "reason"),
    [
        (np.zeros(16_000, np.float32), [Interval(0.0, 1.0)], "silence"),
        (square(1 / 300_000, 1.0), [Interval(0.0, 1.0)], "silence"),
        (square(0.1, 1.0), [], "no-speech"),
        (square(0.1, 1.0), [Interval(3.0, 1.0)], "no-speech"),
        (square(0.1, 0.09), [Interval(0.0, 0.09)], "too-short"),
        (np.zeros(0, np.float32), [], "too-short"),
    ],
)
def test_what_has_no_ratio_says_why(samples, speech, reason):
    with pytest.raises(Unscorable) as caught:
        snr_db(samples, speech)
    assert caught.value.reason == reason


def bands(random: np.random.Generator, seconds: int) -> np.ndarray:
    """'Speech': every 100 ms noise in another eighth of the spectrum, so that each frequency has its gaps."""
    parts = []
    for _ in range(10 * seconds):
        spectrum = np.fft.rfft(random.standard_normal(1_600))
        band = random.integers(8) * 100
        spectrum[:band], spectrum[band + 100 :] = 0, 0
        parts.append(np.fft.irfft(spectrum, 1_600))
    return np.concatenate(parts)


@pytest.mark.parametrize("wanted", [0, 5])
def test_loud_noise_in_a_cut_without_a_pause_is_found(wanted):
    random = np.random.default_rng(0)
    speech = bands(random, 8)
    noise = random.standard_normal(len(speech)) * np.sqrt(np.square(speech).mean() / 10 ** (wanted / 10))
    samples = 0.1 * (speech + noise).astype(np.float32)
    assert snr_db(samples, [Interval(0.0, 8.0)]) == pytest.approx(wanted, abs=1.5)


def test_what_is_as_stationary_as_noise_is_off_by_4_db_at_most():
    """Gaussian 'speech' in noise at 20 dB, with pauses of 100 ms a second."""
    random = np.random.default_rng(0)
    speech = random.standard_normal(10 * 16_000) * 0.1
    speech[np.arange(len(speech)) % 16_000 < 1_600] = 0
    noise = random.standard_normal(len(speech)) * np.sqrt(np.square(speech).mean() / 100)
    samples = (speech + noise).astype(np.float32)
    assert 16.0 < snr_db(samples, [Interval(0.0, 10.0)]) < 20.0


def test_power_in_the_last_samples_alone_is_no_noise():
    cut = np.zeros(16_100, np.float32)
    cut[-40:] = 0.5  # the last spectrum ends before
    assert snr_db(cut, [Interval(0.0, 16_100 / 16_000)]) > 60
