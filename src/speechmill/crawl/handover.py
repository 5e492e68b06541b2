# SPDX-License-Identifier: Apache-2.0
"""The hand-over: stored items become `Source` rows of an immutable batch: all that the pipeline knows of a crawl.

The policy is asked once more, so that what was accepted under another one doesn't slip through; what was taken down is
left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from speechmill.core.errors import ConfigError
from speechmill.core.registry import Choice
from speechmill.core.remote import CaptionAsset, Wanted
from speechmill.core.types import Source
from speechmill.crawl.policy import decide, overridden
from speechmill.pipeline.batches import is_remote, query_id, write_batch
from speechmill.pipeline.spec import Corpus, language_code
from speechmill.store.blobs import Blobs
from speechmill.store.catalog import Catalog, Stored
from speechmill.store.takedowns import FOLDER, crawled_id, write_taken_down


def caption_kinds(corpus: Corpus) -> tuple[str, ...]:
    """Return which captions a corpus has a use for: people's always, a recogniser's where `transcript` names them."""
    asked = {getattr(choice.config, "kind", "") for choice in corpus.transcript if choice.backend == "captions"}
    return ("manual", "automatic") if asked & {"automatic", "any"} else ("manual",)


def hand_over(corpus: Corpus, catalog: Catalog, blobs: Blobs) -> int:
    """Write a batch for every remote source of a corpus, and the list of what was taken down.

    Returns how many recordings were stored under an earlier policy and are left out by today's.
    """
    write_taken_down(corpus.store, [(one.platform, one.id) for one in catalog.takedowns()])
    return sum(_give(corpus, choice, catalog, blobs) for choice in corpus.sources if is_remote(choice))


def _give(corpus: Corpus, choice: Choice, catalog: Catalog, blobs: Blobs) -> int:
    """Write the batch of one source. Returns how many recordings its policy leaves out."""
    wanted: Wanted = choice.config
    query = query_id(choice)
    stored = catalog.hand_over([query])
    fitting = [one for one in stored if decide(wanted, one.description, corpus.language).verdict == "accept"]
    kept = fitting if wanted.limit is None else fitting[: wanted.limit]
    kinds = caption_kinds(corpus)
    rows = [source_row(one, wanted, corpus.store, blobs, kinds) for one in kept]
    write_batch(corpus.store, query, rows)
    return len(stored) - len(fitting)


def source_row(stored: Stored, wanted: Wanted, workspace: Path, blobs: Blobs, kinds: Sequence[str]) -> Source:
    """Return what the pipeline is told of a stored item; captions are copied to where they lie beside the audio."""
    of, asset = stored.description, stored.asset
    local = blobs.local_path(asset.key)
    elsewhere = asset.key if "://" in asset.key else blobs.url(asset.key)
    path = local or workspace / FOLDER / "cache" / f"{asset.sha256}.{asset.extension}"
    captions = sorted(
        (one for one in stored.captions if one.kind in kinds), key=lambda one: (one.kind == "automatic", one.language)
    )
    return Source(
        id=crawled_id(of.platform, of.id),
        uri=str(path.resolve()),
        sha256=asset.sha256,
        size=asset.size,
        sidecars=tuple(_beside(one, asset.sha256, workspace, blobs) for one in captions),
        language=_language(of.language),
        rights=overridden(wanted, of.rights),
        date=of.date,
        origin=of.platform,
        blob=None if local else elsewhere,
    )


def _language(stated: str | None) -> str | None:
    """Return a platform's language where it is a code; a word that isn't one tells nothing."""
    try:
        return language_code(stated) if stated else None
    except ConfigError:
        return None


def _beside(caption: CaptionAsset, sha256: str, workspace: Path, blobs: Blobs) -> str:
    """Put captions where their name says language and kind, as that of a file beside the audio does: HASH.vi.vtt."""
    language = re.sub(r"[^a-z0-9-]", "", caption.language.lower().replace("_", "-")) or "und"
    name = f"{sha256}.{language}{'-asr' if caption.kind == 'automatic' else ''}.vtt"
    path = workspace.resolve() / FOLDER / "captions" / caption.sha256[:16] / name
    if not path.exists():
        blobs.get(caption.key, path)
    return str(path)
