# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from speechmill.core.errors import BlobError
from speechmill.core.remote import Caption, Decision, Description, Fetched, Page, Ref
from speechmill.core.types import Rights
from speechmill.crawl.storing import Storing
from speechmill.crawl.workers import Answer
from speechmill.store.blobs import Blobs, open_blobs
from speechmill.store.catalog import Catalog, Job, LeaseLost

NOW = 1_000.0


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}") as found:
        found.query("q", "fake", "list")
        found.save_page("q", Page((Ref("fake", "7", "https://fake.test/7"),)), {}, NOW)
        yield found


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "store"))


@pytest.fixture
def storing(catalog: Catalog, blobs: Blobs, tmp_path: Path) -> Storing:
    return Storing(catalog, blobs, "me", tmp_path)


def leased(catalog: Catalog, owner: str = "me", now: float = NOW) -> Job:
    return catalog.lease(owner, ["q"], 1, 60.0, now)[0]


def answer(folder: Path, content: bytes = b"sound") -> Answer:
    path = folder / "temporary.wav"
    path.write_bytes(content)
    return Answer(
        description=Description("fake", "7", "https://fake.test/7", "Seven", rights=Rights(state="cc-by")),
        decision=Decision("accept"),
        captions=(Caption("vi", "manual", b"WEBVTT\n"),),
        fetched=Fetched(path, "wav", len(content), hashlib.sha256(content).hexdigest()),
        duration=2.0,
    )


def keep(storing: Storing, job: Job, answer: Answer, now: float = NOW) -> Any:
    return storing.keep(job, answer, lambda: now)


def test_media_and_captions_are_objects_and_rows(
    storing: Storing, catalog: Catalog, blobs: Blobs, tmp_path: Path
) -> None:
    kept = keep(storing, leased(catalog), answer(tmp_path))
    assert [blob.key for blob in blobs.list()] == sorted([kept.asset.key, kept.captions[0].key])
    assert sorted(catalog.keys()) == [blob.key for blob in blobs.list()]
    assert catalog.hand_over(["q"]) == [kept]
    assert catalog.counts(["q"]).jobs == {"done": 1}


def test_no_temporary_captions_are_left(storing: Storing, catalog: Catalog, tmp_path: Path) -> None:
    keep(storing, leased(catalog), answer(tmp_path))
    assert list(tmp_path.glob("*.vtt")) == []


def test_the_object_is_there_before_the_job_is_done(
    storing: Storing, catalog: Catalog, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = leased(catalog)
    monkeypatch.setattr(type(catalog), "stored", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        keep(storing, job, answer(tmp_path))
    assert len(list(blobs.list("originals/"))) == 1
    assert catalog.counts(["q"]).jobs == {"leased": 1}


def test_what_an_earlier_crash_left_is_deleted_by_the_next_visit(
    storing: Storing, catalog: Catalog, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(type(catalog), "stored", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            keep(storing, leased(catalog), answer(tmp_path, b"another cut of it"))
    later = NOW + 61.0
    kept = keep(storing, leased(catalog, now=later), answer(tmp_path), later)
    assert [blob.key for blob in blobs.list("originals/")] == [kept.asset.key]


def test_whoever_lost_the_lease_changes_nothing(storing: Storing, catalog: Catalog, tmp_path: Path) -> None:
    job = leased(catalog)
    leased(catalog, "other", NOW + 61.0)
    with pytest.raises(LeaseLost):
        keep(storing, job, answer(tmp_path), NOW + 62.0)
    assert catalog.counts(["q"]).jobs == {"leased": 1}


def test_a_file_that_is_not_what_was_hashed_is_refused(
    storing: Storing, catalog: Catalog, blobs: Blobs, tmp_path: Path
) -> None:
    wrong = answer(tmp_path)
    (tmp_path / "temporary.wav").write_bytes(b"other")
    with pytest.raises(BlobError):
        keep(storing, leased(catalog), wrong)
    assert list(blobs.list("originals/")) == []


def test_media_that_stays_where_it_is_is_only_noted(
    storing: Storing, catalog: Catalog, blobs: Blobs, tmp_path: Path
) -> None:
    kept = keep(storing, leased(catalog), structs.replace(answer(tmp_path), reference="s3://theirs/seven.wav"))
    assert kept.asset.key == "s3://theirs/seven.wav"
    assert list(blobs.list("originals/")) == []
    assert catalog.hand_over(["q"]) == [kept]
