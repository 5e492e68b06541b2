# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from speechmill.core.remote import CaptionTrack, Description
from speechmill.core.types import Rights
from speechmill.crawl.search import Hours, captions, clock, hours_by_licence, rows


def item(id: str, duration: float | None = 3600.0, state: str = "cc-by", **fields) -> Description:
    return Description("youtube", id, f"https://x/{id}", f"Talk {id}", duration, rights=Rights(state=state), **fields)


def test_a_row_says_what_an_item_is_before_it_is_fetched():
    tracks = (CaptionTrack("vi", "manual"), CaptionTrack("vi", "automatic"))
    assert [tuple(row) for row in rows([item("a", 754.4, author="Open Talks", tracks=tracks, language="vi")])] == [
        ("a", "Talk a", "Open Talks", "0:12:34", "cc-by", "vi; automatic: vi", "vi")
    ]


def test_what_is_not_stated_is_a_dash():
    assert tuple(rows([item("a", None, "unstated")])[0]) == ("a", "Talk a", "-", "-", "unstated", "-", "-")


def test_rows_stay_in_the_platforms_order():
    assert [row.id for row in rows([item("b"), item("a")])] == ["b", "a"]


def test_a_running_stream_has_no_length_yet():
    assert rows([item("a", 10.0, live=True)])[0].duration == "live"


def test_a_channel_without_a_name_is_shown_by_its_handle_or_id():
    assert rows([item("a", channel_handle="@a", channel_id="UC1")])[0].channel == "@a"
    assert rows([item("a", channel_id="UC1")])[0].channel == "UC1"


def test_hours_are_told_by_licence_in_the_order_of_what_may_be_done():
    found = [item("a", 1800.0, "standard"), item("b", 3600.0), item("c", 5400.0), item("d", None, "public-domain")]
    assert hours_by_licence(found) == [
        Hours("cc-by", 2, 2.5),
        Hours("public-domain", 1, 0.0),
        Hours("standard", 1, 0.5),
    ]


def test_a_state_that_nobody_knows_is_counted_too():
    assert hours_by_licence([item("a", state="odd")]) == [Hours("odd", 1, 1.0)]
    assert hours_by_licence([]) == []


def test_many_languages_of_captions_are_counted():
    tracks = [CaptionTrack(language, "automatic") for language in ("vi", "en", "fr", "de", "es", "it", "en")]
    assert captions(tracks) == "automatic: de, en, es, fr, and 2 more"


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "0:00:00"), (3599.6, "1:00:00"), (360_000.0, "100:00:00")])
def test_lengths_are_hours_minutes_and_seconds(seconds, said):
    assert clock(seconds) == said
