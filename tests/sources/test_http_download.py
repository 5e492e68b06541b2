# SPDX-License-Identifier: Apache-2.0
"""Files on their way: breaks, lies about sizes, full disks."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from speechmill.core.errors import FetchError
from speechmill.sources import Connection, _http, _http_download, _http_wire
from speechmill.sources._http import Client

from .conftest import Asked, Play, Site, answer

MEDIA = os.urandom(300_000)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(_http, "pause", seconds.append)
    return seconds


@pytest.fixture
def client(site: Site, connection: Connection, waits: list[float]) -> Iterator[Client]:
    made = Client(connection, [f"http://files.example:{site.port}"])
    yield made
    made.close()


def _url(site: Site) -> str:
    return f"http://files.example:{site.port}/a.mp3"


def _failure(client: Client, site: Site, connection: Connection, **options: int) -> FetchError:
    with pytest.raises(FetchError) as caught:
        client.download(_url(site), extension="mp3", **options)
    assert list(connection.folder.iterdir()) == []
    return caught.value


def _part(first: int, size: int, **headers: str) -> Play:
    """Send MEDIA from a byte on, and break off after some."""
    given = {"content_length": str(len(MEDIA) - first), "etag": '"v1"', **headers}
    if first:
        given["content_range"] = f"bytes {first}-{len(MEDIA) - 1}/{len(MEDIA)}"
    whole = answer(MEDIA[first : first + size], 206 if first else 200, **given)
    return lambda asked, sock: sock.sendall(whole)


def test_a_file_comes_whole_with_its_digest(site, client, connection):
    site.pages["/a.mp3"] = answer(MEDIA, content_type="audio/mpeg")
    fetched = client.download(_url(site), extension="mp3", expected_size=300_000)
    assert fetched.path.read_bytes() == MEDIA
    assert (fetched.size, fetched.extension) == (300_000, "mp3")
    assert fetched.sha256 == hashlib.sha256(MEDIA).hexdigest()
    assert fetched.path.parent == connection.folder
    assert fetched.path.suffix == ".mp3"
    assert site.asked[0].headers["accept-encoding"] == "identity"


def test_a_file_in_chunks_comes_whole(site, client):
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (MEDIA[:7], MEDIA[7:70_000], MEDIA[70_000:]))
    site.pages["/a.mp3"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert client.download(_url(site), extension="mp3").path.read_bytes() == MEDIA


def test_after_a_break_it_goes_on_from_there(site, client, waits):
    site.pages["/a.mp3"] = [_part(0, 131_072), _part(131_072, 65_536), _part(196_608, 200_000)]
    fetched = client.download(_url(site), extension="mp3")
    assert fetched.path.read_bytes() == MEDIA
    assert fetched.sha256 == hashlib.sha256(MEDIA).hexdigest()
    asked = [(one.headers.get("range"), one.headers.get("if-range")) for one in site.asked]
    assert asked == [(None, None), ("bytes=131072-", '"v1"'), ("bytes=196608-", '"v1"')]
    assert waits == [0.5, 2.0]


def test_after_a_break_a_date_serves_where_the_etag_is_weak(site, client):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    site.pages["/a.mp3"] = [_part(0, 131_072, etag='W/"v1"', last_modified=date), _part(131_072, 200_000)]
    assert client.download(_url(site), extension="mp3").path.read_bytes() == MEDIA
    assert site.asked[1].headers["if-range"] == date


def test_without_a_validator_it_starts_over(site, client):
    site.pages["/a.mp3"] = [_part(0, 131_072, etag=""), answer(MEDIA)]
    assert client.download(_url(site), extension="mp3").path.read_bytes() == MEDIA
    assert "range" not in site.asked[1].headers


def test_a_file_that_changed_meanwhile_starts_over(site, client):
    new = os.urandom(200_000)
    site.pages["/a.mp3"] = [_part(0, 131_072), answer(new, etag='"v2"')]
    fetched = client.download(_url(site), extension="mp3")
    assert fetched.path.read_bytes() == new
    assert fetched.sha256 == hashlib.sha256(new).hexdigest()


@pytest.mark.parametrize(
    "wrong",
    [
        {"content_range": "bytes 0-299999/300000"},
        {"content_range": "bytes 131072-299999/300001"},
        {"content_range": "nonsense"},
    ],
)
def test_a_part_of_something_else_is_thrown_away(wrong, site, client):
    odd = answer(MEDIA[131_072:], 206, **wrong)
    site.pages["/a.mp3"] = [_part(0, 131_072), odd, answer(MEDIA)]
    assert client.download(_url(site), extension="mp3").path.read_bytes() == MEDIA
    assert "range" not in site.asked[2].headers


def test_a_range_that_is_refused_starts_over(site, client):
    site.pages["/a.mp3"] = [_part(0, 131_072), answer(status=416), answer(MEDIA)]
    assert client.download(_url(site), extension="mp3").path.read_bytes() == MEDIA


def test_a_server_that_is_gone_for_a_moment_is_asked_again(site, client):
    site.pages["/a.mp3"] = [_part(0, 131_072), answer(status=502), _part(131_072, 200_000)]
    assert client.download(_url(site), extension="mp3").path.read_bytes() == MEDIA


def test_a_file_that_always_breaks_off_is_incomplete(site, client, connection):
    site.pages["/a.mp3"] = [_part(0, 65_536), *(_part(65_536, 0) for _ in range(3))]
    error = _failure(client, site, connection)
    assert (error.kind, error.reason) == ("incomplete", "broken-off")
    assert "65536 of 300000 bytes" in str(error)
    assert len(site.asked) == 4


def test_chunks_without_an_end_are_a_break(site, client, connection):
    site.pages["/a.mp3"] = lambda asked, sock: sock.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    assert _failure(client, site, connection).reason == "broken-off"


def test_a_server_that_wants_a_pause_in_the_middle_is_heeded(site, client, connection):
    site.pages["/a.mp3"] = [_part(0, 131_072), answer(status=429, retry_after="60")]
    error = _failure(client, site, connection)
    assert (error.kind, error.retry_after) == ("rate", 60.0)


def test_a_size_other_than_expected_is_incomplete_before_anything_is_read(site, client, connection):
    site.pages["/a.mp3"] = lambda asked, sock: sock.sendall(answer(content_length="299999"))
    error = _failure(client, site, connection, expected_size=300_000)
    assert (error.kind, error.reason) == ("incomplete", "wrong-size")
    assert len(site.asked) == 1


def test_a_size_other_than_expected_is_found_at_the_end_where_no_length_is_said(site, client, connection):
    site.pages["/a.mp3"] = lambda asked, sock: sock.sendall(b"HTTP/1.0 200 OK\r\n\r\nshort")
    assert _failure(client, site, connection, expected_size=300_000).reason == "wrong-size"


def test_an_empty_file_is_incomplete(site, client, connection):
    site.pages["/a.mp3"] = answer(b"")
    assert _failure(client, site, connection).reason == "empty"


def _limited(connection: Connection, site: Site) -> Client:
    return Client(msgspec.structs.replace(connection, max_bytes=100_000), [f"http://files.example:{site.port}"])


def test_a_file_over_the_limit_is_refused_by_its_length(site, connection):
    site.pages["/a.mp3"] = answer(content_length="100001")
    error = _failure(_limited(connection, site), site, connection)
    assert (error.kind, error.reason) == ("permanent", "too-large")


def test_a_file_without_end_is_left_at_the_limit(site, connection):
    def endless(asked: Asked, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            sock.sendall(b"x" * 10_000)

    site.pages["/a.mp3"] = endless
    assert _failure(_limited(connection, site), site, connection).reason == "too-large"


@pytest.mark.parametrize(
    ("content_type", "kind", "reason"),
    [
        ("text/html; charset=utf-8", "incomplete", "page-not-media"),
        ("application/vnd.apple.mpegurl", "format", "playlist"),
        ("audio/x-mpegurl", "format", "playlist"),
        ("application/dash+xml", "format", "playlist"),
        ("audio/x-scpls", "format", "playlist"),
    ],
)
def test_a_page_or_playlist_is_no_media(content_type, kind, reason, site, client, connection):
    site.pages["/a.mp3"] = answer(b"x", content_type=content_type)
    error = _failure(client, site, connection)
    assert (error.kind, error.reason) == (kind, reason)


def test_a_compressed_file_is_refused(site, client, connection):
    site.pages["/a.mp3"] = answer(b"x", content_encoding="gzip")
    assert _failure(client, site, connection).reason == "content-encoding"


def test_a_download_that_drips_is_broken_off(site, connection, waits, monkeypatch):
    monkeypatch.setattr(_http, "_WAITS_S", (0.5,))
    waiting = threading.Event()

    def drip(asked: Asked, sock: socket.socket) -> None:
        try:
            sock.sendall(answer(content_length="300000"))
            while not waiting.wait(0.02):
                sock.sendall(b"x")
        except OSError:
            return

    site.pages["/a.mp3"] = drip
    client = Client(msgspec.structs.replace(connection, timeout_s=0.5), [f"http://files.example:{site.port}"])
    assert _failure(client, site, connection).reason == "broken-off"
    waiting.set()
    assert len(site.asked) == 2


def test_a_download_has_more_time_for_each_piece_that_comes(site, client, connection, monkeypatch):
    monkeypatch.setattr(_http_download, "_SLOWEST", 20_000)  # bytes a second: 100,000 in the time of one answer
    started = []
    real = _http_wire.Watch.start

    def start(watch: _http_wire.Watch, seconds: float) -> None:
        started.append(seconds)
        real(watch, seconds)

    monkeypatch.setattr(_http_wire.Watch, "start", start)
    site.pages["/a.mp3"] = answer(MEDIA)
    client.download(_url(site), extension="mp3")
    assert started == [5.0] * 3  # for the answer, and after 131,072 and 262,144 bytes


def test_a_download_that_takes_all_day_is_left(site, client, connection, monkeypatch):
    monkeypatch.setattr(_http_download, "_LONGEST_S", -1.0)
    site.pages["/a.mp3"] = answer(MEDIA)
    error = _failure(client, site, connection)
    assert (error.kind, error.reason) == ("net", "too-slow")
    assert len(site.asked) == 1


def test_a_full_disk_is_no_fault_of_the_network(site, client, connection, monkeypatch):
    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self._file, name)

    real = os.fdopen
    monkeypatch.setattr(_http_download.os, "fdopen", lambda *arguments: Full(real(*arguments)))
    site.pages["/a.mp3"] = answer(MEDIA)
    with pytest.raises(OSError, match="No space left") as caught:
        client.download(_url(site), extension="mp3")
    assert caught.value.errno == errno.ENOSPC
    assert len(site.asked) == 1
    assert list(connection.folder.iterdir()) == []


@pytest.mark.parametrize("extension", ["../x", "mp3/../../x", "", "MP3", "a.b", "x" * 9])
def test_an_extension_makes_no_path(extension, site, client):
    with pytest.raises(ValueError, match="extension"):
        client.download(_url(site), extension=extension)
