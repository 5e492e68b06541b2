# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys

import pytest
from yt_dlp.networking.exceptions import IncompleteRead, ProxyError, SSLError, TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError

from replica.faults import FAULTS
from speechmill.core.errors import FetchError
from speechmill.core.remote import Ref
from speechmill.sources import Connection, youtube
from speechmill.sources._youtube_errors import Exchange, by_exchange, by_text, classified

# What each fault of the replica is at the first try, and where it shows; None: nothing goes wrong.
EXPECTED = {
    "private": ("describe", "permanent", "private"),
    "deleted": ("describe", "permanent", "deleted"),
    "geo": ("describe", "geo", "geo-blocked"),
    "members": ("describe", "permanent", "members-only"),
    "age": ("describe", "permanent", "age-restricted"),
    "drm": ("fetch", "permanent", "drm"),
    "no-formats": ("fetch", "incomplete", "no-formats"),
    "live": ("fetch", "permanent", "live"),
    "upcoming": ("describe", "permanent", "live-not-started"),
    "bot": ("describe", "bot", "bot-check"),
    "try-later": ("describe", "rate", "rate-limited"),
    "too-many": ("describe", "rate", "too-many-requests"),
    "licence-lost": ("describe", "rate", "too-many-requests"),
    "server-error": ("describe", "net", "server-error"),
    "bad-json": ("describe", "incomplete", "no-answer"),
    "dropped": ("describe", "net", "proxy"),
    "media-403": None,
    "truncated": None,
    "shortened": ("fetch", "incomplete", "other-size"),
    "slow": None,
    "captions-429": ("captions", "rate", "too-many-requests"),
}


def visit(backend: youtube.Backend, name: str) -> tuple[str, str, str] | None:
    """Say where a visit of a video fails, if it does."""
    step = "describe"
    try:
        described = backend.describe(Ref("youtube", name, ""))
        step = "captions"
        backend.captions(described, (), ("manual", "automatic"))
        step = "fetch"
        backend.fetch(described).path.unlink()
    except FetchError as error:
        return step, error.kind, error.reason
    return None


def test_every_fault_of_the_replica_is_expected_here():
    assert sorted(EXPECTED) == sorted(fault.name for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_what_it_is_and_heals_where_it_does(fault, replica, tmp_path):
    replica.control(slow_bytes_per_s=200_000.0)
    name = f"{fault.prefix}0000003000"
    backend = youtube.Backend(youtube.Config(video=name), Connection(tmp_path, proxy=replica.proxy()))
    first, second = visit(backend, name), visit(backend, name)
    backend.close()
    assert first == EXPECTED[fault.name]
    assert second == (first if fault.permanent else None)
    assert list(tmp_path.iterdir()) == []  # neither a part nor, as this test removes them, a whole


def test_a_video_that_never_was_is_deleted(replica, tmp_path):
    backend = youtube.Backend(youtube.Config(search="a"), Connection(tmp_path, proxy=replica.proxy()))
    assert visit(backend, "v0000099999") == ("describe", "permanent", "deleted")
    backend.close()


@pytest.mark.parametrize(
    ("settings", "kind", "reason"),
    [
        ({"egress": {"0": {"dead": True}}}, "net", "no-connection"),
        ({"egress": {"0": {"username": "u", "password": "p"}}}, "net", "proxy"),
        ({"egress": {"0": {"silent": True}}}, "net", "timeout"),
        ({"egress": {"0": {"ban_after": 0}}}, "bot", "bot-check"),
        ({"egress": {"0": {"rate": 1}}}, "rate", "too-many-requests"),
        ({"status": {"/youtubei/v1/player": 403}}, "rate", "refused"),
        ({"status": {"/youtubei/v1/player": 400}}, "format", "request-rejected"),
        ({"status": {"/youtubei/v1/player": 404}}, "format", "gone"),
        ({"status": {"/youtubei/v1/player": 502}}, "net", "server-error"),
        ({"status": {"/youtubei/v1/next": 429}}, "rate", "too-many-requests"),
        ({"status": {"/youtubei/v1/next": 500}}, "net", "server-error"),
        ({"status": {"/youtubei/v1/next": 404}}, "format", "gone"),
    ],
)
def test_what_is_wrong_with_the_way_is_no_fault_of_the_video(settings, kind, reason, replica, tmp_path):
    replica.control(**settings)
    timeout_s = 1.0 if reason == "timeout" else 60.0  # on a busy machine answers take their time
    connection = Connection(tmp_path, proxy=replica.proxy(), timeout_s=timeout_s)
    backend = youtube.Backend(youtube.Config(search="a"), connection)
    assert visit(backend, "v0000003000") == ("describe", kind, reason)
    backend.close()


def test_a_wait_that_is_asked_for_is_handed_on(replica, tmp_path):
    replica.control(retry_after_s=77)
    backend = youtube.Backend(youtube.Config(search="a"), Connection(tmp_path, proxy=replica.proxy()))
    with pytest.raises(FetchError) as caught:
        backend.describe(Ref("youtube", "q0000003000", ""))
    backend.close()
    assert caught.value.retry_after == 77.0


def test_a_server_without_a_known_certificate_is_not_talked_to(replica, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    backend = youtube.Backend(youtube.Config(search="a"), Connection(tmp_path, proxy=replica.proxy()))
    with pytest.raises(FetchError) as caught:
        backend.describe(Ref("youtube", "v0000003000", ""))
    backend.close()
    assert (caught.value.kind, caught.value.reason) == ("net", "tls")


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser", "bot", "bot-check"),
        ("X. YouTube is requiring a captcha challenge before playback", "bot", "bot-check"),
        ("All player responses are invalid. Your IP is likely being blocked by Youtube", "bot", "bot-check"),
        ("Video unavailable. This content isn’t available, try again later.", "rate", "rate-limited"),
        ("The uploader has not made this video available in your country", "geo", "geo-blocked"),
        ("Video unavailable. It is not available from your location", "geo", "geo-blocked"),
        ("This video is not available", "geo", "not-available-here"),
        ("Incomplete data received", "incomplete", "incomplete-data"),
        ("An error occurred. Please try again.", "incomplete", "error-inside"),
        ("YouTube said: Unknown error.", "incomplete", "error-inside"),
        ("This video is DRM protected", "permanent", "drm"),
        ("Premieres in 5 hours", "permanent", "live-not-started"),
        ("This live event will begin in a few moments.", "permanent", "live-not-started"),
        ("This live stream recording is not available.", "permanent", "live-gone"),
        ("This video is available to this channel's members on level: X", "permanent", "members-only"),
        ("This video requires payment to watch.", "permanent", "paid"),
        ("This video is only available to Music Premium members", "permanent", "paid"),
        ("Sign in to confirm your age. This video may be inappropriate.", "permanent", "age-restricted"),
        ("Private video. Sign in if you've been granted access", "permanent", "private"),
        ("This video contains content from X, who has blocked it on copyright grounds", "permanent", "removed"),
        ("This video has been removed for violating YouTube's Terms of Service", "permanent", "removed"),
        ("The YouTube account associated with this video has been terminated.", "permanent", "deleted"),
        ("Video unavailable. This video has been removed by the uploader", "permanent", "deleted"),
        ("Video unavailable", "permanent", "deleted"),
        ("Video unavailable. This video is unavailable", "permanent", "deleted"),
        ("YouTube said: The playlist does not exist.", "permanent", "no-such-listing"),
        ("This channel does not have a streams tab", "permanent", "no-such-tab"),
        ("This video is only available for registered users. Use --cookies", "permanent", "sign-in"),
        ("Video unavailable. Something that nobody has seen before", "format", "unknown-message"),
        ("Please update your app", "format", "unknown-message"),
        ("", "format", "unknown-message"),
    ],
)  # fmt: skip
def test_a_text_means_one_kind(text, kind, reason):
    found = by_text(text)
    assert (found.kind, found.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (GeoRestrictedError("anything", countries=["SG"]), "geo", "geo-blocked"),
        (ExtractorError("a", cause=TransportError("b")), "net", "no-connection"),
        (ExtractorError("a", cause=TransportError("read timed out")), "net", "timeout"),
        (ExtractorError("a", cause=SSLError("b")), "net", "tls"),
        (ExtractorError("a", cause=ProxyError("b")), "net", "proxy"),
        (ExtractorError("a", cause=IncompleteRead(5, 3)), "net", "cut-off"),
        (ExtractorError("Failed to parse JSON", cause=json.JSONDecodeError("m", "d", 0)), "incomplete", "broken-json"),
        (KeyError("contents"), "format", "unforeseen-answer"),
        (TypeError("'NoneType' object is not iterable"), "format", "unforeseen-answer"),
    ],
)
def test_a_type_means_one_kind_also_where_yt_dlp_has_wrapped_it(error, kind, reason):
    try:
        raise error
    except Exception:
        wrapped = DownloadError("ERROR: [youtube] id: said", sys.exc_info())
    for given in (error, wrapped):
        found = classified(given)
        assert (found.kind, found.reason) == (kind, reason)


@pytest.mark.parametrize("status", [None, 400, 401, 403, 404, 407, 410, 418, 429, 500, 503])
def test_no_status_of_a_players_interface_marks_a_video_for_good(status):
    found = by_exchange([Exchange("www.youtube.com", "/youtubei/v1/player", status)])
    assert found is not None
    assert found.kind != "permanent"


def test_a_request_that_was_answered_at_last_is_no_failure():
    assert by_exchange([Exchange("www.youtube.com", "/youtubei/v1/player", 200)]) is None


def test_details_hold_neither_addresses_nor_advice():
    said = by_text(
        "ERROR: Odd. See https://x.example/?key=secret for more. Use --cookies for the authentication"
    ).detail
    assert said == "Odd. See for more."
