# SPDX-License-Identifier: Apache-2.0
import numpy as np

from speechmill.acoustic import refine


def fading(level_db, hertz=200):
    """A tone whose level is given for each 5 ms."""
    amplitude = np.repeat(10 ** (np.asarray(level_db, float) / 20), 80)
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(len(amplitude)) / 16_000)).astype(np.float32)


def test_a_vowel_ends_where_it_has_fallen_by_18_db():
    # 0.5 s at -10 dB, then 0.2 dB for each millisecond: 18 dB are 90 ms.
    samples = fading([*[-10.0] * 100, *np.arange(-10.0, -80.0, -1.0)])
    assert abs(refine.faded(samples, 0.2, 0.8, 1.0, 0.005) - 0.59) < 0.006


def test_a_vowel_may_end_a_little_later_than_the_path_says():
    samples = fading([-10.0] * 100 + [-70.0] * 100)
    assert abs(refine.faded(samples, 0.2, 0.48, 1.0, 0.005) - 0.5) < 0.008
    assert refine.faded(samples, 0.2, 0.4, 1.0, 0.005) == 0.44


def test_a_word_never_ends_after_the_next_one_starts():
    samples = fading([-10.0] * 200)
    assert refine.faded(samples, 0.2, 0.48, 0.49, 0.005) == 0.49


def test_the_end_of_the_audio_is_no_obstacle():
    samples = fading([-10.0] * 100)
    assert refine.faded(samples, 0.0, 0.5, 0.5, 0.005) == 0.5


def test_what_hisses_on_does_not_count_as_voice():
    samples = fading([-10.0] * 100 + [-100.0] * 100) + fading([-100.0] * 100 + [-15.0] * 100, hertz=4000)
    assert abs(refine.faded(samples, 0.2, 0.6, 1.0, 0.005) - 0.5) < 0.012


def test_a_phone_without_a_frame_stays_as_it_is():
    assert refine.faded(fading([-10.0] * 100), 0.3, 0.3, 0.5, 0.005) == 0.3


def test_sonorants_are_found_by_what_symbols_sound_like():
    assert refine.sonorants(["a˨˩", "ŋ", "l", "w", "tʰ", "z", "ʔ"]) == {"a˨˩", "ŋ", "l", "w"}
    assert refine.sonorants(["AA1", "NG", "S"]) == {"AA1", "NG"}
    assert refine.sonorants(["山"]) == frozenset()
