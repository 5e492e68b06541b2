# SPDX-License-Identifier: Apache-2.0
"""The metric `bandwidth` reads the cut at 24 kHz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.formats.audio import read_audio
from speechmill.quality import Cut, bandwidth

BACKEND = bandwidth.Backend(bandwidth.Config(), Context(Path(), models.path))


def test_without_24_khz_there_is_no_bandwidth():
    with pytest.raises(Unscorable, match="no-24-khz-audio"):
        BACKEND.score(Cut(np.ones(16_000, np.float32)))


@pytest.mark.parametrize(("name", "rate", "expected"), [
    ("misc/jfk.flac", 44_100, 12_000),
    ("misc/jfk.flac", 16_000, 8_000),
    ("misc/jfk.flac", 8_000, 4_000),
    ("free_spoken_digits/7_jackson_3.flac", 8_000, 4_000),
])  # fmt: skip
def test_real_speech_is_as_wide_as_the_narrowest_rate_it_went_through(shared_data, name, rate, expected):
    samples, sampling_rate = read_audio(shared_data / name)
    mono = samples.mean(axis=0)
    wide = soxr.resample(soxr.resample(mono, sampling_rate, rate), rate, 24_000)
    found = BACKEND.score(Cut(mono, wide=lambda: wide.astype(np.float32)))
    assert found["bandwidth_hz"] == pytest.approx(expected, rel=0.04)
