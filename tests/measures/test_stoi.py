# SPDX-License-Identifier: Apache-2.0
"""STOI is pystoi's: expected values were computed once with pystoi 0.4.1 on the same 10 kHz signals."""

from __future__ import annotations

import av
import numpy as np
import pytest

from speechmill.core.errors import Unscorable
from speechmill.measures import stoi as measure
from speechmill.measures.stoi import span_scores, stoi

TIME = np.arange(30_000) / 10_000
CLEAN = 0.3 * np.sin(2 * np.pi * (300 * TIME + 40 * np.sin(2 * np.pi * TIME))) * (0.5 + 0.5 * np.sin(6 * np.pi * TIME))
CLEAN = CLEAN + 0.05 * np.sin(2 * np.pi * 1500 * TIME) * (0.5 + 0.5 * np.cos(10 * np.pi * TIME))
NOISE = 0.1 * np.sin(0.37 * np.arange(30_000) ** 1.3)


def at_10_khz(clean, damaged):
    return stoi(clean, damaged, sampling_rate=10_000)


@pytest.mark.parametrize(("amount", "expected"), [(0, 1.0), (1, 0.7488542895116), (4, 0.7019823163299)])
def test_values_are_upstreams(amount, expected):
    assert at_10_khz(CLEAN, CLEAN + amount * NOISE) == pytest.approx(expected, abs=1e-9)


def test_frames_in_which_the_clean_one_is_silent_are_left_out():
    paused = CLEAN.copy()
    paused[12_000:18_000] = 0
    assert at_10_khz(paused, paused + NOISE) == pytest.approx(0.7497044048331, abs=1e-9)
    times, scores = span_scores(paused, paused + NOISE, sampling_rate=10_000)
    assert len(times) == len(scores) == 157  # of 233 frames 46 are silent, overlap costs 1, and 30 make a span


@pytest.mark.parametrize(("num_samples", "expected"), [(4_352, 0.5956623243499), (4_353, 0.5799613117399)])
def test_the_last_frame_counts_as_upstream(num_samples, expected):
    clean = CLEAN[:num_samples]
    assert at_10_khz(clean, clean + NOISE[:num_samples]) == pytest.approx(expected, abs=1e-9)


def test_gain_and_sign_do_not_matter():
    assert at_10_khz(CLEAN, -3 * (CLEAN + NOISE)) == pytest.approx(0.7488542895116, abs=1e-9)


def test_nothing_left_of_the_speech_is_zero():
    assert at_10_khz(CLEAN, np.zeros(30_000)) == 0.0


def test_blocks_leave_no_trace(monkeypatch):
    monkeypatch.setattr(measure, "BLOCK", 7)
    assert at_10_khz(CLEAN, CLEAN + NOISE) == pytest.approx(0.7488542895116, abs=1e-9)


def test_a_real_pair_scores_as_upstream_but_for_the_resampler(shared_data):
    """pystoi on the pair at 16 kHz gives 0.673918; on soxr's 10 kHz signals 0.673921."""
    clean, damaged = (decode(shared_data / "pesq" / name) for name in ("speech.wav", "speech_bab_0dB.wav"))
    assert stoi(clean, damaged) == pytest.approx(0.6739208698730, abs=1e-7)


@pytest.mark.parametrize(
    ("clean", "damaged", "reason"),
    [
        (np.zeros(30_000), NOISE, "silence"),
        (CLEAN[:4_000], NOISE[:4_000], "too-short"),  # 30 frames
        (CLEAN[:200], NOISE[:200], "too-short"),
        (CLEAN[:0], NOISE[:0], "too-short"),
    ],
)
def test_what_has_no_value_says_why(clean, damaged, reason):
    with pytest.raises(Unscorable) as caught:
        at_10_khz(clean, damaged)
    assert caught.value.reason == reason


def test_lengths_must_be_equal():
    with pytest.raises(ValueError, match="30000 samples of clean speech, 29999 of damaged"):
        at_10_khz(CLEAN, NOISE[:-1])


def decode(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768
