# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from speechmill.core.stage import Context
from speechmill.core.types import Interval, Source, Transcript, Turn, Utterance, Word
from speechmill.segment.turns import Backend, Config

SOURCE = Source(id="talk-123456", uri="talk.wav", language="en")


def backend(**options):
    return Backend(Config(**options), Context(Path(), Path))


def transcript(*words, speaker=None):
    return Transcript(
        "test", (Utterance(" ".join(word.symbol for word in words), 0.0, 60.0, words=words, speaker=speaker),)
    )


def spans(utterances):
    return [(one.start, round(one.start + one.duration, 3), one.text, one.speaker) for one in utterances]


def test_words_are_joined_to_the_turn_they_overlap_most():
    words = (Word("a", 0.5, 0.4), Word("b", 1.0, 0.4), Word("c", 2.1, 0.4))
    turns = [Turn(0.4, 1.2, "#1"), Turn(2.0, 1.0, "#2")]
    found = backend(min_s=0.1).segments(SOURCE, 10.0, (), turns, transcript(*words))
    assert spans(found) == [(0.4, 1.5, "a b", "#1"), (2.0, 2.6, "c", "#2")]


def test_a_long_pause_ends_an_utterance_and_padding_meets_in_the_middle():
    words = (Word("a", 1.0, 1.0), Word("b", 2.84, 1.0))
    found = backend(pad_s=2.0).segments(SOURCE, 10.0, (), [Turn(1.0, 3.0, "#1")], transcript(*words))
    assert spans(found) == [(0.0, 2.42, "a", "#1"), (2.42, 5.84, "b", "#1")]


def test_a_segment_lasts_whole_steps_of_20_ms_where_its_padding_allows():
    padded = backend().segments(SOURCE, 10.0, (), [], transcript(Word("a", 1.0, 1.013)))
    assert spans(padded) == [(0.9, 2.1, "a", None)]  # not 2.113
    tight = backend(pad_s=0.0).segments(SOURCE, 10.0, (), [], transcript(Word("a", 1.0, 1.013)))
    assert spans(tight) == [(1.0, 2.013, "a", None)]


def test_what_is_too_long_is_cut_at_its_longest_pause_and_never_inside_a_word():
    words = tuple(Word(f"w{i}", float(i) + (0.3 if i >= 6 else 0.0), 0.9) for i in range(10))
    found = backend(max_s=8.0, pad_s=0.0).segments(SOURCE, 20.0, (), [Turn(0.0, 11.0, "#1")], transcript(*words))
    assert [one.text for one in found] == ["w0 w1 w2 w3 w4 w5", "w6 w7 w8 w9"]
    for one in found:
        for word in one.words:
            assert one.start <= word.start
            assert word.end <= one.start + one.duration + 1e-9


def test_a_short_piece_is_joined_to_its_neighbour_of_the_same_speaker():
    words = (Word("well", 0.0, 0.3), Word("a", 1.5, 2.0))
    one, *others = backend(pad_s=0.0).segments(SOURCE, 10.0, (), [Turn(0.0, 4.0, "#1")], transcript(*words))
    assert (one.text, others) == ("well a", [])


def test_text_without_times_lies_on_the_speech():
    speech = [Interval(1.0, 2.0), Interval(4.0, 1.0)]
    found = backend(pad_s=0.0).segments(
        SOURCE, 10.0, speech, [Turn(1.0, 4.0, "#1")], Transcript("t", (Utterance("hi"),))
    )
    assert spans(found) == [(1.0, 5.0, "hi", "#1")]


def test_without_text_the_turns_become_utterances():
    found = backend(max_s=5.0, pad_s=0.0).segments(SOURCE, 20.0, (), [Turn(1.0, 12.0, "#1")], Transcript("none"))
    assert [(one.start, one.duration, one.text) for one in found] == [
        (1.0, 4.0, None),
        (5.0, 4.0, None),
        (9.0, 4.0, None),
    ]


def test_overlap_is_the_share_in_which_somebody_else_speaks():
    words = (Word("a", 0.0, 4.0),)
    turns = [Turn(0.0, 4.0, "#1", 0), Turn(3.0, 2.0, "#2", 1)]
    found = backend(pad_s=0.0).segments(SOURCE, 10.0, (), turns, transcript(*words))
    assert found[0].overlap == pytest.approx(0.25)


def test_a_transcripts_own_speakers_are_not_taken_for_others():
    words = (Word("a", 0.0, 4.0),)
    found = backend().segments(SOURCE, 10.0, (), [Turn(0.0, 4.0, "#1")], transcript(*words, speaker="Lan"))
    assert (found[0].speaker, found[0].overlap) == ("Lan", 0.0)


def test_a_recordings_only_speaker_names_every_segment():
    source = Source(id="x", uri="x.wav", speaker="An", num_speakers=1)
    found = backend().segments(source, 9.0, (), [Turn(0.0, 4.0, "#1")], transcript(Word("a", 0.0, 4.0)))
    assert found[0].speaker == "An"


def test_every_segment_lies_inside_the_recording_on_whole_milliseconds():
    words = (Word("a", 0.01234, 0.98765), Word("b", 9.0, 0.9999))
    found = backend().segments(SOURCE, 9.95, (), [Turn(0.0, 9.95, "#1")], transcript(*words))
    assert [(one.start, one.duration) for one in found] == [(0.0, 1.1), (8.9, 1.05)]


def test_ten_hours_of_words_take_seconds():
    words = tuple(Word("w", i * 0.4, 0.3) for i in range(90_000))
    turns = [Turn(i * 7.2, 7.0, f"#{i % 2 + 1}") for i in range(5_000)]
    found = backend().segments(SOURCE, 36_000.0, (), turns, transcript(*words))
    assert len(found) == 5_000
    assert sum(len(one.words) for one in found) == 90_000


def test_text_of_no_length_keeps_a_place():
    given = Transcript("t", (Utterance("hi", 0.5, 0.0), Utterance("late", 10.0, 0.0)))
    found = backend(pad_s=0.0).segments(SOURCE, 10.0, (), [], given)
    assert spans(found) == [(0.499, 0.5, "hi", None), (9.999, 10.0, "late", None)]


def test_words_of_a_script_without_blanks_are_put_together_as_they_were_written():
    words = (Word("你好", 1.0, 0.4), Word("世界", 1.5, 0.4), Word("OK", 2.0, 0.4), Word("啦", 4.0, 0.4))
    heard = Transcript("test", (Utterance("你好世界 OK啦", 0.0, 10.0, words=words),))
    found = backend(min_s=0.1).segments(SOURCE, 10.0, (), [], heard)
    assert [one.text for one in found] == ["你好世界 OK", "啦"]
