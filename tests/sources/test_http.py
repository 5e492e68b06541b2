# SPDX-License-Identifier: Apache-2.0
"""Index pages, lists and tables on a web server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from speechmill.core import registry
from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import CaptionTrack, Ref
from speechmill.core.types import Rights
from speechmill.sources import Connection
from speechmill.sources._http_listing import absolute, read_list, read_page
from speechmill.sources.http import Backend, Config, check, hosts, item_id, kind

from .conftest import Site, answer

INDEX = b"""<!doctype html><title>Talks</title><h1>Index of /talks</h1>
<a href="?C=N;O=D">Name</a> <a href="../">Parent</a> <a href=/other/x.mp3>elsewhere</a>
<a href="one.MP3">one</a> <a class=x href='two%20b.wav'>two</a> <a href="two b.wav">again</a>
<a href="one.vtt">c</a> <a href="one.en.srt">c</a> <a href="notes.pdf">n</a> <a href="2024/">d</a>
<a href="https://cdn.example/three.ogg">three</a> <a href="https://evil.example/four.mp3">four</a>
<!-- <a href="hidden.mp3">h</a> --> <audio><source src="five.opus"></audio>
<a href="mailto:a@b.example">m</a> <a href="javascript:x()">j</a> <a href="file:///etc/x.mp3">f</a>
"""


@pytest.fixture
def make(site: Site, connection: Connection) -> Iterator[Callable[..., Backend]]:
    made = []

    def backend(path: str, **options: object) -> Backend:
        made.append(Backend(Config(url=f"http://files.example:{site.port}{path}", **options), connection))
        return made[-1]

    yield backend
    for one in made:
        one.close()


def _all(backend: Backend) -> list[Ref]:
    refs: list[Ref] = []
    cursor = None
    while True:
        page = backend.discover(cursor)
        refs += page.refs
        cursor = page.cursor
        if cursor is None:
            return refs


def _paths(site: Site, refs: list[Ref]) -> list[str]:
    return [ref.url.removeprefix(f"http://files.example:{site.port}") for ref in refs]


def test_the_registry_finds_it():
    assert registry.require("sources", "http").Backend is Backend


def test_an_index_pages_files_are_found_in_its_order(site, make):
    site.pages["/talks/"] = answer(INDEX)
    backend = make("/talks/", language="en")
    refs = _all(backend)
    assert _paths(site, refs) == ["/talks/one.MP3", "/talks/two%20b.wav", "/talks/five.opus"]
    assert refs[1] == Ref("http", item_id(refs[1].url), refs[1].url, title="two b", language="en")
    assert site.paths == ["/robots.txt", "/talks/"]
    assert backend.num_requests == 2


def test_files_on_another_host_are_found_where_that_is_allowed(site, make):
    site.pages["/talks/"] = answer(INDEX)
    refs = _all(make("/talks/", allowed_hosts=("cdn.example",)))
    assert [ref.url for ref in refs][2] == "https://cdn.example/three.ogg"
    assert len(refs) == 4


def test_folders_are_followed_as_deep_as_asked(site, make):
    site.pages |= {
        "/t/": answer(b'<a href="a.mp3"><a href="x/"><a href="y/"><a href="/t/"><a href="/up/">'),
        "/t/x/": answer(b'<a href="b.mp3"><a href="deep/"><a href="../y/"><a href="../">'),
        "/t/x/deep/": answer(b'<a href="c.mp3">'),
        "/t/y/": answer(b'<a href="d.mp3">'),
    }
    assert _paths(site, _all(make("/t/"))) == ["/t/a.mp3"]
    assert _paths(site, _all(make("/t/", depth=1))) == ["/t/a.mp3", "/t/x/b.mp3", "/t/y/d.mp3"]
    assert _paths(site, _all(make("/t/", depth=2))) == ["/t/a.mp3", "/t/x/b.mp3", "/t/x/deep/c.mp3", "/t/y/d.mp3"]


def test_another_worker_goes_on_from_the_cursor(site, make):
    site.pages |= {"/t/": answer(b'<a href="a.mp3"><a href="x/">'), "/t/x/": answer(b'<a href="b.mp3">')}
    first = make("/t/", depth=1).discover(None)
    second = make("/t/", depth=1).discover(first.cursor)
    assert _paths(site, [*first.refs, *second.refs]) == ["/t/a.mp3", "/t/x/b.mp3"]
    assert second.cursor is None


def test_a_folder_that_is_gone_is_left_out_and_said(site, make, caplog):
    site.pages |= {"/t/": answer(b'<a href="x/"><a href="y/">'), "/t/y/": answer(b'<a href="d.mp3">')}
    assert _paths(site, _all(make("/t/", depth=1))) == ["/t/y/d.mp3"]
    assert "/t/x/ answers 404" in caplog.text


def test_a_folder_that_cannot_be_had_now_is_not_left_out(site, make):
    site.pages |= {"/t/": answer(b'<a href="x/">'), "/t/x/": answer(status=503)}
    with pytest.raises(FetchError, match="unavailable"):
        _all(make("/t/", depth=1))


def test_the_page_itself_must_be_there(make):
    with pytest.raises(FetchError, match="not-found"):
        make("/t/").discover(None)


def test_a_page_with_thousands_of_links_comes_in_pieces(site, make):
    site.pages["/t/"] = answer(b"".join(b'<li><a href="%d.mp3">x</a>\n' % i for i in range(2_500)))
    backend = make("/t/")
    page = backend.discover(None)
    assert len(page.refs) == 1_000
    assert len({ref.id for ref in _all(backend)}) == 2_500
    assert site.paths.count("/t/") == 1


def test_too_many_folders_are_refused(site, make):
    site.pages["/t/"] = answer(b"".join(b'<a href="%d/">' % i for i in range(5_001)))
    with pytest.raises(FetchError, match="too-many-folders"):
        make("/t/", depth=1).discover(None)


def test_a_list_names_files_anywhere(site, make):
    site.pages["/l/all.txt"] = answer(
        "\ufeff# my list\n\na.mp3\r\n/b/c.wav\nhttps://cdn.example/d.ogg\na.en.vtt\nx.pdf\nnonsense:\n".encode()
    )
    backend = make("/l/all.txt")
    refs = _all(backend)
    assert _paths(site, refs) == ["/l/a.mp3", "/b/c.wav", "https://cdn.example/d.ogg"]
    assert backend.describe(refs[0]).tracks == (CaptionTrack("en", "manual"),)
    with pytest.raises(FetchError, match="host-refused"):
        backend.fetch(backend.describe(refs[2]))


def test_what_a_list_names_in_vain_is_said(site, make, caplog):
    site.pages["/all.txt"] = answer(b"a.mp3\nb.pdf\na.mp3\n")
    make("/all.txt").discover(None)
    assert "2 entries left out" in caplog.text


def test_a_list_in_another_encoding_is_refused(site, make):
    site.pages["/all.txt"] = answer("é.mp3".encode("latin-1"))
    with pytest.raises(FetchError, match="broken-list"):
        make("/all.txt").discover(None)


TABLE = (
    "path\tlanguage\tlicence\tevidence\tattribution\tdate\n"
    "a b.mp3\tvi\tCC BY 4.0\thttps://x.example/about\tAnn\t2024-05-01\n"
    "https://cdn.example/c.wav\t\t\t\t\t\n"
)


def test_a_table_states_languages_dates_and_rights(site, make, connection):
    site.pages["/t/recordings.tsv"] = answer(TABLE.encode())
    backend = make("/t/recordings.tsv", language="en", licence="CC0", evidence="a letter")
    refs = _all(backend)
    assert [(ref.title, ref.language, ref.date) for ref in refs] == [("a b", "vi", "2024-05-01"), ("c", "en", None)]
    first, second = (backend.describe(ref) for ref in refs)
    assert msgspec.structs.replace(first.rights, seen=None) == Rights(
        "CC BY 4.0", "cc-by", "https://x.example/about", "Ann", title="a b", url=refs[0].url
    )
    assert first.rights.seen is not None
    assert (second.rights.state, second.rights.evidence) == ("public-domain", "a letter")
    assert list(connection.folder.iterdir()) == []


def test_a_licence_in_a_table_comes_with_where_it_stood_and_whom_to_name(site, make):
    site.pages["/r.tsv?token=canary"] = answer(b"path\tlicence\na.mp3\tcc-by-4.0\n")
    backend = make("/r.tsv?token=canary")
    (ref,) = _all(backend)
    rights = backend.describe(ref).rights
    assert (rights.licence, rights.state) == ("cc-by-4.0", "cc-by")
    assert rights.evidence == f"http://files.example:{site.port}/r.tsv"
    assert rights.attribution == f'"a", http://files.example:{site.port}/a.mp3, cc-by-4.0 (seen {rights.seen})'


def test_a_broken_table_is_refused_with_its_line(site, make):
    site.pages["/r.tsv"] = answer(b"path\tlanguage\na.mp3\ten\tx\n")
    with pytest.raises(FetchError, match=r"broken-table: http://files\.example:\d+/r\.tsv:2"):
        make("/r.tsv").discover(None)


def test_a_row_that_is_gone_from_the_table_has_no_rights_any_more(site, make):
    site.pages["/r.tsv"] = [answer(TABLE.encode()), answer(b"path\nother.mp3\n")]
    ref = make("/r.tsv").discover(None).refs[0]
    with pytest.raises(FetchError, match="not-listed") as caught:
        make("/r.tsv").describe(ref)
    assert caught.value.permanent


def test_a_licence_is_unstated_unless_the_operator_states_it(site, make):
    site.pages["/talks/"] = answer(INDEX)
    for options, state in (({}, "unstated"), ({"licence": "CC BY-SA 4.0", "evidence": "x"}, "cc-by")):
        backend = make("/talks/", **options)
        assert backend.describe(_all(backend)[0]).rights.state == state


def test_another_worker_describes_what_it_has_not_listed(site, make):
    site.pages |= {
        "/t/": answer(b'<a href="x/"><a href="y/b.mp3"><a href="y/b.vtt">'),
        "/t/x/": answer(b'<a href="a.mp3"><a href="a.vtt">'),
    }
    known = {ref.title: ref for ref in _all(make("/t/", depth=1, language="en"))}
    other = make("/t/", depth=1, language="en")
    for name in ("a", "b"):
        assert other.describe(known[name]).tracks == (CaptionTrack("en", "manual"),)


def test_a_file_that_a_page_no_longer_shows_may_still_be_there(site, make):
    site.pages["/t/"] = [answer(b'<a href="a.mp3">'), answer(b"")]
    ref = make("/t/").discover(None).refs[0]
    assert make("/t/").describe(ref).tracks == ()


def test_captions_beside_a_recording_are_webvtt(site, make):
    site.pages |= {
        "/talks/": answer(INDEX),
        "/talks/one.vtt": answer(b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n"),
        "/talks/one.en.srt": answer(b"1\r\n00:00:01,000 --> 00:00:02,500\r\nHello\r\n"),
    }
    backend = make("/talks/", language="vi")
    description = backend.describe(_all(backend)[0])
    assert description.tracks == (CaptionTrack("vi", "manual"), CaptionTrack("en", "manual"))
    found = backend.captions(description, ("en",), ("manual",))
    assert [caption.content for caption in found] == [b"WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\nHello\n"]
    assert [caption.language for caption in backend.captions(description, (), ("manual",))] == ["vi", "en"]
    assert backend.captions(description, (), ("automatic",)) == []


def test_captions_of_no_known_language_are_und(site, make):
    site.pages["/t/"] = answer(b'<a href="a.mp3"><a href="a.vtt">')
    backend = make("/t/")
    assert backend.describe(_all(backend)[0]).tracks == (CaptionTrack("und", "manual"),)


def test_a_file_is_fetched(site, make, connection):
    site.pages |= {"/talks/": answer(INDEX), "/talks/one.MP3": answer(b"media")}
    backend = make("/talks/")
    fetched = backend.fetch(backend.describe(_all(backend)[0]))
    assert (fetched.path.read_bytes(), fetched.extension, fetched.path.parent) == (b"media", "mp3", connection.folder)


def test_what_robots_txt_does_not_want_is_not_fetched(site, make):
    site.pages |= {"/robots.txt": answer(b"User-agent: *\nDisallow: /*.mp3$"), "/t/": answer(b'<a href="a.mp3">')}
    backend = make("/t/")
    with pytest.raises(FetchError, match="robots-disallow") as caught:
        backend.fetch(backend.describe(_all(backend)[0]))
    assert caught.value.permanent
    assert "/t/a.mp3" not in site.paths


@pytest.mark.parametrize(
    ("url", "listing", "expected"),
    [
        ("https://x.example/a/", None, "page"),
        ("https://x.example/a/all.TXT?b=1", None, "list"),
        ("https://x.example/recordings.tsv", None, "table"),
        ("https://x.example/all.txt", "page", "page"),
    ],
)
def test_the_form_of_a_listing_follows_from_its_extension(url, listing, expected):
    assert kind(Config(url=url, listing=listing)) == expected


def test_only_the_hosts_of_the_corpus_file_may_be_asked():
    assert hosts(Config(url="https://x.example/a", allowed_hosts=("cdn.example",))) == ("x.example", "cdn.example")
    assert hosts(Config(url="http://x.example:8080/a")) == ("http://x.example:8080",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "ftp://x.example/"}, "address"),
        ({"url": "x.example"}, "address"),
        ({"url": "https://ann:secret@x.example/"}, "user name"),
        ({"url": "https://x.example/", "licence": "CC0"}, "evidence"),
        ({"url": "https://x.example/", "depth": 9}, "depth"),
    ],
)
def test_a_contradiction_is_a_config_error(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check(Config(**options))
    assert "secret" not in str(caught.value)


def test_an_unknown_option_is_refused():
    with pytest.raises(msgspec.ValidationError, match="unknown"):
        msgspec.convert({"url": "https://x.example/", "insecure": True}, Config)


# --- hostile pages


@pytest.mark.parametrize(
    "target",
    [
        *(
            "../../../etc/passwd.mp3",
            "/etc/passwd.mp3",
            "%2e%2e/%2e%2e/x.mp3",
            "..%2f..%2fx.mp3",
            "//evil.example/x.mp3",
        ),
        *("https://evil.example/t/x.mp3", "http://127.0.0.1/x.mp3", "file:///t/x.mp3", "data:audio/mpeg,x.mp3"),
        *("http://x.example@evil.example/t/x.mp3", "http://[/x.mp3", "javascript:x.mp3"),
    ],
)
def test_a_link_out_of_the_folder_is_no_file(target):
    page = f'<a href="{target}">x</a>'.encode()
    assert read_page(page, "https://x.example/t/", ()).files == ()


@pytest.mark.parametrize(
    "page",
    [
        b"<a " * 100_000,
        b"<a href='" * 50_000,
        b"<!--" * 100_000,
        b"<![CDATA[" * 50_000,
        b"<a href=" + b"x" * 1_000_000 + b">",
        b"<div>" * 100_000,
        b"\xff\xfe<a href='\xff.pdf'>",
        bytes(range(256)) * 1_000,
        b"",
    ],
)
def test_a_page_made_to_choke_on_is_passed_over(page):
    assert read_page(page, "https://x.example/t/", ()).files == ()


def test_more_files_than_anyone_has_are_refused(monkeypatch):
    monkeypatch.setattr("speechmill.sources._http_listing.MAX_FILES", 100)
    with pytest.raises(FetchError, match="too-many-files"):
        read_list(b"".join(b"%d.mp3\n" % i for i in range(101)), "https://x.example/l.txt")


@pytest.mark.parametrize("name", ["../../x", "a/b", "x" * 5_000, "\x00", "CON", "-rf", "é", "a\nb"])
def test_an_id_is_safe_whatever_the_name(name):
    made = item_id(f"https://x.example/{name}.mp3")
    assert len(made) == 24
    assert made.isalnum()


def test_two_spellings_of_an_address_are_one():
    assert absolute("HTTPS://X.example/a/", "./b/../%7ec.mp3#x") == "https://x.example/a/%7Ec.mp3"
    assert absolute("https://x.example/a/", "/B c.mp3") == "https://x.example/B%20c.mp3"
