# SPDX-License-Identifier: Apache-2.0
"""Wikimedia Commons through the replica: continuation, licences, subtitles, digests, refusals with status 200."""

from __future__ import annotations

import hashlib

import pytest

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.core.remote import CaptionTrack, Ref
from speechmill.sources import _http, wikimedia_commons
from speechmill.sources.wikimedia_commons import Config, _licence, _ref, _refusal

from .platforms import listed, opened, refused


def _asked(number: int) -> Ref:
    return Ref("wikimedia_commons", str(number), "https://commons.wikimedia.org/wiki/File:X")


@pytest.fixture
def commons(replica, tmp_path):
    with opened("wikimedia_commons", replica, tmp_path, category="Spoken Wikipedia - Vietnamese") as backend:
        yield backend


def test_the_registry_finds_it():
    assert registry.require("sources", "wikimedia_commons").Backend is wikimedia_commons.Backend


@pytest.mark.parametrize("options", [{"category": "Category:Interviews"}, {"search": "intitle:history"}])
def test_listings_are_continued_and_pictures_left_out(replica, tmp_path, options):
    replica.control(sites={"wikimedia_commons": {"files": 120}})
    with opened("wikimedia_commons", replica, tmp_path, **options) as backend:
        pages = listed(backend)
        assert backend.num_requests == 3
    assert [len(page) for page in pages] == [43, 43, 17]
    assert pages[0][0] == Ref(
        "wikimedia_commons",
        "1000",
        "https://commons.wikimedia.org/wiki/File:Talk_1000.m4a",
        title="Talk 1000",
        duration=20.0,
        date="2024-05-01",
    )


def test_every_licence_is_told(commons):
    described = [commons.describe(_asked(1000 + n)) for n in range(5)]
    assert [(one.rights.state, one.licence) for one in described] == [
        ("cc-by", "CC BY-SA 4.0"),
        ("public-domain", "CC0 1.0"),
        ("public-domain", "Public Domain"),
        ("standard", "GFDL"),
        ("unstated", None),
    ]
    first = described[0].rights
    assert first.attribution.startswith(
        '"Talk 1000" by Ann Nguyễn, https://commons.wikimedia.org/wiki/File:Talk_1000.m4a, CC BY-SA 4.0 (https://'
    )
    assert "page 1000" in first.evidence
    assert [one.missing for one in described] == [(), (), (), (), ("licence",)]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"LicenseShortName": "CC BY 4.0"}, "cc-by"),
        ({"LicenseShortName": "CC BY 4.0", "LicenseUrl": "https://creativecommons.org/licenses/by-nc/4.0"}, "standard"),
        ({"LicenseShortName": "CC BY 4.0", "NonFree": "true"}, "standard"),
        ({"LicenseShortName": "CC BY 4.0", "License": "cc-by-nc-4.0"}, "standard"),
        ({"LicenseShortName": "CC BY 4.0", "UsageTerms": "Creative Commons, non-commercial"}, "standard"),
        ({"LicenseShortName": "<b>CC0</b>"}, "public-domain"),
        ({"LicenseShortName": "No restrictions"}, "standard"),
        ({"LicenseShortName": ["CC0"]}, "unstated"),
    ],
)
def test_name_and_address_of_a_licence_must_both_be_open(fields, state):
    assert _licence({name: {"value": value} for name, value in fields.items()}).state == state


def test_the_attribution_that_a_page_asks_for_goes_before_its_artist(replica, commons):
    fields = {"Attribution": "Photo: <i>Ann</i> for X", "ObjectName": None}
    replica.control(sites={"wikimedia_commons": {"fields": {"1000": fields}}})
    described = commons.describe(_asked(1000))
    assert (described.author, described.title) == ("Photo: Ann for X", "Talk 1000")


def test_fields_that_are_absent_are_named(replica, commons):
    replica.control(sites={"wikimedia_commons": {"fields": {"1000": {"Artist": None, "LicenseShortName": None}}}})
    described = commons.describe(_asked(1000))
    assert (described.author, described.missing) == (None, ("author", "licence"))
    assert described.rights.state == "cc-by"  # its address says so


def test_subtitles_come_as_webvtt_from_the_site_itself(replica, commons):
    described = commons.describe(_asked(1000))
    assert described.tracks == (CaptionTrack("vi", "manual"),)
    (caption,) = commons.captions(described, ["vi"], ["manual"])
    assert caption.content == "WEBVTT\n\n1\n00:00:00.000 --> 00:00:05.000\nxin chào\n".encode()
    assert replica.statistics()["by_host"] == {"commons.wikimedia.org": 2}


def test_the_upload_is_fetched_and_verified(commons):
    fetched = commons.fetch(commons.describe(_asked(1000)))
    content = fetched.path.read_bytes()
    assert (fetched.extension, fetched.sha256) == ("m4a", hashlib.sha256(content).hexdigest())


def test_a_job_that_was_described_before_can_be_fetched_by_another_worker(replica, tmp_path, commons):
    described = commons.describe(_asked(1000))
    with opened("wikimedia_commons", replica, tmp_path / "other", search="x") as fresh:
        assert fresh.fetch(described).sha256 == commons.fetch(described).sha256


@pytest.mark.parametrize("id", ["1001011", "1010"])
def test_deleted_pages_never_come(commons, id):
    error = refused(commons.describe, Ref("wikimedia_commons", id, "https://commons.wikimedia.org"))
    assert (error.kind, error.reason) == ("permanent", "deleted")


def test_an_id_that_is_none_is_not_asked_for(commons):
    error = refused(commons.describe, Ref("wikimedia_commons", "1|2", "https://commons.wikimedia.org"))
    assert (error.reason, commons.num_requests) == ("no-page-id", 0)


def test_a_database_that_lags_is_waited_for(replica, commons):
    replica.control(sites={"wikimedia_commons": {"lag": 9.5}})
    error = refused(commons.discover, None)
    assert (error.kind, error.reason, error.retry_after) == ("rate", "maxlag", 7.0)


def test_subtitles_wait_for_the_database_too(replica, commons):
    described = commons.describe(_asked(1000))
    replica.control(sites={"wikimedia_commons": {"lag": 9.5}})
    assert refused(commons.captions, described, [], ["manual"]).kind == "rate"


def test_the_site_is_told_who_asks(replica, commons):
    commons.discover(None)
    agents = replica.statistics()["user_agents"]["commons.wikimedia.org"]
    assert agents == ["speechmill (+https://pypi.org/project/speechmill)"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ratelimited", "rate"),
        ("readonly", "rate"),
        ("internal_api_error_DBQueryError", "net"),
        ("cirrussearch-search-error", "net"),
        ("badvalue", "format"),
        (None, "format"),
    ],
)
def test_refusals_with_status_200_are_told_apart(code, kind):
    assert _refusal({"code": code, "info": "x"}, {}).kind == kind


@pytest.mark.parametrize(("status", "kind"), [(404, "permanent"), (429, "rate"), (503, "rate"), (500, "net")])
def test_refusals_of_the_server_are_told_apart(replica, commons, status, kind):
    replica.control(status={"/w/api.php": status})
    assert refused(commons.discover, None).kind == kind


def test_answers_that_break_off_are_not_taken_for_the_whole(replica, commons, monkeypatch):
    monkeypatch.setattr(_http, "pause", lambda seconds: None)
    described = commons.describe(_asked(1000))
    cuts = {"/w/api.php": 100, "/wikipedia/commons/a/ab/Talk_1000.m4a": 1000}
    replica.control(sites={"wikimedia_commons": {"truncate": cuts}})
    assert refused(commons.discover, None).kind in ("net", "incomplete")
    assert refused(commons.fetch, described).kind in ("net", "incomplete")


def test_films_are_listed_where_asked_for():
    page = {"pageid": 5, "title": "File:A.webm", "imageinfo": [{"mediatype": "VIDEO", "duration": 3.5}]}
    assert _ref(page, with_video=False) is None
    found = _ref(page, with_video=True)
    assert found is not None
    assert (found.id, found.duration) == ("5", 3.5)
    assert _ref({"pageid": 6, "title": "File:B.ogg"}, with_video=False) is not None  # its visit will tell
    assert _ref({"pageid": "x", "title": "File:B.ogg"}, with_video=False) is None


@pytest.mark.parametrize("options", [{}, {"category": "a", "search": "b"}, {"category": "a|b"}])
def test_what_asks_for_nothing_or_for_too_much_is_a_config_error(options):
    with pytest.raises(ConfigError):
        wikimedia_commons.check(Config(**options))
