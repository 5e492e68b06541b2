# SPDX-License-Identifier: Apache-2.0
"""RTTM: read, write, round trip, broken lines."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core.errors import FormatError
from speechmill.core.types import Turn
from speechmill.formats import rttm


def test_turns_are_read_by_recording_and_other_rows_left_alone(tmp_path):
    path = tmp_path / "a.rttm"
    path.write_text(
        "SPKR-INFO r1 1 <NA> <NA> <NA> adult_male MÉO069 <NA>\n"
        "SPEAKER r1 1 3.168 0.800 <NA> <NA> MÉO069 <NA> <NA>\n"
        "\n"
        "SPEAKER r2 2 0 1.5 <NA> <NA> #1 <NA>\n",
        encoding="utf-8",
    )
    assert rttm.read(path) == {"r1": (Turn(3.168, 0.8, "MÉO069"),), "r2": (Turn(0.0, 1.5, "#1", 1),)}


def test_lines_have_ten_columns(tmp_path):
    path = tmp_path / "a.rttm"
    rttm.write(path, {"r1": [Turn(0.5, 1.25, "Ann", 1)]})
    assert path.read_text() == "SPEAKER r1 2 0.5000 1.2500 <NA> <NA> Ann <NA> <NA>\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SPEAKER r1 1 0.5 0.25", "2: 5 columns"),
        ("SPEECH r1 1 0.5 0.25 <NA> <NA> a <NA> <NA>", "2: 'SPEECH' is not a type"),
        ("SPEAKER r1 1 0.5 long <NA> <NA> a <NA> <NA>", "2: duration 'long'"),
        ("SPEAKER r1 c 0.5 1 <NA> <NA> a <NA> <NA>", "2: channel 'c'"),
    ],
)
def test_broken_lines_say_where(tmp_path, line, message):
    path = tmp_path / "a.rttm"
    path.write_text(f"SPEAKER r1 1 0 1 <NA> <NA> a <NA> <NA>\n{line}\n")
    with pytest.raises(FormatError, match=message):
        rttm.read(path)


@pytest.mark.parametrize(("recording", "speaker"), [("my talk", "a"), ("r1", "Ann Lee"), ("", "a")])
def test_ids_hold_no_spaces(tmp_path, recording, speaker):
    with pytest.raises(FormatError, match="can't be written"):
        rttm.write(tmp_path / "a.rttm", {recording: [Turn(0.0, 1.0, speaker)]})


FIELDS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=6).filter(
    lambda text: text.split() == [text] and not text.startswith(";;")
)
TICKS = st.integers(0, 10_000_000).map(lambda ticks: ticks / 1e4)
TURNS = st.lists(st.builds(Turn, TICKS, TICKS, FIELDS, st.integers(0, 3)), min_size=1, max_size=3).map(tuple)


@settings(max_examples=30, deadline=None)
@given(turns=st.dictionaries(FIELDS, TURNS, max_size=3))
def test_round_trip_of_any_turns(tmp_path_factory, turns):
    path = tmp_path_factory.mktemp("rttm") / "a.rttm"
    rttm.write(path, turns)
    assert rttm.read(path) == turns


def test_real_meetings_are_read(shared_data):
    turns = rttm.read(shared_data / "two_speakers" / "sample.rttm")
    assert turns["sample"][0] == Turn(6.69, 0.43, "speaker90")
    assert {turn.speaker for turn in turns["sample"]} == {"speaker90", "speaker91"}
