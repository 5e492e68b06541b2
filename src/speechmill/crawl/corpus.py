# SPDX-License-Identifier: Apache-2.0
"""A corpus file's remote sources as one crawl, and the places where it keeps what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core import registry
from speechmill.core.errors import ConfigError
from speechmill.core.registry import Choice
from speechmill.crawl import policy, retention
from speechmill.crawl.egress import cleared
from speechmill.crawl.handover import caption_kinds, hand_over
from speechmill.crawl.plane import CrawlJob, listings_of
from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.batches import is_remote, query_id
from speechmill.pipeline.crawl_options import CrawlOptions
from speechmill.pipeline.spec import Corpus
from speechmill.store.blobs import open_blobs
from speechmill.store.catalog import Catalog, Counts, EgressState
from speechmill.store.takedowns import FOLDER, crawled_id, write_taken_down
from speechmill.store.workspace import Workspace


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
    _check_apart(remote)
    policy.check_languages("crawl.caption_languages", corpus.crawl.caption_languages)


def _check_apart(remote: Sequence[Choice]) -> None:
    """Refuse sources that ask for the same: which one's limit and licences would hold for what they find?"""
    asked = [query_id(choice) for choice in remote]
    for number, choice in enumerate(remote):
        if asked[number] in asked[:number]:
            raise ConfigError(f"{choice.backend}: two sources ask for the same; write it once, with one policy")


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


def give_to_pipeline(corpus: Corpus) -> int:
    """Write the batches that a run of the corpus reads. Returns how many recordings today's policy leaves out."""
    with open_catalog(corpus) as catalog:
        return hand_over(corpus, catalog, open_blobs(blobs_address(corpus)))


class Standing(Struct, frozen=True):
    """How far the crawl of a corpus is."""

    counts: Counts
    ways: tuple[EgressState, ...]
    budgets: dict[str, tuple[int, int | None]]  # platform -> items of the last hour, items allowed an hour


def standing(corpus: Corpus, now: float) -> Standing:
    """Return how far the crawl of a corpus is. Takedowns that others recorded are noted in its workspace on the way."""
    with open_catalog(corpus) as catalog:
        write_taken_down(corpus.store, [(one.platform, one.id) for one in catalog.takedowns()])
        platforms = platforms_of(corpus)
        ways = [state for platform in platforms for state in catalog.egress(platform).values()]
        budgets = {
            platform: (catalog.spent(platform, now), budget_of(corpus.crawl, platform)) for platform in platforms
        }
        return Standing(catalog.counts(queries_of(corpus)), tuple(ways), budgets)


def platforms_of(corpus: Corpus) -> list[str]:
    """Return the platforms that a corpus asks, each once."""
    return sorted({choice.backend for choice in corpus.sources if is_remote(choice)})


def budget_of(options: CrawlOptions, platform: str) -> int | None:
    """Return how many items an hour may be asked of a platform; None: any number."""
    own: int | None = registry.load("sources", platform).BUDGET
    return options.budgets.get(platform, own)


def clear_egress(corpus: Corpus, name: str) -> bool:
    """Let a way be used again that met a bot check. False where nothing was in its way. Raises ConfigError."""
    known = [way.name for way in corpus.crawl.egress]
    if name not in known:
        raise ConfigError(f"no egress {name!r}; there are: {', '.join(known)}")
    with open_catalog(corpus) as catalog:
        found = [states[name] for platform in platforms_of(corpus) if name in (states := catalog.egress(platform))]
        resting = [state for state in found if state.reason]
        catalog.save_egress([cleared(state) for state in resting])
    return bool(resting)


class Withdrawn(Struct, frozen=True):
    """What a takedown did."""

    platform: str
    id: str
    deleted: int  # objects that nobody else needs


def take_down(corpus: Corpus, item: str, note: str, now: float) -> Withdrawn:
    """Never fetch or export an item again, and delete what is stored of it. Raises ConfigError.

    item: PLATFORM:ID, which need not be known yet; or the address or recording id of an item that is stored.
    """
    with open_catalog(corpus) as catalog:
        platform, id = _named(corpus, catalog, item)
        blobs = open_blobs(blobs_address(corpus))
        gone = retention.take_down(catalog, blobs, corpus.store, platform, id, note, now)
        _delete_canonical(corpus.store, crawled_id(platform, id))
        hand_over(corpus, catalog, blobs)
    return Withdrawn(platform, id, gone.objects)


def _delete_canonical(workspace: Path, recording_id: str) -> None:
    """Delete the canonical audio of a recording, unless another one has the same content."""
    path = workspace / "dataset" / "recordings.parquet"
    rows = read_parquet(path, ["id", "audio"]).to_pylist() if path.exists() else []
    mine = {audio for row in rows if row["id"] == recording_id for audio in row["audio"] or ()}
    others = {audio for row in rows if row["id"] != recording_id for audio in row["audio"] or ()}
    for audio in mine - others:
        (workspace / audio).unlink(missing_ok=True)


def _named(corpus: Corpus, catalog: Catalog, item: str) -> tuple[str, str]:
    for stored in catalog.hand_over(queries_of(corpus)):
        of = stored.description
        if item in (of.url, crawled_id(of.platform, of.id), of.id):
            return of.platform, of.id
    platform, colon, id = item.partition(":")
    if colon and id and platform in remote_names():
        return platform, id
    raise ConfigError(f"{item!r} is nothing that is stored; of what isn't, write PLATFORM:ID, such as youtube:{item}")


def retain(corpus: Corpus) -> int:
    """Delete originals that the corpus file doesn't want kept, once they are canonical audio. Returns how many."""
    path = corpus.store / "dataset" / "recordings.parquet"
    if corpus.crawl.retain == "forever" or not path.exists():
        return 0
    recordings = read_parquet(path, ["sha256", "audio"]).to_pylist()
    normalised = {one["sha256"] for one in recordings if one["audio"]}
    with open_catalog(corpus) as catalog:
        return retention.retain(catalog, open_blobs(blobs_address(corpus)), normalised).objects


def sweep(corpus: Corpus, older_than_s: float, now: float) -> int:
    """Delete objects in its store that no row of its catalog knows. Returns how many."""
    with open_catalog(corpus) as catalog:
        return retention.sweep(catalog, open_blobs(blobs_address(corpus)), older_than_s, now).objects


def read_archive(path: Path) -> list[tuple[str, str]]:
    """Read a download archive of yt-dlp's: a platform and an id a line. Raises ConfigError with the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) == 2:
            found.append((words[0].lower(), words[1]))
        elif words:
            raise ConfigError(f"{path}:{number}: a line is a platform and an id, as in: youtube dQw4w9WgXcQ")
    return found
