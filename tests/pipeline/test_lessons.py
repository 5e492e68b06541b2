# SPDX-License-Identifier: Apache-2.0
"""What a person corrected is trained on before all else."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.align import Lesson
from speechmill.core.types import Correction, Source, Utterance
from speechmill.pipeline.lessons import Lot, speaker_of, unfit


def lesson(key):
    return Lesson(key, 3.0, lambda: np.zeros(48_000, np.float32), "text", "en", "a")


def drawn(checked, seed):
    lot = Lot(10 / 3600, seed)  # room for four of three seconds
    for i in range(40):
        lot.add(lesson(f"k{i:02d}"), first=i in checked)
    return {one.key for one in lot.drawn({}).chosen}


@pytest.mark.parametrize("seed", range(5))
def test_corrected_segments_are_drawn_before_others(seed):
    assert {"k07", "k31"} <= drawn({7, 31}, seed)
    assert len(drawn({7, 31}, seed)) == 4


def test_more_corrected_segments_than_there_is_room_for_are_drawn_by_lot():
    assert len({frozenset(drawn(set(range(40)), seed)) for seed in range(5)}) > 1


def test_a_text_that_a_person_wrote_is_not_judged_by_its_speed():
    segment = Utterance("x" * 200, 1.0, 2.0)
    source = Source("a", "a.wav", corrections=(Correction("c", 1.0, 2.0, 0, "x" * 200),))
    assert unfit(segment, Source("a", "a.wav"), "en") == "speaking-rate"
    assert unfit(segment, source, "en") is None
    named = Source("a", "a.wav", corrections=(Correction("c", 1.0, 2.0, 0, None, "Ann"),))
    assert unfit(segment, named, "en") == "speaking-rate"


@pytest.mark.parametrize(("name", "expected"), [("#1", "key#1"), (None, "key#channel-0"), ("Ann", "Ann")])
def test_who_was_only_told_apart_is_the_recordings_own(name, expected):
    assert speaker_of("key", name, 0) == expected
