# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
import soxr

from speechmill.formats.audio import read_audio
from speechmill.measures.landmarks import SAMPLING_RATE, landmarks
from speechmill.measures.near_audio import MIN_DURATION, near_duplicates

SPEECH = Path(__file__).resolve().parents[3] / "shared" / "data" / "librispeech_test_other"


def babble(seed, seconds):
    """Tones of a tenth of a second, a few at a time: as full of peaks as speech."""
    random = np.random.default_rng(seed)
    samples = np.zeros(int(seconds * SAMPLING_RATE), np.float32)
    length = SAMPLING_RATE // 10
    shape = np.hanning(length)
    for begin in range(0, len(samples) - length, length // 2):
        tone = np.sin(2 * np.pi * random.uniform(250, 3500) * np.arange(length) / SAMPLING_RATE)
        samples[begin : begin + length] += (random.uniform(0.05, 0.3) * shape * tone).astype(np.float32)
    return samples


def found(*recordings):
    near = near_duplicates([landmarks(np.asarray(samples, np.float32)) for samples in recordings])
    return list(zip(near.left.tolist(), near.right.tolist(), strict=True)), near


def in_noise(samples, snr_db, seed=9):
    noise = np.random.default_rng(seed).normal(size=len(samples))
    return samples + noise * np.sqrt((samples**2).mean() / 10 ** (snr_db / 10))


@pytest.mark.parametrize(
    "copied",
    [
        lambda samples: samples * 0.2,
        lambda samples: in_noise(samples, 10),
        lambda samples: samples[SAMPLING_RATE:-SAMPLING_RATE],
        lambda samples: soxr.resample(samples, 102, 100),
        lambda samples: soxr.resample(samples, 98, 100),
        lambda samples: np.concatenate([babble(77, 6), samples]),
        lambda samples: soxr.resample(soxr.resample(samples, 16_000, 8_000), 8_000, 16_000),
        lambda samples: np.round(samples * 256) / 256,
    ],
    ids=["quieter", "noise", "trimmed", "fast", "slow", "intro", "telephone", "eight-bits"],
)
def test_a_copy_is_found(copied):
    pairs, _ = found(babble(1, 12), babble(2, 12), copied(babble(1, 12)))
    assert pairs == [(0, 2)]


def test_offset_and_speed_say_how_one_lies_over_the_other():
    _, near = found(babble(1, 12), soxr.resample(babble(1, 12)[2 * SAMPLING_RATE :], 102, 100))
    assert near.offset[0] == pytest.approx(2.0, abs=0.1)  # right's start lies two seconds into left
    assert near.speed[0] == pytest.approx(1.02, abs=0.003)
    assert near.coverage[0] > 0.95


def test_a_shared_intro_is_no_duplicate():
    intro = babble(5, 20)
    pairs, _ = found(np.concatenate([intro, babble(1, 60)]), np.concatenate([intro, babble(2, 60)]))
    assert pairs == []


def test_an_excerpt_is_found_in_what_it_was_cut_from():
    long = babble(3, 100)
    pairs, _ = found(long, long[50 * SAMPLING_RATE : 55 * SAMPLING_RATE])
    assert pairs == [(0, 1)]


def test_half_an_excerpt_is_not_enough():
    long = babble(3, 60)
    mixed = np.concatenate([long[: 5 * SAMPLING_RATE], babble(4, 6)])
    assert found(long, mixed)[0] == []


def test_four_minutes_at_another_speed_are_found():
    long = babble(6, 240)
    pairs, near = found(long, soxr.resample(long, 102, 100), babble(7, 240))
    assert pairs == [(0, 1)]
    assert near.speed[0] == pytest.approx(1.02, abs=1e-3)


def test_what_is_too_short_is_left_alone():
    short = babble(1, MIN_DURATION - 0.1)
    assert found(short, short)[0] == []


def test_silence_and_noise_have_no_duplicates():
    silence = np.zeros(5 * SAMPLING_RATE)
    assert found(silence, silence)[0] == []
    assert found(in_noise(np.ones(80_000) * 0.1, 10, 1), in_noise(np.ones(80_000) * 0.1, 10, 2))[0] == []


def test_the_same_hum_is_no_duplicate():
    hum = 0.2 * np.sin(2 * np.pi * 250 * np.arange(12 * SAMPLING_RATE) / SAMPLING_RATE)
    assert found(hum + babble(1, 12), hum + babble(2, 12))[0] == []


def test_no_recordings():
    assert found()[0] == []


@pytest.mark.skipif(not SPEECH.is_dir(), reason=f"real speech is not at {SPEECH}")
def test_real_speech_is_found_in_noise_and_told_from_its_speaker():
    paths = sorted((SPEECH / "1688").glob("*.flac"))[:4]
    clips = [read_audio(path)[0][0] for path in paths]
    pairs, _ = found(*clips, *(soxr.resample(in_noise(clip, 15), 102, 100) for clip in clips))
    assert pairs == [(number, number + 4) for number in range(4)]
