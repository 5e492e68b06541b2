# SPDX-License-Identifier: Apache-2.0
"""A look at what a platform has, before anything is fetched: `speechmill crawl search`.

The items are described in a catalog of their own, which is thrown away; the platform's hourly budget is not, so that
many looks cost no more than a crawl may.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.core.remote import LICENCE_STATES, Description, Verdict
from speechmill.crawl.corpus import budget_of, job_of, open_catalog, queries_of
from speechmill.crawl.plane import Observer, run_crawl
from speechmill.models.cache import cache_folder
from speechmill.pipeline import spec
from speechmill.pipeline.spec import Corpus
from speechmill.store.catalog import Catalog


def found_by(
    backend: str, query: str, limit: int, corpus: Corpus | None, settings: Mapping[str, Any], observer: Observer
) -> list[Description]:
    """Describe the first `limit` items that a platform has for a query. Raises ConfigError where its budget is spent.

    corpus: whose `crawl:` options and budget count; None: those of this user.
    """
    with tempfile.TemporaryDirectory() as folder:
        looking = _corpus(backend, query, limit, corpus, settings, Path(folder))
        with open_catalog(corpus) if corpus else Catalog.open(f"sqlite:///{_own_catalog()}") as budget:
            granted = _granted(budget, looking, backend, limit)
            try:
                described = _described(looking, observer)
            except BaseException:
                budget.refund(backend, granted, time.time())
                raise
            budget.refund(backend, max(0, granted - len(described)), time.time())
    return described


def _corpus(
    backend: str, query: str, limit: int, corpus: Corpus | None, settings: Mapping[str, Any], folder: Path
) -> Corpus:
    """Return a corpus of this one question; every licence is wanted, for nothing is fetched."""
    module = registry.require("sources", backend)
    if not getattr(module, "REMOTE", False):
        raise ConfigError(f"{backend} has files and is not searched")
    if not hasattr(module, "SHORTHAND"):
        raise ConfigError(
            f"{backend} has no single question; describe it with: speechmill crawl CORPUS --describe-only"
        )
    states = [state for state in LICENCE_STATES if state != "failed"]
    asked = {module.SHORTHAND: query, "limit": limit, "licences": states, "max_duration_s": None}
    raw = {"sources": [{backend: asked}], "crawl": (corpus.raw.get("crawl", {}) if corpus else {})}
    found = spec.resolve(spec.with_overrides(raw, settings), corpus.base if corpus else Path.cwd())
    return structs.replace(found, store=folder / "workspace")


def _own_catalog() -> Path:
    path = cache_folder() / "searches.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _granted(budget: Catalog, looking: Corpus, backend: str, limit: int) -> int:
    per_hour = budget_of(looking.crawl, backend)
    grant = budget.spend(backend, per_hour, limit, time.time())
    if grant.granted < limit:
        budget.refund(backend, grant.granted, time.time())
        raise ConfigError(
            f"{backend}: {per_hour} items an hour may be asked, and {limit} would be too many now. "
            f"Ask for {grant.granted}, or for more in {grant.wait_s / 60:.0f} minutes"
        )
    return grant.granted


def _described(looking: Corpus, observer: Observer) -> list[Description]:
    """Describe in a crawl without a budget: it was taken from the one that lasts."""
    unbounded = structs.replace(looking.crawl, budgets=dict.fromkeys(registry.names("sources")))
    job = job_of(structs.replace(looking, crawl=unbounded), fetch=False, wait=False)
    looking.store.mkdir(parents=True, exist_ok=True)
    run_crawl(job, observer)
    with Catalog.open(job.catalog) as catalog:
        every: tuple[Verdict, ...] = ("accept", "hold", "skip")
        return [description for _item, _query, description in catalog.undecided(queries_of(looking), every)]
