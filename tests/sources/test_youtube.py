# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import pytest
import requests
from msgspec.structs import replace
from yt_dlp.utils import YoutubeDLError

from replica.handle import Replica
from speechmill.core.errors import ConfigError, FetchError, MissingDependency
from speechmill.core.remote import CaptionTrack, Description, Ref
from speechmill.formats import captions
from speechmill.sources import Connection, youtube

CC_BY = "v0000003000"  # captions of both kinds
STANDARD = "v0000003001"
Open = Callable[..., youtube.Backend]


@pytest.fixture
def opened(replica: Replica, tmp_path: Path) -> Iterator[Open]:
    """Open backends that go through the replica; they are closed at the end."""
    backends: list[youtube.Backend] = []

    def open_(connection: dict[str, Any] | None = None, **config: Any) -> youtube.Backend:
        asked = config if {"search", "channel", "playlist", "video"} & set(config) else {"search": "a", **config}
        given = {"proxy": replica.proxy(), "timeout_s": 5.0, **(connection or {})}
        backends.append(youtube.Backend(youtube.Config(**asked), Connection(tmp_path, **given)))
        return backends[-1]

    yield open_
    for backend in backends:
        backend.close()


def ref(name: str) -> Ref:
    return Ref("youtube", name, "")


def pages(backend: youtube.Backend) -> Iterator[tuple[list[str], str | None]]:
    cursor: str | None = None
    for _ in range(100):
        page = backend.discover(cursor)
        yield [one.id for one in page.refs], page.cursor
        cursor = page.cursor
        if cursor is None:
            return
    raise AssertionError("the listing has no end")


def failure(call: Callable[[], object]) -> FetchError:
    with pytest.raises(FetchError) as caught:
        call()
    return caught.value


# Listings


def test_a_search_is_read_page_by_page_to_its_end(opened, replica):
    replica.control(search_results=50)
    backend = opened(search="podcast khoa học")
    found = list(pages(backend))
    assert [len(ids) for ids, _ in found] == [20, 20, 10]
    assert len({name for ids, _ in found for name in ids}) == 50
    assert backend.num_requests == 3


def test_a_search_for_creative_commons_asks_youtubes_own_filter(opened, monkeypatch):
    backend = opened(search="khoa học & đời sống", creative_commons=True)
    asked: list[str] = []
    ask = backend._library.extracted
    monkeypatch.setattr(backend._library, "extracted", lambda url, key: asked.append(url) or ask(url, key))
    found = backend.discover(None)
    assert len(found.refs) == 20
    assert asked[0].endswith("&sp=EgQQATAB")


def test_a_listing_says_what_it_knows(opened):
    first = opened(search="a").discover(None).refs[0]
    assert first == Ref(
        "youtube",
        first.id,
        f"https://www.youtube.com/watch?v={first.id}",
        title=first.title,
        duration=first.duration,
        channel=f"Channel {int(first.id[1:]) // 1000}",
        channel_id=f"UCreplica{int(first.id[1:]) // 1000:015d}",
        views=first.views,
    )
    assert first.title.startswith("Talk ")
    assert first.duration > 0
    assert first.views >= 0


def test_a_channel_lists_its_videos_alone_with_its_name(opened, replica):
    replica.control(videos_per_channel=70)
    backend = opened(channel="@channel3")
    refs = [one for _, one in _refs(backend)]
    assert [one.id for one in refs] == [f"v{3000 + index:010d}" for index in range(70)]
    assert {(one.channel, one.channel_id) for one in refs} == {("Channel 3", "UCreplica000000000000003")}
    assert backend.num_requests == 4  # the address, and three pages


def _refs(backend: youtube.Backend) -> Iterator[tuple[str | None, Ref]]:
    cursor: str | None = None
    while True:
        page = backend.discover(cursor)
        yield from ((cursor, one) for one in page.refs)
        if page.cursor is None:
            return
        cursor = page.cursor


def test_shorts_and_streams_are_listed_where_wanted_and_marked(opened, replica):
    replica.control(videos_per_channel=5)
    refs = {one.id: one for _, one in _refs(opened(channel="UCreplica000000000000003", live=True, shorts=True))}
    assert len(refs) == 5 + 10 + 30
    assert refs["v0000003900"].short
    assert refs["l0000003939"].live
    assert refs["v0000003001"].short is None


def test_shorts_in_a_search_are_marked(opened, replica):
    replica.control(search_mixed=True)
    refs = opened(search="a").discover(None).refs
    shorts = [one.id for one in refs if one.short]
    assert len(shorts) == 1
    assert 900 <= int(shorts[0][1:]) % 1000 < 930


def test_a_playlist_is_read_in_pages_of_a_hundred(opened):
    backend = opened(playlist="https://www.youtube.com/playlist?list=PLreplica000000007")
    found = list(pages(backend))
    assert [len(ids) for ids, _ in found] == [100, 100, 50]
    assert backend.num_requests == 4


def test_named_videos_are_listed_without_a_request(opened):
    names = tuple(f"v{number:010d}" for number in range(60))
    backend = opened(video=(*names, names[0], f"https://youtu.be/{names[1]}"))
    found = list(pages(backend))
    assert [name for ids, _ in found for name in ids] == list(names)
    assert backend.num_requests == 0


def test_another_worker_goes_on_where_one_left_off(opened):
    first, second = opened(playlist="PLreplica000000007"), opened(playlist="PLreplica000000007")
    cursor = first.discover(None).cursor
    assert second.discover(cursor) == first.discover(cursor)


def test_a_page_that_fails_is_not_the_end_and_can_be_asked_again(opened, replica):
    backend, whole = opened(search="a"), opened(search="a")
    cursor = backend.discover(None).cursor
    replica.control(status={"/youtubei/v1/search": 429})
    assert failure(lambda: backend.discover(cursor)).kind == "rate"
    replica.control(status={"/youtubei/v1/search": 200})
    replica.control(restore=True)
    whole.discover(None)
    assert backend.discover(cursor) == whole.discover(cursor)


def test_a_listing_that_goes_round_is_given_up(opened, monkeypatch):
    monkeypatch.setattr(youtube, "_MAX_LISTED", 30)
    backend = opened(search="a")
    found = []
    error = failure(lambda: found.extend(pages(backend)))
    assert (error.kind, error.reason) == ("format", "endless-listing")
    assert backend.num_requests == 2


@pytest.mark.parametrize("asked", [{"channel": "@channel99"}, {"playlist": "PLreplica000000099"}])
def test_a_listing_that_is_not_there_is_said_to_be_so(asked, opened):
    error = failure(lambda: opened(**asked).discover(None))
    assert (error.kind, error.reason) == ("permanent", "no-such-listing")


# Descriptions


def test_two_requests_describe_a_video_in_whitelisted_fields(opened, replica):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    truth = replica.video(CC_BY)
    assert found == Description(
        "youtube",
        CC_BY,
        f"https://www.youtube.com/watch?v={CC_BY}",
        truth["title"],
        duration=float(round(truth["duration"])),
        author="Channel 3",
        channel_id="UCreplica000000000000003",
        channel_handle="@channel3",
        author_url="https://www.youtube.com/channel/UCreplica000000000000003",
        date=truth["date"][:10],
        language="vi",
        views=truth["views"],
        category=truth["category"],
        licence="Creative Commons Attribution license (reuse allowed)",
        rights=found.rights,
        tracks=(CaptionTrack("vi", "manual"), CaptionTrack("vi", "automatic")),
    )
    assert backend.num_requests == 2


def test_a_creative_commons_licence_has_the_version_of_its_time(opened, replica):
    days = {"2025-07-31": "CC BY 3.0", "2025-08-02": "CC BY 4.0"}
    backend = opened()
    for day, licence in days.items():
        replica.control(videos={CC_BY: {"date": f"{day}T08:00:00-07:00"}})
        rights = backend.describe(ref(CC_BY)).rights
        assert (rights.state, rights.licence) == ("cc-by", licence)
        assert f"meant on {day}" in (rights.evidence or "")


def test_attribution_names_title_author_address_and_licence(opened, replica):
    replica.control(videos={CC_BY: {"title": "Một chuyện", "date": "2020-01-02T08:00:00-07:00"}})
    rights = opened().describe(ref(CC_BY)).rights
    assert rights.attribution == (
        f'"Một chuyện" by Channel 3, https://www.youtube.com/watch?v={CC_BY}, '
        f"CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/) (seen {rights.seen})"
    )
    assert (rights.title, rights.author, rights.url) == (
        "Một chuyện",
        "Channel 3",
        f"https://www.youtube.com/watch?v={CC_BY}",
    )
    assert rights.seen is not None
    assert rights.seen in (rights.evidence or "")


def test_no_licence_on_a_page_that_was_seen_is_the_standard_one(opened):
    rights = opened().describe(ref(STANDARD)).rights
    assert (rights.state, rights.attribution) == ("standard", None)


def test_no_licence_where_its_part_of_the_page_is_absent_is_failed(opened, monkeypatch):
    backend = opened()
    ask = backend._library.extracted
    lost = {"license", "channel", "uploader"}
    monkeypatch.setattr(
        backend._library, "extracted", lambda *asked: {k: v for k, v in ask(*asked).items() if k not in lost}
    )
    found = backend.describe(ref(CC_BY))
    assert (found.rights.state, found.rights.licence) == ("failed", None)
    assert found.missing == ("author", "licence")


def test_a_licence_lost_to_a_limited_rate_is_never_taken_for_the_standard_one(opened):
    backend = opened()
    error = failure(lambda: backend.describe(ref("c0000003001")))
    assert (error.kind, error.retry_after) == ("rate", 1.0)
    assert backend.describe(ref("c0000003001")).rights.state == "standard"


def test_fields_that_are_absent_are_named(opened, replica):
    replica.control(microformat=False)
    found = opened().describe(ref(CC_BY))
    assert found.missing == ("category",)
    assert found.rights.state == "cc-by"


def test_visits_need_nothing_of_the_query(opened):
    policy = {"limit": 3, "licences": ("cc-by",), "javascript": True}
    channel = youtube.Config(channel="@channel3", **policy)
    search = youtube.Config(search="a", creative_commons=True, **policy)
    assert youtube.visiting(channel) == youtube.visiting(search) == youtube.Config(**policy)
    assert opened(search=None).describe(ref(CC_BY)).id == CC_BY


def test_a_heavy_page_is_described_as_a_light_one(opened, replica):
    light = opened().describe(ref(CC_BY))
    replica.control(weight="realistic")
    assert opened().describe(ref(CC_BY)) == light


def test_recommendations_are_passed_over(opened):
    extractor = opened()._library.get_info_extractor("Youtube")
    extractor._reads_next = True
    results = '"results": {"results": {"contents": [1]}}'
    columns = f'"twoColumnWatchNextResults": {{{results}, "secondaryResults": {{"results": [2]}}}}'
    read = extractor._parse_json(f'{{"contents": {{{columns}}}, "alerts": [3], "engagementPanels": [4]}}', CC_BY)
    assert read == {
        "contents": {"twoColumnWatchNextResults": {"results": {"results": {"contents": [1]}}}},
        "alerts": [3],
    }
    assert extractor._parse_json('{"contents": {}, "engagementPanels": [4]}', CC_BY) == {"contents": {}}


def test_what_is_broken_where_it_is_passed_over_is_refused(opened):
    extractor = opened()._library.get_info_extractor("Youtube")
    extractor._reads_next = True
    with pytest.raises(YoutubeDLError, match="Failed to parse JSON"):
        extractor._parse_json('{"contents": {}, "engagementPanels": [4, }', CC_BY)


def test_an_answer_of_another_form_is_read_whole(opened):
    extractor = opened()._library.get_info_extractor("Youtube")
    extractor._reads_next = True
    assert extractor._parse_json('{"contents": [1], "else": 2}', CC_BY) == {"contents": [1], "else": 2}


def test_a_stream_that_runs_is_described_as_live(opened):
    assert opened().describe(ref("l0000003000")).live


def test_a_short_is_described_as_one(opened):
    backend = opened()
    assert backend.describe(ref("v0000003900")).short
    assert not backend.describe(ref(CC_BY)).short


def test_an_age_check_is_not_worked_round(opened, replica):
    backend = opened()
    assert failure(lambda: backend.describe(ref("a0000003000"))).reason == "age-restricted"
    assert replica.statistics()["videos"]["a0000003000"] == {"next": 1, "player": 1}


def test_backends_in_threads_do_not_mix(opened, replica):
    backends = [opened() for _ in range(4)]

    def titles(worker: int) -> list[str]:
        names = [f"v{worker * 1000 + index:010d}" for index in range(10)]
        return [backends[worker].describe(ref(name)).title.partition(":")[0] for name in names]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(titles, range(4)))
    assert found == [[f"Talk {worker * 1000 + index}" for index in range(10)] for worker in range(4)]
    assert [backend.num_requests for backend in backends] == [20, 20, 20, 20]


# Captions


def test_captions_come_as_asked_for(opened):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    kinds = [(one.language, one.kind) for one in backend.captions(found, (), ("manual", "automatic"))]
    assert kinds == [("vi", "manual"), ("vi", "automatic")]
    assert [one.kind for one in backend.captions(found, ("vi",), ("automatic",))] == ["automatic"]
    assert list(backend.captions(found, ("en",), ("manual", "automatic"))) == []


def test_automatic_captions_have_the_words_that_were_said(opened, tmp_path):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    manual, automatic = backend.captions(found, (), ("manual", "automatic"))
    (tmp_path / "m.vtt").write_bytes(manual.content)
    (tmp_path / "a.vtt").write_bytes(automatic.content)
    written = " ".join(one.text or "" for one in captions.read(tmp_path / "m.vtt"))
    rolling = captions.read_rolling(tmp_path / "a.vtt")
    assert rolling is not None
    assert [word.symbol for one in rolling for word in one.words] == written.split()


def test_captions_that_a_machine_translated_are_not_offered(opened):
    found = opened(player_client=("web",)).describe(ref(CC_BY))
    assert found.tracks == (CaptionTrack("vi", "manual"), CaptionTrack("vi", "automatic"))


def test_captions_that_are_gone_say_nothing_of_the_video(opened, replica):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    replica.control(videos={CC_BY: {"manual": False}})
    error = failure(lambda: backend.captions(found, (), ("manual",)))
    assert (error.kind, error.reason) == ("incomplete", "captions-gone")


# Sound


def test_a_visit_repeats_no_request(opened, replica, tmp_path):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    backend.captions(found, (), ("manual", "automatic"))
    fetched = backend.fetch(found)
    assert fetched.path.read_bytes() == replica.media(CC_BY)
    assert (fetched.size, fetched.extension) == (len(replica.media(CC_BY)), "m4a")
    assert fetched.path.parent == tmp_path
    assert backend.num_requests == 5
    with av.open(str(fetched.path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_what_was_not_described_here_is_asked_for_again(opened, replica):
    found = opened().describe(ref(CC_BY))
    other = opened()
    assert other.fetch(found).path.read_bytes() == replica.media(CC_BY)
    assert other.num_requests == 3


def test_a_transfer_that_breaks_off_goes_on_from_there(opened, replica):
    backend = opened()
    fetched = backend.fetch(backend.describe(ref("t0000003000")))
    assert fetched.path.read_bytes() == replica.media("t0000003000")
    assert backend.num_requests == 4


def test_a_transfer_that_trickles_is_asked_for_again(opened, replica, monkeypatch):
    monkeypatch.setattr("speechmill.sources._youtube_media._MIN_BYTES_PER_S", 10_000_000)
    replica.control(slow_bytes_per_s=40_000.0)
    backend = opened(connection={"timeout_s": 1.0})
    fetched = backend.fetch(backend.describe(ref("s0000003000")))
    assert fetched.path.read_bytes() == replica.media("s0000003000")
    assert backend.num_requests > 3


def test_a_transfer_that_never_ends_well_leaves_nothing(opened, replica, tmp_path, monkeypatch):
    monkeypatch.setattr("speechmill.sources._youtube_media._FIRST_WAIT_S", 0.001)
    replica.control(fault_times=1_000)
    backend = opened()
    found = backend.describe(ref("t0000003000"))
    assert failure(lambda: backend.fetch(found)).kind == "net"
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_refused_is_asked_for_anew_once(opened, replica):
    backend = opened()
    found = backend.describe(ref("f0000003000"))
    assert backend.fetch(found).size == len(replica.media("f0000003000"))
    assert replica.statistics()["videos"]["f0000003000"]["player"] == 2


def test_an_address_that_stays_refused_is_not_asked_for_again(opened, replica):
    replica.control(fault_times=1_000)
    backend = opened()
    found = backend.describe(ref("f0000003000"))
    error = failure(lambda: backend.fetch(found))
    assert (error.kind, error.reason) == ("incomplete", "media-refused")
    assert backend.num_requests == 6


def test_half_a_file_is_never_taken_for_the_whole(opened):
    backend = opened()
    found = backend.describe(ref("h0000003000"))
    assert failure(lambda: backend.fetch(found)).kind == "incomplete"


def test_too_many_bytes_are_refused_before_one_is_asked_for(opened, replica):
    backend = opened(connection={"max_bytes": 1000})
    error = failure(lambda: backend.fetch(backend.describe(ref(CC_BY))))
    assert (error.kind, error.reason) == ("permanent", "too-large")
    assert backend.num_requests == 2


def test_too_long_a_recording_is_refused_before_a_byte_is_asked_for(opened):
    backend = opened(connection={"max_duration_s": 3600.0})
    found = replace(backend.describe(ref(CC_BY)), duration=3601.0)
    error = failure(lambda: backend.fetch(found))
    assert (error.kind, error.reason) == ("permanent", "too-long")
    assert backend.num_requests == 2


def test_bytes_are_counted_where_a_player_names_no_size(opened, monkeypatch, tmp_path):
    backend = opened(connection={"max_bytes": 1000})
    found = backend.describe(ref(CC_BY))
    media = backend._media[CC_BY]
    assert media.sound is not None
    backend._media[CC_BY] = replace(media, sound=replace(media.sound, size=None))
    error = failure(lambda: backend.fetch(found))
    assert (error.kind, error.reason) == ("permanent", "too-large")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_has_expired_is_not_used(opened):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    backend._media[CC_BY] = replace(backend._media[CC_BY], expires=0.0)
    backend.fetch(found)
    assert backend.num_requests == 5


def test_only_so_many_addresses_are_kept(opened, monkeypatch):
    monkeypatch.setattr(youtube, "_MAX_KEPT", 2)
    backend = opened()
    for index in range(4):
        backend.describe(ref(f"v{3000 + index:010d}"))
    assert list(backend._media) == ["v0000003002", "v0000003003"]


# Doors that stay shut


def redirecting(monkeypatch: pytest.MonkeyPatch, target: str) -> list[str]:
    """Have every address answer with a redirect; return the list of those that were asked."""
    asked: list[str] = []

    def send(self: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
        asked.append(str(request.url))
        response = requests.Response()
        response.status_code, response.request, response.url = 302, request, str(request.url)
        response.headers["Location"] = target
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return asked


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "http://www.youtube.com/",
        "https://www.youtube.com:8443/",
        "https://www.youtube.com.evil.example/",
        "https://evilyoutube.com/",
        "https://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "https://www.googleapis.com/",
    ],
)
def test_a_redirect_to_another_host_is_not_followed(target, opened, monkeypatch):
    asked = redirecting(monkeypatch, target)
    error = failure(lambda: opened().describe(ref(CC_BY)))
    assert (error.kind, error.reason) == ("format", "host-refused")
    assert {url.split("?")[0] for url in asked} <= {
        "https://www.youtube.com/youtubei/v1/next",
        "https://www.youtube.com/youtubei/v1/player",
    }


def test_redirects_without_end_are_given_up(opened, monkeypatch):
    asked = redirecting(monkeypatch, "https://m.youtube.com/again")
    failure(lambda: opened().describe(ref(CC_BY)))
    assert 1 < len(asked) <= 14


def test_only_youtubes_extractors_are_there(opened):
    backend = opened()
    error = failure(lambda: _extract(backend, "https://evil.example/a.m4a", "Generic"))
    assert error.kind == "format"
    assert sorted(backend._library._ies) == ["Youtube", "YoutubeSearch", "YoutubeSearchURL", "YoutubeTab"]


def _extract(backend: youtube.Backend, url: str, extractor: str) -> None:
    with backend._library.asking():
        backend._library.extracted(url, extractor)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "data:audio/mp4;base64,AAAA",
        "http://127.0.0.1:8080/x.m4a",
        "https://127.0.0.1/x.m4a",
        "https://[::1]/x.m4a",
        "https://rr1---sn-a.googlevideo.com@evil.example/x.m4a",
        "https://rr1---sn-a.googlevideo.com.evil.example/x.m4a",
        "https://evil.example/x.m4a",
        "ftp://rr1---sn-a.googlevideo.com/x.m4a",
    ],
)
def test_an_address_that_leads_away_is_asked_neither_for_sound_nor_for_captions(address, opened, tmp_path):
    backend = opened()
    found = backend.describe(ref(CC_BY))
    media = backend._media[CC_BY]
    assert media.sound is not None
    captions = dict.fromkeys(media.captions, address)
    backend._media[CC_BY] = replace(media, sound=replace(media.sound, url=address), captions=captions)
    for ask in (lambda: backend.fetch(found), lambda: backend.captions(found, (), ("manual", "automatic"))):
        error = failure(ask)
        assert (error.kind, error.reason) == ("format", "host-refused")
    assert backend.num_requests == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_a_title_gets_into_a_path(opened, replica, tmp_path):
    replica.control(videos={CC_BY: {"title": "../../etc/passwd\x00.m4a"}})
    backend = opened()
    found = backend.describe(ref(CC_BY))
    path = backend.fetch(found).path
    assert found.title == "../../etc/passwd .m4a"
    assert path.parent == tmp_path
    assert path.name.startswith("youtube-")


def test_an_answer_longer_than_any_real_one_is_given_up(opened, monkeypatch):
    monkeypatch.setattr("speechmill.sources._ytdlp._MAX_ANSWER_BYTES", 100)
    error = failure(lambda: opened().describe(ref(CC_BY)))
    assert (error.kind, error.reason) == ("format", "too-large")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("yt_dlp.extractor.youtube.YoutubeIE", "_is_agegated"),
        ("yt_dlp.extractor.youtube._base.YoutubeBaseInfoExtractor", "_extract_response"),
    ],
)
def test_a_yt_dlp_without_what_is_overridden_is_refused(owner, name, opened, monkeypatch):
    monkeypatch.delattr(f"{owner}.{name}", raising=True)
    with pytest.raises(MissingDependency, match=f"lacks {name}, which speechmill overrides"):
        opened()


def test_a_yt_dlp_that_no_longer_calls_what_is_overridden_gets_no_answer(opened, monkeypatch):
    from speechmill.sources import _ytdlp

    monkeypatch.setattr(_ytdlp.GuardedRH, "_create_instance", _ytdlp.RequestsRH._create_instance)
    backend = opened()
    error = failure(lambda: backend.describe(ref(CC_BY)))
    assert (error.kind, error.reason) == ("format", "host-refused")
    assert "past speechmill's checks" in error.detail


def test_a_process_that_has_plug_ins_of_yt_dlps_is_refused(opened, monkeypatch):
    import yt_dlp.globals

    monkeypatch.setattr(yt_dlp.globals.plugin_ies_overrides, "value", {object: ["x"]})
    with pytest.raises(ConfigError, match="has plug-ins of yt-dlp's loaded"):
        opened()


HOSTILE = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")
from yt_dlp.extractor.common import InfoExtractor
class EvilIE(InfoExtractor):
    _VALID_URL = "evil:"
"""
OPEN = """
import sys
from pathlib import Path
from speechmill.sources import Connection, youtube
backend = youtube.Backend(youtube.Config(search="a"), Connection(Path(sys.argv[1])))
print(sorted(backend._library.params["extractor_args"]), backend._library.proxies)
backend.close()
"""


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path, dict[str, str]]:
    """A folder with a plug-in and settings of yt-dlp's, the marker that it leaves, and an environment that helps it."""
    folder, marker = tmp_path / "cwd", tmp_path / "marker"
    config = folder / "config" / "yt-dlp"
    for place in (folder, config / "plugins" / "package"):
        (place / "yt_dlp_plugins" / "extractor").mkdir(parents=True)
        (place / "yt_dlp_plugins" / "extractor" / "evil.py").write_text(HOSTILE.format(marker=str(marker)))
    for place in (folder / "yt-dlp.conf", config / "config"):
        place.write_text(f"--exec 'touch {marker}'\n--proxy http://evil.example:1\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "HTTPS_PROXY": "http://evil.example:1",
    }
    return folder, marker, environment


def run_python(script: str, folder: Path, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plug_ins_and_settings_of_the_working_folder_are_not_read(hostile):
    folder, marker, environment = hostile
    said = run_python(OPEN, folder, environment)
    assert said == "['youtube', 'youtubetab'] {'all': '__noproxy__'}\n"
    assert not marker.exists()


def test_the_hostile_plug_in_would_run_if_it_were_let(hostile):
    folder, marker, environment = hostile
    run_python("import yt_dlp; yt_dlp.YoutubeDL({'quiet': True}).close()", folder, environment)
    assert marker.exists()


def test_youtube_is_known_without_yt_dlp(tmp_path):
    script = "import sys; from speechmill.sources import youtube; print('yt_dlp' in sys.modules, youtube.BUDGET)"
    assert run_python(script, tmp_path, dict(os.environ)) == "False 250\n"


def test_an_old_yt_dlp_is_refused_with_the_command_that_helps(opened, monkeypatch):
    monkeypatch.setattr("yt_dlp.version.__version__", "2026.7.4")
    with pytest.raises(MissingDependency, match=r"2026\.8\.19 or newer; installed: 2026\.7\.4\. Run: pip install"):
        opened()


def test_a_player_client_that_is_none_is_refused(opened):
    with pytest.raises(ConfigError, match=r"no player client 'visonos'; it has: .*visionos"):
        opened(player_client=("visonos",))


# Accounts and secrets


COOKIE = "canary-cookie-1234"
PASSWORD = "canary-password-5678"


@pytest.fixture
def account(tmp_path: Path) -> Path:
    rows = [(".youtube.com", name, COOKIE) for name in ("LOGIN_INFO", "SAPISID", "SID")]
    lines = [f"{domain}\tTRUE\t/\tTRUE\t2000000000\t{name}\t{value}" for domain, name, value in rows]
    path = tmp_path / "jar" / "cookies.txt"
    path.parent.mkdir()
    path.write_text("# Netscape HTTP Cookie File\n" + "\n".join(lines) + "\n")
    return path


def test_an_account_is_let_in_where_a_guest_is_not(opened, replica, account):
    replica.control(egress={"0": {"ban_after": 0}})
    assert failure(lambda: opened().describe(ref(CC_BY))).kind == "bot"
    backend = opened(connection={"cookies": account})
    found = backend.describe(ref(CC_BY))
    assert found.rights.state == "cc-by"
    assert backend.fetch(found).size == len(replica.media(CC_BY))


def test_cookies_go_to_youtube_alone_and_their_file_stays_as_it_is(opened, replica, account):
    before = account.read_bytes()
    backend = opened(connection={"cookies": account})
    backend.fetch(backend.describe(ref(CC_BY)))
    backend.close()
    assert account.read_bytes() == before
    counted = replica.statistics()["egress"][0]
    assert counted["with_account"] == counted["by_host"]["www.youtube.com"]


@pytest.mark.parametrize("line", ["LOGIN_INFO=canary-cookie-1234", ".youtube.com\tTRUE\tcanary-cookie-1234"])
def test_a_broken_file_of_cookies_is_refused_without_a_word_of_it(line, opened, account, capfd):
    account.write_text(f"# Netscape HTTP Cookie File\n{line}\n")
    with pytest.raises(ConfigError, match=r"from cookies\.txt: it is not in Netscape's format") as caught:
        opened(connection={"cookies": account})
    assert COOKIE not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_of_cookies_that_is_not_there_is_missed(opened, tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        opened(connection={"cookies": tmp_path / "none.txt"})


def test_cookies_of_a_session_count_and_those_of_other_sites_do_not(opened, account):
    lines = account.read_text().replace("2000000000", "0") + f".google.com\tTRUE\t/\tTRUE\t0\tSID\t{COOKIE}\n"
    account.write_text(lines)
    library = opened(connection={"cookies": account})._library
    assert library.has_account
    assert {cookie.domain for cookie in library.cookiejar} == {".youtube.com"}


def test_a_way_by_socks_is_taken(opened, replica):
    proxy = replica.proxy().replace("http://", "socks5h://")
    backend = opened(connection={"proxy": proxy})
    assert backend.fetch(backend.describe(ref(CC_BY))).size == len(replica.media(CC_BY))


def test_no_secret_is_in_an_error(opened, replica, account):
    proxy = replica.proxy(1, f"user:{PASSWORD}")
    replica.egress(1, username="user", password="another")
    secrets = (COOKIE, PASSWORD, "api-canary")
    backend = opened(connection={"proxy": proxy, "cookies": account, "api_key": "api-canary"})
    error = failure(lambda: backend.describe(ref(CC_BY)))
    assert error.kind == "net"
    assert not [secret for secret in secrets if secret in f"{error} {error.detail} {error!r}"]
    assert not [secret for secret in secrets if secret.encode() in pickle.dumps(error.args)]


@pytest.mark.parametrize("proxy", ["http://user:canary-password-5678@", "canary-password-5678", "foo://a:b@c:1"])
def test_a_broken_address_of_a_proxy_is_not_repeated(opened, proxy):
    error = failure(lambda: opened(connection={"proxy": proxy}).describe(ref(CC_BY)))
    assert error.kind == "net"
    assert PASSWORD not in f"{error}"


def test_nothing_is_said_on_the_terminal(opened, capfd):
    backend = opened()
    failure(lambda: backend.describe(ref("p0000003000")))
    backend.fetch(backend.describe(ref(CC_BY)))
    assert capfd.readouterr() == ("", "")


def test_players_are_asked_by_the_name_of_their_client(opened, replica):
    backend = opened()
    backend.fetch(backend.describe(ref(CC_BY)))
    agents = replica.statistics()["user_agents"]["www.youtube.com"]
    assert len(agents) == 2
    assert any("Version/26.0 Safari" in agent for agent in agents)
