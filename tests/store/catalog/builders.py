# SPDX-License-Identifier: Apache-2.0
"""Short ways to say what a test needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speechmill.core.remote import Asset, CaptionAsset, Decision, Description, Page, Ref
from speechmill.core.types import Rights
from speechmill.store.catalog import Catalog, Job

ACCEPT = Decision("accept")
HOLD = Decision("hold", "licence-standard")
SKIP = Decision("skip", "too-short", "3 s")


def ref(id: str, platform: str = "youtube", **hints: Any) -> Ref:
    return Ref(platform=platform, id=id, url=f"https://example.org/{platform}/item", **hints)


def page(*ids: str, cursor: str | None = None, platform: str = "youtube") -> Page:
    return Page(tuple(ref(id, platform) for id in ids), cursor)


def description(id: str, *, state: str = "cc-by", **fields: Any) -> Description:
    known = {"platform": "youtube", "url": "https://example.org/youtube/item", "title": f"title of {id}"}
    return Description(**{**known, "id": id, "rights": Rights(state=state), "duration": 3600.0, **fields})


def asset(name: str = "a", **fields: Any) -> Asset:
    return Asset(**{"key": f"originals/{name}.m4a", "sha256": name * 64, "size": 1000, "extension": "m4a", **fields})


def caption(name: str, language: str = "en") -> CaptionAsset:
    return CaptionAsset(key=f"captions/{name}.vtt", sha256=name * 64, language=language, kind="manual")


def listing(catalog: Catalog, *ids: str, query: str = "q", kind: str = "search", now: float = 0.0) -> None:
    """Follow a query that lists these."""
    catalog.query(query, "youtube", kind)
    catalog.save_page(query, page(*ids), {}, now)


def lease(
    catalog: Catalog, count: int = 1, *, owner: str = "me", queries: Sequence[str] = ("q",), now: float = 0.0
) -> list[Job]:
    """Lease for 100 s."""
    return catalog.lease(owner, queries, count, 100.0, now)


def visit(
    catalog: Catalog,
    id: str,
    *,
    key: str | None = None,
    owner: str = "me",
    queries: Sequence[str] = ("q",),
    now: float = 0.0,
    captions: Sequence[CaptionAsset] = (),
    **fields: Any,
) -> int:
    """Lease the next job, which must be this item, and store it."""
    (job,) = lease(catalog, owner=owner, queries=queries, now=now)
    assert job.ref.id == id
    catalog.described(owner, job.item, description(id, **fields), ACCEPT, now)
    catalog.stored(owner, job.item, asset(key or id), captions, now)
    return job.item


def ids(jobs: Sequence[Job]) -> list[str]:
    return [job.ref.id for job in jobs]
