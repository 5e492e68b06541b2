# SPDX-License-Identifier: Apache-2.0
"""Rates over the speech, not over the pauses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Utterance
from speechmill.quality import Cut, speaking_rate

BACKEND = speaking_rate.Backend(speaking_rate.Config(), Context(Path(), models.path))


def score(text, speech, language="en"):
    return BACKEND.score(Cut(np.zeros(64_000, np.float32), Utterance(text, 0.0, 4.0), speech, language))


def test_pauses_do_not_count():
    found = score("the cat sat 5 times", [Interval(0.0, 1.0), Interval(3.0, 1.0)])
    assert found == {"words_per_second": 2.5, "graphemes_per_second": 7.5}


def test_a_script_without_blanks_has_words_too():
    found = score("我们喜欢语音", [Interval(0.0, 1.0)], "zh")
    assert found["graphemes_per_second"] == 6.0
    assert 2.0 <= found["words_per_second"] <= 6.0  # by the segmenter that is installed; without one each character


@pytest.mark.parametrize(
    ("text", "speech", "reason"),
    [(None, [Interval(0.0, 1.0)], "no-text"), ("yes", [], "no-speech"), ("yes", [Interval(0.0, 0.05)], "no-speech")],
)
def test_what_has_no_rate_says_why(text, speech, reason):
    with pytest.raises(Unscorable) as caught:
        score(text, speech)
    assert caught.value.reason == reason
