# SPDX-License-Identifier: Apache-2.0
"""What a crawl hands over: batches that never change, and what may not be used any more."""

from __future__ import annotations

import sys
import types

import pytest
from msgspec import Struct, structs

from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.files import sha256_file
from speechmill.core.registry import Choice
from speechmill.core.remote import Wanted
from speechmill.core.types import Rights, Source
from speechmill.formats.manifest import read_rows
from speechmill.pipeline import batches, intake, spec
from speechmill.pipeline.batches import query_id, read_batch, write_batch
from speechmill.pipeline.run import prepare
from speechmill.store.takedowns import crawled_id, taken_down, write_taken_down
from speechmill.store.workspace import Workspace


class Asked(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    search: str = ""
    videos: tuple[str, ...] = ()


def choice(**options) -> Choice:
    return Choice("sources", "youtube", Asked(**options))


def row(number: int, **more) -> Source:
    return Source(
        f"item{number}", f"/store/{number}.m4a", sha256=f"{number:064x}", size=number, origin="youtube", **more
    )


def test_a_policy_is_no_part_of_what_is_asked_for():
    assert query_id(choice(search="x")) == query_id(choice(search="x", limit=3, licences=("standard",)))
    assert query_id(choice(search="x")) != query_id(choice(search="y"))
    assert query_id(choice(videos=("x",))) != query_id(choice(search="x"))


def test_a_crawled_recording_has_one_name_everywhere_and_it_is_safe():
    assert crawled_id("youtube", "abc_-1") == crawled_id("youtube", "abc_-1")
    assert crawled_id("youtube", "abc") != crawled_id("podcast", "abc")
    name = crawled_id("podcast", "http://x.test/../?a=ü\n" * 20)
    assert len(name) <= 67
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def test_the_newest_batch_counts_and_the_older_stays(tmp_path):
    first = write_batch(tmp_path, query_id(choice()), [row(1)])
    second = write_batch(tmp_path, query_id(choice()), [row(1), row(2)])
    assert [one.id for one in read_batch(tmp_path, choice())] == ["item1", "item2"]
    assert read_rows(first, Source) == [row(1)]
    assert [first.name[:6], second.name[:6]] == ["000001", "000002"]


def test_a_batch_that_says_the_same_is_not_written_again(tmp_path):
    assert write_batch(tmp_path, "q", [row(1)]) == write_batch(tmp_path, "q", [row(1)])
    write_batch(tmp_path, "q", [])
    assert write_batch(tmp_path, "q", [row(1)]).name.startswith("000003-")


def test_without_a_crawl_there_is_a_command_to_give(tmp_path):
    with pytest.raises(ConfigError, match="speechmill crawl"):
        read_batch(tmp_path, choice())


def test_what_was_taken_down_is_known_by_its_recording(tmp_path):
    assert taken_down(tmp_path) == frozenset()
    write_taken_down(tmp_path, [("youtube", "abc")])
    assert taken_down(tmp_path) == {crawled_id("youtube", "abc")}


def test_a_broken_list_of_takedowns_is_an_error_not_an_empty_list(tmp_path):
    write_taken_down(tmp_path, [])
    (tmp_path / "crawl" / "takedowns.json").write_bytes(b"[{")
    with pytest.raises(FormatError, match=r"takedowns\.json"):
        taken_down(tmp_path)


class Nothing(Struct, frozen=True):
    pass


def test_intake_takes_crawled_sources_from_their_batch_and_hashes_no_original(tmp_path, monkeypatch, make_tone):
    make_tone(tmp_path / "original.wav", 1.0)
    (tmp_path / "original.en.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nhello there\n")
    module = types.SimpleNamespace(REMOTE=True, Config=Asked, VERSION="1", REQUIRES=())
    found = Source(
        "talk-1", str(tmp_path / "original.wav"), sha256=sha256_file(tmp_path / "original.wav"), size=32044,
        sidecars=(str(tmp_path / "original.en.vtt"),), origin="youtube", rights=Rights(url="https://a.test/1"),
    )  # fmt: skip
    workspace = tmp_path / "workspace"
    write_batch(workspace, query_id(choice(search="x")), [found])
    corpus = structs.replace(
        spec.resolve(
            {"sources": [{"local": {"path": str(tmp_path)}}], "language": "en", "crawl": {"originals": "."}}, tmp_path
        ),
        sources=(choice(search="x"),),
    )
    monkeypatch.setattr(Choice, "module", property(lambda self: module))
    monkeypatch.setattr(intake, "sha256_file", lambda path: sha256_file(path) if path.suffix == ".vtt" else sys.exit(1))
    (source,) = intake.discover(corpus, intake.Memory(tmp_path / "hashes.parquet"), workspace)
    assert (source.sha256, source.language, source.stamps) == (found.sha256, "en", ())
    assert len(source.key) == 64


@pytest.fixture
def remote(tmp_path):
    """A corpus whose sources are crawled."""
    sources = [{"youtube": {"search": "x"}}, {"youtube": {"search": "y"}}]
    originals = {"originals": "/store"}
    return spec.resolve({"sources": sources, "language": "en", "store": "workspace", "crawl": originals}, tmp_path)


def give(corpus, *batches):
    """Hand rows over for each source of a corpus, none where nothing is said."""
    for number, asked in enumerate(corpus.sources):
        write_batch(corpus.store, query_id(asked), batches[number] if number < len(batches) else [])


def test_an_upload_of_the_same_sound_is_an_alias_whatever_its_date(remote, tmp_path):
    first = Source("first-1", "/store/1.m4a", sha256="1" * 64, size=9, origin="youtube", date="2024-01-01")
    other = structs.replace(first, id="again-2", date="2025-01-01")
    give(remote, [first, other])
    found = intake.discover(remote, intake.Memory(tmp_path / "hashes.parquet"), remote.store)
    assert [(one.id, one.alias_of) for one in found] == [("first-1", None), ("again-2", "first-1")]
    assert found[0].key == found[1].key


def test_an_item_that_two_sources_found_is_one_recording(remote, tmp_path):
    give(remote, [row(1)], [row(1)])
    (found,) = intake.discover(remote, intake.Memory(tmp_path / "hashes.parquet"), remote.store)
    assert (found.id, found.alias_of) == ("item1", None)


def test_a_dataset_of_which_all_was_taken_down_is_made_anew_without_it(remote):
    workspace = Workspace.create(remote.store)
    give(remote)
    with pytest.raises(ConfigError, match="see: speechmill crawl CORPUS"):
        prepare(remote, workspace, None)
    workspace.dataset.mkdir()
    (workspace.dataset / "recordings.parquet").touch()
    assert prepare(remote, workspace, None).sources == ()


def test_remote_and_local_are_told_apart():
    assert not batches.is_remote(Choice("sources", "local", Nothing()))
