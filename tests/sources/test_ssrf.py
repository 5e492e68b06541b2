# SPDX-License-Identifier: Apache-2.0
"""Spellings of addresses inside, and ways to be led there: none of them may be connected to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from speechmill.core.errors import FetchError
from speechmill.sources import Connection, _http_guard
from speechmill.sources._http import Client
from speechmill.sources._http_guard import check_url, is_public, read_pattern

from .conftest import Site, answer

ANY = [read_pattern("http://*")]

INSIDE = [
    # plain
    "http://127.0.0.1/",
    "http://127.1.2.3/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.5.4/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/opc/v2/",
    "http://198.18.0.1/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    # decimal, octal, hexadecimal, short, mixed
    "http://2130706433/",
    "http://2852039166/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0X7F.0.0.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://127.0.0.0x1/",
    "http://127.0.0.1.0x/",
    "http://10.256/",
    "http://1.2.3.4.5/",
    # trailing dots
    "http://127.0.0.1./",
    "http://127.0.0.1../",
    "http://localhost./",
    # IPv6
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:53aa:64c::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[2600:1f18::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    # names
    "http://localhost/",
    "http://LOCALHOST/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://router/",
    "http://a.localhost/",
    "http://1.0.0.127.in-addr.arpa/",
    # other scripts' digits and dots
    "http://①②⑦.⓪.⓪.①/",
    "http://127.0.0.1/",
    "http://127。0。0。1/",
    "http://１２７.0.0.1/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    # escapes, user names, parsers that disagree
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example.org/",
    "http://example.org%2f@127.0.0.1/",
    "http://user:password@example.org/",
    "http://example.org@127.0.0.1/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org\\.127.0.0.1/",
    "http://127.0.0.1\t/",
    "http://exa\r\nmple.org/",
    "http://example.org:80:80/",
    "http://[::1/",
    "http:///127.0.0.1/",
    "http:127.0.0.1",
    "//127.0.0.1/",
    # ports and schemes
    "http://example.org:22/",
    "http://example.org:0/",
    "https://example.org:6379/",
    "http://example.org:99999/",
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://example.org:70/_x",
    "dict://example.org:11211/stats",
    "data:audio/wav;base64,AAAA",
    "javascript:alert(1)",
    "unix:///run/docker.sock",
    "https://example.org/" + "a" * 8_000,
    "",
]


@pytest.mark.parametrize("url", INSIDE)
def test_a_url_that_leads_inside_is_refused_before_anything_is_resolved(url, monkeypatch):
    monkeypatch.setattr(_http_guard, "look_up", _never)
    with pytest.raises(FetchError) as caught:
        check_url(url, ANY)
    assert caught.value.kind == "permanent"
    assert caught.value.reason in ("address-refused", "host-refused", "port-refused", "scheme-refused") or (
        caught.value.reason in ("url-broken", "url-userinfo")
    )
    assert "password" not in str(caught.value)


def _never(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was resolved")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "169.254.169.254", "100.64.0.1", "192.0.0.192", "168.63.129.16"),
        *("224.0.0.1", "239.1.1.1", "::1", "::", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
        *("fe80::1", "fe80::1%eth0", "2600::1%eth0", "fc00::1", "fec0::1", "ff0e::1", "2001:db8::1", "2001::1"),
        *("3fff::1", "198.51.100.7", "203.0.113.9", "192.0.2.1", "255.255.255.255"),
    ],
)
def test_an_address_inside_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_an_address_of_the_public_network_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("pattern", "url", "asked"),
    [
        ("example.org", "https://Example.ORG./a?b#c", "https://example.org/a?b"),
        ("example.org", "http://example.org/a", "https://example.org/a"),
        ("example.org", "http://example.org:80/a", "https://example.org/a"),
        ("http://example.org", "http://example.org/a", "http://example.org/a"),
        ("http://example.org", "https://example.org/a", "https://example.org/a"),
        ("http://example.org:8080", "http://example.org:8080/a", "http://example.org:8080/a"),
        ("example.org:8443", "https://example.org:8443/a", "https://example.org:8443/a"),
        ("*.example.org", "https://a.b.example.org/", "https://a.b.example.org/"),
        ("*", "https://example.org/a b", "https://example.org/a%20b"),
        ("bücher.example", "https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("8.8.8.8", "https://8.8.8.8/", "https://8.8.8.8/"),
        ("[2606:2800::1]", "https://[2606:2800:0::1]/", "https://[2606:2800::1]/"),
        ("[2606:2800::1]:8443", "https://[2606:2800::1]:8443/", "https://[2606:2800::1]:8443/"),
    ],
)
def test_a_url_of_a_host_that_is_named_is_asked_in_one_spelling(pattern, url, asked):
    assert check_url(url, [read_pattern(pattern)]).url == asked


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("example.org", "https://evilexample.org/"),
        ("example.org", "https://example.org.evil.net/"),
        ("example.org", "https://www.example.org/"),
        ("*.example.org", "https://example.org/"),
        ("*.example.org", "https://evilexample.org/"),
        ("example.org:8443", "https://other.example:8443/"),
        ("*", "https://8.8.8.8/"),
        ("*.8.8.8", "https://8.8.8.8/"),
        ("*.local", "https://printer.local/"),
        ("10.0.0.1", "https://10.0.0.1/"),
    ],
)
def test_a_host_that_no_pattern_names_is_refused(pattern, url):
    with pytest.raises(FetchError, match="refused"):
        check_url(url, [read_pattern(pattern)])


def test_after_https_a_redirect_is_asked_by_https_too():
    assert check_url("http://example.org/a", ANY, secure=True).url == "https://example.org/a"


@pytest.fixture
def client(site: Site, connection: Connection) -> Iterator[Client]:
    made = Client(connection, ["http://*", f"http://files.example:{site.port}", f"http://other.example:{site.port}"])
    yield made
    made.close()


@pytest.mark.parametrize(
    "address", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"]
)
def test_a_name_that_resolves_inside_is_never_connected_to(address, site, client, names, monkeypatch):
    names["files.example"] = [address]
    monkeypatch.setattr(socket, "create_connection", _never_connect)
    with pytest.raises(FetchError, match="address-refused") as caught:
        client.get(f"http://files.example:{site.port}/")
    assert caught.value.kind == "net"
    assert client.num_requests == 0


def test_one_address_inside_among_public_ones_is_enough_to_refuse(site, client, names, monkeypatch):
    names["files.example"] = ["93.184.215.14", "10.0.0.1"]
    monkeypatch.setattr(socket, "create_connection", _never_connect)
    with pytest.raises(FetchError, match=r"address-refused.*10\.0\.0\.1"):
        client.get(f"http://files.example:{site.port}/")


def _never_connect(*arguments: object, **options: object) -> socket.socket:
    raise AssertionError(f"connected to {arguments}")


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:22/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
        "//localhost/",
        "file:///etc/passwd",
        "http://inside.example/",
        "http://user:secret@files.example/",
        "\\\\10.0.0.1\\share",
        "http://[",
    ],
)
def test_a_redirect_inside_is_not_followed(location, site, client, names):
    names["inside.example"] = ["192.168.0.10"]
    site.pages["/"] = answer(status=302, location=location)
    with pytest.raises(FetchError) as caught:
        client.get(f"http://files.example:{site.port}/")
    assert caught.value.reason != "not-found"
    assert site.paths == ["/"]
    assert client.num_requests == 1


def test_a_chain_of_redirects_is_checked_at_its_last_hop_too(site, client, names):
    names["inside.example"] = ["192.168.0.10"]
    site.pages["/"] = answer(status=301, location=f"http://other.example:{site.port}/b")
    site.pages["/b"] = answer(status=307, location="/c")
    site.pages["/c"] = answer(status=303, location="http://inside.example/d")
    with pytest.raises(FetchError, match="address-refused"):
        client.get(f"http://files.example:{site.port}/")
    assert site.paths == ["/", "/b", "/c"]


def test_a_name_that_changes_its_address_is_checked_at_each_connection_and_resolved_once_for_it(
    site, client, names, monkeypatch
):
    replies = [["127.0.0.1"], ["10.0.0.1"]]
    looked_up = []

    def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return replies.pop(0)

    monkeypatch.setattr(_http_guard, "look_up", look_up)
    site.pages["/"] = answer(b"first", connection="close")
    assert client.get(f"http://files.example:{site.port}/").content == b"first"
    assert looked_up == ["files.example"]
    with pytest.raises(FetchError, match="address-refused"):
        client.get(f"http://files.example:{site.port}/")
    assert looked_up == ["files.example", "files.example"]


def test_the_connection_goes_to_the_address_that_was_checked(site, client, names, monkeypatch):
    went = []
    real = socket.create_connection

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        went.append(address)
        return real(address, timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", connect)
    site.pages["/"] = answer(b"x")
    client.get(f"http://files.example:{site.port}/")
    assert went == [("127.0.0.1", site.port)]
    assert site.asked[0].headers["host"] == f"files.example:{site.port}"
