# SPDX-License-Identifier: Apache-2.0
"""The metric `snr` passes its options on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.stage import Context
from speechmill.core.types import Interval
from speechmill.quality import Cut, snr

SAMPLES = np.concatenate([np.full(1_600, 0.01, np.float32), np.full(16_000, 0.101**0.5, np.float32)])


def score(speech, **options):
    backend = snr.Backend(snr.Config(**options), Context(Path(), models.path))
    return backend.score(Cut(SAMPLES, speech=speech))


def test_the_column_is_the_ratio_in_db():
    # (0.101 - 0.0001) / 0.0001 = 1009
    assert score([Interval(0.1, 1.0)]) == {"snr_db": pytest.approx(10 * np.log10(1009), abs=1e-3)}
    assert set(snr.COLUMNS) == {"snr_db"}


def test_options_reach_the_measure():
    assert score([Interval(0.1, 1.0)], min_noise_s=0.5, floor_percentile=50.0) == {"snr_db": -20.0}
