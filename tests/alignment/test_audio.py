# SPDX-License-Identifier: Apache-2.0
"""Audio at 16 kHz, in memory or in a file, and which speaker is on which channel."""

from pathlib import Path

import numpy as np
import pytest

from speechmill.alignment import audio
from speechmill.alignment.audio import AudioCache, OpenedAudio, speaker_channels
from speechmill.alignment.corpus import Recording, Utterance

HZ = 16_000


@pytest.fixture
def write(letters_language):
    return letters_language.write_wav


def noise(seconds, level, seed=0):
    return level * np.random.default_rng(seed).normal(size=round(seconds * HZ))


def interview(path):
    speakers = (("Ann", 0.0), ("Bob", 1.0), ("Ann", 2.0))
    utterances = tuple(Utterance(f"a#{i}", "x", name, at, 1.0, name) for i, (name, at) in enumerate(speakers))
    return Recording("a", path, Path("a.TextGrid"), 3.0, 2, HZ, utterances)


def two_channels(near, far):
    ann, bob = noise(3.0, 0.1, 1), noise(3.0, 0.1, 2)
    ann[HZ : 2 * HZ] = 0
    bob[:HZ] = bob[2 * HZ :] = 0
    return [near * ann + far * bob, far * ann + near * bob]


def test_channels_are_averaged_unless_they_are_kept_apart(write, tmp_path):
    write(tmp_path / "a.wav", [np.full(HZ, 0.5), np.full(HZ, 0.25)])
    with OpenedAudio(tmp_path / "a.wav") as mixed:
        assert mixed.num_channels == 1
        assert mixed.read(0.25, 0.5) == pytest.approx(np.full(HZ // 2, 0.375), abs=1e-4)
    with OpenedAudio(tmp_path / "a.wav", separate=True) as apart:
        assert apart.read(channel=1) == pytest.approx(np.full(HZ, 0.25), abs=1e-4)
        assert apart.read() == pytest.approx(np.full(HZ, 0.375), abs=1e-4)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_any_sampling_rate_becomes_16_khz(write, tmp_path, rate):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    write(tmp_path / "a.wav", [tone, tone], rate)
    with OpenedAudio(tmp_path / "a.wav", separate=True) as opened:
        expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(HZ) / HZ)
        assert (opened.duration, opened.num_channels) == (1.0, 2)
        assert opened.read(0.1, 0.8, 1) == pytest.approx(expected[1600:14400], abs=2e-3)


def test_long_audio_goes_to_a_file_and_reads_the_same(write, tmp_path, monkeypatch):
    write(tmp_path / "a.wav", two_channels(1.0, 0.1))
    with OpenedAudio(tmp_path / "a.wav", separate=True) as short:
        monkeypatch.setattr(audio, "MEMORY_S", 1)
        with OpenedAudio(tmp_path / "a.wav", separate=True) as long:
            assert (long.read(0.5, 2.0, 1) == short.read(0.5, 2.0, 1)).all()
            assert len(long.read(2.5, 9.0)) == HZ // 2


def test_speakers_are_found_on_their_channels(write, tmp_path):
    write(tmp_path / "a.wav", two_channels(1.0, 0.1))
    with OpenedAudio(tmp_path / "a.wav", separate=True) as opened:
        assert speaker_channels(interview(tmp_path / "a.wav"), opened) == {"Ann": 0, "Bob": 1}


def test_a_microphone_that_is_set_louder_is_no_reason_to_choose_it(write, tmp_path):
    near, far = two_channels(1.0, 0.1)
    write(tmp_path / "a.wav", [0.05 * near, far])
    with OpenedAudio(tmp_path / "a.wav", separate=True) as opened:
        assert speaker_channels(interview(tmp_path / "a.wav"), opened) == {"Ann": 0, "Bob": 1}


def test_channels_that_hear_both_alike_are_mixed(write, tmp_path):
    write(tmp_path / "a.wav", two_channels(1.0, 0.8))
    with OpenedAudio(tmp_path / "a.wav", separate=True) as opened:
        assert speaker_channels(interview(tmp_path / "a.wav"), opened) == {"Ann": None, "Bob": None}


def test_a_recording_is_decoded_once_while_it_is_used(write, tmp_path, monkeypatch):
    write(tmp_path / "a.wav", two_channels(1.0, 0.1))
    decoded = []
    monkeypatch.setattr(audio, "opened", lambda one: decoded.append(one.key) or OpenedAudio(one.audio, separate=True))
    one = interview(tmp_path / "a.wav")
    other = Recording("b", *(getattr(one, name) for name in one.__struct_fields__[1:]))
    with AudioCache(1) as cache:
        for recording in (one, one, other, other, one):
            with cache.opened(recording) as (_, channels):
                assert channels == {"Ann": 0, "Bob": 1}
    assert decoded == ["a", "b", "a"]
