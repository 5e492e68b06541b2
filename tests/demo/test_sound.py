# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill.demo.sound import at_level, music, pink_noise, write_lossy
from speechmill.formats.audio import read_audio


def test_levels_are_root_mean_squares() -> None:
    tone = at_level(np.array([1, -1, 1, -1], np.float32), -20.0)
    assert tone == pytest.approx([0.1, -0.1, 0.1, -0.1])


def test_silence_has_no_level_to_change() -> None:
    assert not at_level(np.zeros(4, np.float32), -20.0).any()


def test_pink_noise_has_equal_power_in_each_octave() -> None:
    power = np.abs(np.fft.rfft(pink_noise(1 << 16, np.random.default_rng(1)))) ** 2
    octaves = [power[1 << k : 2 << k].sum() for k in range(8, 15)]
    assert max(octaves) / min(octaves) < 1.5


def test_music_lasts_as_long_as_asked_and_fades_out() -> None:
    played = music(4.0, 8000)
    assert len(played) == 32_000
    assert np.abs(played[-80:]).max() < 0.05 * np.abs(played).max()


@pytest.mark.parametrize("suffix", [".m4a", ".mp3"])
def test_lossy_files_are_the_same_bytes_each_time_and_on_time(tmp_path: Path, suffix: str) -> None:
    samples = at_level(pink_noise(22_050, np.random.default_rng(2)), -20.0)
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        write_lossy(path, samples[np.newaxis], 22_050)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    decoded, sampling_rate = read_audio(paths[0])
    assert sampling_rate == 22_050
    assert lag(samples, decoded[0]) == 0


def lag(reference: np.ndarray, heard: np.ndarray) -> int:
    """Samples by which `heard` comes late, by cross-correlation."""
    size = 1 << (len(reference) + len(heard)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(reference, size))
    peak = int(np.argmax(np.fft.irfft(spectrum, size)))
    return peak if peak < size // 2 else peak - size
