# SPDX-License-Identifier: Apache-2.0
"""PeerTube through the replica: lists, licences, captions, files, refusals."""

from __future__ import annotations

import hashlib

import pytest

from speechmill.core import registry
from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import CaptionTrack, Ref
from speechmill.sources import _http, peertube
from speechmill.sources.peertube import Config, _licence, _smallest

from .platforms import listed, opened, refused

TUBE = "https://tube.test"


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _ref(number: int) -> Ref:
    return Ref("peertube", _uuid(number), f"{TUBE}/w/{_uuid(number)}")


@pytest.fixture
def tube(replica, tmp_path):
    with opened("peertube", replica, tmp_path, instance=TUBE, channel="talks") as backend:
        yield backend


def test_the_registry_finds_it():
    assert registry.require("sources", "peertube").Backend is peertube.Backend


def test_a_channel_is_followed_to_its_end_without_the_videos_of_others(replica, tube):
    replica.control(sites={"peertube": {"videos": 130}})
    pages = listed(tube)
    assert [len(page) for page in pages] == [100, 20]  # every twelfth is another instance's
    assert pages[0][1] == Ref(
        "peertube",
        _uuid(1),
        f"{TUBE}/w/{_uuid(1)}",
        title="Talk 1",
        duration=20.0,
        channel="Talks",
        channel_id="talks@tube.test",
        views=11,
        date="2024-05-01",
        live=False,
        language="vi",
    )


def test_an_instance_that_lists_others_all_the_same_is_not_followed_there(replica, tube):
    replica.control(sites={"peertube": {"videos": 130, "old": True}})
    assert [len(page) for page in listed(tube)] == [92, 28]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"channel": "talks@tube.test"}, "/api/v1/video-channels/talks@tube.test/videos"),
        ({"account": "talks"}, "/api/v1/accounts/talks/videos"),
        ({"search": "khoa học"}, "/api/v1/search/videos"),
        ({}, "/api/v1/videos"),
    ],
)
def test_every_listing_has_its_path(replica, tmp_path, options, path):
    with opened("peertube", replica, tmp_path, instance="tube.test", **options) as backend:
        assert len(backend.discover(None).refs) == 11
    assert replica.statistics()["by_path"] == {f"tube.test{path}": 1}


def test_videos_of_other_instances_are_listed_where_asked_for_and_lead_to_their_origin(replica, tmp_path):
    with opened("peertube", replica, tmp_path, instance=TUBE, federated=True) as backend:
        refs = backend.discover(None).refs
        described = backend.describe(refs[11])
    assert len(refs) == 12
    assert refs[11].url == described.url == f"https://origin.test/videos/watch/{_uuid(11)}"
    assert described.rights.url == described.url
    assert described.author_url == "https://origin.test/accounts/ann"
    assert described.rights.evidence == f"licence in {TUBE}/api/v1/videos/{_uuid(11)}, as relayed from its origin"


def test_single_videos_by_id_or_address(replica, tmp_path):
    videos = (_uuid(1), f"{TUBE}/videos/watch/{_uuid(2)}")
    with opened("peertube", replica, tmp_path, instance=TUBE, videos=videos) as backend:
        page = backend.discover(None)
        assert [backend.describe(ref).title for ref in page.refs] == ["Talk 1", "Talk 2"]
    assert page.cursor is None


def test_every_licence_is_told(tube):
    described = [tube.describe(_ref(number)) for number in range(9)]
    assert [one.rights.state for one in described] == [
        "unstated",
        "cc-by",
        "cc-by",
        "standard",
        "standard",
        "standard",
        "standard",
        "public-domain",
        "standard",
    ]
    assert described[2].licence == "Attribution - Share Alike"
    assert described[2].rights.licence == "CC BY-SA"
    assert described[1].rights.attribution.startswith(f'"Talk 1" by Ann, {TUBE}/w/{_uuid(1)}, CC BY (seen ')
    assert described[1].rights.evidence == f"licence in {TUBE}/api/v1/videos/{_uuid(1)}"


@pytest.mark.parametrize(
    ("stated", "state"),
    [
        (None, "unstated"),
        ({"id": None, "label": "Unknown"}, "unstated"),
        ({"id": True, "label": "Attribution"}, "unstated"),
        ({"id": 1, "label": "Attribution"}, "cc-by"),
        ({"id": 1}, "standard"),
        ({"id": 1, "label": "Attribution - Non Commercial"}, "standard"),
        ({"id": "1", "label": "Attribution"}, "standard"),
        ({"id": 99, "label": "Attribution"}, "standard"),
        ("Attribution", "unstated"),
    ],
)
def test_number_and_label_of_a_licence_must_agree(stated, state):
    assert _licence(stated).state == state


def test_a_description_has_what_the_instance_says(tube):
    described = tube.describe(_ref(1))
    assert (described.author, described.channel_id, described.views) == ("Ann", "talks@tube.test", 11)
    assert (described.category, described.language, described.live) == ("Education", "vi", False)
    assert described.tracks == (CaptionTrack("vi", "manual"), CaptionTrack("en", "automatic"))
    assert described.missing == ()


def test_fields_that_are_absent_or_odd_are_named(replica, tube):
    odd = {"name": None, "duration": "long", "language": ["vi"], "account": 7, "licence": None, "publishedAt": None}
    replica.control(sites={"peertube": {"details": {_uuid(1): odd}}})
    described = tube.describe(_ref(1))
    assert described.missing == ("title", "duration", "date", "language", "licence")
    assert (described.title, described.author, described.rights.state) == (_uuid(1), "Talks", "failed")


def test_captions_come_as_webvtt(tube):
    described = tube.describe(_ref(1))
    (caption,) = tube.captions(described, ["vi"], ["manual"])
    assert caption.content == "WEBVTT\n\n00:00.000 --> 00:05.000\nxin chào\n".encode()
    assert [one.kind for one in tube.captions(described, [], ["manual", "automatic"])] == ["manual", "automatic"]
    assert tube.captions(described, ["fr"], ["manual"]) == ()


def test_the_smallest_file_is_fetched_from_the_store(replica, tube):
    fetched = tube.fetch(tube.describe(_ref(1)))
    content = fetched.path.read_bytes()
    assert (fetched.extension, fetched.sha256) == ("mp4", hashlib.sha256(content).hexdigest())
    assert replica.statistics()["by_path"][f"store.tube.test/{_uuid(1)}-240.mp4"] == 1


def test_media_hosts_can_be_kept_to_a_list(replica, tmp_path):
    with opened("peertube", replica, tmp_path, instance=TUBE, channel="talks", media_hosts=()) as backend:
        error = refused(backend.fetch, backend.describe(_ref(1)))
    assert (error.kind, error.reason) == ("permanent", "host-refused")


def test_files_of_hls_are_taken_where_there_are_no_others():
    audio = {"resolution": {"id": 0}, "fileUrl": "https://s.test/a-0.mp4", "hasVideo": False}
    mute = {"resolution": {"id": 144}, "fileUrl": "https://s.test/a-144.mp4", "hasAudio": False}
    video = {"files": [], "streamingPlaylists": [{"files": [mute, audio]}, "odd"]}
    assert _smallest(video, TUBE) == ("https://s.test/a-0.mp4", None)


def test_what_has_only_playlists_is_a_format_of_its_own():
    playlist = {"resolution": {"id": 240}, "fileUrl": "https://s.test/master.m3u8?x=1"}
    with pytest.raises(FetchError) as caught:
        _smallest({"files": [playlist], "streamingPlaylists": [{"playlistUrl": "https://s.test/master.m3u8"}]}, TUBE)
    assert (caught.value.kind, caught.value.reason) == ("format", "hls-only")


@pytest.mark.parametrize(
    ("details", "kind", "reason"),
    [
        ({"privacy": {"id": 5, "label": "Password protected"}}, "permanent", "not-public"),
        ({"blacklisted": True}, "permanent", "blocked"),
        ({"state": {"id": 2}}, "incomplete", "not-ready"),
        ({"files": None, "streamingPlaylists": None}, "incomplete", "no-details"),
    ],
)
def test_videos_that_can_not_be_had(replica, tube, details, kind, reason):
    replica.control(sites={"peertube": {"details": {_uuid(1): details}}})
    error = refused(tube.describe, _ref(1))
    assert (error.kind, error.reason) == (kind, reason)


@pytest.mark.parametrize(("status", "kind"), [(404, "permanent"), (410, "permanent"), (429, "rate"), (500, "net")])
def test_refusals_are_told_apart(replica, tube, status, kind):
    replica.control(status={f"/api/v1/videos/{_uuid(1)}": status, "/api/v1/video-channels/talks/videos": status})
    assert refused(tube.describe, _ref(1)).kind == kind
    assert refused(tube.discover, None).kind == kind


def test_a_wait_that_the_instance_asks_for_is_passed_on(replica, tube):
    replica.control(status={"/api/v1/video-channels/talks/videos": 429}, retry_after_s=30)
    assert 30 <= refused(tube.discover, None).retry_after <= 31


def test_an_id_that_is_none_is_not_asked_for(tube):
    assert refused(tube.describe, Ref("peertube", "../../users/me", TUBE)).reason == "no-video-id"
    assert tube.num_requests == 0


def test_an_answer_that_breaks_off_is_not_taken_for_the_whole(replica, tube, monkeypatch):
    monkeypatch.setattr(_http, "pause", lambda seconds: None)
    described = tube.describe(_ref(1))
    cuts = {f"/{_uuid(1)}-240.mp4": 1000, "/api/v1/video-channels/talks/videos": 100}
    replica.control(sites={"peertube": {"truncate": cuts}})
    assert refused(tube.discover, None).kind in ("net", "incomplete")
    assert refused(tube.fetch, described).kind in ("net", "incomplete")


@pytest.mark.parametrize(
    "options",
    [
        {"instance": ""},
        {"instance": "https://ann:secret@tube.test"},
        {"instance": TUBE, "channel": "a", "search": "b"},
        {"instance": TUBE, "channel": "a/../b"},
        {"instance": TUBE, "videos": ("nothing",)},
    ],
)
def test_what_can_not_be_asked_is_a_config_error(options):
    with pytest.raises(ConfigError) as caught:
        peertube.check(Config(**options))
    assert "secret" not in str(caught.value)


def test_kinds_and_hosts_follow_from_the_config():
    assert [peertube.kind(Config(instance=TUBE, **one)) for one in ({"search": "x"}, {"channel": "x"}, {})] == [
        "search",
        "channel",
        "instance",
    ]
    assert peertube.hosts(Config(instance="http://tube.test:9000/")) == ("http://tube.test:9000", "*")
