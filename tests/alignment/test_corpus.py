# SPDX-License-Identifier: Apache-2.0
"""Corpora of audio and text: layouts, speakers, and a problem for everything that can't be used."""

import pytest

from speechmill.alignment.corpus import Layout, find, single
from speechmill.core.errors import ConfigError
from speechmill.core.types import Word
from speechmill.formats import eaf, textgrid
from speechmill.formats.textgrid import IntervalTier, Point, PointTier, TextGrid


def texts(corpus):
    return {one.key: one.text for recording in corpus.recordings for one in recording.utterances}


def reasons(corpus):
    return {problem.file: problem.reason for problem in corpus.problems}


@pytest.fixture
def folder(make_tone, tmp_path):
    for name in ("ann/one", "ann/two", "bob/three"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        make_tone(tmp_path / f"{name}.wav", 2.0)
        (tmp_path / f"{name}.lab").write_text(f"text of\n{name}\n", encoding="utf-8")
    return tmp_path


def test_audio_with_text_of_its_name_is_found_and_folders_are_speakers(folder):
    corpus = find(folder)
    assert texts(corpus) == {name: f"text of {name}" for name in ("ann/one", "ann/two", "bob/three")}
    assert (corpus.speakers, corpus.duration, corpus.problems) == (("ann", "bob"), 6.0, ())


@pytest.mark.parametrize(
    ("rule", "speakers"),
    [("prefix:2", ("on", "th", "tw")), ("file", ("one", "three", "two")), ("one", ("speaker",))],
)
def test_speakers_are_named_by_rule(folder, rule, speakers):
    assert find(folder, Layout(rule)).speakers == speakers


@pytest.mark.parametrize("rule", ["prefix", "prefix:0", "prefix:x", "tier"])
def test_a_rule_that_is_none_is_refused(folder, rule):
    with pytest.raises(ConfigError, match="folder, file, one, and prefix:N"):
        find(folder, Layout(rule))


def test_what_cant_be_used_is_a_problem_and_the_rest_is_found(folder, make_tone):
    (folder / "ann/one.lab").write_text(" \n")
    (folder / "ann/two.lab").write_bytes("café".encode("latin-1"))
    (folder / "bob/alone.txt").write_text("no audio")
    make_tone(folder / "bob/silent.wav", 1.0)
    (folder / "bob/broken.wav").write_text("no audio either")
    (folder / "bob/broken.lab").write_text("text")
    make_tone(folder / "bob/twice.wav", 1.0)
    make_tone(folder / "bob/twice.flac", 1.0)
    (folder / "bob/twice.txt").write_text("text")
    corpus = find(folder)
    assert texts(corpus) == {"bob/three": "text of bob/three", "bob/twice": "text"}
    assert reasons(corpus) == {
        "ann/one.wav": "empty-text",
        "ann/two.wav": "not-utf8",
        "bob/alone.txt": "no-audio",
        "bob/silent.wav": "no-text",
        "bob/broken.wav": "undecodable-audio",
        "bob/twice.flac": "same-name",
    }


def test_hidden_files_and_the_folder_of_results_are_no_part_of_a_corpus(folder, make_tone):
    make_tone(folder / "ann/.hidden.wav", 1.0)
    (folder / "out").mkdir()
    (folder / "out/one.txt").write_text("x")
    assert reasons(find(folder)) == {"out/one.txt": "no-audio"}
    assert find(folder, Layout(skip=folder / "out")).problems == ()


def test_a_linked_file_is_of_the_speaker_whose_folder_it_is_linked_in(folder):
    (folder / "eve").mkdir()
    for name in ("one.wav", "one.lab"):
        (folder / "eve" / name).symlink_to(folder / "ann" / name)
    assert find(folder).speakers == ("ann", "bob", "eve")


def test_a_link_to_a_folder_above_is_followed_once(folder):
    (folder / "ann/up").symlink_to(folder)
    assert len(find(folder).recordings) == 3


GRID = TextGrid(
    0.0,
    2.0,
    (
        IntervalTier("Ama", (Word("one two", 0.2, 0.6), Word("three", 1.0, 0.5))),
        PointTier("clicks", (Point(0.5, "x"),)),
        IntervalTier("Kofi", (Word("four", 0.5, 0.7), Word(" ", 1.3, 0.2))),
        IntervalTier("Ama - words", (Word("one", 0.2, 0.3),)),
    ),
)


def test_the_tiers_of_a_textgrid_are_speakers_who_may_speak_at_once(make_tone, tmp_path):
    make_tone(tmp_path / "talk.wav", 2.0)
    textgrid.write(tmp_path / "talk.TextGrid", GRID)
    (recording,) = find(tmp_path).recordings
    found = [(one.key, one.speaker, one.text, one.start, round(one.duration, 6)) for one in recording.utterances]
    assert found == [
        ("talk#1", "Ama", "one two", 0.2, 0.6),
        ("talk#2", "Kofi", "four", 0.5, 0.7),
        ("talk#3", "Ama", "three", 1.0, 0.5),
    ]


@pytest.mark.parametrize(("tier", "expected"), [("Kofi", ["four"]), ("A*", ["one two", "one", "three"])])
def test_tiers_are_chosen_by_pattern(make_tone, tmp_path, tier, expected):
    make_tone(tmp_path / "talk.wav", 2.0)
    (tmp_path / "talk.lab").write_text("not this")
    textgrid.write(tmp_path / "talk.TextGrid", GRID)
    assert list(texts(find(tmp_path, Layout(tier=(tier,)))).values()) == expected


def test_a_pattern_that_no_tier_matches_is_a_problem_that_lists_them(make_tone, tmp_path):
    make_tone(tmp_path / "talk.wav", 2.0)
    textgrid.write(tmp_path / "talk.TextGrid", GRID)
    (problem,) = find(tmp_path, Layout(tier=("Esi",))).problems
    assert problem.reason == "no-such-tier"
    assert "no tier matches Esi; there are: Ama, Kofi, Ama - words" in problem.detail


def test_intervals_outside_the_audio_are_named_and_those_that_outlast_it_clipped(make_tone, tmp_path):
    make_tone(tmp_path / "talk.wav", 2.0)
    words = (Word("early", 0.5, 0.5), Word("late", 1.5, 1.5), Word("after", 3.5, 0.5))
    textgrid.write(tmp_path / "talk.TextGrid", TextGrid(0.0, 4.0, (IntervalTier("Ama", words),)))
    corpus = find(tmp_path)
    (recording,) = corpus.recordings
    assert [(one.text, one.duration) for one in recording.utterances] == [("early", 0.5), ("late", 0.5)]
    assert recording.utterances[1].warnings == ("interval-clipped: 1.500 to 3.000 s, the audio ends at 2.000 s",)
    (problem,) = corpus.problems
    assert (problem.reason, problem.start) == ("outside-audio", 3.5)


def test_elan_tiers_are_chosen_by_name_type_and_independence(make_tone, tmp_path):
    make_tone(tmp_path / "talk.wav", 2.0)
    tiers = [
        eaf.Tier("tx@A", (Word("one", 0.1, 0.5),), "speech", "Ama"),
        eaf.Tier("tx@B", (Word("two", 0.2, 0.5),), "speech"),
        eaf.Tier("notes", (Word("three", 0.3, 0.5),), "comment"),
    ]
    eaf.write(tmp_path / "talk.eaf", tiers)
    (recording,) = find(tmp_path, Layout(tier=("type:speech",))).recordings
    assert [(one.speaker, one.text) for one in recording.utterances] == [("Ama", "one"), ("B", "two")]
    assert list(texts(find(tmp_path)).values()) == ["one", "two", "three"]


def test_one_file_with_its_text(make_tone, tmp_path):
    make_tone(tmp_path / "a.wav", 1.0)
    (tmp_path / "b.txt").write_text("\ufeffwords", encoding="utf-8")
    assert texts(single(tmp_path / "a.wav", tmp_path / "b.txt")) == {"a": "words"}
    with pytest.raises(ConfigError, match="no such file"):
        single(tmp_path / "a.wav", tmp_path / "c.txt")
    (tmp_path / "b.txt").write_text("")
    with pytest.raises(ConfigError, match="empty-text"):
        single(tmp_path / "a.wav", tmp_path / "b.txt")


def test_a_folder_that_isnt_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        find(tmp_path / "none")
