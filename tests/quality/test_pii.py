# SPDX-License-Identifier: Apache-2.0
"""The metric counts what the text gives away."""

from pathlib import Path

import numpy as np
import pytest

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Utterance
from speechmill.quality import Cut
from speechmill.quality.pii import Backend, Config


def score(text, language="en"):
    backend = Backend(Config(), Context(Path(), lambda name: Path(name)))
    return backend.score(Cut(np.zeros(16, np.float32), Utterance(text), language=language))


def test_two_things_are_two():
    assert score("write to an@example.org or call 0912345678", "vi") == {"pii": 2.0}


def test_nothing_is_nought_and_no_text_is_a_gap():
    assert score("it was in 1999") == {"pii": 0.0}
    with pytest.raises(Unscorable, match="no-text"):
        score("  ")
