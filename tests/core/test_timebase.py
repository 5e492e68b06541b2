# SPDX-License-Identifier: Apache-2.0
from speechmill.core.timebase import milliseconds, segment_id, shift, tick, to_samples, to_seconds
from speechmill.core.types import Utterance, Word


def test_a_segments_id_is_made_of_milliseconds():
    assert segment_id("talk-3f9a2c", Utterance("hi", 12.34, 3.0, 1)) == "talk-3f9a2c-1-0012340-0015340"


def test_samples_and_seconds():
    assert to_samples(1.5, 16_000) == 24_000
    assert to_seconds(24_001, 16_000) == 1.5001
    assert (tick(0.123456), milliseconds(0.1236)) == (0.1235, 124)


def test_a_word_is_moved_to_its_recordings_timeline():
    assert shift(Word("a", 0.1, 0.2, 0.9), 10.0) == Word("a", 10.1, 0.2, 0.9)
