# SPDX-License-Identifier: Apache-2.0
"""The metric `wada` is the measure, with a column of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.stage import Context
from speechmill.measures.wada import TABLE
from speechmill.quality import Cut, wada


def test_the_column_is_the_ratio_in_db():
    # |x| is 0.5 and 1.5 in turn around 0: ln(1) - (ln 0.5 + ln 1.5) / 2 = 0.1438, below the table
    samples = np.tile(np.array([0.5, -0.5, 1.5, -1.5], np.float32) / 3, 4_000)
    assert wada.Backend(wada.Config(), Context(Path(), models.path)).score(Cut(samples)) == {"wada_snr_db": -20.0}
    assert wada.COLUMNS["wada_snr_db"].unit == "dB"
    assert pytest.approx(0.1438, abs=1e-4) == -(np.log(0.5) + np.log(1.5)) / 2
    assert TABLE.min() > 0.1438
