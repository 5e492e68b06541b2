# SPDX-License-Identifier: Apache-2.0
"""The replica as unmodified yt-dlp sees it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
import requests
from tests.services.processes import gone
from yt_dlp import YoutubeDL
from yt_dlp.utils import DownloadError

from replica import schedule
from replica.faults import FAULTS
from replica.handle import Replica

Client = Callable[..., YoutubeDL]
WATCH = "https://www.youtube.com/watch?v="
BARE = {"youtube": {"player_client": ["visionos"], "player_skip": ["webpage", "configs", "js"]}}


class Log:
    """Keeps what yt-dlp warns of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None:
        self.lines.append(message)

    error = warning


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def client(replica: Replica, log: Log, tmp_path: Path, request: pytest.FixtureRequest) -> Client:
    """Make a YoutubeDL that asks two requests a video; it is closed after the test."""

    def make(egress: int = 0, proxy: str | None = None, **options: Any) -> YoutubeDL:
        fixed = {"compat_opts": {"no-certifi"}, "cachedir": False, "logger": log, "noprogress": True, "paths": paths}
        quick = {"retries": 0, "extractor_retries": 0, "socket_timeout": 10, "extractor_args": BARE, "fixup": "never"}
        made = YoutubeDL({**fixed, **quick, "proxy": proxy or replica.proxy(egress), **options})
        request.addfinalizer(made.close)
        return made

    paths = {"home": str(tmp_path)}
    return make


def describe(client: YoutubeDL, name: str) -> dict[str, Any]:
    made: dict[str, Any] = client.extract_info(WATCH + name, download=False, process=False)
    return made


def listing(client: YoutubeDL, url: str) -> list[dict[str, Any]]:
    return list(client.extract_info(url, download=False)["entries"])


def session(replica: Replica, egress: int = 0) -> requests.Session:
    made = requests.Session()
    made.proxies = {"http": replica.proxy(egress), "https": replica.proxy(egress)}
    made.trust_env, made.verify = False, str(replica.ca_file)
    return made


# Listings


def test_a_search_gives_a_hundred_videos_in_five_pages(replica: Replica, client: Client) -> None:
    found = listing(client(extract_flat="in_playlist"), "ytsearch100:chuyện kể")
    assert len({entry["id"] for entry in found}) == 100
    assert found[0]["duration"] == 20
    assert found[0]["channel_id"].startswith("UCreplica")
    assert replica.statistics()["by_path"]["www.youtube.com/youtubei/v1/search"] == 5


def test_another_search_finds_others_first(client: Client) -> None:
    flat = client(extract_flat="in_playlist")
    assert listing(flat, "ytsearch1:giếng")[0]["id"] != listing(flat, "ytsearch1:vườn")[0]["id"]


def test_a_mixed_search_shows_shorts_and_streams(replica: Replica, client: Client) -> None:
    replica.control(search_mixed=True)
    found = listing(client(extract_flat="in_playlist"), "ytsearch40:chuyện kể")
    assert sum("/shorts/" in entry["url"] for entry in found) == 2
    assert sum(entry["live_status"] in ("is_live", "was_live") for entry in found) == 2


@pytest.mark.parametrize(
    ("tab", "count"),
    [("@channel3/videos", 70), ("@channel3/shorts", 30), ("channel/UCreplica000000000000003/streams", 10)],
)
def test_a_channel_lists_its_tab(replica: Replica, client: Client, tab: str, count: int) -> None:
    replica.control(videos_per_channel=70)
    found = listing(client(extract_flat="in_playlist"), f"https://www.youtube.com/{tab}")
    assert len({entry["id"] for entry in found}) == count
    assert {int(entry["id"][1:]) // 1000 for entry in found} == {3}


def test_a_channel_is_listed_without_its_page(replica: Replica, client: Client) -> None:
    replica.control(videos_per_channel=40)
    bare = client(extract_flat="in_playlist", extractor_args={**BARE, "youtubetab": {"skip": ["webpage"]}})
    assert len(listing(bare, "https://www.youtube.com/@channel3/videos")) == 40
    assert "www.youtube.com/@channel3/videos" not in replica.statistics()["by_path"]


@pytest.mark.parametrize("name", ["PLreplica000000004", "UUreplica000000000000004"])
def test_a_playlist_goes_on_over_its_pages(replica: Replica, client: Client, name: str) -> None:
    replica.control(videos_per_channel=110)
    found = listing(client(extract_flat="in_playlist"), f"https://www.youtube.com/playlist?list={name}")
    assert [entry["id"] for entry in found] == [f"v{4000 + index:010d}" for index in range(110)]


@pytest.mark.parametrize("path", ["playlist?list=PLreplica000000099", "@channel99/videos"])
def test_a_list_that_does_not_exist_is_refused(client: Client, path: str) -> None:
    # Not by the page: yt-dlp leaves the connection of one that fails to the garbage collector, which warns of it.
    bare = client(extract_flat="in_playlist", extractor_args={**BARE, "youtubetab": {"skip": ["webpage"]}})
    with pytest.raises(DownloadError, match="does not exist"):
        bare.extract_info(f"https://www.youtube.com/{path}", download=False)


def test_listings_show_faults_in_their_shares(replica: Replica, client: Client) -> None:
    replica.control(faults={"private": 0.5, "geo": 0.25}, videos_per_channel=100)
    found = listing(client(extract_flat="in_playlist"), "https://www.youtube.com/playlist?list=PLreplica000000003")
    letters = Counter(entry["id"][0] for entry in found)
    assert letters.keys() == {"v", "p", "g"}
    assert 35 < letters["p"] < 65


# Videos


def test_a_video_is_described_in_two_requests(replica: Replica, client: Client) -> None:
    made = describe(client(), "v0000003000")
    assert made["license"] == "Creative Commons Attribution license (reuse allowed)"
    assert made["upload_date"] == replica.video("v0000003000")["date"][:10].replace("-", "")
    assert (made["title"], made["duration"], made["channel"]) == ("Talk 3000: chuyện kể số 0, tone", 20, "Channel 3")
    assert (made["uploader_id"], made["categories"], made["media_type"]) == ("@channel3", ["Education"], "video")
    assert made["view_count"] == replica.video("v0000003000")["views"]
    assert made["formats"][0]["language"] == "vi"
    assert replica.statistics()["by_host"] == {"www.youtube.com": 2}
    assert replica.statistics()["videos"] == {"v0000003000": {"next": 1, "player": 1}}


def test_a_video_without_a_licence_names_none(client: Client) -> None:
    assert describe(client(), "v0000003001").get("license") is None


def test_a_heavy_video_says_the_same(replica: Replica, client: Client) -> None:
    made = client()
    light = describe(made, "v0000003000")
    replica.control(weight="realistic")
    heavy = describe(made, "v0000003000")
    for name in ("title", "license", "upload_date", "duration", "channel", "automatic_captions"):
        assert heavy[name] == light[name]
    assert len(heavy["formats"]) == 39
    assert heavy["formats"][-1]["format_id"] == "140"


def test_a_heavy_answer_has_600_kb_with_and_without_compression(replica: Replica) -> None:
    replica.control(weight="realistic")
    with session(replica) as asked:
        bodies = [
            asked.post(
                "https://www.youtube.com/youtubei/v1/next",
                json={"videoId": "v0000003000"},
                headers={"Accept-Encoding": encoding},
            ).content
            for encoding in ("gzip", "identity")
        ]
    assert bodies[0] == bodies[1]
    assert 600_000 < len(bodies[0]) < 620_000
    assert "contents" in json.loads(bodies[0])


def test_yt_dlp_as_installed_describes_a_video(replica: Replica, client: Client) -> None:
    made = client(extractor_args={}).extract_info(WATCH + "v0000003000", download=False)
    assert made["license"] == "Creative Commons Attribution license (reuse allowed)"
    assert replica.statistics()["by_path"]["www.youtube.com/watch"] == 1


def test_a_field_of_a_video_can_be_set(replica: Replica, client: Client) -> None:
    replica.control(videos={"v0000003000": {"duration": 5000.0, "licence": None, "language": "fr"}})
    made = describe(client(), "v0000003000")
    assert (made["duration"], made.get("license"), list(made["subtitles"])) == (5000, None, ["fr"])


def test_a_short_and_a_stream_say_what_they_are(client: Client) -> None:
    made = client()
    assert describe(made, "v0000003900")["media_type"] == "short"
    assert describe(made, "v0000003930")["live_status"] == "was_live"
    assert describe(made, "l0000003939")["live_status"] == "is_live"


def test_a_player_may_leave_out_date_and_category(replica: Replica, client: Client) -> None:
    replica.control(microformat=False)
    made = describe(client(), "v0000003000")
    assert made["categories"] is None
    assert made["timestamp"] is None


# Captions and media


def test_captions_say_the_text(client: Client) -> None:
    made = client()
    tracks = describe(made, "v0000003000")
    manual = made.urlopen(url_of(tracks["subtitles"]["vi"], "vtt")).read().decode()
    assert "00:00:00.000 --> 00:00:08.000\nNgày xưa có một người làm vườn trồng\n" in manual
    rolling = made.urlopen(url_of(tracks["automatic_captions"]["vi"], "vtt")).read().decode()
    assert "Ngày<00:00:01.000><c> xưa</c>" in rolling
    events = json.loads(made.urlopen(url_of(tracks["automatic_captions"]["vi"], "json3")).read())["events"]
    assert [word["utf8"] for word in events[1]["segs"]][:3] == ["Ngày", " xưa", " có"]
    assert events[1]["segs"][1]["tOffsetMs"] == 1000


def url_of(formats: list[dict[str, Any]], extension: str) -> str:
    return next(str(entry["url"]) for entry in formats if entry["ext"] == extension)


def test_a_download_has_the_bytes_and_plays(replica: Replica, client: Client, tmp_path: Path) -> None:
    client(outtmpl="%(id)s.%(ext)s", format="bestaudio").download([WATCH + "v0000003000"])
    assert (tmp_path / "v0000003000.m4a").read_bytes() == replica.media("v0000003000")
    with av.open(str(tmp_path / "v0000003000.m4a")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(20 * 44_100, abs=2048)


def test_two_videos_have_other_bytes_unless_told_otherwise(replica: Replica) -> None:
    assert replica.media("v0000003000") != replica.media("v0000003001")
    replica.control(distinct=False)
    assert replica.media("v0000003000") == replica.media("v0000003001")


def test_media_comes_in_ranges(replica: Replica) -> None:
    whole = replica.media("v0000003000")
    address = "https://rr1---sn-replica.googlevideo.com/videoplayback?id=v0000003000"
    with session(replica) as asked:
        part = asked.get(address, headers={"Range": "bytes=10-19"})
        rest = asked.get(address, headers={"Range": f"bytes={len(whole) - 5}-"})
        beyond = asked.get(address, headers={"Range": f"bytes={len(whole)}-"})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (
        206,
        whole[10:20],
        f"bytes 10-19/{len(whole)}",
    )
    assert rest.content == whole[-5:]
    assert beyond.status_code == 416


def test_a_folder_of_audio_gives_texts_and_durations(tmp_path: Path, make_tone: Callable[..., None]) -> None:
    make_tone(tmp_path / "a.wav", 3.0)
    make_tone(tmp_path / "b.wav", 5.0)
    (tmp_path / "a.txt").write_text("one two three four", encoding="utf-8")
    (tmp_path / "b.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.500\nfive six\n", encoding="utf-8")
    with Replica.start(media=tmp_path) as own, session(own) as asked:
        assert own.video("v0000000000")["duration"] == 3.0
        assert own.video("v0000000003")["duration"] == 5.0
        assert own.media("v0000000000") == (tmp_path / "a.wav").read_bytes()
        captions = asked.get("https://www.youtube.com/api/timedtext?v=v0000000003&lang=en&fmt=vtt").text
    assert "00:00:01.000 --> 00:00:03.500\nfive six\n" in captions


# Faults


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("p0000003000", "Private video. Sign in if you've been granted access"),
        ("d0000003000", "Video unavailable. This video has been removed by the uploader"),
        ("z0000003000", "Video unavailable"),
        ("g0000003000", "not made this video available in your country"),
        ("m0000003000", "Join this channel to get access to members-only content"),
        ("a0000003000", "Sign in to confirm your age"),
        ("w0000003000", "This video is DRM protected"),
        ("n0000003000", "No video formats found"),
        ("u0000003000", "Premieres in 3 days"),
        ("b0000003000", "Sign in to confirm you’re not a bot"),
        ("r0000003000", "This content isn't available, try again later. The current session has been rate-limited"),
    ],
)
def test_a_refusal_reads_as_on_youtube(client: Client, name: str, message: str) -> None:
    with pytest.raises(DownloadError, match=message.replace(".", r"\.")):
        client().extract_info(WATCH + name, download=False)


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("q0000003000", "HTTP Error 429"),
        ("50000003000", "HTTP Error 500"),
        ("k0000003000", "Failed to parse JSON"),
        ("x0000003000", "Remote end closed connection without response"),
    ],
)
def test_a_broken_player_answer_heals(client: Client, log: Log, name: str, warning: str) -> None:
    made = client()
    with pytest.raises(DownloadError, match="Failed to extract any player response"):
        describe(made, name)
    assert any(warning in line for line in log.lines)
    assert describe(made, name)["duration"] == 20


def test_a_lost_licence_is_silent_and_comes_back(client: Client) -> None:
    made = client()
    assert describe(made, "c0000003000").get("license") is None
    assert describe(made, "c0000003000")["license"] == "Creative Commons Attribution license (reuse allowed)"


@pytest.mark.parametrize(
    ("name", "message"), [("f0000003000", "HTTP Error 403"), ("t0000003000", "82496 bytes read, 82496 more expected")]
)
def test_broken_media_heal(replica: Replica, client: Client, tmp_path: Path, name: str, message: str) -> None:
    made = client(outtmpl="%(id)s.%(ext)s", format="bestaudio")
    with pytest.raises(DownloadError, match=message):
        made.download([WATCH + name])
    made.download([WATCH + name])
    assert (tmp_path / f"{name}.m4a").read_bytes() == replica.media(name)


def test_shortened_media_look_whole(replica: Replica, client: Client, tmp_path: Path) -> None:
    client(outtmpl="%(id)s.%(ext)s", format="bestaudio").download([WATCH + "h0000003000"])
    whole = replica.media("h0000003000")
    assert (tmp_path / "h0000003000.m4a").read_bytes() == whole[: len(whole) // 2]


def test_slow_media_trickle(replica: Replica) -> None:
    replica.control(slow_bytes_per_s=20.0)
    with session(replica) as asked:
        address = "https://rr1---sn-replica.googlevideo.com/videoplayback?id=s0000003000"
        with asked.get(address, stream=True) as answer:
            assert len(answer.raw.read(4)) == 4
    assert replica.statistics()["videos"]["s0000003000"] == {"media": 1}


def test_captions_are_rate_limited_once(replica: Replica) -> None:
    address = "https://www.youtube.com/api/timedtext?v=j0000003000&lang=vi&fmt=vtt"
    with session(replica) as asked:
        first, second = asked.get(address), asked.get(address)
    assert (first.status_code, first.headers["Retry-After"], second.status_code) == (429, "1", 200)


def test_a_fault_takes_as_many_tries_as_set(replica: Replica) -> None:
    replica.control(fault_times=2)
    with session(replica) as asked:
        seen = [asked.get("https://example.test/flaky").status_code for _ in range(4)]
    assert seen == [500, 500, 200, 200]


def test_a_path_can_be_made_to_fail(replica: Replica, client: Client) -> None:
    replica.control(status={"/youtubei/v1/next": 429})
    assert describe(client(), "v0000003000").get("license") is None


# Accounts


def test_an_account_sees_what_guests_do_not(replica: Replica, client: Client, tmp_path: Path) -> None:
    jar = tmp_path / "cookies.txt"
    rows = [f".youtube.com\tTRUE\t/\tTRUE\t1999999999\t{name}\tvalue" for name in ("LOGIN_INFO", "SAPISID", "SID")]
    jar.write_text("\n".join(["# Netscape HTTP Cookie File", *rows, ""]), encoding="utf-8")
    arguments = {"youtube": {**BARE["youtube"], "player_client": ["web_embedded"]}}
    member = client(1, cookiefile=str(jar), extractor_args=arguments)
    assert describe(member, "a0000003000")["age_limit"] == 18
    assert describe(member, "b0000003000")["duration"] == 20
    assert [egress["with_account"] for egress in replica.statistics()["egress"]] == [0, 4, 0, 0]
    replica.control(cookies_revoked=True)
    with pytest.raises(DownloadError, match="confirm your age"):
        describe(member, "a0000003000")


# Egresses


def test_a_dead_egress_hangs_up(replica: Replica, client: Client, log: Log) -> None:
    replica.egress(1, dead=True)
    with pytest.raises(DownloadError):
        describe(client(1), "v0000003000")
    assert any("Remote end closed connection" in line for line in log.lines)
    assert replica.statistics()["egress"][1]["requests"] == 0


def test_a_silent_egress_lets_clients_wait(replica: Replica, client: Client, log: Log) -> None:
    replica.egress(1, silent=True)
    with pytest.raises(DownloadError):
        describe(client(1, socket_timeout=0.2), "v0000003000")
    assert any("timed out" in line for line in log.lines)


def test_a_dying_egress_drops_a_share(replica: Replica) -> None:
    replica.egress(1, drop_share=0.5)
    answered = 0
    for _ in range(40):
        with session(replica, 1) as asked:
            try:
                answered += asked.get("http://example.test/").ok
            except requests.ConnectionError:
                continue
    assert 10 < answered < 30
    assert replica.statistics()["egress"][1]["dropped"] == 40 - answered


def test_an_egress_dies_after_some_requests(replica: Replica) -> None:
    replica.egress(1, dies_after=2)
    with session(replica, 1) as asked:
        assert [asked.get("http://example.test/").ok for _ in range(2)] == [True, True]
        with pytest.raises(requests.ConnectionError):
            asked.get("http://example.test/")


def test_a_banned_egress_asks_for_a_person_and_others_do_not(replica: Replica, client: Client) -> None:
    replica.egress(2, ban_after=2)
    banned = client(2)
    assert describe(banned, "v0000003000")["duration"] == 20
    for name in ("v0000003002", "v0000003004"):
        with pytest.raises(DownloadError, match="not a bot"):
            describe(banned, name)
    assert describe(client(0), "v0000003002")["duration"] == 20
    seen = replica.statistics()["egress"][2]
    assert (seen["requests"], seen["bot_checks"], seen["after_bot"]) == (6, 2, 2)


def test_a_limited_egress_says_when_to_come_again(replica: Replica) -> None:
    replica.egress(3, rate=2, window_s=1.0)
    with session(replica, 3) as asked:
        answers = [asked.get("http://example.test/") for _ in range(3)]
        time.sleep(1.05)
        later = asked.get("http://example.test/")
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"
    assert later.status_code == 200


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_an_egress_wants_credentials(replica: Replica, client: Client, scheme: str) -> None:
    replica.egress(1, username="reader", password="secret")
    addresses = [replica.proxy(1, pair).replace("http", scheme) for pair in ("", "reader:wrong", "reader:secret")]
    for address in addresses[:2]:
        with pytest.raises(DownloadError):
            describe(client(proxy=address), "v0000003000")
    assert describe(client(proxy=addresses[2]), "v0000003000")["duration"] == 20


def test_a_video_plays_in_its_country_only(replica: Replica, client: Client) -> None:
    replica.egress(1, country="SG")
    assert describe(client(1), "g0000003000")["duration"] == 20


def test_latency_is_waited_for(replica: Replica) -> None:
    replica.control(latency_s=0.05)
    with session(replica) as asked:
        begun = time.monotonic()
        asked.get("https://example.test/")
        assert time.monotonic() - begun >= 0.15  # two for the connection, one for the request


# The replica itself


def test_certificates_are_not_trusted_without_its_authority(replica: Replica) -> None:
    with session(replica) as asked:
        asked.verify = True
        with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
            asked.get("https://www.youtube.com/")


def test_a_site_is_one_module(replica: Replica) -> None:
    replica.control(sites={"example": {"title": "Another"}})
    with session(replica) as asked:
        assert "Another" in asked.get("https://deep.example.test/").text
        assert [asked.get("https://example.test/count").json() for _ in range(2)] == [{"count": 1}, {"count": 2}]
        replica.control(reset=True)
        assert asked.get("https://example.test/count").json() == {"count": 1}
        assert asked.get("http://nobody.test/").status_code == 502


def test_an_unknown_setting_is_refused(replica: Replica) -> None:
    with pytest.raises(ValueError, match="latency_ms"):
        replica.control(latency_ms=3)


def test_restoring_forgets_settings_and_counts(replica: Replica, client: Client) -> None:
    replica.egress(1, dead=True)
    describe(client(), "v0000003000")
    replica.control(restore=True)
    assert replica.control()["egress"] == {}
    assert replica.statistics()["by_host"] == {}


def test_the_replica_ends_with_its_parent() -> None:
    program = (
        "import sys, os; sys.path.append(sys.argv[1]); from replica.handle import Replica; "
        "print(Replica.start().process_id, flush=True); os._exit(1)"
    )
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program, str(tests)], capture_output=True, text=True, check=False)
    with contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(int(done.stdout))
        psutil.wait_procs([child], timeout=60)
        assert gone(child)


# The Data API


def test_the_data_api_needs_a_known_key(replica: Replica) -> None:
    address = "https://www.googleapis.com/youtube/v3/videos?part=snippet&id=v0000003000"
    with session(replica) as asked:
        assert asked.get(address).status_code == 403
        assert asked.get(address + "&key=wrong").status_code == 400
        assert asked.get(address + "&key=replica-key").status_code == 200


def test_the_data_api_states_licences_and_leaves_private_videos_out(replica: Replica) -> None:
    query = {"key": "replica-key", "part": "contentDetails,status", "id": "v0000003000,v0000003001,p0000003002"}
    with session(replica) as asked:
        items = asked.get("https://www.googleapis.com/youtube/v3/videos", params=query).json()["items"]
    assert [item["status"]["license"] for item in items] == ["creativeCommon", "youtube"]
    assert items[0]["contentDetails"]["duration"] == "PT20S"
    assert items[0].keys() == {"kind", "id", "contentDetails", "status"}


def test_the_data_api_lists_page_by_page(replica: Replica) -> None:
    query = {"key": "replica-key", "part": "snippet", "playlistId": "PLreplica000000003", "maxResults": "50"}
    names = []
    with session(replica) as asked:
        while True:
            page = asked.get("https://www.googleapis.com/youtube/v3/playlistItems", params=query).json()
            names += [item["snippet"]["resourceId"]["videoId"] for item in page["items"]]
            if not (token := page.get("nextPageToken")):
                break
            query["pageToken"] = token
    assert names == [f"v{3000 + index:010d}" for index in range(250)]


def test_the_data_api_searches_for_free_licences_within_a_quota(replica: Replica) -> None:
    replica.control(api_quota=150)
    query = {"key": "replica-key", "part": "id", "q": "chuyện", "type": "video", "videoLicense": "creativeCommon"}
    with session(replica) as asked:
        first = asked.get("https://www.googleapis.com/youtube/v3/search", params=query)
        second = asked.get("https://www.googleapis.com/youtube/v3/search", params=query)
    assert [int(item["id"]["videoId"][1:]) % 2 for item in first.json()["items"]] == [0] * 5
    assert second.json()["error"]["errors"][0]["reason"] == "quotaExceeded"


# The schedule


def test_the_schedule_has_twelve_classes_and_is_the_same_for_a_seed() -> None:
    assert len(schedule.SHARES) == 12
    assert schedule.videos(3) == schedule.videos(3)
    assert schedule.videos(3) != schedule.videos(4)


def test_the_schedule_is_what_the_replica_lists(replica: Replica, client: Client) -> None:
    replica.control(**{**schedule.world(3), "egress": {}})
    planned = {video.id: video for video in schedule.videos(3) if video.channel == 5}
    found = listing(client(extract_flat="in_playlist"), "https://www.youtube.com/playlist?list=PLreplica000000005")
    assert {entry["id"] for entry in found} == planned.keys()
    for name, video in list(planned.items())[:40]:
        truth = replica.video(name)
        assert (truth["licence"] is not None, truth["fault"]) == (video.licensed, video.fault)


def test_every_fault_has_a_letter_of_its_own() -> None:
    assert len({fault.prefix for fault in FAULTS} | {"v"}) == len(FAULTS) + 1
