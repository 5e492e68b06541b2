# SPDX-License-Identifier: Apache-2.0
"""The client against servers that answer well, badly, slowly, and without end."""

from __future__ import annotations

import base64
import contextlib
import datetime
import email.utils
import gzip
import socket
import threading
import zlib
from collections.abc import Iterator

import brotli
import msgspec
import pytest

from speechmill.core.errors import ConfigError, FetchError
from speechmill.sources import Connection, _http_wire
from speechmill.sources._http import Client
from speechmill.sources._http_answers import _gunzipped, retry_after
from speechmill.sources._http_guard import Target

from .conftest import Asked, Site, answer


@pytest.fixture
def client(site: Site, connection: Connection) -> Iterator[Client]:
    made = Client(connection, _patterns(site))
    yield made
    made.close()


def _patterns(site: Site) -> list[str]:
    return [f"http://files.example:{site.port}", f"http://other.example:{site.port}"]


def _url(site: Site, path: str = "/") -> str:
    return f"http://files.example:{site.port}{path}"


def _failure(client: Client, site: Site, path: str = "/", **options: int) -> FetchError:
    with pytest.raises(FetchError) as caught:
        client.get(_url(site, path), **options)
    return caught.value


# --- answers


def test_an_answer_comes_whole(site, client):
    site.pages["/a?b=1+2"] = answer(b"hello", content_type="text/plain")
    response = client.get(_url(site, "/a"), params={"b": "1 2"}, headers={"X-Kind": "test"})
    assert (response.status, response.content, response.headers["content-type"]) == (200, b"hello", "text/plain")
    assert response.url == _url(site, "/a?b=1+2")
    asked = site.asked[0].headers
    assert asked["user-agent"].startswith("speechmill (+https://")
    assert (asked["x-kind"], asked["accept-encoding"]) == ("test", "gzip")


def test_a_connection_is_kept_for_the_next_request(site, client):
    site.pages["/"] = answer(b"x")
    for _ in range(3):
        client.get(_url(site))
    assert (client.num_requests, site.num_connections) == (3, 1)


def test_of_many_connections_the_longest_unused_is_closed(site, client, monkeypatch):
    monkeypatch.setattr(_http_wire, "_MAX_OPEN", 1)
    site.pages["/"] = answer(b"x")
    client.get(_url(site))
    client.get(_url(site).replace("files", "other"))
    client.get(_url(site).replace("files", "other"))
    client.get(_url(site))
    assert site.num_connections == 3


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(site, client):
    def once(asked: Asked, sock: socket.socket) -> None:
        sock.sendall(answer(b"x"))

    site.pages["/"] = once
    assert [client.get(_url(site)).content for _ in range(3)] == [b"x", b"x", b"x"]
    assert site.num_connections == 3


def test_what_follows_a_body_that_is_longer_than_its_length_is_no_answer(site, client):
    site.pages["/"] = answer(b"hi" + answer(b"smuggled"), content_length="2")
    site.pages["/b"] = answer(b"own")
    assert client.get(_url(site)).content == b"hi"
    assert client.get(_url(site, "/b")).content == b"own"


def test_cookies_are_not_kept(site, client):
    site.pages["/"] = answer(b"x", set_cookie="id=7")
    client.get(_url(site))
    client.get(_url(site))
    assert "cookie" not in site.asked[1].headers


def test_a_redirect_is_followed_and_the_last_address_said(site, client):
    site.pages["/"] = answer(status=302, location=f"http://other.example:{site.port}/b")
    site.pages["/b"] = answer(b"here")
    response = client.get(_url(site))
    assert (response.content, response.url) == (b"here", f"http://other.example:{site.port}/b")
    assert client.num_requests == 2


def test_a_header_for_one_site_is_not_sent_to_another(site, client):
    site.pages["/"] = answer(status=302, location="/b")
    site.pages["/b"] = answer(status=302, location=f"http://other.example:{site.port}/c")
    site.pages["/c"] = answer(b"here")
    client.get(_url(site), headers={"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Accept": "text/xml"})
    assert [asked.headers.get("authorization") for asked in site.asked] == ["Bearer s3cret", "Bearer s3cret", None]
    assert "s3cret" not in str(site.asked[2].headers)
    assert site.asked[2].headers["accept"] == "text/xml"


def test_a_redirect_with_raw_utf8_is_followed(site, client):
    site.pages["/"] = answer(status=302, location="/tập 1".encode().decode("latin-1"))
    site.pages["/t%E1%BA%ADp%201"] = answer(b"here")
    assert client.get(_url(site)).content == b"here"


def test_the_sixth_redirect_is_one_too_many(site, client):
    for number in range(7):
        site.pages[f"/{number}"] = answer(status=302, location=f"/{number + 1}")
    assert _failure(client, site, "/0").reason == "too-many-redirects"
    assert site.paths == ["/0", "/1", "/2", "/3", "/4", "/5"]


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (404, "permanent", "not-found"),
        (410, "permanent", "gone"),
        (403, "permanent", "forbidden"),
        (429, "rate", "too-many-requests"),
        (503, "rate", "unavailable"),
        (500, "net", "server-error"),
        (502, "net", "server-error"),
        (451, "geo", "not-here"),
        (400, "format", "odd-answer"),
        (206, "format", "odd-answer"),
        (304, "format", "odd-answer"),
        (302, "format", "odd-answer"),
    ],
)
def test_a_status_that_is_no_success_is_an_error_of_its_kind(status, kind, reason, site, client):
    site.pages["/"] = answer(status=status)
    error = _failure(client, site)
    assert (error.kind, error.reason, error.permanent) == (kind, reason, kind == "permanent")


def test_a_challenge_asks_for_a_person(site, client):
    site.pages["/"] = answer(status=403, cf_mitigated="challenge")
    assert _failure(client, site).kind == "bot"


def test_retry_after_is_passed_on(site, client):
    site.pages["/"] = answer(status=429, retry_after="120")
    assert _failure(client, site).retry_after == 120.0


def test_retry_after_may_be_a_date():
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    assert retry_after(email.utils.format_datetime(later, usegmt=True)) == pytest.approx(3600, abs=60)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize("value", ["soon", "", "-5", "1e9", "١٢", "Wed, 99 Foo 2015 07:28:00 GMT", None])
def test_a_retry_after_that_says_nothing_is_none(value):
    assert retry_after(value) is None


def test_a_retry_after_of_years_is_a_day():
    assert retry_after("9999999999") == 86_400.0


# --- bodies


def test_json_is_decoded(site, client):
    site.pages["/"] = answer(b'{"a": [1, "\xc3\xa9"]}')
    assert client.json(_url(site)) == {"a": [1, "é"]}


@pytest.mark.parametrize("body", [b"<html>", b'{"a": ', b'{"a": "\xff"}', b"", b"[" * 100_000])
def test_what_is_no_json_is_incomplete(body, site, client):
    site.pages["/"] = answer(body)
    with pytest.raises(FetchError) as caught:
        client.json(_url(site, "/"))
    assert (caught.value.kind, caught.value.reason) == ("incomplete", "not-json")


def test_gzip_is_undone_in_several_members_too(site, client):
    site.pages["/"] = answer(gzip.compress(b"a" * 200_000) + gzip.compress(b"b"), content_encoding="gzip")
    assert client.get(_url(site)).content == b"a" * 200_000 + b"b"


def test_a_gzip_bomb_is_stopped_at_the_limit(site, client):
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 60_000
    site.pages["/"] = answer(bomb, content_encoding="gzip")
    assert _failure(client, site, max_bytes=100_000).reason == "too-large"


def test_no_more_than_a_block_is_decompressed_at_a_time():
    target = Target("https", "files.example", 443, "/")
    blocks = list(_gunzipped(target, iter([gzip.compress(bytes(5_000_000))])))
    assert max(map(len, blocks)) == 65_536
    assert sum(map(len, blocks)) == 5_000_000


def test_gzip_that_is_cut_off_is_incomplete(site, client):
    site.pages["/"] = answer(gzip.compress(bytes(range(256)) * 100)[:-20], content_encoding="gzip")
    error = _failure(client, site)
    assert (error.kind, error.reason) == ("incomplete", "broken-gzip")


def test_what_is_no_gzip_is_incomplete(site, client):
    site.pages["/"] = answer(b"plain", content_encoding="gzip")
    assert _failure(client, site).reason == "broken-gzip"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", brotli.compress(bytes(1_000_000))),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("deflate", zlib.compress(bytes(1_000_000))),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(1_000_000)))),
    ],
    ids=["br", "zstd", "deflate", "gzip twice"],
)
def test_a_compression_that_nobody_asked_for_is_not_undone(encoding, body, site, client):
    site.pages["/"] = answer(body, content_encoding=encoding)
    error = _failure(client, site)
    assert (error.kind, error.reason) == ("format", "content-encoding")


def test_a_body_over_the_limit_is_refused(site, client):
    site.pages["/"] = answer(b"x" * 1001)
    assert _failure(client, site, max_bytes=1000).reason == "too-large"
    assert client.get(_url(site), max_bytes=1001).content == b"x" * 1001


def test_a_body_without_end_is_left_at_the_limit(site, client):
    def endless(asked: Asked, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sock.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")

    site.pages["/"] = endless
    assert _failure(client, site, max_bytes=1_000_000).reason == "too-large"


def test_a_body_shorter_than_its_length_is_no_answer(site, client):
    def cut(asked: Asked, sock: socket.socket) -> None:
        sock.sendall(answer(b"half", content_length="8"))

    site.pages["/"] = cut
    error = _failure(client, site)
    assert (error.kind, error.reason) == ("net", "no-answer")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + answer(b"x"),
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (i, b"y" * 5_000) for i in range(20)) + b"\r\n",
    ],
)
def test_what_is_no_http_is_no_answer(raw, site, client):
    site.pages["/"] = lambda asked, sock: sock.sendall(raw)
    assert _failure(client, site).kind == "net"


def _impatient(site: Site, connection: Connection) -> Client:
    return Client(msgspec.structs.replace(connection, timeout_s=0.3), _patterns(site))


@pytest.mark.parametrize(
    "before", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"]
)
def test_a_server_that_drips_is_left_when_the_whole_answer_is_due(before, site, connection):
    done = threading.Event()

    def drip(asked: Asked, sock: socket.socket) -> None:
        sock.sendall(before)
        try:
            while not done.wait(0.05):  # each read gets something in time
                sock.sendall(b"H")
        except OSError:
            return

    site.pages["/"] = drip
    client = _impatient(site, connection)
    try:
        assert _failure(client, site).reason == "timeout"
    finally:
        done.set()
        client.close()


def test_a_server_that_says_nothing_is_left(site, connection):
    done = threading.Event()
    site.pages["/"] = lambda asked, sock: done.wait(5) and None
    client = _impatient(site, connection)
    error = _failure(client, site)
    done.set()
    client.close()
    assert (error.kind, error.reason) == ("net", "timeout")


def test_a_port_where_nobody_listens_is_no_answer(names, connection):
    client = Client(connection, ["http://files.example:1"])
    with pytest.raises(FetchError) as caught:
        client.get("http://files.example:1/")
    assert (caught.value.kind, caught.value.reason) == ("net", "no-answer")


def test_a_name_without_an_address_is_a_network_error(names, connection):
    with pytest.raises(FetchError, match="name-unknown") as caught:
        Client(connection, ["*"]).get("https://nowhere.example/")
    assert caught.value.kind == "net"


def test_the_query_of_a_url_is_not_said(site, client):
    assert "s3cret" not in str(_failure(client, site, "/a?token=s3cret"))


# --- TLS


def test_a_certificate_of_the_system_store_is_believed(secure_site, connection):
    secure_site.pages["/"] = answer(b"x")
    client = Client(connection, [f"files.example:{secure_site.port}"])
    assert client.get(f"https://files.example:{secure_site.port}/").content == b"x"
    assert client.get(f"https://files.example:{secure_site.port}/").content == b"x"
    client.close()
    assert secure_site.num_connections == 1


def test_a_body_that_ends_without_tls_ending_is_cut_off(secure_site, connection):
    secure_site.pages["/"] = lambda asked, sock: sock.sendall(b"HTTP/1.0 200 OK\r\n\r\nhalf")
    client = Client(connection, [f"files.example:{secure_site.port}"])
    with pytest.raises(FetchError) as caught:
        client.get(f"https://files.example:{secure_site.port}/")
    assert (caught.value.kind, caught.value.reason) == ("net", "no-answer")


def test_a_tls_connection_that_the_server_closed_meanwhile_is_opened_again(secure_site, connection):
    secure_site.pages["/"] = lambda asked, sock: sock.sendall(answer(b"x"))
    client = Client(connection, [f"files.example:{secure_site.port}"])
    url = f"https://files.example:{secure_site.port}/"
    assert [client.get(url).content for _ in range(4)] == [b"x"] * 4
    assert secure_site.num_connections == 4
    client.close()


def test_a_certificate_of_another_name_is_not(secure_site, connection):
    with pytest.raises(FetchError) as caught:
        Client(connection, ["*", f"other.example:{secure_site.port}"]).get(f"https://other.example:{secure_site.port}/")
    assert (caught.value.kind, caught.value.reason) == ("net", "certificate")
    assert secure_site.asked == []


def test_a_certificate_of_an_unknown_authority_is_not(secure_site, connection, monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(FetchError, match="certificate"):
        Client(connection, [f"files.example:{secure_site.port}"]).get(f"https://files.example:{secure_site.port}/")
    assert secure_site.asked == []


def test_a_redirect_from_https_to_http_is_asked_by_https(secure_site, site, connection):
    secure_site.pages["/"] = answer(status=302, location=f"http://files.example:{secure_site.port}/b")
    secure_site.pages["/b"] = answer(b"safe")
    client = Client(connection, [f"http://files.example:{secure_site.port}"])
    assert client.get(f"https://files.example:{secure_site.port}/").content == b"safe"
    client.close()


# --- proxies


class _Tunnel:
    """An HTTP proxy that leads every name to one port, and keeps what it was asked for."""

    def __init__(self, port: int, expected: str | None = None) -> None:
        self.heads: list[str] = []
        self._port = port
        self._expected = expected
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            with sock:
                self._carry(sock)

    def _carry(self, sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(65536)
            if not more:
                return
            head += more
        self.heads.append(head.decode())
        if self._expected is not None and self._expected not in head.decode():
            sock.sendall(b"HTTP/1.1 407 No\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self._port)) as onward:
            if head.startswith(b"CONNECT"):
                sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                onward.sendall(head)
            back = threading.Thread(target=_pump, args=(onward, sock))
            back.start()
            _pump(sock, onward)
            back.join()

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self._thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_through_an_http_proxy_tls_is_with_the_site_and_names_are_not_resolved_here(secure_site, connection, names):
    secure_site.pages["/"] = answer(b"x")
    names.clear()
    proxy = _Tunnel(secure_site.port)
    with_proxy = msgspec.structs.replace(connection, proxy=f"http://ann:p%40ss@127.0.0.1:{proxy.port}")
    client = Client(with_proxy, ["files.example"])
    assert client.get("https://files.example/").content == b"x"
    client.close()
    proxy.close()
    assert proxy.heads[0].startswith("CONNECT files.example:443 HTTP/1.")
    assert base64.b64encode(b"ann:p@ss").decode() in proxy.heads[0]
    assert "proxy-authorization" not in secure_site.asked[0].headers


def test_through_an_http_proxy_plain_http_is_forwarded(site, connection, names):
    names.clear()
    site.pages["http://files.example/a"] = answer(b"x")
    proxy = _Tunnel(site.port)
    client = Client(
        msgspec.structs.replace(connection, proxy=f"http://127.0.0.1:{proxy.port}"), ["http://files.example"]
    )
    assert client.get("http://files.example/a").content == b"x"
    client.close()
    proxy.close()


def test_a_proxys_password_is_never_said(site, connection):
    proxy = _Tunnel(site.port, expected="something else")
    client = Client(
        msgspec.structs.replace(connection, proxy=f"http://ann:hunter2@127.0.0.1:{proxy.port}"), ["files.example"]
    )
    with pytest.raises(FetchError) as caught:
        client.get("https://files.example/")
    proxy.close()
    assert caught.value.kind == "net"
    assert "407" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://169.254.169.254/", "http://localhost/", "http://x.local/"]
)
def test_a_proxy_is_not_asked_for_addresses_inside(url, site, connection):
    proxy = _Tunnel(site.port)
    client = Client(msgspec.structs.replace(connection, proxy=f"http://127.0.0.1:{proxy.port}"), ["http://*"])
    with pytest.raises(FetchError, match="refused"):
        client.get(url)
    proxy.close()
    assert proxy.heads == []


def test_a_dead_proxy_is_a_network_error(connection):
    dead = msgspec.structs.replace(connection, proxy="socks5h://ann:hunter2@127.0.0.1:1")
    with pytest.raises(FetchError) as caught:
        Client(dead, ["*"]).get("https://files.example/")
    assert caught.value.kind == "net"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["ftp://h:1", "127.0.0.1:8080", "http://h", "http://ann:hunter2@h:99999", "socks4://h:1"]
)
def test_a_proxy_of_another_kind_is_refused(proxy, connection):
    with pytest.raises(ConfigError) as caught:
        Client(msgspec.structs.replace(connection, proxy=proxy), ["*"])
    assert "hunter2" not in str(caught.value)


@contextlib.contextmanager
def _socks(port: int, heard: list[bytes]) -> Iterator[str]:
    """Yield the address of a SOCKS 5 proxy that leads one connection to a port."""

    def serve() -> None:
        sock, _ = server.accept()
        with sock, socket.create_connection(("127.0.0.1", port)) as onward:
            sock.recv(3)
            sock.sendall(b"\x05\x00")
            heard.append(sock.recv(300))
            sock.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            back = threading.Thread(target=_pump, args=(onward, sock))
            back.start()
            _pump(sock, onward)
            back.join()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"socks5h://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_socks_passes_the_name_on(site, connection, names):
    names.clear()
    site.pages["/"] = answer(b"x")
    heard: list[bytes] = []
    with _socks(site.port, heard) as proxy:
        client = Client(msgspec.structs.replace(connection, proxy=proxy), ["http://files.example"])
        assert client.get("http://files.example/").content == b"x"
        client.close()
    assert heard == [b"\x05\x01\x00\x03\x0dfiles.example\x00\x50"]


def test_through_socks_tls_is_with_the_site(secure_site, connection, names):
    names.clear()
    secure_site.pages["/"] = answer(b"x")
    heard: list[bytes] = []
    with _socks(secure_site.port, heard) as proxy:
        client = Client(msgspec.structs.replace(connection, proxy=proxy), ["files.example"])
        assert client.get("https://files.example/").content == b"x"
        client.close()
    assert heard == [b"\x05\x01\x00\x03\x0dfiles.example\x01\xbb"]


def test_the_environments_proxies_are_not_used(site, client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    site.pages["/"] = answer(b"x")
    assert client.get(_url(site)).content == b"x"
