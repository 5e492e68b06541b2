# SPDX-License-Identifier: Apache-2.0
"""Repetition and known phrases, counted by hand."""

from __future__ import annotations

import pytest

from speechmill.quality._checks import known_share, repeated_share, speech_share, unique_share
from speechmill.quality._text import words


def test_different_words_are_counted_once():
    assert unique_share(["the", "cat", "and", "the", "dog"]) == 0.8


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("no repeats here at all", 0.0),
        ("very very good", 1 / 3),
        ("on and on and on", 0.6),  # and on, on and, on: said before
        ("one two three four one two three four", 0.5),
        ("one two three four five one two three four five", 0.0),  # longer than is looked for
        ("the cat saw the cat", 0.0),  # not back to back
    ],
)
def test_what_was_just_said_is_a_repeat(text, share):
    assert repeated_share(text.split()) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "language", "share"),
    [
        ("Thanks for watching!", "en", 1.0),
        ("And they said: thanks for watching the children.", "en", 3 / 8),
        ("Thanks for watching!", "vi", 0.0),
        ("Thanks for watching!", "xx", 0.0),
        ("Hãy subscribe cho kênh Ghiền Mì Gõ Để không bỏ lỡ những video hấp dẫn", "vi", 1.0),
        ("Hãy đăng kí cho kênh La La School Để không bỏ lỡ những video hấp dẫn.", "vi-VN", 1.0),
        ("Subtitles by the Amara.org community", "en", 1.0),
    ],
)
def test_known_phrases_are_found(text, language, share):
    assert known_share(words(text, language), language) == pytest.approx(share)


def test_speech_has_a_share_of_the_segment():
    assert speech_share(0.5, 2.0) == 0.25
    assert speech_share(2.0, 1.9) == 1.0
    assert speech_share(0.0, 0.0) == 0.0
