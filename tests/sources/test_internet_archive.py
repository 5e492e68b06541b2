# SPDX-License-Identifier: Apache-2.0
"""The Internet Archive through the replica: cursors, one form of each chapter, rights, digests, refusals."""

from __future__ import annotations

import hashlib

import pytest

from speechmill.core import registry
from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import CaptionTrack, Ref
from speechmill.sources import _http, internet_archive
from speechmill.sources._archive_items import read_item
from speechmill.sources.internet_archive import Config, _query

from .platforms import listed, opened, refused


@pytest.fixture
def librivox(replica, tmp_path):
    with opened("internet_archive", replica, tmp_path, collection="librivoxaudio") as backend:
        yield backend


def _item(files, **metadata):
    return read_item("book", {"files": files, "metadata": {"identifier": "book", **metadata}}, 1000)


def _file(name, **fields):
    return {"name": name, "source": "original", **fields}


def test_the_registry_finds_it():
    assert registry.require("sources", "internet_archive").Backend is internet_archive.Backend


def test_a_search_is_followed_by_its_cursor_and_every_chapter_listed_once(replica, librivox):
    replica.control(sites={"internet_archive": {"items": 25, "page": 15}})
    pages = listed(librivox)
    assert [len(page) for page in pages] == [18, 8, 16]  # of 10, 5 and 10 items; closed ones are listed whole
    refs = [ref for page in pages for ref in page]
    assert len({ref.id for ref in refs}) == 42
    assert refs[0] == Ref(
        "internet_archive",
        "book000~chapter_00",
        "https://archive.org/details/book000/chapter_00.m4a",
        title="Book 0: Chapter 0",
        duration=20.0,
        channel="Ann Nguyễn, LibriVox",
        channel_id="book000",
        views=100,
        date="2010-05-01",
        language="vi",
    )
    counted = replica.statistics()["by_path"]
    assert counted["archive.org/services/search/v1/scrape"] == 2
    assert counted["archive.org/metadata/book000"] == 1


def test_items_can_be_named_in_place_of_a_search(replica, tmp_path):
    with opened("internet_archive", replica, tmp_path, items=("book001",)) as backend:
        pages = listed(backend)
    assert [[ref.id for ref in page] for page in pages] == [["book001~chapter_00", "book001~chapter_01"]]


def test_every_licence_is_told(librivox):
    refs = {ref.channel_id: ref for ref in librivox.discover(None).refs if ref.channel_id}
    described = [librivox.describe(refs[f"book00{n}"]) for n in range(4)]
    assert [(one.rights.state, one.licence) for one in described] == [
        ("public-domain", "Public Domain"),
        ("cc-by", "CC BY-SA 4.0"),
        ("standard", "CC BY-NC-ND 4.0"),
        ("unstated", None),
    ]
    assert described[1].rights.evidence == "licenseurl in https://archive.org/metadata/book001"
    assert described[1].rights.attribution.startswith(
        '"Book 1: Chapter 1" by Ann Nguyễn, LibriVox, https://archive.org/'
    )
    assert [one.language for one in described] == ["vi", "vi", "en", None]
    assert [one.missing for one in described] == [(), (), (), ("language",)]
    assert described[0].category == "librivoxaudio"


@pytest.mark.parametrize(
    ("metadata", "state"),
    [
        ({"rights": "Public Domain"}, "public-domain"),
        ({"rights": "Public domain in the USA"}, "standard"),
        ({"licenseurl": "https://creativecommons.org/licenses/by/4.0/", "rights": "Read by Ann in 2010"}, "cc-by"),
        ({"licenseurl": "https://creativecommons.org/licenses/by/4.0/", "rights": "All rights reserved"}, "standard"),
        ({"licenseurl": ["https://creativecommons.org/licenses/by/4.0/", "https://x.test/terms"]}, "standard"),
        (
            {
                "licenseurl": "https://creativecommons.org/licenses/by/4.0/",
                "rights": "https://rightsstatements.org/InC/",
            },
            "standard",
        ),
        ({"licenseurl": "https://creativecommons.org/licenses/by/4.0/", "license": "CC BY-NC 4.0"}, "standard"),
        ({"licenseurl": 7}, "unstated"),
        ({}, "unstated"),
    ],
)
def test_rights_in_prose_open_nothing_and_may_close(metadata, state):
    assert _item([], **metadata).licence.state == state


def test_a_description_needs_nothing_but_the_ref(replica, tmp_path, librivox):
    ref = librivox.discover(None).refs[0]
    with opened("internet_archive", replica, tmp_path, collection="librivoxaudio") as fresh:
        assert fresh.describe(ref) == librivox.describe(ref)
        assert fresh.num_requests == 1


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [("book004", "dark"), ("book005", "restricted"), ("nobody", "not-found"), ("../x", "no-identifier")],
)
def test_items_that_can_not_be_had_never_come(librivox, identifier, reason):
    error = refused(librivox.describe, Ref("internet_archive", identifier, "https://archive.org"))
    assert (error.kind, error.reason) == ("permanent", reason)


def test_a_file_that_left_its_item_never_comes(librivox):
    error = refused(librivox.describe, Ref("internet_archive", "book000~gone", "https://archive.org"))
    assert (error.kind, error.reason) == ("permanent", "gone-from-item")


def test_captions_beside_the_audio_are_told_apart_by_name(librivox):
    described = librivox.describe(librivox.discover(None).refs[0])
    assert described.tracks == (CaptionTrack("vi", "manual"), CaptionTrack("vi", "automatic"))
    (caption,) = librivox.captions(described, ["vi"], ["manual"])
    assert caption.content == "WEBVTT\n\n1\n00:00:00.000 --> 00:00:05.000\nchương một\n".encode()


def test_the_uploaded_file_is_fetched_and_verified(replica, librivox, tmp_path):
    fetched = librivox.fetch(librivox.describe(librivox.discover(None).refs[0]))
    content = fetched.path.read_bytes()
    assert (fetched.extension, fetched.sha256) == ("m4a", hashlib.sha256(content).hexdigest())
    assert replica.statistics()["by_path"]["ia600001.us.archive.org/1/items/book000/chapter_00.m4a"] == 1


def test_a_file_with_another_digest_is_not_kept(replica, librivox, tmp_path):
    replica.control(sites={"internet_archive": {"digest": "0" * 40}})
    error = refused(librivox.fetch, librivox.describe(librivox.discover(None).refs[0]))
    assert (error.kind, error.reason) == ("incomplete", "wrong-digest")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_media_that_breaks_off_is_not_taken_for_the_whole(replica, librivox, monkeypatch):
    monkeypatch.setattr(_http, "pause", lambda seconds: None)
    described = librivox.describe(librivox.discover(None).refs[0])
    replica.control(sites={"internet_archive": {"truncate": {"/1/items/book000/chapter_00.m4a": 1000}}})
    assert refused(librivox.fetch, described).kind in ("net", "incomplete")


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "permanent"), (410, "permanent"), (429, "rate"), (503, "rate"), (500, "net")]
)
def test_refusals_of_the_search_are_told_apart(replica, librivox, status, kind):
    replica.control(status={"/services/search/v1/scrape": status})
    assert refused(librivox.discover, None).kind == kind


def test_an_item_that_is_busy_stops_the_page_and_is_asked_again(replica, librivox):
    replica.control(status={"/metadata/book003": 429})
    assert refused(librivox.discover, None).kind == "rate"
    replica.control(status={"/metadata/book003": 0})
    assert len(librivox.discover(None).refs) == 18


def test_a_search_that_answers_something_else_is_a_format_of_its_own(librivox, monkeypatch):
    monkeypatch.setattr(librivox._client, "json", lambda url, params: {"error": "no such field"})
    error = refused(librivox.discover, None)
    assert (error.kind, error.detail) == ("format", "the search answered: no such field")


def test_of_several_forms_one_is_taken_uploaded_before_derived_and_lossless_before_lossy():
    item = _item(
        [
            _file("01.mp3", length="60"),
            _file("01.flac"),
            _file("01_64kb.mp3", source="derivative", original="01.mp3"),
            _file("01.ogg", source="derivative", original="01.flac", length="1:00"),
            _file("02_128kb.mp3", title="Two"),
            _file("02_64kb.mp3"),
            _file("03.wav", size="5000"),
            _file("03.mp3", source="derivative", original="03.wav", size="500"),
        ]
    )
    assert [(file.id, file.name, file.duration) for file in item.files] == [
        ("book~01", "01.flac", 60.0),
        ("book~02", "02_128kb.mp3", None),
        ("book~03", "03.mp3", None),  # the upload is larger than may be fetched
    ]


def test_captions_belong_to_the_recording_whose_name_they_have():
    names = ["1.mp3", "1.1.mp3", "2_64kb.mp3"]
    names += ["1.srt", "1.1.srt", "1.pt-br.asr.vtt", "2_64kb.srt", "3.srt", "1.a.b.c.d.srt"]
    item = _item([_file(name) for name in names], language="eng")
    assert [[(name, track.language, track.kind) for name, track in file.captions] for file in item.files] == [
        [("1.srt", "en", "manual"), ("1.pt-br.asr.vtt", "pt-br", "automatic")],
        [("1.1.srt", "en", "manual")],
        [("2_64kb.srt", "en", "manual")],
    ]


def test_files_that_are_no_recordings_are_left_out():
    item = _item(
        [
            _file("cover.jpg"),
            _file("book_meta.xml", source="metadata"),
            _file("secret.mp3", private="true"),
            _file("a/../../b.mp3"),
            _file("odd\nname.mp3"),
            {"name": 7, "source": "original"},
            {"source": "original"},
            _file("CD 1/Chương 1.mp3", size="many", sha1="xyz"),
        ]
    )
    (file,) = item.files
    assert (file.id, file.size, file.sha1) == ("book~e16afe3e9003", None, None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([], "format"),
        ({}, "permanent"),
        ({"is_dark": True}, "permanent"),
        ({"metadata": {}, "files": []}, "incomplete"),
        ({"metadata": {"title": "A"}, "files": {}}, "incomplete"),
    ],
)
def test_odd_answers_are_told_apart(answer, kind):
    with pytest.raises(FetchError) as caught:
        read_item("book", answer, 1000)
    assert caught.value.kind == kind


def test_wrong_types_are_missing_fields():
    item = _item([], title=["A", "B"], creator={"x": 1}, date=2010, language=[3], collection=None)
    assert (item.title, item.author, item.date, item.language, item.category) == ("A", None, None, None, None)


def test_fields_of_the_query_narrow_each_other():
    config = Config(query="subject:tales OR x", collection="librivoxaudio", creator='Ann "A" \\')
    assert _query(config) == (
        '(subject:tales OR x) AND collection:"librivoxaudio" AND creator:"Ann \\"A\\" \\\\" AND mediatype:audio'
    )


@pytest.mark.parametrize("options", [{}, {"items": ("a",), "query": "b"}, {"items": ("a/b",)}, {"items": ("",)}])
def test_what_asks_for_nothing_or_for_too_much_is_a_config_error(options):
    with pytest.raises(ConfigError):
        internet_archive.check(Config(**options))
