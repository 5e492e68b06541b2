# SPDX-License-Identifier: Apache-2.0
"""What is written of an alignment: TextGrid, JSON, CTM, CSV, syllables and confidence."""

import json
from pathlib import Path

import pytest

from speechmill.acoustic.types import Aligned
from speechmill.alignment.corpus import Recording, Utterance
from speechmill.alignment.outputs import Outputs, text_grid, write_outputs
from speechmill.alignment.result import AlignedRecording, TimedWord, all_failed, failed, outcome
from speechmill.alignment.syllables import is_vowel, syllabifier
from speechmill.core.types import Word
from speechmill.formats import ctm
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.text.spoken import spoken

ANN = Utterance("b/talk#1", "$ 5 now", "Ann", 1.0, 1.5, "Ann")
BOB = Utterance("b/talk#2", "yes", "Bob", 2.0, 1.0, "Bob")
FIVE = Aligned(
    words=(Word("five", 0.1, 0.3, 0.9), Word("dollars", 0.4, 0.5, 0.5), Word("now", 1.0, 0.25, 0.25)),
    phones=(
        (Word("F", 0.1, 0.1), Word("AY", 0.2, 0.2)),
        (Word("D", 0.4, 0.2), Word("AA", 0.6, 0.3)),
        (Word("N", 1.0, 0.1), Word("AW", 1.1, 0.15)),
    ),
    chosen=(0, 0),
    score=0.6,
    warnings=("short: now",),
)


def recording(*utterances, transcript="talk.TextGrid"):
    return Recording("b/talk", Path("talk.wav"), Path(transcript), 4.0, 1, 16000, utterances)


@pytest.fixture
def done(monkeypatch):
    monkeypatch.setattr("speechmill.alignment.outputs._input_grid", lambda recording: None)
    yes = TimedWord("yes", 2.25, 0.5, 0.75, (Word("Y", 2.25, 0.1), Word("EH", 2.35, 0.4)))
    ann = outcome(ANN, spoken("$ 5 now", "en"), FIVE, 1.5, None)
    bob = failed(BOB, "no-alignment", "why").__class__(BOB, 1, (yes,), 0.75)
    return AlignedRecording(recording(ANN, BOB), 4.0, (ann, bob))


def tiers(grid):
    return {
        tier.name: [(word.symbol, round(word.start, 4), round(word.duration, 4)) for word in tier.intervals]
        for tier in grid.tiers
    }


def test_tokens_are_timed_on_the_files_timeline_with_the_phones_of_all_their_words(done):
    dollars, now = done.outcomes[0].words
    assert (dollars.symbol, dollars.start, dollars.duration, dollars.score) == ("$ 5", 1.1, 0.8, 0.65)
    assert [phone.symbol for phone in dollars.phones] == ["F", "AY", "D", "AA"]
    assert (now.start, now.phones[0].start, done.outcomes[0].score) == (2.0, 2.0, 0.6)


def test_several_speakers_have_tiers_with_their_names(done):
    found = tiers(text_grid(done, Outputs(confidence=True)))
    assert list(found) == [f"{name} - {kind}" for name in ("Ann", "Bob") for kind in ("words", "phones", "confidence")]
    assert found["Ann - words"] == [("$ 5", 1.1, 0.8), ("now", 2.0, 0.25)]
    assert found["Bob - confidence"] == [("0.75", 2.25, 0.5)]


def test_one_speaker_has_tiers_without_a_name(done):
    alone = AlignedRecording(recording(BOB), 4.0, done.outcomes[1:])
    assert list(tiers(text_grid(alone, Outputs()))) == ["words", "phones"]


def test_json_has_all_of_it(done, tmp_path):
    (path,) = write_outputs(done, tmp_path, Outputs(("json",)))
    assert path == tmp_path / "b/talk.json"
    content = json.loads(path.read_text())
    assert content["duration"] == 4.0
    ann, bob = content["utterances"]
    assert (ann["speaker"], ann["score"], ann["warnings"], ann["channel"]) == ("Ann", 0.6, ["short: now"], None)
    assert bob["words"][0]["phones"][1] == {"symbol": "EH", "start": 2.35, "duration": 0.4, "score": None}


def test_ctm_has_channels_and_no_blanks_in_words(done, tmp_path):
    (path,) = write_outputs(done, tmp_path, Outputs(("ctm",)))
    assert path.read_text().splitlines() == [
        "b/talk 1 1.1000 0.8000 $_5 0.6500",
        "b/talk 1 2.0000 0.2500 now 0.2500",
        "b/talk 2 2.2500 0.5000 yes 0.7500",
    ]
    assert ctm.read(path)["b/talk", 1] == (Word("yes", 2.25, 0.5, 0.75),)


def test_csv_has_the_columns_of_mfa_and_confidence(done, tmp_path):
    (path,) = write_outputs(done, tmp_path, Outputs(("csv",)))
    lines = path.read_text().splitlines()
    assert lines[:2] == ["Begin,End,Label,Type,Speaker,Confidence", "1.1000,1.9000,$ 5,words,Ann,0.6500"]
    assert lines[3] == "1.1000,1.2000,F,phones,Ann,"
    assert len(lines) == 1 + 2 + 6 + 1 + 2


def test_nothing_is_written_where_nothing_was_aligned(tmp_path):
    assert write_outputs(all_failed(recording(BOB), "no-speech", ""), tmp_path, Outputs()) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_wrote_goes_where_nothing_is_aligned_now(done, tmp_path):
    write_outputs(done, tmp_path, Outputs(("textgrid", "json")))
    write_outputs(all_failed(done.recording, "no-speech", ""), tmp_path, Outputs(("textgrid",)))
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["talk.json"]


def test_two_tiers_of_one_speaker_keep_their_names(done):
    again = BOB.__class__("b/talk#3", "yes", "Bob", 2.0, 1.0, "Bob again")
    both = (done.outcomes[1], done.outcomes[1].__class__(again, 1, done.outcomes[1].words, 0.5))
    found = tiers(text_grid(AlignedRecording(recording(BOB, again), 4.0, both), Outputs()))
    assert list(found) == ["Bob - words", "Bob - phones", "Bob again - words", "Bob again - phones"]


LEXICON = Lexicon(
    {word: (Pronunciation(tuple(phones.split())),) for word, phones in (("a", "S T AA"), ("b", "T EH R"))}
)


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ("EH K S T AA N", ["EH.K", "S.T.AA.N"]),
        ("EH T R AA", ["EH.T.R", "AA"]),
        ("EH AA", ["EH", "AA"]),
        ("S T", []),
        ("", []),
    ],
)
def test_syllables_begin_with_consonants_that_words_begin_with(phones, expected):
    timed = [Word(phone, i / 10, 0.1) for i, phone in enumerate(phones.split())]
    found = syllabifier(LEXICON)(timed)
    assert [syllable.symbol for syllable in found] == expected
    assert sum(syllable.duration for syllable in found) == pytest.approx(len(timed) / 10 if expected else 0)


@pytest.mark.parametrize(("phone", "vowel"), [("AH0", True), ("ø˧˥", True), ("ẹ́", True), ("t͡ɕ", False), ("spn", False)])
def test_a_vowel_is_known_by_its_first_letter(phone, vowel):
    assert is_vowel(phone) is vowel
