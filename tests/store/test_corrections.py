# SPDX-License-Identifier: Apache-2.0
"""The log of corrections: nothing is altered, the latest word on a place counts."""

from __future__ import annotations

from speechmill.core.types import Correction
from speechmill.store.corrections import Entry, append, by_audio, log, named, standing


def entry(text, start=1.0, duration=2.0, speaker=None, sha256="aa", channel=0):
    made = named(sha256, Correction("", start, duration, channel, text, speaker))
    return Entry("2026-01-01T00:00:00+00:00", "Lan", "a.csv", sha256, "a-11", made)


def says(entries):
    return [(one.correction.text, one.correction.speaker) for one in standing(entries)]


def test_what_was_appended_is_read_in_order(tmp_path):
    append(tmp_path, [entry("one")])
    append(tmp_path, [entry("two", 10.0), entry("three", 20.0)])
    assert [one.correction.text for one in log(tmp_path)] == ["one", "two", "three"]
    assert len(list(tmp_path.iterdir())) == 2


def test_no_folder_is_no_corrections(tmp_path):
    assert by_audio(tmp_path / "none") == {}


def test_the_later_word_on_a_place_counts():
    assert says([entry("one"), entry("won", 1.1, 1.8)]) == [("won", None)]
    assert says([entry("one"), entry("two", 2.9)]) == [("one", None), ("two", None)]
    assert says([entry("one"), entry("won", sha256="bb")]) == [("one", None), ("won", None)]
    assert says([entry("one"), entry("won", channel=1)]) == [("one", None), ("won", None)]


def test_two_speakers_may_talk_at_once():
    assert says([entry("one", speaker="An"), entry("two", speaker="Bo")]) == [("one", "An"), ("two", "Bo")]
    assert says([entry("one", speaker="An"), entry("won", speaker="An")]) == [("won", "An")]


def test_a_speakers_name_alone_leaves_the_text():
    assert says([entry("one"), entry(None, speaker="An")]) == [("one", None), (None, "An")]
    assert says([entry(None, speaker="An"), entry(None, speaker="Bo")]) == [(None, "Bo")]
    assert says([entry(None, speaker="An"), entry("one")]) == [(None, "An"), ("one", None)]
    assert says([entry(None, speaker="An"), entry("one", speaker="Bo")]) == [("one", "Bo")]


def test_what_is_dropped_no_longer_counts_but_stays_in_the_log(tmp_path):
    first, second = entry("one"), entry("two", 10.0)
    append(tmp_path, [first, second])
    append(tmp_path, [Entry("2026-01-02T00:00:00+00:00", "Lan", dropped=first.correction.id)])
    assert by_audio(tmp_path) == {"aa": (second.correction,)}
    assert len(log(tmp_path)) == 3


def test_a_dropped_correction_may_come_again(tmp_path):
    first = entry("one")
    assert says([first, Entry("", "Lan", dropped=first.correction.id), first]) == [("one", None)]


def test_an_id_tells_what_is_said_and_where():
    assert entry("one").correction.id == entry("one").correction.id
    others = [entry("two"), entry("one", 1.5), entry("one", sha256="bb"), entry("one", speaker="An")]
    assert entry("one").correction.id not in {one.correction.id for one in others}
    assert len(entry("one").correction.id) == 12
