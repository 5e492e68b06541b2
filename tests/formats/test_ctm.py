# SPDX-License-Identifier: Apache-2.0
"""CTM: read, write, round trip, broken lines."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core.errors import FormatError
from speechmill.core.types import Word
from speechmill.formats import ctm


def test_words_are_read_by_recording_and_channel(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text(";; made by hand\nr1 A 0.5 0.25 chào 0.9\nr1 B 1 0.5 hi NA\nr1 A 2.0 0.1 bạn\n", encoding="utf-8")
    assert ctm.read(path) == {
        ("r1", 0): (Word("chào", 0.5, 0.25, 0.9), Word("bạn", 2.0, 0.1)),
        ("r1", 1): (Word("hi", 1.0, 0.5),),
    }


def test_lines_are_written_as_sclite_reads_them(tmp_path):
    path = tmp_path / "a.ctm"
    ctm.write(path, {("r1", 0): [Word("chào", 0.5, 0.25, 0.9), Word("bạn", 2.0, 0.1)]})
    assert path.read_text(encoding="utf-8") == "r1 1 0.5000 0.2500 chào 0.9000\nr1 1 2.0000 0.1000 bạn\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("r1 1 0.5 0.25", "2: 4 columns"),
        ("r1 1 x 0.25 a", "2: start 'x'"),
        ("r1 1 0.5 -1 a", "2: duration '-1'"),
        ("r1 1 0.5 0.25 a 1.5", "2: confidence '1.5'"),
        ("r1 1 0.5 0.25 a sure", "2: confidence 'sure'"),
    ],
)
def test_broken_lines_say_where(tmp_path, line, message):
    path = tmp_path / "a.ctm"
    path.write_text(f"r1 1 0 1 a\n{line}\n")
    with pytest.raises(FormatError, match=message):
        ctm.read(path)


def test_a_word_with_a_space_is_not_written(tmp_path):
    with pytest.raises(FormatError, match="word 'xin chào'"):
        ctm.write(tmp_path / "a.ctm", {("r1", 0): [Word("xin chào", 0.0, 1.0)]})


FIELDS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=6).filter(
    lambda text: text.split() == [text] and not text.startswith(";;")
)
TICKS = st.integers(0, 10_000_000).map(lambda ticks: ticks / 1e4)
WORDS = st.builds(Word, FIELDS, TICKS, TICKS, st.none() | st.integers(0, 10_000).map(lambda score: score / 1e4))


@settings(max_examples=30, deadline=None)
@given(words=st.dictionaries(st.tuples(FIELDS, st.integers(0, 3)), st.lists(WORDS, min_size=1, max_size=3).map(tuple)))
def test_round_trip_of_any_words(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("ctm") / "a.ctm"
    ctm.write(path, words)
    assert ctm.read(path) == words
