# SPDX-License-Identifier: Apache-2.0
import numpy as np

from speechmill.acoustic import refine
from speechmill.acoustic.graph import Unit
from speechmill.acoustic.refine import Span


def tone(level_db, hertz=200):
    """A tone whose level is given for each 5 ms."""
    amplitude = np.repeat(10 ** (np.asarray(level_db, float) / 20), 80)
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(len(amplitude)) / 16_000)).astype(np.float32)


def word(token, *phones):
    """Phones with their starts, and the end of the last: ("a", 0.1), ("t", 0.2), 0.3."""
    ends = [*(start for _, start in phones[1:-1]), phones[-1]]
    return [
        Span(Unit(token, 0, 0, 0, place, phone), start, end)
        for place, ((phone, start), end) in enumerate(zip(phones[:-1], ends, strict=True))
    ]


def times(spoken):
    return [[(round(span.start, 4), round(span.end, 4)) for span in spans] for spans in spoken]


SILENT = np.zeros(16_000, np.float32)
KINDS = {"a": refine.VOWEL, "t": refine.STOP, "s": refine.SIBILANT, "n": refine.SONORANT, "d": refine.VOICED_STOP}


def test_a_vowel_ends_where_it_has_fallen_by_18_db():
    # 0.5 s at -10 dB, then 0.2 dB for each millisecond: 18 dB are 90 ms.
    samples = tone([*[-10.0] * 100, *np.arange(-10.0, -80.0, -1.0)])
    assert abs(refine.faded(samples, 0.2, 0.8, 1.0, 0.005) - 0.59) < 0.006


def test_a_vowel_may_end_a_little_later_than_the_path_says():
    samples = tone([-10.0] * 100 + [-70.0] * 100)
    assert abs(refine.faded(samples, 0.2, 0.48, 1.0, 0.005) - 0.5) < 0.008
    assert refine.faded(samples, 0.2, 0.4, 1.0, 0.005) == 0.44


def test_a_word_never_ends_after_the_next_one_starts():
    assert refine.faded(tone([-10.0] * 200), 0.2, 0.48, 0.49, 0.005) == 0.49


def test_the_end_of_the_audio_is_no_obstacle():
    assert refine.faded(tone([-10.0] * 100), 0.0, 0.5, 0.5, 0.005) == 0.5


def test_what_hisses_on_does_not_count_as_voice():
    samples = tone([-10.0] * 100 + [-100.0] * 100) + tone([-100.0] * 100 + [-15.0] * 100, hertz=4000)
    assert abs(refine.faded(samples, 0.2, 0.6, 1.0, 0.005) - 0.5) < 0.012


def test_a_phone_without_a_frame_stays_as_it_is():
    assert refine.faded(tone([-10.0] * 100), 0.3, 0.3, 0.5, 0.005) == 0.3


def test_a_burst_is_where_the_level_rises_most():
    samples = tone([-80.0] * 60 + [-20.0] * 60, hertz=3000)
    assert abs(refine.burst(samples, 0.1, 0.4) - 0.3) < 0.005


def test_a_stop_after_a_pause_starts_30_ms_before_its_burst():
    samples = tone([-80.0] * 60 + [-20.0] * 60, hertz=3000)
    early, late = word(0, ("t", 0.1), ("a", 0.34), 0.6), word(0, ("t", 0.29), ("a", 0.34), 0.6)
    for spans in (early, late):
        found = refine.refined([spans], {**KINDS, "a": refine.STOP}, samples, 0.005)
        assert abs(found[0][0].start - 0.27) < 0.005


def test_a_stop_that_is_all_of_a_word_is_left_alone():
    assert times(refine.refined([word(0, ("t", 0.1), 0.4)], KINDS, SILENT, 0.005)) == [[(0.1, 0.4)]]


def test_boundaries_of_phones_that_touch_move_together():
    spoken = [word(0, ("n", 0.1), ("a", 0.2), ("t", 0.3), 0.4), word(1, ("s", 0.4), ("a", 0.5), ("d", 0.6), 0.7)]
    assert times(refine.refined(spoken, KINDS, SILENT, 0.005)) == [
        [(0.1, 0.2), (0.2, 0.296), (0.296, 0.4)],  # a stop after a vowel: 4 ms earlier; a sibilant where it is
        [
            (0.4, 0.503),
            (0.503, 0.597),
            (0.597, 0.7),
        ],  # vowel after obstruent: 3 ms later; voiced stop: 3 earlier
    ]


def test_the_silence_before_a_burst_belongs_to_the_stop_also_across_words():
    samples = tone([-10.0] * 50 + [-70.0] * 50)  # the voice ends at 0.25 s
    inside = refine.refined([word(0, ("a", 0.1), ("t", 0.29), 0.4)], KINDS, samples, 0.005)[0]
    across = refine.refined([word(0, ("a", 0.1), 0.29), word(1, ("t", 0.29), ("a", 0.4), 0.5)], KINDS, samples, 0.005)
    for left, right in (inside, (across[0][0], across[1][0])):
        assert left.end == right.start
        assert abs(right.start - (0.25 - 0.004)) < 0.008  # and 4 ms earlier, as a stop after a vowel is heard


def test_a_stop_begins_at_most_60_ms_before_its_place_on_the_path():
    samples = tone([-10.0] * 30 + [-70.0] * 70)  # the voice ends at 0.15 s
    (spans,) = refine.refined([word(0, ("a", 0.1), ("t", 0.29), 0.4)], KINDS, samples, 0.005)
    assert round(spans[1].start, 4) == 0.226


def test_a_short_phone_is_never_moved_away():
    spoken = [word(0, ("n", 0.1), ("t", 0.107), ("s", 0.2), 0.3)]
    assert times(refine.refined(spoken, KINDS, SILENT, 0.005)) == [[(0.1, 0.105), (0.105, 0.2), (0.2, 0.3)]]


def test_phones_that_nobody_knows_are_left_alone():
    spoken = [word(0, ("x", 0.1), ("t", 0.2), ("y", 0.3), 0.4)]
    assert times(refine.refined(spoken, {"t": refine.STOP}, SILENT, 0.005)) == [[(0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]]


def test_kinds_are_found_by_what_symbols_sound_like():
    assert refine.kinds(["a˨˩", "ŋ", "r", "tʰ", "z", "ʔ", "t͡ʃ", "ɣ", "b"]) == {
        "a˨˩": refine.VOWEL,
        "ŋ": refine.SONORANT,
        "r": refine.SONORANT,
        "tʰ": refine.STOP,
        "z": refine.SIBILANT,
        "ʔ": refine.STOP,
        "t͡ʃ": refine.AFFRICATE,
        "ɣ": refine.FRICATIVE,
        "b": refine.VOICED_STOP,
    }
    assert refine.kinds(["山"]) == {}
