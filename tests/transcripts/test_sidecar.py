# SPDX-License-Identifier: Apache-2.0
"""Sidecars: every format, times against the recording's, and files that can't be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechmill.core import registry
from speechmill.core.errors import TranscriptError
from speechmill.core.stage import Context
from speechmill.core.types import Source, Transcript, Utterance, Word
from speechmill.formats import textgrid
from speechmill.formats.textgrid import IntervalTier, Point, PointTier, TextGrid
from speechmill.transcripts.sidecar import Backend, Config

CONTEXT = Context(workspace=Path("workspace"), model_path=Path)


def _read(
    *sidecars: Path,
    duration: float = 10.0,
    config: Config | None = None,
    language: str | None = None,
    text: str | None = None,
) -> Transcript | None:
    source = Source("a-000000", "a.wav", sidecars=tuple(str(path) for path in sidecars), language=language, text=text)
    return Backend(config or Config(), CONTEXT).read(source, duration)


def _file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _json(tmp_path: Path, content: object) -> Path:
    return _file(tmp_path, "a.json", json.dumps(content))


def _grid(tmp_path: Path, *tiers: IntervalTier | PointTier) -> Path:
    path = tmp_path / "a.TextGrid"
    textgrid.write(path, TextGrid(0.0, 10.0, tiers))
    return path


def _refused(reason: str, path: Path, **options: float) -> str:
    with pytest.raises(TranscriptError) as caught:
        _read(path, **options)
    assert caught.value.reason == reason
    return caught.value.detail


def test_the_registry_finds_it():
    module = registry.require("transcripts", "sidecar")
    assert module.Backend is Backend
    assert registry.knows_language(module, "vi")


def test_no_sidecar_is_no_transcript():
    assert _read() is None


def test_text_from_a_table_comes_first(tmp_path):
    path = _file(tmp_path, "a.txt", "khác")
    assert _read(path, text=" xin \tcha\u0300o ") == Transcript("sidecar", (Utterance("xin chào"),))


def test_an_empty_text_from_a_table_is_refused():
    with pytest.raises(TranscriptError, match=r"empty-transcript: transcripts\.tsv"):
        _read(text=" ")


@pytest.mark.parametrize("name", ["a.txt", "a.lab", "a.LAB"])
def test_plain_text_is_one_untimed_utterance_in_nfc(tmp_path, name):
    path = _file(tmp_path, name, "\ufeffXin cha\u0300o,\r\n\u00a0 các bạn!\n")
    assert _read(path) == Transcript("sidecar", (Utterance("Xin chào, các bạn!"),))


def test_captions_are_read(tmp_path):
    path = _file(tmp_path, "a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>hi\n")
    assert _read(path) == Transcript("sidecar", (Utterance("hi", 1.0, 1.5, speaker="Ann"),))
    path = _file(tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,500\nhi\n")
    assert _read(path) == Transcript("sidecar", (Utterance("hi", 1.0, 1.5),))


def test_captions_without_cues_say_that_nothing_was_said(tmp_path):
    assert _read(_file(tmp_path, "a.vtt", "WEBVTT\n")) == Transcript("sidecar", ())


def test_our_own_json(tmp_path):
    words = [{"symbol": "xin", "start": 1.0, "duration": 0.5, "score": 0.9}, {"word": "chào", "start": 1.5, "end": 2.0}]
    path = _json(
        tmp_path,
        {
            "utterances": [
                {"text": "xin  chào", "start": 1.0, "end": 2.0, "speaker": "Ann", "words": words, "language": "vi"},
                {"text": "", "start": 2.0, "end": 2.5},
                {"text": "bye", "start": 3, "duration": 0.3, "speaker": 2, "channel": 1},
            ]
        },
    )
    assert _read(path) == Transcript(
        "sidecar",
        (
            Utterance(
                "xin chào",
                1.0,
                1.0,
                speaker="Ann",
                language="vi",
                words=(Word("xin", 1.0, 0.5, 0.9), Word("chào", 1.5, 0.5)),
            ),
            Utterance("bye", 3.0, 0.3, channel=1, speaker="2"),
        ),
    )


def test_whisper_json(tmp_path):
    path = _json(
        tmp_path,
        {
            "text": " Hello world.",
            "language": "en",
            "segments": [
                {
                    "id": 0,
                    "seek": 0,
                    "start": 0.0,
                    "end": 1.1,
                    "text": " Hello world.",
                    "tokens": [1, 2],
                    "words": [
                        {"word": " Hello", "start": 0.1, "end": 0.4, "probability": 0.75},
                        {"word": " world.", "start": 0.4, "end": 1.1, "probability": -1.5},
                    ],
                },
                {
                    "start": 2.0,
                    "end": 3.0,
                    "text": "5 ok",
                    "words": [{"word": "5"}, {"word": "ok", "start": 2.5, "end": 3}],
                },
            ],
        },
    )
    assert _read(path) == Transcript(
        "sidecar",
        (
            Utterance("Hello world.", 0.0, 1.1, words=(Word("Hello", 0.1, 0.3, 0.75), Word("world.", 0.4, 0.7))),
            Utterance("5 ok", 2.0, 1.0),
        ),
    )


def test_json_of_another_kind_is_passed_over(tmp_path):
    metadata = _json(tmp_path, {"title": "a talk"})
    assert _read(metadata) is None
    assert _read(metadata, _file(tmp_path, "a.txt", "hi")) == Transcript("sidecar", (Utterance("hi"),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"utterances": [', "truncated"),
        ('{"utterances": [{"start": 1}]}', r"missing required field `text`.*\$\[0\]"),
        ('{"utterances": [{"text": "a", "start": "1"}]}', "Expected `float"),
        ('{"utterances": [{"text": "a", "start": NaN}]}', "invalid"),
        ('{"utterances": [{"text": "a", "start": 1}]}', "entry 0 has a start, but neither"),
        ('{"utterances": [{"text": "a", "start": 2, "end": 1}]}', "entry 0 ends before it starts"),
        ('{"utterances": [{"text": "a", "words": [{"start": 1, "end": 2}]}]}', "entry 0, word 0: neither symbol"),
    ],
)
def test_broken_json_says_where(tmp_path, content, message):
    with pytest.raises(TranscriptError, match=f"(?s)broken-sidecar: .*a.json.*{message}"):
        _read(_file(tmp_path, "a.json", content))


def test_timed_and_untimed_utterances_do_not_mix(tmp_path):
    path = _json(tmp_path, {"utterances": [{"text": "a"}, {"text": "b", "start": 0, "end": 1}]})
    assert "1 of 2 utterances have no times" in _refused("partly-timed", path)


def test_a_textgrid_has_a_tier_per_speaker(tmp_path):
    path = _grid(
        tmp_path,
        IntervalTier("Ann", (Word("hi  Bob", 1.0, 1.0), Word("bye", 5.0, 1.0))),
        IntervalTier("Ann - words", (Word("hi", 1.0, 0.4), Word("sil", 1.4, 0.1), Word("Bob", 1.5, 0.5))),
        IntervalTier("Ann - phones", (Word("HH", 1.0, 0.4),)),
        IntervalTier("Bob", (Word("hello", 1.5, 1.0),)),
        IntervalTier("words (Bob)", (Word("hello", 1.6, 0.5),)),
        PointTier("bell", (Point(1.0, "ding"),)),
    )
    assert _read(path) == Transcript(
        "sidecar",
        (
            Utterance("hi Bob", 1.0, 1.0, speaker="Ann", words=(Word("hi", 1.0, 0.4), Word("Bob", 1.5, 0.5))),
            Utterance("hello", 1.5, 1.0, speaker="Bob", words=(Word("hello", 1.6, 0.5),)),
            Utterance("bye", 5.0, 1.0, speaker="Ann"),
        ),
    )


def test_words_without_a_speaker_are_nobodys_where_two_speak(tmp_path):
    path = _grid(
        tmp_path,
        IntervalTier("Ann", (Word("one two", 1.0, 2.0),)),
        IntervalTier("Bob", (Word("three", 2.0, 2.0),)),
        IntervalTier("words", (Word("one", 1.0, 0.5), Word("two", 2.2, 0.4), Word("three", 3.1, 0.4))),
    )
    transcript = _read(path)
    assert transcript is not None
    assert [one.words for one in transcript.utterances] == [(Word("one", 1.0, 0.5),), (Word("three", 3.1, 0.4),)]


def test_general_tier_names_are_no_speakers(tmp_path):
    path = _grid(
        tmp_path, IntervalTier("utterances", (Word("hi", 1.0, 1.0),)), IntervalTier("words", (Word("hi", 1.2, 0.5),))
    )
    assert _read(path) == Transcript("sidecar", (Utterance("hi", 1.0, 1.0, words=(Word("hi", 1.2, 0.5),)),))


def test_words_alone_are_parted_at_pauses(tmp_path):
    words = (Word("a", 1.0, 0.5), Word("b", 1.9, 0.1), Word("c", 2.5, 0.5))
    path = _grid(tmp_path, IntervalTier("words", words))
    expected = (Utterance("a b", 1.0, 1.0, words=words[:2]), Utterance("c", 2.5, 0.5, words=words[2:]))
    assert _read(path) == Transcript("sidecar", expected)
    assert _read(path, config=Config(pause_s=0.6)) == Transcript(
        "sidecar", (Utterance("a b c", 1.0, 2.0, words=words),)
    )


def test_the_tier_option_chooses(tmp_path):
    path = _grid(
        tmp_path, IntervalTier("Ann", (Word("hi", 1.0, 1.0),)), IntervalTier("Ann_english", (Word("hello", 1.0, 1.0),))
    )
    chosen = _read(path, config=Config(tier="*_english"))
    assert chosen == Transcript("sidecar", (Utterance("hello", 1.0, 1.0, speaker="Ann_english"),))
    with pytest.raises(TranscriptError, match=r"no-such-tier: .*a\.TextGrid: no tier matches 'X\*'.*Ann_english"):
        _read(path, config=Config(tier="X*"))


def test_a_textgrid_of_phones_only_is_passed_over(tmp_path):
    path = _grid(tmp_path, IntervalTier("phones", (Word("HH", 1.0, 0.4),)))
    assert _read(path) is None


def test_a_sidecar_in_another_language_is_passed_over(tmp_path):
    english, vietnamese = _file(tmp_path, "a.en-US.txt", "hello"), _file(tmp_path, "a.vi.txt", "chào")
    assert _read(english, vietnamese, language="vi-VN") == Transcript("sidecar", (Utterance("chào"),))
    assert _read(english, vietnamese) == Transcript("sidecar", (Utterance("hello"),))
    assert _read(english, language="vi") is None


def test_times_a_little_or_partly_outside_are_clipped(tmp_path):
    words = [{"symbol": "a", "start": 9.0, "end": 11.0}, {"symbol": "b", "start": 11.0, "end": 12.0}]
    path = _json(
        tmp_path,
        {
            "utterances": [
                {"text": "a", "start": -0.2, "end": 1.0},
                {"text": "a b", "start": 9.0, "end": 12.0, "words": words},
                {"text": "c", "start": 10.1, "end": 10.4},
            ]
        },
    )
    assert _read(path, duration=10.0) == Transcript(
        "sidecar",
        (
            Utterance("a", 0.0, 1.0),
            Utterance("a b", 9.0, 1.0, words=(Word("a", 9.0, 1.0),)),
            Utterance("c", 10.0, 0.0),
        ),
    )


@pytest.mark.parametrize(("start", "end"), [(10.2, 11.0), (12.0, 12.0), (-2.0, -1.0)])
def test_times_wholly_outside_are_refused(tmp_path, start, end):
    path = _json(tmp_path, {"utterances": [{"text": "a", "start": start, "end": end}]})
    assert "the recording lasts 10.000 s" in _refused("times-outside-recording", path, duration=10.0)


def test_broken_utf8_says_where(tmp_path):
    detail = _refused("broken-utf8", _file(tmp_path, "a.txt", b"xin ch\xe0o"))
    assert detail == f"{tmp_path / 'a.txt'}: byte 6"


@pytest.mark.parametrize("name", ["a.txt", "a.srt", "a.json", "a.TextGrid"])
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf \n\t\n"])
def test_an_empty_file_is_refused(tmp_path, name, content):
    assert _refused("empty-transcript", _file(tmp_path, name, content)) == str(tmp_path / name)


@pytest.mark.parametrize(("name", "content"), [("a.TextGrid", "hello"), ("a.srt", "hello"), ("a.docx", "hello")])
def test_a_file_that_is_not_what_it_claims_is_refused(tmp_path, name, content):
    assert name in _refused("broken-sidecar", _file(tmp_path, name, content))


def test_a_vanished_sidecar_may_come_back(tmp_path):
    with pytest.raises(TranscriptError, match=r"unreadable-sidecar: .*No such file") as caught:
        _read(tmp_path / "a.txt")
    assert not caught.value.permanent


def test_real_sidecars(shared_data):
    samples = shared_data / "mfa_samples"
    transcript = _read(samples / "michaelandsickmichael.TextGrid", duration=52.4408)
    assert transcript is not None
    assert [one.speaker for one in transcript.utterances] == ["michael"] * 3 + ["sickmichael"] * 4
    words = _read(samples / "acoustic_corpus.TextGrid", duration=26.72325)
    plain = _read(samples / "acoustic_corpus.lab")
    assert words is not None
    assert plain is not None
    said = [word.symbol for one in words.utterances for word in one.words]
    assert " ".join(said) == " ".join(one.text or "" for one in words.utterances)
    assert said[:5] == (plain.utterances[0].text or "").split()[:5] == ["this", "is", "the", "acoustic", "corpus"]
