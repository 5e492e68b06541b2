# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechmill.core.errors import BlobError
from speechmill.core.remote import Asset, CaptionAsset, Decision, Description, Page, Ref
from speechmill.crawl import retention
from speechmill.crawl.retention import Gone, retain, sweep, take_down
from speechmill.store.blobs import Blobs, caption_key, open_blobs, original_key
from speechmill.store.catalog import Catalog
from speechmill.store.takedowns import crawled_id, taken_down

NOW = 1_800_000_000.0
HOUR = 3600.0


class Corpus:
    """A catalog and a store with items in them."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self.folder = folder
        self.catalog = catalog
        self.blobs: Blobs = open_blobs(str(folder / "store"))
        self.workspace = folder / "workspace"
        self.query = catalog.query("q", "podcast", "feed").id

    def put(self, content: bytes, key: str | None = None) -> str:
        """Store an object that no row knows. Returns its key."""
        path = self.folder / "made"
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        key = key or original_key(sha256, "mp3")
        self.blobs.put(path, key, sha256)
        return key

    def store(self, id: str, content: bytes, captions: bytes | None = None, key: str | None = None) -> str:
        """Store an item as a crawl does. Returns its original's key."""
        ref = Ref("podcast", id, f"https://example.org/{id}")
        self.catalog.save_page(self.query, Page((ref,)), {}, NOW)
        job = self.catalog.lease("me", [self.query], 1, 60.0, NOW)[0]
        self.catalog.described("me", job.item, Description("podcast", id, ref.url, id), Decision("accept"), NOW)
        sha256 = hashlib.sha256(content).hexdigest()
        asset = Asset(key or self.put(content), sha256, len(content), "mp3")
        texts = []
        if captions is not None:
            text_sha256 = hashlib.sha256(captions).hexdigest()
            text_key = self.put(captions, caption_key(text_sha256))
            texts.append(CaptionAsset(text_key, text_sha256, "en", "manual"))
        self.catalog.stored("me", job.item, asset, texts, NOW)
        return asset.key

    def take_down(self, id: str) -> Gone:
        return take_down(self.catalog, self.blobs, self.workspace, "podcast", id, "asked to", NOW)

    def age(self, key: str, seconds: float) -> None:
        path = self.folder / "store" / key
        os.utime(path, (NOW - seconds, NOW - seconds))

    def handed_over(self) -> list[str]:
        return [stored.description.id for stored in self.catalog.hand_over([self.query])]


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as catalog:
        yield Corpus(tmp_path, catalog)


def test_a_takedown_deletes_the_original_and_its_captions(corpus: Corpus) -> None:
    key = corpus.store("one", b"sound", b"WEBVTT")
    other = corpus.store("two", b"other")
    assert corpus.take_down("one") == Gone(2)
    assert not corpus.blobs.exists(key)
    assert [blob.key for blob in corpus.blobs.list()] == [other]
    assert corpus.handed_over() == ["two"]


def test_a_takedown_is_noted_for_the_runs_and_exports_of_the_workspace(corpus: Corpus) -> None:
    corpus.store("one", b"sound")
    corpus.take_down("one")
    corpus.take_down("never seen")
    assert taken_down(corpus.workspace) == {crawled_id("podcast", "one"), crawled_id("podcast", "never seen")}


def test_what_another_item_needs_stays(corpus: Corpus) -> None:
    key = corpus.store("one", b"sound")
    assert corpus.store("same sound", b"sound") == key
    assert corpus.take_down("one") == Gone(0)
    assert corpus.blobs.exists(key)
    assert corpus.take_down("same sound") == Gone(1)
    assert not corpus.blobs.exists(key)


def test_a_takedown_removes_copies_in_the_workspace(corpus: Corpus) -> None:
    corpus.store("one", b"sound", b"WEBVTT")
    corpus.store("two", b"other")
    sound, other, text = (hashlib.sha256(content).hexdigest() for content in (b"sound", b"other", b"WEBVTT"))
    crawled = corpus.workspace / "crawl"
    copies = [crawled / "cache" / f"{sound}.mp3", crawled / "captions" / text[:16] / f"{sound}.en.vtt"]
    kept = [crawled / "cache" / f"{other}.mp3", crawled / "captions" / "0123" / f"{other}.en.vtt"]
    for path in copies + kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert corpus.take_down("one") == Gone(2, copies=2)
    assert [path for path in copies + kept if path.exists()] == kept


def test_an_object_that_was_only_noted_is_the_operator_s_and_stays(corpus: Corpus) -> None:
    class Untouched:
        def delete(self, key: str) -> None:
            raise AssertionError(key)

    corpus.store("one", b"sound", key=f"s3://theirs/{hashlib.sha256(b'sound').hexdigest()}.mp3")
    corpus.blobs = Untouched()  # type: ignore[assignment]
    assert corpus.take_down("one") == Gone(0)


class Failing:
    """A store that can't delete."""

    def __init__(self, blobs: Blobs) -> None:
        self.list = blobs.list

    def delete(self, key: str) -> None:
        raise BlobError("500")


def test_a_takedown_holds_though_the_store_fails_and_a_sweep_deletes_the_rest(corpus: Corpus) -> None:
    key = corpus.store("one", b"sound")
    working, corpus.blobs = corpus.blobs, Failing(corpus.blobs)  # type: ignore[assignment]
    with pytest.raises(BlobError):
        corpus.take_down("one")
    assert corpus.handed_over() == []
    assert taken_down(corpus.workspace) == {crawled_id("podcast", "one")}
    corpus.age(key, 2 * HOUR)
    assert sweep(corpus.catalog, working, HOUR, NOW) == Gone(1, bytes=5)
    assert not working.exists(key)


def test_an_original_goes_once_it_is_normalised_and_is_not_fetched_again(corpus: Corpus) -> None:
    done = corpus.store("one", b"sound", b"WEBVTT")
    open_ = corpus.store("two", b"other")
    normalised = {hashlib.sha256(b"sound").hexdigest(), hashlib.sha256(b"WEBVTT").hexdigest()}
    assert retain(corpus.catalog, corpus.blobs, normalised) == Gone(1)
    assert not corpus.blobs.exists(done)
    assert [blob.key for blob in corpus.blobs.list("captions/")] == [caption_key(hashlib.sha256(b"WEBVTT").hexdigest())]
    assert corpus.blobs.exists(open_)
    assert corpus.handed_over() == ["one", "two"]
    assert corpus.catalog.lease("me", [corpus.query], 5, 60.0, NOW) == []
    assert retain(corpus.catalog, corpus.blobs, normalised) == Gone(0)


def test_an_original_whose_deletion_fails_is_left_to_the_sweep(corpus: Corpus) -> None:
    key = corpus.store("one", b"sound")
    with pytest.raises(BlobError):
        retain(corpus.catalog, Failing(corpus.blobs), {hashlib.sha256(b"sound").hexdigest()})  # type: ignore[arg-type]
    assert key not in set(corpus.catalog.keys())
    corpus.age(key, 2 * HOUR)
    assert sweep(corpus.catalog, corpus.blobs, HOUR, NOW).objects == 1


def test_a_sweep_deletes_what_no_row_knows_once_it_is_old(corpus: Corpus) -> None:
    known = corpus.store("one", b"sound", b"WEBVTT")
    old, young = corpus.put(b"old orphan"), corpus.put(b"young orphan")
    for key in (known, old):
        corpus.age(key, 2 * HOUR)
    corpus.age(young, HOUR / 2)
    assert sweep(corpus.catalog, corpus.blobs, HOUR, NOW) == Gone(1, bytes=10)
    assert corpus.blobs.exists(known)
    assert corpus.blobs.exists(young)
    assert not corpus.blobs.exists(old)


def test_a_sweep_leaves_what_is_about_to_be_stored(corpus: Corpus) -> None:
    corpus.catalog.save_page(corpus.query, Page((Ref("podcast", "one", "https://example.org/one"),)), {}, NOW)
    job = corpus.catalog.lease("me", [corpus.query], 1, 60.0, NOW)[0]
    key = corpus.put(b"sound")
    corpus.catalog.intend("me", job.item, key)
    corpus.age(key, 2 * HOUR)
    assert sweep(corpus.catalog, corpus.blobs, HOUR, NOW) == Gone(0, bytes=0)
    assert corpus.blobs.exists(key)


def test_a_sweep_deletes_what_a_killed_put_left(corpus: Corpus) -> None:
    key = corpus.store("one", b"sound")
    left = corpus.folder / "store" / key
    left = left.with_name(".tmp-0123456789ab.mp3")
    left.write_bytes(b"so")
    os.utime(left, (NOW - 2 * HOUR, NOW - 2 * HOUR))
    assert sweep(corpus.catalog, corpus.blobs, HOUR, NOW) == Gone(1, bytes=2)
    assert not left.exists()


@pytest.mark.parametrize(
    "key", ["talk.mp3", "originals/talk.mp3", f"originals/00/{'ab' * 32}.mp3", f"backup/ab/{'ab' * 32}.mp3"]
)
def test_a_sweep_touches_nothing_that_is_not_named_as_the_crawler_names(corpus: Corpus, key: str) -> None:
    path = corpus.folder / "store" / key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"somebody's")
    corpus.age(key, 1000 * HOUR)
    assert sweep(corpus.catalog, corpus.blobs, HOUR, NOW) == Gone(0, bytes=0)
    assert path.exists()


def test_a_sweep_of_many_goes_by_batches(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    kept = [corpus.store(str(number), b"kept %d" % number) for number in range(5)]
    orphans = [corpus.put(b"orphan %d" % number) for number in range(6)]
    for key in kept + orphans:
        corpus.age(key, 2 * HOUR)
    assert sweep(corpus.catalog, corpus.blobs, HOUR, NOW).objects == 6
    assert [blob.key for blob in corpus.blobs.list()] == sorted(kept)
