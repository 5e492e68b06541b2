# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from speechmill.core.errors import FetchError
from speechmill.core.types import Word
from speechmill.formats import captions
from speechmill.sources._youtube_captions import as_vtt


def json3(*events: dict) -> bytes:
    return json.dumps({"wireMagic": "pb3", "events": list(events)}).encode()


def line(start_ms: int, duration_ms: int, *pieces: tuple[int, str], **more: object) -> dict:
    segs = [{"utf8": text, "tOffsetMs": offset} if offset else {"utf8": text} for offset, text in pieces]
    return {"tStartMs": start_ms, "dDurationMs": duration_ms, "segs": segs, **more}


ROLLING = json3(
    {"tStartMs": 0, "dDurationMs": 9000, "id": 1, "wpWinPosId": 1},
    line(1000, 5000, (0, "xin"), (400, " chào"), (900, " các"), (1200, " bạn")),
    line(3000, 3000, (0, "\n"), aAppend=1),
    line(3000, 4000, (100, "một"), (600, " hai")),
)


def test_automatic_captions_keep_the_time_of_each_word(tmp_path):
    (tmp_path / "a.vtt").write_bytes(as_vtt(ROLLING, "automatic"))
    first, second = captions.read_rolling(tmp_path / "a.vtt")
    assert first.words == (
        Word("xin", 1.0, 0.4),
        Word("chào", 1.4, 0.5),
        Word("các", 1.9, 0.3),
        Word("bạn", 2.2, 0.8),
    )
    assert second.words == (Word("một", 3.1, 0.5), Word("hai", 3.6, 3.4))


def test_a_rolling_line_ends_where_the_next_starts(tmp_path):
    (tmp_path / "a.vtt").write_bytes(as_vtt(ROLLING, "automatic"))
    times = [(one.start, one.duration) for one in captions.read(tmp_path / "a.vtt")]
    assert times == [(1.0, 2.0), (3.0, 4.0)]


def test_what_a_person_wrote_keeps_its_lines_and_its_overlaps():
    content = json3(line(0, 3000, (0, "Xin chào,\ncác bạn")), line(2000, 2000, (0, " \n"), (0, "Chào!")))
    assert as_vtt(content, "manual").decode() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nXin chào,\ncác bạn\n\n00:00:02.000 --> 00:00:04.000\nChào!\n"
    )


def test_marks_in_a_text_do_not_become_marks_of_webvtt(tmp_path):
    content = json3(line(0, 1000, (0, "a --> b")), line(1000, 1000, (0, "1 < 2 & <b>x</b>")))
    (tmp_path / "a.vtt").write_bytes(as_vtt(content, "manual"))
    assert [one.text for one in captions.read(tmp_path / "a.vtt")] == ["a --> b", "1 < 2 & <b>x</b>"]


def test_times_beyond_an_hour_are_written_whole():
    assert b"01:00:01.005 --> 100:00:00.000" in as_vtt(json3(line(3_601_005, 356_398_995, (0, "a"))), "manual")


@pytest.mark.parametrize(
    "content",
    [
        json3(),
        b'{"wireMagic": "pb3"}',
        json3({"tStartMs": 0, "dDurationMs": 5}),
        json3(line(0, 5000, (0, "[âm nhạc]"))),
        json3(line(0, 5000, (0, "[Music]")), line(5000, 100, (0, "♪ ♪")), line(6000, 100, (0, "(applause)"))),
    ],
)
@pytest.mark.parametrize("kind", ["manual", "automatic"])
def test_captions_in_which_nothing_is_said_are_none(content, kind):
    assert as_vtt(content, kind) is None


def test_notes_stay_beside_what_is_said():
    assert b"[Music]" in as_vtt(json3(line(0, 900, (0, "[Music]")), line(1000, 900, (0, "xin chào"))), "automatic")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-captions"),
        (b" \n", "empty-captions"),
        (b"<html>sorry</html>", "broken-captions"),
        (b"[]", "broken-captions"),
        (json3(line(0, 1, (0, "a")))[:-9], "broken-captions"),
        (json3({"segs": [{"utf8": "no time"}]}), "broken-captions"),
        (json3({"tStartMs": 1, "segs": "text"}), "broken-captions"),
        (json3({"tStartMs": 1, "segs": [{"utf8": 5}]}), "broken-captions"),
        (b'{"events": [3]}', "broken-captions"),
        (b'{"events": 3}', "broken-captions"),
    ],
)
def test_what_is_not_json3_is_incomplete(content, reason):
    with pytest.raises(FetchError) as caught:
        as_vtt(content, "manual")
    assert (caught.value.kind, caught.value.reason) == ("incomplete", reason)


@pytest.mark.parametrize("kind", ["manual", "automatic"])
def test_what_no_caption_says_is_left_out(kind):
    content = as_vtt(json3(line(0, 900, (0, "\x1b[0mxin\ud800 \u202echào\x00"))), kind)
    assert content is not None
    assert content.decode().splitlines()[-1] == "[0mxin chào"


@pytest.mark.parametrize("start", ["Infinity", "1e999", '"x"', "[]"])
def test_times_that_are_none_make_an_answer_incomplete(start):
    content = f'{{"events": [{{"tStartMs": {start}, "segs": [{{"utf8": "a"}}]}}]}}'.encode()
    with pytest.raises(FetchError) as caught:
        as_vtt(content, "manual")
    assert (caught.value.kind, caught.value.reason) == ("incomplete", "broken-captions")
