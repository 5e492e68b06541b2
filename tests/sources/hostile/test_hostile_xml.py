# SPDX-License-Identifier: Apache-2.0
"""XML that wants to become large, to read files or to ask servers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from speechmill.core.errors import FetchError
from speechmill.sources._xml import parse_xml

LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (98 + i, 97 + i, 97 + i, 97 + i, 97 + i) for i in range(20)
)
LAUGHS += b"]><l>&u;</l>"

FORBIDDEN = {
    "billion laughs": LAUGHS,
    "quadratic blow-up": b'<!DOCTYPE l [<!ENTITY a "' + b"x" * 50_000 + b'">]><l>' + b"&a;" * 50_000 + b"</l>",
    "external entity": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file://CANARY">]><l>&a;</l>',
    "external by http": b'<!DOCTYPE l [<!ENTITY a SYSTEM "http://127.0.0.1:9/x">]><l>&a;</l>',
    "parameter entity": b'<!DOCTYPE l [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd"> %a;]><l/>',
    "external DTD": b'<!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><l/>',
    "public DTD": b'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://127.0.0.1:9/x.dtd"><rss/>',
    "UTF-16": '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE l [<!ENTITY a "x">]><l>&a;</l>'.encode("utf-16"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_document_types_and_entities_are_refused_and_nothing_is_opened(name, tmp_path: Path, monkeypatch):
    canary = tmp_path / "canary"
    canary.write_text("secret")
    monkeypatch.setattr(socket.socket, "connect", _never)
    content = FORBIDDEN[name].replace(b"CANARY", str(canary).encode())
    with pytest.raises(FetchError) as caught:
        parse_xml(content, "the feed")
    assert (caught.value.kind, caught.value.reason) == ("format", "xml-forbidden")
    assert "secret" not in str(caught.value)


def _never(*arguments: object) -> None:
    raise AssertionError(f"connected to {arguments}")


def test_an_inclusion_is_only_an_element():
    root = parse_xml(
        b'<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></r>', "x"
    )
    assert [child.tag for child in root] == ["{http://www.w3.org/2001/XInclude}include"]
    assert root[0].text is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<a>" * 65 + b"</a>" * 65, "xml-too-deep"),
        (b"<a>" * 1_000_000, "xml-too-deep"),
        (b"<r>" + b"<a/>" * 1_000 + b"</r>", "xml-too-large"),
        (b"<r>" + b"<a b='' c='' d='' e=''/>" * 200 + b"</r>", "xml-too-large"),
    ],
)
def test_a_tree_that_grows_too_far_is_refused(content, reason, monkeypatch):
    monkeypatch.setattr("speechmill.sources._xml._MAX_PARTS", 1_000)
    with pytest.raises(FetchError) as caught:
        parse_xml(content, "the feed")
    assert (caught.value.kind, caught.value.reason) == ("format", reason)
    assert "the feed" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<rss><channel>",
        b"<a>&nbsp;</a>",
        b"\xff\xfe\x00",
        b"<a>\xff\xfe</a>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b'<?xml version="1.0" encoding="utf-8"?><a>\xe9</a>',
        b"<a></b>",
        b"<!doctype html><html><body>",  # not even a document type, in lower case
        b"<a/><b/>",
    ],
)
def test_what_is_broken_is_incomplete(content):
    with pytest.raises(FetchError) as caught:
        parse_xml(content, "the feed")
    assert (caught.value.kind, caught.value.reason) == ("incomplete", "broken-xml")


def test_a_deep_but_honest_document_is_read():
    root = parse_xml('<?xml version="1.0" encoding="utf-8"?><r><a>é &amp; &#233;</a></r>'.encode(), "x")
    assert root[0].text == "é & é"
    assert parse_xml(b"<a>" * 64 + b"</a>" * 64, "x").tag == "a"
