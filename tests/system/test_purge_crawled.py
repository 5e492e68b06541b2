# SPDX-License-Identifier: Apache-2.0
"""What was crawled into PostgreSQL and an object store is purged from both, by recording, speaker and address."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from sqlalchemy import create_engine, inspect
from tests.conftest import write_tone
from tests.services.postgres import PASSWORD, Server
from tests.services.s3 import S3Server

from speechmill import api
from speechmill.core.errors import BlobError
from speechmill.core.remote import Asset, CaptionAsset, Decision, Description, Page, Ref
from speechmill.core.types import Rights
from speechmill.crawl.corpus import open_catalog
from speechmill.crawl.handover import hand_over
from speechmill.engines import make
from speechmill.pipeline.audit import audit
from speechmill.pipeline.batches import query_id
from speechmill.pipeline.purge import Asked, finish, purge
from speechmill.pipeline.purge.scan import files
from speechmill.pipeline.run import run
from speechmill.pipeline.spec import Corpus
from speechmill.store.blobs import Blobs, caption_key, open_blobs, original_key
from speechmill.store.catalog import Catalog
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.system
NOW = 1_800_000_000.0
SPEAKERS = ("Anna", "Ben", "Clara", "Dora", "Emil")
SAID = "what {} has to say is nobody else's"


@pytest.fixture
def corpus(tmp_path: Path, postgres: Server, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """A corpus that was crawled and run: five talks of one speaker each, of which the last two have equal samples."""
    for name, value in {**s3_server.environment, "PGPASSWORD": PASSWORD, "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    settings = {
        "name": "talks", "language": "en", "sources": [{"youtube": {"search": "talks"}}], "transcript": ["captions"],
        "quality": [], "diarize": "none", "align": None, "filter": "none", "export": ["jsonl"], "store": "workspace",
        "catalog": postgres.new_database(password=None),
        "crawl": {"originals": f"s3://{s3_server.bucket}/{tmp_path.name}"},
    }  # fmt: skip
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(settings))
    corpus = api.corpus_of(tmp_path / "corpus.yaml")
    blobs = open_blobs(f"s3://{s3_server.bucket}/{tmp_path.name}")
    with open_catalog(corpus) as catalog:
        query = catalog.query(query_id(corpus.sources[0]), "youtube", "search").id
        for number in range(len(SPEAKERS)):
            store(corpus, catalog, blobs, query, number)
        hand_over(corpus, catalog, blobs)
    run(corpus, make("local", 1, None, None))
    return corpus


def store(corpus: Corpus, catalog: Catalog, blobs: Blobs, query: str, number: int) -> None:
    """Be the crawler: put a talk and its captions into catalog and store."""
    id, file = f"talk-number-{number}", corpus.base / f"{number}.wav"
    write_tone(file, 2.0 + min(number, 3) / 4, 150.0 + 20 * number if number < 3 else 300.0)
    file.write_bytes(file.read_bytes() + b"LIST\4\0\0\0" + f"n{number:03d}".encode())
    text = f"WEBVTT\n\n00:00.000 --> 00:01.900\n<v {SPEAKERS[number]}>{SAID.format(SPEAKERS[number])}\n"
    captions = corpus.base / "captions.vtt"
    captions.write_text(text)
    sha256, of_captions = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (file, captions))
    blobs.put(file, original_key(sha256, "wav"), sha256)
    blobs.put(captions, caption_key(of_captions), of_captions)
    ref = Ref("youtube", id, address(number), title=f"The talk of {SPEAKERS[number]}")
    rights = Rights(licence="CC BY 4.0", state="cc-by", url=ref.url, author=f"Channel {number}")
    catalog.save_page(query, Page((ref,)), {}, NOW)
    job = catalog.lease("me", [query], 1, 60.0, NOW)[0]
    said = Description("youtube", id, ref.url, ref.title or "", language="en", rights=rights)
    catalog.described("me", job.item, said, Decision("accept"), NOW)
    asset = Asset(original_key(sha256, "wav"), sha256, file.stat().st_size, "wav")
    texts = [CaptionAsset(caption_key(of_captions), of_captions, "en", "manual")]
    catalog.stored("me", job.item, asset, texts, NOW)


def address(number: int) -> str:
    return f"https://www.youtube.com/watch?v=talk-number-{number}"


def left(corpus: Corpus) -> set[str]:
    """Who is still in catalog and dataset; the two agree."""
    with open_catalog(corpus) as catalog:
        titles = {one.description.title.rpartition(" ")[2] for one in catalog.hand_over([query_id(corpus.sources[0])])}
    assert titles == {one.speaker for one in Dataset(corpus.store).segments()}
    return titles


def rows_with(catalog: str, words: list[str]) -> list[str]:
    """Return the tables in which a row, written out, has one of these words."""
    engine, found = create_engine(catalog), []
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.exec_driver_sql(f'SELECT t::text FROM "{table}" t').scalars()
            found += [table for row in rows if any(word in row for word in words)]
    engine.dispose()
    return found


def test_what_lies_in_postgresql_and_an_object_store_is_purged_there_too(
    corpus: Corpus, s3_server: S3Server, tmp_path: Path
) -> None:
    place = Workspace.open(corpus.store)
    kept = Dataset(corpus.store).recordings().values()
    hashes = {one.rights.author: one.sha256 for one in kept if one.rights is not None}
    assert left(corpus) == set(SPEAKERS)
    targets = {"talk-number-0": "Anna", "Ben": "Ben", address(2): "Clara", "Dora": "Dora"}
    gone: list[str] = []
    for number, (target, name) in enumerate(targets.items()):
        gone += [f"talk-number-{number}", f"talk of {name}", f"what {name} has", hashes[f"Channel {number}"]]
        if name == "Clara":  # the store is away for a while: the next call finishes it
            s3_server.fail("403", count=100)
            with pytest.raises(BlobError), place.held(), place.joined(alone=True):
                purge(place, target, Asked("me", "asked to"), lambda _text: None)
            s3_server.heal()
            done = finish(place, lambda _text: None)
        else:
            with place.held(), place.joined(alone=True):
                done = purge(place, target, Asked("me", "asked to"), lambda _text: None)
        assert done is not None
        assert done.certificate.deleted["catalog items"] == 1
        assert any("older versions in a bucket" in line for line in done.certificate.beyond)
        assert left(corpus) == set(SPEAKERS[number + 1 :])
        assert rows_with(corpus.catalog, gone) == []
    # Emil's samples are Dora's: he stays, whole.
    mine = [name for name in s3_server.names() if name.startswith(f"{tmp_path.name}/")]
    assert [name.split("/")[1] for name in mine] == ["captions", "originals"]
    assert hashes["Channel 4"] in mine[1]
    assert [path for path in files(place.root) if any(word.encode() in path.read_bytes() for word in gone)] == []
    assert [one for one in audit(place) if one.wrong] == []
