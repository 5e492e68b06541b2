# SPDX-License-Identifier: Apache-2.0
"""Corrections applied to segments that lie, and end, anywhere."""

from __future__ import annotations

import pytest

from speechmill.core.types import Alignment, Correction, Source, Utterance, Word
from speechmill.stages.corrections import boundaries, corrected, marks, speaker


def segment(start, end, text, who=None, timed=False):
    words = text.split()
    step = (end - start) / len(words)
    rows = tuple(Word(word, start + i * step, step) for i, word in enumerate(words)) if timed else ()
    return Utterance(text, start, end - start, speaker=who, words=rows)


def given(start, end, text, who=None, **more):
    return Correction("c", start, end - start, 0, text, who, **more)


def apply(segments, *corrections, **source):
    made = corrected(segments, Source("a", "a.wav", corrections=corrections, **source))
    return [(round(one.start, 3), round(one.start + one.duration, 3), one.text, one.speaker) for one in made]


def test_without_corrections_nothing_changes():
    found = [segment(0, 2, "one two")]
    assert corrected(found, Source("a", "a.wav")) == tuple(found)


def test_a_correction_takes_the_place_of_what_was_found():
    found = [segment(0, 2, "one too"), segment(3, 5, "three four")]
    assert apply(found, given(0, 2, "one two")) == [(0, 2, "one two", None), (3, 5, "three four", None)]


def test_it_survives_another_segmentation():
    correction = given(10, 16, "one two three four", "Ann")
    assert apply([segment(10, 16, "x", "#1")], correction) == [(10, 16, "one two three four", "Ann")]
    assert apply([segment(10, 12, "x"), segment(12, 16, "y")], correction) == [(10, 16, "one two three four", "Ann")]


def test_what_of_a_neighbour_reaches_into_it_is_cut_off():
    before = segment(0, 10, "a b c d e f g h i j", timed=True)  # a word a second
    assert apply([before], given(7, 12, "new")) == [(0, 7, "a b c d e f g", None), (7, 12, "new", None)]


def test_a_correction_inside_a_segment_parts_it():
    whole = segment(0, 10, "a, b c d e f g h i j.", timed=True)
    assert apply([whole], given(2, 4, "new")) == [
        (0, 2, "a, b", None),
        (2, 4, "new", None),
        (4, 10, "e f g h i j.", None),
    ]


def test_a_neighbour_without_word_times_is_kept_whole_or_not_at_all():
    found = [segment(0, 10, "a b c")]
    assert apply(found, given(7, 12, "new")) == [(0, 10, "a b c", None), (7, 12, "new", None)]
    assert apply(found, given(4, 12, "new")) == [(4, 12, "new", None)]


def test_a_text_without_word_times_may_be_given_a_narrower_place():
    assert apply([segment(0, 10, "a b c")], given(4, 6, "a b c")) == [(4, 6, "a b c", None)]


def test_somebody_else_who_talks_at_the_same_time_stays():
    found = [segment(0, 2, "one", "#1"), segment(0, 2, "two", "#2")]
    assert apply(found, given(0, 2, "won", "#1")) == [(0, 2, "won", "#1"), (0, 2, "two", "#2")]
    assert apply(found, given(0, 2, "won", "Ann")) == [(0, 2, "won", "Ann")]


def test_another_channel_stays():
    found = [Utterance("left", 0, 2), Utterance("right", 0, 2, channel=1)]
    assert [row[2] for row in apply(found, given(0, 2, "new"))] == ["new", "right"]


def test_the_recordings_one_speaker_speaks_it():
    assert apply([], given(0, 2, "new"), speaker="Lan") == [(0, 2, "new", "Lan")]
    assert apply([], given(0, 2, "new"), speaker="Lan", num_speakers=2) == [(0, 2, "new", None)]


def test_a_name_alone_makes_no_segment():
    assert apply([segment(0, 2, "one", "#1")], given(0, 2, None, "Ann")) == [(0, 2, "one", "#1")]


@pytest.mark.parametrize(("start", "end", "expected"), [(0, 2, "Ann"), (1.2, 5, None), (0.9, 5, "Ann")])
def test_a_name_is_given_to_what_lies_mostly_there(start, end, expected):
    assert speaker(segment(0, 2, "one"), [given(start, end, None, "Ann")]) == expected


def test_who_else_speaks_meanwhile_is_known():
    found = [segment(0, 2, "a b", "#1"), segment(3, 4, "c", "#2")]
    made = corrected(found, Source("a", "a.wav", corrections=(given(1, 5, "new", "#2"), given(4, 8, "other", "Ann"))))
    assert [(one.text, one.overlap) for one in made] == [("a b", 0), ("new", 0.5), ("other", 0.25)]


def test_given_boundaries_are_certain():
    words = (Word("one", 0.1, 0.4, 0.2), Word("two", 0.6, 0.4))
    correction = given(0, 2, "one two", words=words, phones=(Word("w", 0.1, 0.2),))
    (made,) = corrected([], Source("a", "a.wav", corrections=(correction,)))
    assert made.words == (Word("one", 0.1, 0.4, 1.0), Word("two", 0.6, 0.4, 1.0))  # also where nothing is aligned
    assert boundaries(made, [correction]) == Alignment(
        (Word("one", 0.1, 0.4, 1.0), Word("two", 0.6, 0.4, 1.0)), (Word("w", 0.1, 0.2, 1.0),), 1.0
    )
    assert boundaries(made, [given(0, 2, "one two")]) is None
    assert boundaries(segment(0, 2, "something else"), [correction]) is None


def test_marks_say_what_was_set():
    made = segment(0, 2, "one")
    assert marks(made, []) == ()
    assert marks(made, [given(0, 2, "one")]) == ("text",)
    assert marks(made, [given(0, 2, "one", "Ann", words=(Word("one", 0, 1),))]) == ("text", "words", "speaker")
    assert marks(made, [given(0, 2, None, "Ann")]) == ("speaker",)
    assert marks(Utterance(None, 0.0, 2.0), [given(0, 2, None, "Ann")]) == ("speaker",)
