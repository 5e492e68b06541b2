# SPDX-License-Identifier: Apache-2.0
"""A corpus file's remote sources as one crawl, and the places where it keeps what it gets."""

from __future__ import annotations

from pathlib import Path

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.crawl import policy
from speechmill.crawl.handover import HandedOver, caption_kinds, hand_over
from speechmill.crawl.plane import CrawlJob, listings_of
from speechmill.pipeline.batches import FOLDER, is_remote, query_id
from speechmill.pipeline.spec import Corpus
from speechmill.store.blobs import open_blobs
from speechmill.store.catalog import Catalog
from speechmill.store.workspace import Workspace


def has_remote(corpus: Corpus) -> bool:
    """Tell whether a corpus has anything to crawl."""
    return any(is_remote(choice) for choice in corpus.sources)


def check(corpus: Corpus) -> None:
    """Raise ConfigError or MissingDependency where its remote sources can't be asked as it says."""
    remote = [choice for choice in corpus.sources if is_remote(choice)]
    if not remote:
        raise ConfigError("the corpus has no remote source; there are: " + ", ".join(remote_names()))
    for choice in remote:
        registry.require("sources", choice.backend)
        policy.check(choice.config)
        if hasattr(choice.module, "check"):
            choice.module.check(choice.config)


def remote_names() -> list[str]:
    """List the backends that are crawled."""
    return [name for name in registry.names("sources") if getattr(registry.load("sources", name), "REMOTE", False)]


def queries_of(corpus: Corpus) -> list[str]:
    """Return the ids of what a corpus asks for."""
    return [query_id(choice) for choice in corpus.sources if is_remote(choice)]


def catalog_address(corpus: Corpus) -> str:
    """Return where its catalog is, as SQLAlchemy writes it."""
    return f"sqlite:///{(corpus.store / 'catalog.db').resolve()}" if corpus.catalog == "sqlite" else corpus.catalog


def blobs_address(corpus: Corpus) -> str:
    """Return where its originals are kept: a folder of the workspace unless it names another place."""
    asked = corpus.crawl.originals
    if asked is None:
        return str((corpus.store / FOLDER / "store").resolve())
    return asked if "://" in asked else str((corpus.base / Path(asked).expanduser()).resolve())


def open_catalog(corpus: Corpus) -> Catalog:
    """Open its catalog, making the workspace first where there is none. Raises WorkspaceError."""
    Workspace.create(corpus.store)
    return Catalog.open(catalog_address(corpus))


def job_of(corpus: Corpus, *, fetch: bool = True, wait: bool = True, deadline_s: float | None = None) -> CrawlJob:
    """Return the crawl of a corpus. Raises ConfigError, MissingDependency."""
    check(corpus)
    return CrawlJob(
        listings=listings_of(corpus),
        catalog=catalog_address(corpus),
        blobs=blobs_address(corpus),
        workspace=corpus.store,
        options=corpus.crawl,
        base=corpus.base,
        language=corpus.language,
        caption_kinds=caption_kinds(corpus),
        fetch=fetch,
        wait=wait,
        deadline_s=deadline_s,
        corpus=corpus if fetch else None,
    )


def give_to_pipeline(corpus: Corpus) -> list[HandedOver]:
    """Write the batches that a run of the corpus reads."""
    catalog = open_catalog(corpus)
    try:
        return hand_over(corpus, catalog, open_blobs(blobs_address(corpus)))
    finally:
        catalog.close()
