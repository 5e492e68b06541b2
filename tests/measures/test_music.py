# SPDX-License-Identifier: Apache-2.0
"""What tells music and noise from speech, on signals of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.core.errors import Unscorable
from speechmill.measures.music import NAMES, features

HZ = 16_000
TIME = np.arange(4 * HZ) / HZ
NOISE = np.random.default_rng(0).standard_normal(4 * HZ)
HARMONICS = sum(np.sin(2 * np.pi * 220 * k * TIME) / k for k in range(1, 30))


def of(samples):
    return features((0.1 * np.asarray(samples)).astype(np.float32))


def test_what_swells_four_times_a_second_swells_like_speech():
    assert of(NOISE * (1 + np.sin(2 * np.pi * 4 * TIME)))["swell"] > 0.8
    assert of(NOISE * (1 + np.sin(2 * np.pi * 0.5 * TIME)))["swell"] < 0.2


def test_a_held_note_is_steady_and_noise_is_not():
    assert of(HARMONICS + 0.01 * NOISE)["steadiness"] > 0.8
    assert abs(of(NOISE)["steadiness"]) < 0.05


def test_steady_sound_has_no_quiet_frames():
    assert of(NOISE)["quiet"] == 0.0
    assert of(NOISE * (TIME % 1 < 0.5))["quiet"] == pytest.approx(0.5, abs=0.02)


def test_loudness_changes_nothing():
    loud, soft = of(NOISE * (1 + np.sin(2 * np.pi * 4 * TIME))), of(0.01 * NOISE * (1 + np.sin(2 * np.pi * 4 * TIME)))
    assert tuple(loud) == NAMES
    assert list(loud.values()) == pytest.approx(list(soft.values()), rel=1e-3, abs=1e-4)


def test_blocks_leave_no_trace(monkeypatch):
    expected = of(HARMONICS + NOISE)
    monkeypatch.setattr("speechmill.measures.music.BLOCK", 50)
    assert list(of(HARMONICS + NOISE).values()) == pytest.approx(list(expected.values()), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("num_samples", "reason"), [(HZ, "silence"), (HZ - 1, "too-short"), (0, "too-short")])
def test_what_has_no_features_says_why(num_samples, reason):
    with pytest.raises(Unscorable) as caught:
        features(np.zeros(num_samples, np.float32))
    assert caught.value.reason == reason
