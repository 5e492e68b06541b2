# SPDX-License-Identifier: Apache-2.0
"""The metric `clipping` is the measure; lower is better."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmill import models
from speechmill.core.stage import Context
from speechmill.quality import Cut, clipping


def test_the_column_is_the_share():
    samples = np.array([0.0, 1.0, -1.0, 0.5, 0.1, -0.1, 0.2, 0.3], np.float32)
    assert clipping.Backend(clipping.Config(), Context(Path(), models.path)).score(Cut(samples)) == {"clipping": 0.25}
    assert not clipping.COLUMNS["clipping"].higher_is_better
