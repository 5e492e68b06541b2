# SPDX-License-Identifier: Apache-2.0
"""Which captions are fetched, and other formats as WebVTT."""

from __future__ import annotations

import json

import pytest

from speechmill.core.remote import CaptionTrack
from speechmill.formats import captions
from speechmill.sources._captions import as_webvtt, asked_for
from speechmill.sources._languages import serves

TRACKS = [
    CaptionTrack("en-GB", "manual"),
    CaptionTrack("en", "automatic"),
    CaptionTrack("iw", "manual"),
    CaptionTrack("en-GB", "manual"),
]


@pytest.mark.parametrize(
    ("languages", "kinds", "chosen"),
    [
        ((), ("manual", "automatic"), [0, 1, 2]),
        (("en",), ("manual", "automatic"), [0, 1]),
        (("en-GB",), ("manual", "automatic"), [0]),
        (("he",), ("manual",), [2]),
        (("heb",), ("manual",), [2]),
        (("vi",), ("manual",), []),
        (("en",), (), []),
    ],
)
def test_tracks_are_chosen_once_each_by_language_and_kind(languages, kinds, chosen):
    assert asked_for(TRACKS, languages, kinds) == [TRACKS[index] for index in chosen]


def test_a_bare_language_takes_scripts_and_regions_but_not_the_other_way():
    assert serves("zh", "zh-Hant")
    assert serves("en", "eng")
    assert not serves("zh-Hans", "zh-Hant")
    assert not serves("en", "enm")
    assert not serves("en-GB", "en")


def test_what_no_caption_says_is_left_out():
    content = as_webvtt("WEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\n\x1b[31m\u202ehi\x00\tthere\r\n".encode())
    assert content == b"WEBVTT\n\n00:01.000 --> 00:02.000\n[31mhi\tthere\n"


def test_marks_in_a_podcasts_text_do_not_become_marks_of_webvtt(tmp_path):
    body = 'a <b>bold</b> --> claim & "more"'
    content = as_webvtt(json.dumps({"segments": [{"startTime": 3600.0014, "endTime": 3601, "body": body}]}).encode())
    assert content is not None
    assert content.startswith(b"WEBVTT\n\n01:00:00.001 --> 01:00:01.000\n")
    (tmp_path / "a.vtt").write_bytes(content)
    assert [one.text for one in captions.read(tmp_path / "a.vtt")] == [body]
