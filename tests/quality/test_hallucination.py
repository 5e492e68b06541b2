# SPDX-License-Identifier: Apache-2.0
"""Each check fails alone, where it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Utterance
from speechmill.quality import Cut, hallucination

SPEECH = (Interval(0.0, 2.0),)


def score(text, speech=SPEECH, **options):
    backend = hallucination.Backend(hallucination.Config(**options), Context(Path(), models.path))
    return backend.score(Cut(np.zeros(32_000, np.float32), Utterance(text, 5.0, 2.0), speech, "en"))


def test_a_plain_text_fails_nothing():
    assert score("six wolves ran home") == {
        "hallucination": 0.0,
        "unique_word_share": 1.0,
        "repeated_share": 0.0,
        "longest_word": 6.0,
        "chars_per_second": 8.0,  # 16 letters in 2 s
        "known_phrase_share": 0.0,
        "speech_share": 1.0,
    }


@pytest.mark.parametrize(
    ("text", "speech", "column", "value"),
    [
        ("a b a c a b a c b a", SPEECH, "unique_word_share", 0.3),
        ("to be to be or not", SPEECH, "repeated_share", 2 / 6),
        ("so " + "a" * 25, SPEECH, "longest_word", 25.0),
        ("it is as fast as nobody ever says it, and no one could, for there is no time to breathe at all in it here",
         SPEECH, "chars_per_second", 40.5),
        ("Thanks for watching.", SPEECH, "known_phrase_share", 1.0),
        ("who says it", (Interval(0.0, 0.1),), "speech_share", 0.05),
    ],
)  # fmt: skip
def test_each_check_fails_alone(text, speech, column, value):
    options = {"max_repeated_share": 0.3} if column == "repeated_share" else {}
    found = score(text, speech, **options)
    assert found[column] == pytest.approx(value)
    assert found["hallucination"] == 1.0


def test_a_loop_fails_two():
    assert score("going on and on and on and on and on")["hallucination"] == 2.0


def test_few_words_may_be_repeated():
    assert score("no no no")["hallucination"] == 0.0


def test_no_text_says_so():
    with pytest.raises(Unscorable, match="no-text"):
        score(None)
