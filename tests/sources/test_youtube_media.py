# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from speechmill.core.errors import FetchError
from speechmill.core.remote import CaptionTrack
from speechmill.sources import Connection
from speechmill.sources._youtube_describe import caption_urls, description_of, ref_of
from speechmill.sources._youtube_media import Media, Sound, check, media_of

HOST = "https://rr1---sn-a.googlevideo.com/videoplayback"
CONNECTION = Connection(Path())


def sound(name: str, rate: float, **more: object) -> dict:
    common = {"format_id": name, "url": f"{HOST}?itag={name}", "ext": "m4a", "vcodec": "none", "acodec": "mp4a.40.2"}
    return {**common, "protocol": "https", "tbr": rate, **more}


def best(*formats: dict, **info: object) -> str | None:
    found = media_of({"formats": list(formats), **info}, {}, 0.0).sound
    return None if found is None else found.url.partition("=")[2]


def test_the_higher_bit_rate_is_taken():
    assert best(sound("139", 48.0), sound("140", 129.0), sound("249", 50.0, ext="webm", acodec="opus")) == "140"
    assert best(sound("140", 129.0), sound("251", 140.0, ext="webm", acodec="opus")) == "251"


def test_the_original_language_goes_before_the_bit_rate():
    dubbed = sound("140-1", 160.0, language="en", language_preference=-1)
    assert best(dubbed, sound("140-0", 129.0, language="vi", language_preference=10)) == "140-0"


def test_sound_that_was_squeezed_in_level_is_passed_over():
    assert best(sound("140-drc", 130.0, format_note="medium, DRC"), sound("140", 129.0)) == "140"


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "m3u8_native"},
        {"protocol": "http_dash_segments", "fragments": [{"url": "a"}]},
        {"protocol": "mhtml"},
        {"vcodec": "avc1"},
        {"vcodec": None},
        {"acodec": "none"},
        {"ext": "mp3"},
        {"url": "http://rr1---sn-a.googlevideo.com/x"},
        {"url": "file:///etc/passwd"},
        {"url": ""},
        {"has_drm": True},
        {"has_drm": "maybe"},
    ],
)
def test_only_plain_files_of_sound_are_taken(other):
    assert best(sound("1", 200.0, **other), sound("2", 50.0)) == "2"
    assert best(sound("1", 200.0, **other)) is None


def test_an_address_is_good_until_it_says_so_but_five_hours_at_most():
    def until(query: str) -> float:
        return media_of({"formats": [sound("1", 9.0, url=f"{HOST}?{query}")]}, {}, 1_000.0).expires

    assert until("expire=2000") == 2_000.0
    assert until("expire=99999999") == 1_000.0 + 18_000.0
    assert until("expire=soon") == 1_000.0 + 3_600.0


SOUND = Sound("https://a", "m4a", 1000)


@pytest.mark.parametrize(
    ("media", "duration", "kind", "reason"),
    [
        (Media(None, {}, 0.0, drm=True), 5.0, "permanent", "drm"),
        (Media(SOUND, {}, 0.0, live=True), None, "permanent", "live"),
        (Media(SOUND, {}, 0.0), 36_001.0, "permanent", "too-long"),
        (Media(None, {}, 0.0), 5.0, "incomplete", "no-formats"),
        (Media(replace(SOUND, size=(2 << 30) + 1), {}, 0.0), 5.0, "permanent", "too-large"),
    ],
)
def test_what_is_too_much_or_not_for_us_is_not_fetched(media, duration, kind, reason):
    with pytest.raises(FetchError) as caught:
        check(media, CONNECTION, duration)
    assert (caught.value.kind, caught.value.reason) == (kind, reason)


def test_what_is_encrypted_in_part_is_fetched_from_the_rest():
    media = media_of({"formats": [sound("1", 9.0, has_drm=True), sound("2", 8.0)]}, {}, 0.0)
    assert check(media, CONNECTION, 5.0).url.endswith("=2")


# Descriptions of odd answers

INFO = {"id": "v0000000001", "title": "A", "channel": "B", "duration": 5}


@pytest.mark.parametrize("absent", [{"title": None}, {"title": ""}, {"id": None}])
def test_an_answer_without_a_title_is_incomplete(absent):
    with pytest.raises(FetchError) as caught:
        description_of({**INFO, **absent}, "2026-11-21")
    assert (caught.value.kind, caught.value.reason) == ("incomplete", "no-details")


def test_what_is_not_said_is_named():
    assert description_of(INFO, "2026-11-21").missing == ("channel_id", "date", "views", "category")


@pytest.mark.parametrize(
    ("info", "state", "licence"),
    [
        ({"license": "Creative Commons Attribution license (reuse allowed)"}, "cc-by", "CC BY"),
        ({"license": "Creative Commons Attribution 4.0 International"}, "cc-by", "CC BY 4.0"),
        ({"license": "Creative Commons", "upload_date": "20260102"}, "standard", "Creative Commons"),
        (
            {"license": "Creative Commons Attribution-NonCommercial"},
            "standard",
            "Creative Commons Attribution-NonCommercial",
        ),
        ({"license": "not under Creative Commons Attribution"}, "standard", "not under Creative Commons Attribution"),
        ({"license": "Standard YouTube License"}, "standard", "Standard YouTube License"),
        ({"license": None}, "standard", "YouTube standard licence"),
        ({"license": None, "channel": None}, "failed", None),
        ({"license": "", "channel": ""}, "failed", None),
    ],
)
def test_a_licence_is_told_by_what_was_said(info, state, licence):
    rights = description_of({**INFO, **info}, "2026-11-21").rights
    assert (rights.state, rights.licence) == (state, licence)
    assert "2026-11-21" in (rights.evidence or "")
    assert (rights.attribution is None) == (state != "cc-by")


def test_what_strangers_wrote_is_one_line_that_runs_one_way():
    found = description_of({**INFO, "title": "\u202eA\x1b[31m\nB\ud800\x00", "channel": "C\u2066\tD"}, "2026-11-21")
    assert (found.title, found.author) == ("A [31m B", "C D")
    assert (found.rights.title, found.rights.author) == ("A [31m B", "C D")
    assert description_of({**INFO, "title": "\ufeff"}, "2026-11-21").title == "v0000000001"


def test_what_has_no_date_gets_no_version():
    rights = description_of({**INFO, "license": "Creative Commons Attribution"}, "2026-11-21").rights
    assert "no date to tell it by" in (rights.evidence or "")


def address(query: str) -> list[dict]:
    return [{"ext": ext, "url": f"https://www.youtube.com/api/timedtext?{query}&fmt={ext}"} for ext in ("json3", "vtt")]


def test_tracks_are_those_that_were_written_or_recognised():
    info = {
        **INFO,
        "subtitles": {
            "en-GB": address("lang=en-GB"),
            "en-xyz": address("lang=en&name=Notes"),
            "live_chat": [{"ext": "json", "url": "https://www.youtube.com/watch?v=a"}],
        },
        "automatic_captions": {
            "vi-orig": address("lang=vi&kind=asr"),
            "vi": address("lang=vi&kind=asr"),
            "fr": address("lang=vi&kind=asr&tlang=fr"),
            "de-en-GB": address("lang=en-GB&tlang=de"),
        },
    }
    assert caption_urls(info)[CaptionTrack("vi", "automatic")].endswith("lang=vi&kind=asr&fmt=json3")
    assert description_of(info, "2026-11-21").tracks == (
        CaptionTrack("en-GB", "manual"),
        CaptionTrack("en", "manual"),
        CaptionTrack("vi", "automatic"),
    )


def test_a_video_speaks_the_language_of_its_original_sound():
    formats = [
        sound("1", 9.0, language="en", language_preference=-1),
        sound("2", 9.0, language="vi", language_preference=10),
    ]
    assert description_of({**INFO, "formats": formats}, "2026-11-21").language == "vi"


@pytest.mark.parametrize(
    ("entry", "live", "short"),
    [
        ({}, None, None),
        ({"live_status": "is_live"}, True, None),
        ({"live_status": "is_upcoming"}, True, None),
        ({"live_status": "was_live"}, False, None),
        ({"url": "https://www.youtube.com/shorts/v0000000001"}, None, True),
    ],
)
def test_a_listing_tells_streams_and_shorts_where_it_does(entry, live, short):
    ref = ref_of({"id": "v0000000001", "title": "A", **entry})
    assert (ref.live, ref.short) == (live, short)
