# SPDX-License-Identifier: Apache-2.0
"""Windows cover speech evenly, and how audio is read leaves no trace in them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from speechmill.core.types import Interval
from speechmill.diarize._voice_encoder import mel_spectrogram
from speechmill.diarize._windows import Window, apart, halves, joined, mels, windows_of
from speechmill.formats.array_audio import ArrayAudio


def test_short_speech_has_one_window_around_its_middle():
    # 3.0-4.0 s: the middle is 3.5 s, the 1.6 s begin at 2.7 s.
    assert windows_of(Interval(3.0, 1.0, 1), 0.8) == [Window(270, 3.0, 4.0, 1)]


def test_each_window_is_around_the_middle_of_its_stretch():
    # 3.2 s in stretches of 0.8 s, with their middles at 0.4, 1.2, 2.0 and 2.8 s; a window begins 0.8 s before.
    assert windows_of(Interval(10.0, 3.2), 0.8) == [
        Window(960, 10.0, 10.8, 0),
        Window(1040, 10.8, 11.6, 0),
        Window(1120, 11.6, 12.4, 0),
        Window(1200, 12.4, 13.2, 0),
    ]


def test_a_window_is_halved():
    # The stretch of 1.6 s around 10.8 s; its halves have their middles at 10.4 and 11.2 s.
    assert halves(Window(1000, 10.0, 11.6, 1)) == [Window(960, 10.0, 10.8, 1), Window(1040, 10.8, 11.6, 1)]


def test_windows_are_joined_within_an_interval():
    windows = [*windows_of(Interval(0.0, 1.6), 0.8), *windows_of(Interval(2.0, 1.6), 0.8), Window(0, 3.6, 4.0, 1)]
    assert joined(windows).tolist() == [False, True, False, True, False]
    assert joined([]).tolist() == []


def test_windows_are_apart_from_a_window_on_or_on_another_channel():
    windows = [Window(0, 0.0, 0.8, 0), Window(149, 1.49, 2.0, 0), Window(150, 1.5, 2.0, 0), Window(0, 0.0, 0.8, 1)]
    assert apart(windows)[0].tolist() == [False, False, True, True]


@pytest.mark.parametrize("duration", [0.4, 1.19, 1.21, 1.6, 1.9, 2.0, 2.1, 5.0, 33.33])
def test_windows_divide_the_interval(duration):
    part = Interval(2.5, duration)
    windows = windows_of(part, 0.8)
    assert (windows[0].start, windows[-1].end) == (part.start, part.end)
    assert all(one.end == other.start for one, other in itertools.pairwise(windows))
    assert all(window.end > window.start for window in windows)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def test_a_window_is_cut_out_of_the_spectrogram_of_the_whole():
    samples = noise(100)  # -20 dBFS: too loud to be raised; more than one stretch of a minute
    windows = windows_of(Interval(1.0, 98.0), 0.8)
    parts = list(mels(ArrayAudio([samples]), windows))
    found = np.concatenate(parts)
    assert len(parts) > 1
    assert found.shape == (len(windows), 160, 40)
    whole = mel_spectrogram(np.pad(samples, 200))
    for window, spectrogram in zip(windows, found, strict=True):
        assert np.allclose(spectrogram, whole[window.first : window.first + 160], rtol=1e-4, atol=1e-6)


def test_what_reaches_over_either_end_is_silence():
    samples = noise(1.0)
    (found,) = mels(ArrayAudio([samples]), windows_of(Interval(0.0, 1.0), 0.8))
    # 30 frames before the start and about 30 after the end; those at the edges still touch the sound.
    assert found[0, :28].max() == 0
    assert found[0, 133:].max() == 0
    assert found[0, 31:130].max(axis=1).min() > 0


def test_quiet_speech_is_raised_to_the_same_level():
    (loud,) = mels(ArrayAudio([noise(1.6) * 0.1]), [Window(0, 0.0, 1.6, 0)])  # -40 dBFS
    (quiet,) = mels(ArrayAudio([noise(1.6) * 0.01]), [Window(0, 0.0, 1.6, 0)])  # -60 dBFS
    assert np.allclose(loud, quiet, rtol=1e-3)


def test_digital_silence_stays_silent():
    (found,) = mels(ArrayAudio([np.zeros(32_000)]), [Window(10, 0.1, 1.7, 0)])
    assert found.max() == 0


def test_each_channel_is_read_for_itself():
    audio = ArrayAudio([noise(2.0), np.zeros(32_000)])
    one, other = mels(audio, [Window(0, 0.0, 1.6, 0), Window(0, 0.0, 1.6, 1)])
    assert one.max() > 0
    assert other.max() == 0
