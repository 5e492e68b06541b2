# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from speechmill.core.timebase import tick
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters import Row, _lhotse_supervisions
from speechmill.exporters._lhotse_supervisions import in_groups, supervisions, ticked

RECORDING = Recording("talk", "talk.wav", "", 9.0, 16_000, 1, ("talk.flac",))


def said(seconds: float) -> str:
    return repr(float(seconds))  # -0.0 and NaN as well


def test_many_are_rounded_as_each_one_is() -> None:
    halves = np.arange(-2000, 2000) / 20_000  # half of them lie between two ticks
    odd = [0.00015, 2.67525, 1234.56785, -0.00004, 0.0, -0.0, 1e8 + 0.00005, 1e300, math.inf, math.nan]
    random = np.random.default_rng(1).uniform(-10, 40_000, 20_000)
    for seconds in (halves, np.array(odd), random, np.round(random, 4)):
        assert list(map(said, ticked(seconds))) == [said(tick(float(one))) for one in seconds]


def test_numpy_alone_would_round_some_otherwise() -> None:
    assert (np.round(0.00025, 4), tick(0.00025)) == (0.0002, 0.0003)
    assert ticked(np.array([0.00025])).tolist() == [0.0003]


def test_words_and_phones_count_from_the_segment_and_from_the_recording() -> None:
    words = (Word("a", 1.1, 0.2, 0.5), Word("b", 1.3, 0.4))
    first = Segment("talk-0", "talk", 1.0, 1.0, words=words, phones=(Word("x", 1.12345, 0.1),))
    second = Segment("talk-1", "talk", 3.0, 1.0)
    (own, whole), (bare, bare_whole) = supervisions(Row(RECORDING, (first, second)), [1.0, 1.0])
    assert own["alignment"] == {
        "word": [("a", 0.1, 0.2, 0.5), ("b", 0.3, 0.4, None)],
        "phone": [("x", 0.1235, 0.1, None)],
    }
    assert whole["alignment"]["word"] == [("a", 1.1, 0.2, 0.5), ("b", 1.3, 0.4, None)]
    assert (own["start"], whole["start"], bare_whole["start"]) == (0.0, 1.0, 3.0)
    assert bare["alignment"] == bare_whole["alignment"] == {}


def test_a_long_recording_is_described_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lhotse_supervisions, "_AT_ONCE", 2)
    segments = tuple(Segment(f"talk-{i}", "talk", float(i), 1.0) for i in range(5))
    groups = list(in_groups(Row(RECORDING, segments)))
    assert [[one.id for one in group.segments] for group in groups] == [
        ["talk-0", "talk-1"],
        ["talk-2", "talk-3"],
        ["talk-4"],
    ]
    assert all(group.recording is RECORDING for group in groups)
