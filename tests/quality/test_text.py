# SPDX-License-Identifier: Apache-2.0
"""Words and characters of a segment, and what another transcript has in its span."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.core.errors import Unscorable
from speechmill.core.types import Transcript, Utterance, Word
from speechmill.quality import Cut
from speechmill.quality._text import heard_words, num_characters, own_words, text_words, words

SAMPLES = np.zeros(16_000, np.float32)


def test_numbers_count_as_they_are_said():
    assert words("It costs $5.", "en") == ["it", "costs", "five", "dollars"]


def test_characters_are_those_that_readers_see():
    assert num_characters("ẹ́kọ́, ok!") == 7


@pytest.mark.parametrize(("text", "reason"), [(None, "no-text"), (" ", "no-text"), ("?!", "no-words")])
def test_a_text_without_words_says_why(text, reason):
    with pytest.raises(Unscorable) as caught:
        text_words(Cut(SAMPLES, segment=Utterance(text), language="en"))
    assert caught.value.reason == reason


def test_a_recognisers_words_keep_their_scores():
    timed = (Word("Five", 0.0, 0.4, 0.9), Word("o'clock.", 0.4, 0.4, 0.5))
    cut = Cut(SAMPLES, segment=Utterance("Five o'clock.", 0.0, 1.0, words=timed), language="en")
    assert own_words(cut) == [("five", 0.9), ("o'clock", 0.5)]
    unscored = Cut(SAMPLES, segment=Utterance("Five o'clock."), language="en")
    assert own_words(unscored) == [("five", None), ("o'clock", None)]


def test_words_are_heard_where_their_middle_lies():
    told = (
        Word("before", 0.0, 1.0, 0.1),
        Word("at", 1.2, 0.4, 0.2),
        Word("edge", 1.9, 0.4, 0.3),
        Word("in", 1.6, 0.2, 0.4),
    )
    transcript = Transcript("other", (Utterance("...", 0.0, 3.0, words=told), Utterance("x", 1.2, 0.5, channel=1)))
    heard = heard_words(transcript, Utterance("text", 1.0, 1.0), "en")
    assert heard == [("at", 0.2), ("in", 0.4)]


def test_an_utterance_without_words_is_heard_as_a_whole():
    inside, outside = Utterance("Inside it.", 1.1, 0.6), Utterance("outside", 1.9, 2.0)
    heard = heard_words(Transcript("other", (inside, outside)), Utterance("text", 1.0, 1.0), "en")
    assert heard == [("inside", None), ("it", None)]
    untimed = Transcript("other", (Utterance("no times"),))
    assert heard_words(untimed, Utterance("text", 1.0, 1.0), "en") == [("no", None), ("times", None)]


def test_a_text_whose_words_are_none_alone_is_taken_as_written():
    timed = (Word("$", 0.0, 0.4, 0.9), Word("…", 0.4, 0.1, 0.9))
    cut = Cut(SAMPLES, segment=Utterance("$5…", 0.0, 1.0, words=timed), language="fr")
    assert own_words(cut) == [("5", None)]


def test_what_is_heard_far_from_the_segment_is_not_looked_at():
    class Words(tuple):
        def __iter__(self):
            raise AssertionError("looked at")

    far = [Utterance("x", start, 1.0, words=Words((Word("x", start, 1.0),))) for start in (0.0, 9.0)]
    near = Utterance("x", 2.0, 1.0, words=(Word("near", 2.0, 1.0),))
    transcript = Transcript("other", (far[0], near, far[1]))
    assert heard_words(transcript, Utterance("text", 2.0, 1.0), "en") == [("near", None)]
