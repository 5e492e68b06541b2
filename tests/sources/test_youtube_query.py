# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from speechmill.core.errors import ConfigError
from speechmill.sources import youtube
from speechmill.sources._youtube_query import (
    channel_listings,
    channel_path,
    is_video_id,
    playlist_id,
    search_listing,
    video_id,
)


@pytest.mark.parametrize(
    "written",
    [
        "dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "http://m.youtube.com/watch?list=PL1&v=dQw4w9WgXcQ&t=3",
        "youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=abc",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ",
    ],
)
def test_a_video_is_known_by_id_and_by_every_usual_address(written):
    assert video_id(written) == "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "dQw4w9WgXc",
        "dQw4w9WgXcQQ",
        "../../etc/pa",
        "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
        "https://evil.example/?u=youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com@evil.example/watch?v=dQw4w9WgXcQ",
        "https://user@www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com:8080/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com:x/watch?v=dQw4w9WgXcQ",
        "file:///watch?v=dQw4w9WgXcQ",
        "ftp://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ%0a",
        "https://www.youtube.com/redirect?q=dQw4w9WgXcQ",
        "ytsearch5:dQw4w9WgXcQ",
    ],
)
def test_what_is_no_video_of_youtubes_is_refused(written):
    with pytest.raises(ConfigError, match="no video"):
        video_id(written)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("UCabcdefghijklmnopqrstuv", "channel/UCabcdefghijklmnopqrstuv"),
        ("https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv/about", "channel/UCabcdefghijklmnopqrstuv"),
        ("@khoahoc", "@khoahoc"),
        ("https://youtube.com/@khoahoc/videos?x=1", "@khoahoc"),
        ("https://www.youtube.com/%40khoahoc", "@khoahoc"),
        ("@Khoahọc", "@Khoahọc"),
        ("https://www.youtube.com/c/SomeName", "c/SomeName"),
        ("https://www.youtube.com/user/SomeName", "user/SomeName"),
    ],
)
def test_a_channel_is_known_by_id_handle_and_address(written, path):
    assert channel_path(written) == path


@pytest.mark.parametrize("written", ["khoahoc", "@a", "UCshort", "@a/../../b", "https://www.youtube.com/feed/history"])
def test_what_is_no_channel_is_refused(written):
    with pytest.raises(ConfigError, match="no channel"):
        channel_path(written)


def test_a_handle_in_another_script_is_escaped_in_its_address():
    assert channel_listings("@Khoahọc", streams=False, shorts=False)[0].url == (
        "https://www.youtube.com/@Khoah%E1%BB%8Dc/videos"
    )


def test_only_the_tab_with_videos_is_listed_unless_more_is_wanted():
    tabs = [one.url.rpartition("/")[2] for one in channel_listings("@name", streams=False, shorts=False)]
    more = [one.url.rpartition("/")[2] for one in channel_listings("@name", streams=True, shorts=True)]
    assert (tabs, more) == (["videos"], ["videos", "streams", "shorts"])


@pytest.mark.parametrize("written", ["WL", "LL", "PL", "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "PLx/../../y123"])
def test_what_is_no_public_playlist_is_refused(written):
    with pytest.raises(ConfigError, match="no playlist"):
        playlist_id(written)


def test_a_playlist_is_taken_from_a_videos_address():
    assert playlist_id("https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PLabcdefghijk") == "PLabcdefghijk"


def test_words_of_a_search_stay_words():
    plain = search_listing("a&sp=b #c", creative_commons=False)
    filtered = search_listing("a&sp=b #c", creative_commons=True)
    assert plain.url == "ytsearchall:a&sp=b #c"
    assert filtered.url == "https://www.youtube.com/results?search_query=a%26sp%3Db+%23c&sp=EgQQATAB"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "given: none"),
        ({"search": "a", "channel": "@abc"}, "given: search, channel"),
        ({"search": "  "}, "search is empty"),
        ({"video": ()}, "video is empty"),
        ({"video": "nonsense"}, "'nonsense' is no video"),
        ({"channel": "https://evil.example/@abc"}, "no channel"),
        ({"playlist": "x"}, "no playlist"),
        ({"channel": "@abc", "creative_commons": True}, "narrows a search"),
        ({"search": "a", "player_client": ()}, "player_client is empty"),
    ],
)
def test_a_config_that_is_not_clear_is_refused(asked, message):
    with pytest.raises(ConfigError, match=message):
        youtube.check(youtube.Config(**asked))


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"search": "podcast"}, "search"),
        ({"channel": "@abc"}, "channel"),
        ({"playlist": "PLabcdefghijk"}, "playlist"),
        ({"video": ("dQw4w9WgXcQ",)}, "video"),
    ],
)
def test_the_kind_of_query_is_told(asked, kind):
    config = youtube.Config(**asked)
    youtube.check(config)
    assert youtube.kind(config) == kind


@pytest.mark.parametrize("value", [None, 7, "", "../../../x1", "dQw4w9WgXcQ\n", "dQw4w9WgXcQ0", "dQw4w9WgXc\u00e9"])
def test_what_an_answer_calls_an_id_is_one_or_passed_over(value):
    assert not is_video_id(value)
    assert is_video_id("dQw4w9WgXcQ")
