# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from replica.handle import Replica
from speechmill.core.errors import FetchError
from speechmill.core.remote import Ref
from speechmill.sources import Connection, youtube
from speechmill.sources._http import Response
from speechmill.sources._youtube_api import Api

Open = Callable[..., youtube.Backend]


@pytest.fixture
def opened(replica: Replica, tmp_path: Path) -> Iterator[Open]:
    """Open backends that have a key; they are closed at the end."""
    backends: list[youtube.Backend] = []

    def open_(key: str | None = "replica-key", **config: object) -> youtube.Backend:
        connection = Connection(tmp_path, proxy=replica.proxy(), api_key=key, timeout_s=5.0)
        backends.append(youtube.Backend(youtube.Config(api=True, **config), connection))
        return backends[-1]

    yield open_
    for backend in backends:
        backend.close()


def listed(backend: youtube.Backend) -> list[Ref]:
    refs: list[Ref] = []
    cursor: str | None = None
    while True:
        page = backend.discover(cursor)
        refs += page.refs
        if page.cursor is None:
            return refs
        cursor = page.cursor


@pytest.mark.parametrize(
    ("asked", "paths"),
    [
        ({"channel": "UCreplica000000000000003"}, {"playlistItems": 2, "videos": 2}),
        ({"channel": "@channel3"}, {"channels": 1, "playlistItems": 2, "videos": 2}),
        ({"playlist": "PLreplica000000003"}, {"playlistItems": 2, "videos": 2}),
    ],
)
def test_a_channel_costs_two_units_for_fifty_videos(asked, paths, opened, replica):
    replica.control(videos_per_channel=60)
    backend = opened(**asked)
    refs = listed(backend)
    assert [ref.id for ref in refs] == [f"v{3000 + index:010d}" for index in range(60)]
    assert {ref.channel for ref in refs} == {"Channel 3"}
    assert replica.statistics()["by_path"] == {
        f"www.googleapis.com/youtube/v3/{name}": count for name, count in paths.items()
    }


def test_what_was_listed_is_described_without_a_request(opened, replica):
    backend = opened(playlist="PLreplica000000003")
    ref = backend.discover(None).refs[0]
    before = backend.num_requests
    found = backend.describe(ref)
    truth = replica.video(ref.id)
    assert backend.num_requests == before
    assert (found.title, found.author, found.views) == (truth["title"], "Channel 3", truth["views"])
    assert (found.date, found.language, found.licence) == (truth["date"][:10], "vi", "creativeCommon")
    assert found.duration == round(truth["duration"])
    assert found.missing == ("category", "tracks", "short")


def test_licences_are_taken_from_the_api(opened, replica):
    replica.control(videos={"v0000003000": {"date": "2026-01-02T08:00:00-07:00"}})
    backend = opened(playlist="PLreplica000000003")
    free, standard = (backend.describe(Ref("youtube", name, "")).rights for name in ("v0000003000", "v0000003001"))
    assert (free.state, free.licence, standard.state) == ("cc-by", "CC BY 4.0", "standard")
    assert (free.evidence or "").startswith('YouTube\'s Data API says "license": "creativeCommon"; seen ')


def test_a_search_can_list_only_what_is_creative_commons(opened, replica):
    replica.control(search_results=100)
    every, free = opened(search="a"), opened(search="a", creative_commons=True)
    assert len(listed(every)) == 100
    assert all(int(ref.id[1:]) % 2 == 0 for ref in listed(free))


def test_a_video_that_the_api_has_not_is_deleted_or_private(opened):
    with pytest.raises(FetchError) as caught:
        opened(search="a").describe(Ref("youtube", "p0000003000", ""))
    assert (caught.value.kind, caught.value.reason) == ("permanent", "deleted")


def test_captions_and_sound_are_fetched_without_the_api(opened, replica):
    backend = opened(search="a")
    found = backend.describe(Ref("youtube", "v0000003000", ""))
    assert len(backend.captions(found, (), ("manual", "automatic"))) == 2
    assert backend.fetch(found).size == len(replica.media("v0000003000"))
    assert backend.num_requests == 1 + 2 + 2 + 1


def test_captions_that_decide_are_looked_for_on_the_page(opened):
    found = opened(search="a", captions="manual").describe(Ref("youtube", "v0000003000", ""))
    assert [track.kind for track in found.tracks] == ["manual", "automatic"]


def test_without_a_key_the_pages_are_asked(opened, replica):
    opened(key=None, playlist="PLreplica000000003").discover(None)
    assert set(replica.statistics()["by_host"]) == {"www.youtube.com"}


def test_where_the_quota_is_spent_descriptions_come_from_the_pages_and_listings_wait(opened, replica):
    replica.control(api_quota=0)
    backend = opened(search="a")
    assert backend.describe(Ref("youtube", "v0000003000", "")).tracks
    with pytest.raises(FetchError) as caught:
        backend.discover(None)
    assert (caught.value.kind, caught.value.reason) == ("rate", "api-refused")


def test_a_key_is_in_no_address_and_no_error(opened):
    backend = opened(key="canary-key", search="a")
    with pytest.raises(FetchError) as caught:
        backend.discover(None)
    assert "canary-key" not in f"{caught.value} {caught.value.args}"


ROW = {
    "id": "v0000000001",
    "snippet": {"title": "A\u202e", "channelTitle": "B", "channelId": "UC1", "publishedAt": "2026-01-02T00:00:00Z"},
    "contentDetails": {"duration": "PT9S"},
    "status": {"license": "youtube"},
    "statistics": {"viewCount": "3"},
}


def answering(answer: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(Connection(tmp_path), "key")
    body = json.dumps(answer).encode()
    monkeypatch.setattr(api._client, "get", lambda url, **options: Response(url, 200, {}, body))
    return api


@pytest.mark.parametrize("answer", [None, [], {}, {"items": None}, {"items": {"id": "v0000000001"}}, {"error": "x"}])
def test_an_answer_without_a_list_does_not_say_that_a_video_is_gone(answer, tmp_path, monkeypatch):
    api = answering(answer, tmp_path, monkeypatch)
    for ask in (
        lambda: api.describe(["v0000000001"], "2026-11-21"),
        lambda: api.search("a", None, creative_commons_only=False),
        lambda: api.channel("@name", None),
    ):
        with pytest.raises(FetchError) as caught:
            ask()
        assert caught.value.kind == "incomplete"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_odd_fields_end_in_a_description_without_a_licence_or_a_fetch_error(data, tmp_path, monkeypatch):
    row = data.draw(st.sampled_from([(part, name) for part in ROW if part != "id" for name in (*ROW[part], None)]))
    odd = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20)
        | st.lists(st.integers())
    )
    part, name = row
    value = data.draw(odd)
    changed = {**ROW, part: value if name is None else {**ROW[part], name: value}}
    api = answering({"items": [changed]}, tmp_path, monkeypatch)
    found = api.describe(["v0000000001"], "2026-11-21")["v0000000001"]
    assert found.rights.state in ("standard", "failed")
    assert found.title
    assert found.title.isprintable() or not found.title.isascii()


def test_rows_that_were_not_asked_for_are_passed_over(tmp_path, monkeypatch):
    api = answering({"items": [ROW, {**ROW, "id": "v0000000002"}, {**ROW, "id": ["x"]}, 7]}, tmp_path, monkeypatch)
    found = api.describe(["v0000000001"], "2026-11-21")
    assert {id: one.title for id, one in found.items()} == {"v0000000001": "A"}
