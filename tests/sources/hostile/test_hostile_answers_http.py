# SPDX-License-Identifier: Apache-2.0
"""Whatever a peer sends, the client gives an answer or a FetchError, and the parsers a value or a FetchError."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from speechmill.core.errors import FetchError
from speechmill.sources import Connection, _http_wire
from speechmill.sources._http import Client
from speechmill.sources._http_answers import retry_after
from speechmill.sources._http_guard import check_url, read_pattern
from speechmill.sources._http_listing import absolute, read_list, read_page, read_table
from speechmill.sources._robots import read_robots
from speechmill.sources._xml import parse_xml

PIECES = [
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200\r\n",
        b"HTTP/1.1 302 X\r\n",
        b"HTTP/1.1 206 X\r\n",
        b"HTTP/1.1 100\r\n\r\n",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: 9999999999999\r\n",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Encoding: gzip\r\n"),
    *(b"Location: //[\r\n", b"Location: /\xff\r\n", b"Location: \r\n", b"Content-Range: bytes 0-4/5\r\n"),
    *(
        b" folded\r\n",
        b": nameless\r\n",
        b"\r\n",
        b"\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"hello",
    ),
    *(b"\x1f\x8b\x08\x00", b"\x00" * 10, b"\xff"),
]


class _Peer:
    """Says one thing to everyone."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.sendall(self._said)
        theirs.shutdown(socket.SHUT_WR)
        theirs.close()
        return ours


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fetched")


@given(said=st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=12).map(b"".join))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_answer_escapes_as_another_error(said, folder, monkeypatch):
    monkeypatch.setattr("speechmill.sources._http_guard.public_addresses", lambda host, port: ["192.0.2.1"])
    monkeypatch.setattr("speechmill.sources._http.pause", lambda seconds: None)
    monkeypatch.setattr(_http_wire, "_connected", _Peer(said).connect)
    client = Client(Connection(folder), ["http://files.example"])
    for ask in (client.get, client.json, lambda url: client.download(url, extension="mp3").path.unlink()):
        with contextlib.suppress(FetchError):
            ask("http://files.example/")
    client.close()
    assert list(folder.iterdir()) == []


@given(url=st.text(max_size=60) | st.text("htps:/@[]%.#?\\0x17f", max_size=40).map("http://".__add__))
@example(url="http://[v1.x]/")
@settings(max_examples=150)
def test_any_text_is_a_url_that_may_be_asked_or_refused(url):
    try:
        target = check_url(url, [read_pattern("http://*")])
    except FetchError:
        return
    assert target.path.startswith("/")
    assert target.port in (80, 443)
    assert target.host.isascii()
    assert not set(target.host + target.path) & set(" \r\n\t\\")


@given(content=st.binary(max_size=300))
@settings(max_examples=100)
def test_any_bytes_are_read_or_refused(content, tmp_path_factory):
    read_page(content, "https://x.example/t/", ())
    assert read_robots(content, "speechmill").allows("/robots.txt")
    for read in (read_list, parse_xml, lambda raw, url: read_table(raw, url, tmp_path_factory.getbasetemp())):
        with contextlib.suppress(FetchError):
            read(content, "https://x.example/t/a")


@given(text=st.text(max_size=40))
def test_any_text_is_a_time_to_wait_or_none(text):
    wait = retry_after(text)
    assert wait is None or 0 <= wait <= 86_400


@given(target=st.text(max_size=40))
def test_any_target_is_an_address_or_none(target):
    found = absolute("https://x.example/a/", target)
    assert found is None or found.startswith(("http://", "https://"))
