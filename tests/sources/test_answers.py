# SPDX-License-Identifier: Apache-2.0
"""Careful reading: any value of any type gives a value of the type asked for, or nothing."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core.errors import FetchError
from speechmill.core.remote import CaptionTrack, Fetched
from speechmill.sources import _answers, _captions, _media
from speechmill.sources._languages import language_of

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(value=_ANYTHING)
def test_nothing_makes_a_reader_fail(value):
    assert isinstance(_answers.text(value), str | None)
    assert isinstance(_answers.plain(value), str | None)
    assert (_answers.number(value) or 0) >= 0
    assert 0 < (_answers.seconds(value) or 1) < 365 * 86_400
    assert len(_answers.date(value) or "2024-01-01") == 10
    assert all(isinstance(entry, dict) for entry in _answers.entries(value))
    assert isinstance(_answers.mapping(value), dict)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("3723", 3723.0),
        ("01:02:03", 3723.0),
        ("62:03", 3723.0),
        (":45", 45.0),
        ("1:02:03.5", 3723.5),
        ("PT1H2M3S", 3723.0),
        ("1h 2m 3s", 3723.0),
        ("45 minutes", 2700.0),
        (61.5, 61.5),
        ("00:00:00", None),
        ("-5", None),
        ("99999999999999999999", None),
        ("1:2:3:4", None),
        ("soon", None),
        ("", None),
    ],
)
def test_durations_in_all_spellings(written, seconds):
    assert _answers.seconds(written) == seconds


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("Wed, 01 May 2024 01:00:00 +0700", "2024-04-30"),
        ("01 May 2024", "2024-05-01"),
        ("2024-05-01", "2024-05-01"),
        ("2010-05-01 12:00:00", "2010-05-01"),
        ("2024-05-01T23:30:00-02:00", "2024-05-02"),
        ("2024-13-01", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("Mon, 99 Foo 2024 99:99:99", None),
    ],
)
def test_dates_are_days_in_utc(written, day):
    assert _answers.date(written) == day


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Vietnamese", "vi"),
        ("vie", "vi"),
        ("vi", "vi"),
        ("vi_VN", "vi-vn"),
        ("ENG", "en"),
        ("eng-US", "en-us"),
        ("Mandarin Chinese", "zh"),
        ("yor", "yo"),
        ("tpi", "tpi"),
        ("mul", None),
        ("Multiple", None),
        ("x" * 100, None),
        (None, None),
    ],
)
def test_languages_by_name_and_by_code(written, code):
    assert language_of(written) == code


def test_webvtt_stays_as_it_is_in_utf_8():
    assert _captions.as_webvtt("\ufeffWEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\nchào".encode("utf-16")) is not None
    assert _captions.as_webvtt(b"\xef\xbb\xbfWEBVTT\n\n00:01.000 --> 00:02.000\nhi") == (
        b"WEBVTT\n\n00:01.000 --> 00:02.000\nhi"
    )


def test_subrip_becomes_webvtt_without_touching_commas_of_the_text():
    assert _captions.as_webvtt(b"1\n00:00:01,000 --> 00:00:02,500\nyes, indeed\n") == (
        b"WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\nyes, indeed\n"
    )


def test_the_json_of_podcasts_becomes_webvtt():
    content = (
        b'{"version": "1.0.0", "segments": [{"speaker": "Ann", "startTime": 0.5, "body": "a < b --> c"},'
        b'{"startTime": 2, "endTime": 3.25, "body": "well"}, {"startTime": "x", "body": "lost"}, {"startTime": 4}]}'
    )
    assert _captions.as_webvtt(content) == (
        b"WEBVTT\n\n00:00:00.500 --> 00:00:02.000\n<v Ann>a &lt; b -&#45;&gt; c\n\n"
        b"00:00:02.000 --> 00:00:03.250\nwell\n"
    )


@pytest.mark.parametrize(
    "content", [b"", b"<p>Kevin</p>", b"{}", b'{"segments": 3}', b"{broken", b"\xff\xfe\xfa", b"\xe9t\xe9"]
)
def test_what_has_no_times_is_no_captions(content):
    assert _captions.as_webvtt(content) is None


def test_tracks_are_chosen_by_language_and_kind():
    tracks = [CaptionTrack("vi-vn", "manual"), CaptionTrack("vi", "automatic"), CaptionTrack("en", "manual")]
    assert _captions.asked_for(tracks, ["vi"], ["manual"]) == [CaptionTrack("vi-vn", "manual")]
    assert _captions.asked_for([*tracks, *tracks], [], ["manual", "automatic"]) == tracks


def test_a_file_with_another_digest_is_deleted(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"abc")
    fetched = Fetched(path, "mp3", 3, "")
    assert _media.verified(fetched, md5="900150983CD24FB0D6963F7D28E17F72") is fetched
    assert _media.verified(fetched) is fetched
    with pytest.raises(FetchError, match="sha1 is a9993e36") as caught:
        _media.verified(fetched, sha1="0" * 40, md5="900150983cd24fb0d6963f7d28e17f72")
    assert (caught.value.kind, path.exists()) == ("incomplete", False)


def test_extensions_come_from_addresses_then_from_types():
    assert _media.extension_of("https://x.test/a.MP3?y=b.wav") == "mp3"
    assert _media.extension_of("https://x.test/play.php", "audio/mpeg; charset=x") == "mp3"
    assert _media.extension_of("https://x.test/cover.jpg", "image/jpeg") is None
    assert not _media.is_media("https://x.test/notes.pdf", "application/pdf")
    assert _media.is_media("https://x.test/play", "audio/x-odd")
