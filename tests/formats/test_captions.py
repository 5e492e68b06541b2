# SPDX-License-Identifier: Apache-2.0
"""SubRip and WebVTT: what W3C says, what the wild holds, round trips, broken times."""

from __future__ import annotations

import codecs
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core.errors import FormatError
from speechmill.core.types import Utterance
from speechmill.formats import captions


def _read(tmp_path: Path, name: str, text: str | bytes) -> tuple[Utterance, ...]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return captions.read(path)


def test_vtt_voices_tags_entities_and_asides(tmp_path):
    text = """WEBVTT - a talk
Kind: captions

STYLE
::cue { color: lime }

NOTE not spoken

intro
00:01.000 --> 00:02.500 align:start position:0%
<v.loud Mary Ann>Hi <i>there</i>,
R&amp;D &lt;team&gt;&nbsp;!</v>

1:00:00.000 --> 1:00:01.000
<v Bob>Yes.
<v Eve>No<00:00:00.500><c.yellow> way</c>.

00:03.000 --> 00:04.000
<i></i>
"""
    assert _read(tmp_path, "a.vtt", text) == (
        Utterance("Hi there, R&D <team> !", 1.0, 1.5, speaker="Mary Ann"),
        Utterance("Yes.", 3600.0, 1.0, speaker="Bob"),
        Utterance("No way.", 3600.0, 1.0, speaker="Eve"),
    )


def test_srt_as_the_wild_has_it(tmp_path):
    text = (
        "1\r\n00:00:01,000 --> 00:00:02,000\r\n<font color='red'>Xin</font> chào\r\n{\\an8}các bạn\r\n\r\n"
        "sau dòng trống\r\n\r\n\r\n"
        "2\r\n00:00:01.500-->00:00:03,25\r\n1 < 2 &notit; AT&T\r\n3\r\n00:00:04,000 --> 00:00:05,000\r\n1984"
    )
    assert _read(tmp_path, "a.srt", codecs.BOM_UTF8 + text.encode()) == (
        Utterance("Xin chào các bạn sau dòng trống", 1.0, 1.0),
        Utterance("1 < 2 &notit; AT&T", 1.5, 1.75),
        Utterance("1984", 4.0, 1.0),
    )


def test_a_vtt_that_calls_itself_srt_is_read_as_what_it_is(tmp_path):
    assert _read(tmp_path, "a.srt", "WEBVTT\n00:01.000 --> 00:02.000\nhi\n") == (Utterance("hi", 1.0, 1.0),)


def test_no_cues_is_no_error(tmp_path):
    assert _read(tmp_path, "a.vtt", "WEBVTT\n") == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.vtt", "00:01.000 --> 00:02.000\nhi\n", "1: a WebVTT file starts with WEBVTT"),
        ("a.srt", "1\n00:00:01,000 --> 00:0x:02,000\nhi\n", "2: broken times"),
        ("a.srt", "1\n00:00:03,000 --> 00:00:02,000\nhi\n", "2: the cue ends before it starts"),
        ("a.srt", "1\n00:61:03,000 --> 02:00:02,000\nhi\n", "2: broken times: 61 minutes"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nhi\n\n2\n00:00:03,000 -> 00:00:04,000\nyo\n", "5: a cue without"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nhi\n\n00:00:03,000 -> 00:00:04,000\nyo\n", "5: a cue without"),
        ("a.srt", "hello\n", "1: a cue without times"),
        ("a.srt", "my film\nby me\n00:00:01,000 --> 00:00:02,000\nhi\n", "1: expected a cue's number"),
        ("a.vtt", "WEBVTT\n\n00:01.000 -->\nhi\n", "3: broken times"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nn\xe9\n", "3: byte 33 is not UTF-8"),
    ],
)
def test_broken_captions_say_where(tmp_path, name, text, message):
    with pytest.raises(FormatError, match=message):
        _read(tmp_path, name, text)


def test_vtt_is_written_with_voices(tmp_path):
    path = tmp_path / "a.vtt"
    captions.write(path, [Utterance("R&D <i>", 3661.5, 1.25, speaker="Mary > Ann"), Utterance(None, 1.0, 1.0)])
    assert path.read_text() == ("WEBVTT\n\n01:01:01.500 --> 01:01:02.750\n<v Mary &gt; Ann>R&amp;D &lt;i&gt;\n")


def test_srt_is_written_with_numbers_and_as_few_entities_as_may_be(tmp_path):
    path = tmp_path / "a.srt"
    captions.write(path, [Utterance("AT&T <3 you", 0.0, 1.0), Utterance("<b> &amp;", 1.0, 1.0)])
    assert path.read_text() == (
        "1\n00:00:00,000 --> 00:00:01,000\nAT&T &lt;3 you\n\n2\n00:00:01,000 --> 00:00:02,000\n&lt;b> &amp;amp;\n"
    )


def test_a_name_that_would_make_an_arrow_is_escaped(tmp_path):
    path = tmp_path / "a.vtt"
    utterances = (Utterance("-->", 0.0, 1.0, speaker="Ann --"),)
    captions.write(path, utterances)
    assert captions.read(path) == utterances


def test_what_has_no_times_or_no_format_is_not_written(tmp_path):
    with pytest.raises(FormatError, match="has no times"):
        captions.write(tmp_path / "a.srt", [Utterance("hi")])
    with pytest.raises(FormatError, match=r"\.srt or \.vtt"):
        captions.write(tmp_path / "a.ass", [])


FOLDED = (
    st.one_of(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
        st.text("<>&/;-! v{}\\an8.1lt#", min_size=1, max_size=12),
    )
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)


@st.composite
def cues(draw):
    start, length = draw(st.integers(0, 10**8)), draw(st.integers(0, 10**5))
    return Utterance(draw(FOLDED), start / 1000, length / 1000, speaker=draw(st.none() | FOLDED))


@settings(max_examples=60, deadline=None)
@given(utterances=st.lists(cues(), max_size=4).map(tuple))
def test_round_trip_of_any_vtt(tmp_path_factory, utterances):
    path = tmp_path_factory.mktemp("captions") / "a.vtt"
    captions.write(path, utterances)
    assert captions.read(path) == utterances


@settings(max_examples=60, deadline=None)
@given(utterances=st.lists(cues(), max_size=4).map(tuple))
def test_round_trip_of_any_srt_but_for_speakers(tmp_path_factory, utterances):
    path = tmp_path_factory.mktemp("captions") / "a.srt"
    captions.write(path, utterances)
    expected = [(one.text, one.start, one.duration) for one in utterances]
    assert [(one.text, one.start, one.duration) for one in captions.read(path)] == expected


def test_a_rolling_cue_without_text_has_no_words(tmp_path):
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\n\n00:01.000 --> 00:02.000\na<00:01.500> b\n", encoding="utf-8")
    (line,) = captions.read_rolling(path)
    assert [(word.symbol, word.start) for word in line.words] == [("a", 1.0), ("b", 1.5)]
