# SPDX-License-Identifier: Apache-2.0
"""Diarization error rate, with numbers to check by hand."""

from __future__ import annotations

import pytest

from speechmill.core.types import Interval, Turn
from speechmill.measures.der import Der, der


def seconds(score: Der) -> tuple[float, ...]:
    return tuple(round(value, 9) for value in (score.miss, score.false_alarm, score.confusion, score.total))


TWO = [Turn(0, 10, "a"), Turn(10, 10, "b")]


def test_the_names_of_speakers_do_not_matter():
    score = der(TWO, [Turn(0, 10, "#2"), Turn(10, 10, "#1")], collar_s=0)
    assert seconds(score) == (0, 0, 0, 20)
    assert score.rate == 0
    assert score.mapping == {"#1": "b", "#2": "a"}


def test_miss_false_alarm_and_confusion_add_up():
    # 0-1 missed, 1-8 right, 8-10 says the second where the first speaks, 10-20 right, 20-23 false alarm.
    score = der(TWO, [Turn(1, 7, "x"), Turn(8, 15, "y")], collar_s=0)
    assert seconds(score) == (1, 3, 2, 20)
    assert score.rate == pytest.approx(6 / 20)


def test_the_mapping_is_optimal_and_not_greedy():
    reference = [Turn(0, 10, "a"), Turn(10, 9, "b"), Turn(19, 9, "a"), Turn(28, 1, "b")]
    # x shares 10 s with a and 9 s with b; y shares 9 s with a and 1 s with b: 18 s right, 11 s confused.
    score = der(reference, [Turn(0, 19, "x"), Turn(19, 10, "y")], collar_s=0)
    assert score.mapping == {"x": "b", "y": "a"}
    assert seconds(score) == (0, 0, 11, 29)


def test_one_cluster_too_many_is_confusion():
    assert seconds(der([Turn(0, 10, "a")], [Turn(0, 6, "x"), Turn(6, 4, "y")], collar_s=0)) == (0, 0, 4, 10)


def test_a_collar_leaves_out_both_sides_of_each_reference_boundary():
    # Scored: 0.25-9.75 and 10.25-19.75; the hypothesis changes speaker 0.2 s late, inside the collar.
    score = der(TWO, [Turn(0, 10.2, "x"), Turn(10.2, 10, "y")])
    assert seconds(score) == (0, 0, 0, 19)
    # 1 s late: 10.25-11 is confused.
    assert seconds(der(TWO, [Turn(0, 11, "x"), Turn(11, 9, "y")])) == (0, 0, 0.75, 19)


def test_a_turn_shorter_than_two_collars_is_not_scored():
    assert seconds(der([Turn(5, 0.5, "a")], [], duration=10)) == (0, 0, 0, 0)


def test_overlap_is_left_out_or_counted_for_each_speaker():
    reference = [Turn(0, 10, "a"), Turn(8, 10, "b")]
    hypothesis = [Turn(0, 8, "x"), Turn(8, 10, "y")]
    assert seconds(der(reference, hypothesis, collar_s=0)) == (0, 0, 0, 16)
    assert seconds(der(reference, hypothesis, collar_s=0, skip_overlap=False)) == (2, 0, 0, 20)


def test_overlap_of_a_speaker_with_himself_is_one_speaker():
    reference = [Turn(0, 6, "a"), Turn(4, 6, "a")]
    assert seconds(der(reference, [Turn(0, 10, "x")], collar_s=0)) == (0, 0, 0, 10)


def test_false_alarm_where_two_are_heard_and_one_speaks():
    assert seconds(der([Turn(0, 4, "a")], [Turn(0, 4, "x"), Turn(1, 2, "y")], collar_s=0)) == (0, 2, 0, 4)


def test_only_what_the_uem_holds_is_scored():
    score = der(TWO, [Turn(0, 30, "x")], uem=[Interval(5, 3), Interval(12, 3)], collar_s=0)
    assert seconds(score) == (0, 0, 3, 6)


def test_false_alarm_after_the_end_is_not_scored():
    assert seconds(der(TWO, [Turn(0, 10, "x"), Turn(10, 30, "y")], duration=20, collar_s=0)) == (0, 0, 0, 20)


def test_channels_are_scored_apart():
    reference = [Turn(0, 10, "a", channel=0), Turn(0, 10, "b", channel=1)]
    hypothesis = [Turn(0, 10, "x", channel=0), Turn(2, 8, "y", channel=1)]
    assert seconds(der(reference, hypothesis, collar_s=0)) == (2, 0, 0, 20)


def test_silence():
    assert der([], [], duration=5).rate == 0
    assert der([], [Turn(1, 1, "x")], duration=5).rate == 1


def test_a_region_given_twice_or_a_negative_collar_is_refused():
    with pytest.raises(ValueError, match="not both"):
        der(TWO, TWO, duration=1, uem=[])
    with pytest.raises(ValueError, match="collar"):
        der(TWO, TWO, collar_s=-1)
