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


def test_a_tight_cut_takes_its_quietest_frames_as_noise():
    # A pause of 60 ms, all called speech: P = (0.0001 * 60 + 0.0101 * 940) / 1000 = 0.0095, (P - N) / N = 94
    samples = np.concatenate([square(0.0101**0.5, 0.5), square(0.01, 0.06), square(0.0101**0.5, 0.44)])
    assert snr_db(samples, [Interval(0.0, 1.0)]) == pytest.approx(10 * np.log10(94), abs=1e-4)


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


@pytest.mark.parametrize("wanted", [0, 10, 20])
def test_noise_added_at_a_known_ratio_is_found(wanted):
    """Gaussian 'speech' in noise; a tight cut has pauses of 100 ms a second."""
    rng = np.random.default_rng(0)
    speech = rng.standard_normal(10 * 16_000) * 0.1
    speech[np.arange(len(speech)) % 16_000 < 1_600] = 0
    noise = rng.standard_normal(len(speech)) * np.sqrt(np.square(speech).mean() / 10 ** (wanted / 10))
    samples = (speech + noise).astype(np.float32)
    assert snr_db(samples, [Interval(0.0, 10.0)]) == pytest.approx(wanted, abs=1.0)
