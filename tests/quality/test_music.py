# SPDX-License-Identifier: Apache-2.0
"""Music scores high and speech low."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmill import models
from speechmill.core.stage import Context
from speechmill.demo.sound import music as arpeggios
from speechmill.formats.audio import read_audio
from speechmill.quality import Cut, music

BACKEND = music.Backend(music.Config(), Context(Path(), models.path))


def score(samples):
    return BACKEND.score(Cut(np.asarray(samples, np.float32)))["music"]


def test_music_scores_high():
    assert score(arpeggios(6.0, 16_000)) > 0.8


def test_steady_noise_scores_above_a_half():
    assert score(0.1 * np.random.default_rng(0).standard_normal(96_000)) > 0.5


def test_real_speech_scores_low(shared_data):
    folder = shared_data / "librispeech_test_other"
    names = ["1688/1688-142285-0000", "1998/1998-15444-0002", "2033/2033-164914-0004", "2609/2609-156975-0008"]
    assert max(score(read_audio(folder / f"{name}.flac")[0][0]) for name in names) < 0.5
