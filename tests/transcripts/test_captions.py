# SPDX-License-Identifier: Apache-2.0
"""Caption rules: what each leaves out, in which order, and that it is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.errors import TranscriptError
from speechmill.core.stage import Context
from speechmill.core.types import Source, Transcript, Utterance, Word
from speechmill.pipeline import spec
from speechmill.transcripts import _caption_rules as rules
from speechmill.transcripts.captions import Backend, Config

CONTEXT = Context(workspace=Path("workspace"), model_path=Path)
ALL_OFF = {
    "max_overlap_s": None,
    "music": True,
    "noise": "keep",
    "strip_labels": False,
    "charset": False,
    "min_words": 1,
    "merge_gap_s": None,
    "min_s": 0.0,
    "max_s": 1e9,
}
ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.310 align:start position:0%
<blank>
hello<00:00:00.480><c> and</c><00:00:00.960><c> welcome</c>

00:00:02.310 --> 00:00:02.320 align:start position:0%
hello and welcome
<blank>

00:00:02.320 --> 00:00:04.000 align:start position:0%
hello and welcome
to<00:00:02.560><c> the</c><00:00:03.000><c> show</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
to the show
<blank>
""".replace("<blank>", " ")  # YouTube writes lines of one blank


def _vtt(*cues: tuple[float, float, str]) -> str:
    def clock(seconds: float) -> str:
        return f"{int(seconds) // 60:02d}:{seconds % 60:06.3f}"

    return "WEBVTT\n\n" + "\n\n".join(f"{clock(start)} --> {clock(end)}\n{text}" for start, end, text in cues)


def _read(tmp_path: Path, text: str, name: str = "a.vtt", language: str | None = "en", **options) -> Transcript | None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    source = Source("a-000000", "a.wav", sidecars=(str(path),), language=language)
    return Backend(Config(**options), CONTEXT).read(source, 100.0)


def _texts(transcript: Transcript | None) -> list[str | None]:
    assert transcript is not None
    return [one.text for one in transcript.utterances]


def test_by_default_every_rule_is_on_and_counted(tmp_path):
    text = _vtt(
        (0, 3, "this one talks over the next"),
        (2, 4, "and the next is dropped too"),
        (5, 7, "♪ la la la la la ♪"),
        (8, 10, "[laughs] that is a good one"),
        (11, 13, "ANNA: we begin with five words"),
        (13.5, 15, "это не по-английски, дорогие друзья"),
        (15.5, 18, "and go on with six more"),
        (18.5, 20, "too short"),
        (40, 40.5, "five words in no time"),
        (50, 75, "five words in too long a time"),
    )
    transcript = _read(tmp_path, text)
    assert transcript == Transcript(
        "captions",
        (Utterance("we begin with five words", 11.0, 2.0), Utterance("and go on with six more", 15.5, 2.5)),
        ("captions-dropped: of 10: 2 overlap, 1 music, 1 noise, 1 charset, 1 min_words, 1 min_s, 1 max_s",),
    )


def test_captions_are_joined_across_less_than_the_gap_to_less_than_the_length(tmp_path):
    cues = ((0, 4, "one two three four five"), (4.9, 9, "six seven eight nine ten"), (9.5, 13, "a b c d e"))
    assert _texts(_read(tmp_path, _vtt(*cues))) == ["one two three four five six seven eight nine ten", "a b c d e"]
    assert len(_texts(_read(tmp_path, _vtt(*cues), merge_gap_s=0.9))) == 2
    assert len(_texts(_read(tmp_path, _vtt(*cues), merge_gap_s=0.5))) == 3
    assert len(_texts(_read(tmp_path, _vtt(*cues), max_merged_s=9.0))) == 2
    assert len(_texts(_read(tmp_path, _vtt(*cues), max_merged_s=13.1))) == 1
    assert len(_texts(_read(tmp_path, _vtt(*cues), merge_gap_s=None))) == 3


def test_captions_of_two_voices_are_not_joined(tmp_path):
    text = _vtt((0, 2, "<v Ann>one two three four five"), (2, 4, "<v Bob>six seven eight nine ten"))
    transcript = _read(tmp_path, text)
    assert [one.speaker for one in transcript.utterances] == ["Ann", "Bob"]
    assert transcript.warnings == ()


@pytest.mark.parametrize(
    ("spans", "bad"),
    [
        ([(0, 1), (1, 2), (2, 3)], set()),
        ([(0, 1.04), (1, 2)], set()),
        ([(0, 1.05), (1, 2)], {0, 1}),
        ([(0, 10), (1, 2), (5, 6), (11, 12)], {0, 1, 2}),
        ([(0, 1), (0, 1)], {0, 1}),
        ([(0, 5), (1, 2), (2, 3), (6, 7)], {0, 1, 2}),
    ],
)
def test_overlap_is_of_both(spans, bad):
    assert rules.overlapping([Utterance("x", start, end - start) for start, end in spans], 0.04 + 1e-9) == bad


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ANNA: Yes.", "Yes."),
        ("Anna Smith: Yes, I do.", "Yes, I do."),
        (">> Yes. >> No.", "Yes. No."),
        (">> Bob: Yes.", "Yes."),
        ("- Who? - Me.", "Who? Me."),
        ("Yes. BOB: No.", "Yes. No."),
        ("It is 10:30 now", "It is 10:30 now"),
        ("the ratio: two to one", "the ratio: two to one"),
        ("Lan: Vâng.", "Vâng."),
        ("MAN #2: Hi", "Hi"),
        ("Dr. Smith: Hello", "Hello"),
        ("remember: two", "remember: two"),
    ],
)
def test_labels_are_not_said(text, said):
    assert rules.without_labels(Utterance(text)).text == said


@pytest.mark.parametrize("text", ["[music]", "so (laughs) yes", "*sighs* well", "（笑）はい", "【音楽】"])
def test_marks_of_noise(text):
    assert rules.has_noise(Utterance(text))
    assert not rules.has_noise(rules.without_noise(Utterance(text)))


def test_noise_may_be_stripped_or_kept(tmp_path):
    text = _vtt((0, 2, "well [laughs] one two three four"), (3, 5, "(applause)"))
    assert _texts(_read(tmp_path, text)) == []
    stripped = _read(tmp_path, text, noise="strip")
    assert _texts(stripped) == ["well one two three four"]
    assert stripped.warnings == ("captions-dropped: of 2: 1 empty",)
    assert _texts(_read(tmp_path, text, **ALL_OFF)) == ["well [laughs] one two three four", "(applause)"]


@pytest.mark.parametrize(
    ("language", "text", "kept"),
    [
        ("en", "a naïve café in Łódź today", True),
        ("en", "one two three four пять", False),
        ("vi", "một hai ba bốn năm", True),
        ("ru", "один два три OK пять", True),
        ("ru", "один два τρία пять шесть", False),
        (None, "один two 三 τέσσερα five", True),
        ("xx", "один two 三 τέσσερα five", True),
    ],
)
def test_letters_of_another_script(tmp_path, language, text, kept):
    assert (_texts(_read(tmp_path, _vtt((0, 2, text)), language=language)) == [text]) is kept


def test_words_without_blanks_are_counted_by_a_segmenter(tmp_path):
    pytest.importorskip("jieba")
    text = _vtt((0, 3, "我来到北京清华大学学习"), (10, 12, "我来到北京"))
    assert _texts(_read(tmp_path, text, language="zh")) == ["我来到北京清华大学学习"]


def test_rolling_captions_are_automatic_and_taken_apart(tmp_path):
    assert _read(tmp_path, ROLLING) is None
    transcript = _read(tmp_path, ROLLING, kind="automatic", min_words=1, merge_gap_s=None)
    assert transcript == Transcript(
        "captions",
        (
            Utterance(
                "hello and welcome",
                0.16,
                2.15,
                words=(Word("hello", 0.16, 0.32), Word("and", 0.48, 0.48), Word("welcome", 0.96, 1.35)),
            ),
            Utterance(
                "to the show",
                2.32,
                1.68,
                words=(Word("to", 2.32, 0.24), Word("the", 2.56, 0.44), Word("show", 3.0, 1.0)),
            ),
        ),
    )
    joined = _read(tmp_path, ROLLING, kind="any", min_words=1)
    assert _texts(joined) == ["hello and welcome to the show"]
    assert len(joined.utterances[0].words) == 6


def test_manual_captions_are_not_automatic(tmp_path):
    text = _vtt((0, 2, "one two three four five"))
    assert _read(tmp_path, text, kind="automatic") is None
    assert _texts(_read(tmp_path, text, kind="any")) == ["one two three four five"]


def test_what_a_crawl_names_automatic_is_so_without_times_inside_its_cues(tmp_path):
    text, name = _vtt((0, 2, "one two three four five")), "0123.en-us-asr.vtt"
    assert _read(tmp_path, text, name, kind="manual") is None
    assert _texts(_read(tmp_path, text, name, kind="automatic")) == ["one two three four five"]
    assert _texts(_read(tmp_path, text, "talk-asr.vtt", kind="manual")) == ["one two three four five"]


def test_other_files_and_languages_are_passed_over(tmp_path):
    assert _read(tmp_path, "one two three four five", name="a.txt") is None
    assert _read(tmp_path, _vtt((0, 2, "one two three four five")), name="a.fr.vtt") is None
    srt = "1\n00:00:00,000 --> 00:00:02,000\none two three four five\n"
    assert _texts(_read(tmp_path, srt, name="a.en.srt")) == ["one two three four five"]


def test_a_broken_file_is_refused(tmp_path):
    with pytest.raises(TranscriptError, match=r"broken-sidecar: .*a\.vtt:1: a WebVTT file starts with WEBVTT"):
        _read(tmp_path, "hello")
    with pytest.raises(TranscriptError, match="times-outside-recording"):
        _read(tmp_path, _vtt((200, 202, "one two three four five")))


def test_captions_where_nothing_is_left_say_why(tmp_path):
    transcript = _read(tmp_path, _vtt((0, 2, "hi")))
    assert transcript == Transcript("captions", (), ("captions-dropped: of 1: 1 min_words",))


def test_the_corpus_file_may_name_the_kind_alone():
    corpus = spec.resolve(
        {"sources": [{"local": {"path": "."}}], "transcript": ["sidecar", {"captions": "automatic"}]}, Path()
    )
    assert corpus.transcript[1].config == Config(kind="automatic")
    with pytest.raises(spec.FieldError, match=r"transcript\.0: a backend is NAME, \{NAME: \{option: value\}\}"):
        spec.resolve({"sources": [{"local": {"path": "."}}], "transcript": [{"sidecar": "manual"}]}, Path())
