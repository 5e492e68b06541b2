# SPDX-License-Identifier: Apache-2.0
"""A crawled item is gone from the catalog and the store of originals; another one's bytes stay."""

import hashlib

import pytest

from speechmill.core.errors import ConfigError
from speechmill.core.remote import Asset, CaptionAsset, Decision, Description, Page, Ref
from speechmill.pipeline.purge.crawled import check_known, purge_items
from speechmill.pipeline.purge.needles import Needles
from speechmill.pipeline.purge.scan import Wanted, scan
from speechmill.store.blobs import caption_key, open_blobs, original_key
from speechmill.store.catalog import Catalog
from speechmill.store.takedowns import crawled_id
from speechmill.store.workspace import Workspace

NOW = 1_800_000_000.0


@pytest.fixture
def place(tmp_path):
    return Workspace.create(tmp_path / "workspace")


def store(place, catalog, id, content, captions=()):
    blobs = open_blobs(str(place.root / "crawl" / "store"))
    path = place.root.parent / "made"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    blobs.put(path, original_key(sha256, "mp3"), sha256)
    query = catalog.query("q", "podcast", "feed").id
    ref = Ref("podcast", id, f"https://example.org/{id}", title=f"what {id} told us all about it")
    catalog.save_page(query, Page((ref,)), {}, NOW)
    job = catalog.lease("me", [query], 1, 60.0, NOW)[0]
    catalog.described("me", job.item, Description("podcast", id, ref.url, id), Decision("accept"), NOW)
    catalog.stored("me", job.item, Asset(original_key(sha256, "mp3"), sha256, len(content), "mp3"), captions, NOW)
    return sha256


def test_rows_and_objects_go_and_leave_no_bytes_in_the_file(place):
    with Catalog.open(f"sqlite:///{place.root / 'catalog.db'}") as catalog:
        gone = store(place, catalog, "episode-of-anna", b"her voice")
        kept = store(place, catalog, "episode-of-ben", b"his voice")
        catalog.take_down("podcast", "episode-of-anna", "asked to", NOW)
    wanted = Wanted(Needles([b"episode-of-anna", gone[:16].encode()]))
    assert {trace.path.split("/")[0] for trace in scan(place.root, wanted)} == {"catalog.db", "crawl"}
    assert purge_items(place, {crawled_id("podcast", "episode-of-anna")}, [gone])[0] == 1
    assert scan(place.root, wanted) == []
    assert [path.stem for path in (place.root / "crawl" / "store" / "originals").rglob("*.mp3")] == [kept]
    with Catalog.open(f"sqlite:///{place.root / 'catalog.db'}") as catalog:
        assert [one.description.id for one in catalog.hand_over(["q"])] == ["episode-of-ben"]
        assert catalog.takedowns() == []


def captions_of(place, content):
    path = place.root.parent / "captions"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    open_blobs(str(place.root / "crawl" / "store")).put(path, caption_key(sha256), sha256)
    return [CaptionAsset(caption_key(sha256), sha256, "en", "manual")]


def objects(place):
    return sorted(path.read_bytes() for path in (place.root / "crawl" / "store").rglob("*.*"))


def test_what_only_two_that_go_have_goes_and_what_a_third_has_too_stays(place):
    with Catalog.open(f"sqlite:///{place.root / 'catalog.db'}") as catalog:
        theirs, everybodys = captions_of(place, b"only theirs"), captions_of(place, b"everybody's")
        for name in ("one", "two"):
            store(place, catalog, name, name.encode(), theirs)
        for name in ("three", "four"):
            store(place, catalog, name, name.encode(), everybodys)
    assert purge_items(place, [crawled_id("podcast", name) for name in ("one", "two", "three")], []) == (3, 4)
    assert objects(place) == [b"everybody's", b"four"]


def test_an_item_whose_id_is_very_long_is_found_by_all_of_it(place):
    id = "https://example.org/" + "a" * 1000
    with Catalog.open(f"sqlite:///{place.root / 'catalog.db'}") as catalog:
        store(place, catalog, id, b"hers")
        store(place, catalog, id + "b", b"his")
    assert purge_items(place, {crawled_id("podcast", id)}, []) == (1, 1)
    assert objects(place) == [b"his"]


def test_what_was_crawled_into_an_unknown_catalog_is_not_passed_over(place):
    with pytest.raises(ConfigError, match="no run says where the catalog is"):
        check_known(place, crawled=True)
    check_known(place, crawled=False)


def test_a_workspace_that_never_crawled_has_nothing_to_take_out(place):
    assert purge_items(place, {"a"}, ["0" * 64]) == (0, 0)
