# SPDX-License-Identifier: Apache-2.0
"""Alignments that can't be right, each with the one thing that is wrong about it."""

from speechmill.acoustic.checks import REASONS, Limits, warnings
from speechmill.acoustic.types import Aligned
from speechmill.core.types import Interval, Word


def aligned(*words, score=0.9):
    """Make an alignment of (symbol, start, lengths of its phones, score)."""
    found, phones = [], []
    for symbol, start, lengths, sure in words:
        found.append(Word(symbol, start, round(sum(lengths), 3) or 0.2, sure))
        places = [round(start + sum(lengths[:i]), 3) for i in range(len(lengths))]
        phones.append(tuple(Word("a", place, length) for place, length in zip(places, lengths, strict=True)))
    return Aligned(tuple(found), tuple(phones), (0,) * len(words), score)


GOOD = ("one", 0.2, [0.1, 0.2], 0.9), ("two", 0.5, [0.1, 0.1], 0.8)


def reasons(found):
    return [warning.partition(": ")[0] for warning in found]


def test_a_good_alignment_has_no_warning():
    assert warnings(aligned(*GOOD)) == ()


def test_a_word_of_five_minutes_is_named():
    found = warnings(aligned(GOOD[0], ("two", 0.5, [0.1, 298.7], 0.9)))
    assert found == (
        "word-too-long: two at 0.50 s lasts 298.8 s",
        "phone-too-long: a of two at 0.50 s lasts 298.7 s",
    )


def test_a_long_word_of_short_phones_is_no_long_phone():
    assert reasons(warnings(aligned(("uncopyrightable", 0.0, [0.2] * 13, 0.9)))) == ["word-too-long"]


def test_phones_at_their_shortest_in_a_row_are_squeezed():
    found = warnings(aligned(("one", 0.2, [0.1, 0.015, 0.015], 0.9), ("two", 0.33, [0.02, 0.015, 0.1], 0.9)))
    assert found == ("squeezed: 4 phones from one at 0.20 s on last 0.07 s",)


def test_three_short_phones_are_fast_speech():
    assert warnings(aligned(("one", 0.2, [0.1, 0.015, 0.015], 0.9), ("two", 0.33, [0.015, 0.1], 0.9))) == ()


def test_speech_outside_of_words_is_named_by_its_place():
    outside = [Interval(0.0, 0.25), Interval(0.5, 0.3), Interval(1.2, 0.5), Interval(2.0, 0.24)]
    found = warnings(aligned(("one", 0.25, [0.1, 0.15], 0.9), ("two", 1.0, [0.1, 0.1], 0.9)), outside)
    assert found == (
        "unaligned-head: 0.25 s of speech at 0.00 s, before the first word",
        "speech-outside-words: 0.30 s of speech at 0.50 s, after one",
        "unaligned-tail: 0.50 s of speech at 1.20 s, after the last word",
    )


def test_doubtful_words_are_named_worst_first():
    words = ("one", 0.2, [0.3], 0.09), ("two", 0.5, [0.3], 0.9), ("six", 0.8, [0.3], 0.01)
    assert warnings(aligned(*words, score=0.04)) == (
        "low-confidence: 0.04 for the whole, 2 of 3 words below 0.1: six at 0.80 s, one at 0.20 s",
    )


def test_a_doubtful_whole_needs_no_doubtful_word():
    assert warnings(aligned(*GOOD, score=0.15)) == ("low-confidence: 0.15 for the whole, 0 of 2 words below 0.1",)


def test_a_word_that_nobody_can_say_is_not_doubtful():
    assert warnings(aligned(GOOD[0], ("xyz", 0.5, [], 0.0))) == ("oov: xyz",)


def test_limits_are_the_callers():
    limits = Limits(max_phone_s=0.15)
    assert warnings(aligned(*GOOD), limits=limits) == ("phone-too-long: a of one at 0.20 s lasts 0.2 s",)


def test_every_reason_is_explained():
    bad = aligned(("one", 0.3, [3.0], 0.05), ("xyz", 3.5, [], 0.0), ("six", 4.0, [0.015] * 4, 0.1), score=0.1)
    outside = [Interval(0.0, 0.25), Interval(3.7, 0.25), Interval(4.1, 0.5)]
    assert set(reasons(warnings(bad, outside))) == set(REASONS)
