# SPDX-License-Identifier: Apache-2.0
"""The Python interface: what the command line does, as functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from speechmill.core.errors import ConfigError
from speechmill.engines import make
from speechmill.pipeline import run as pipeline
from speechmill.pipeline import spec
from speechmill.pipeline.batches import is_remote
from speechmill.pipeline.events import Summary
from speechmill.pipeline.record import Observer
from speechmill.pipeline.refilter import Index, materialise, read_index, refilter
from speechmill.pipeline.run import Options
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace

if TYPE_CHECKING:
    from speechmill.crawl.plane import CrawlSummary
    from speechmill.crawl.plane import Observer as CrawlObserver


class Crawling(Struct, frozen=True):
    """How to crawl this time; what a corpus file says of crawling stands in its `crawl:`."""

    fetch: bool = True  # False: describe and decide, and fetch no media
    wait: bool = True  # for the hourly budget and for tries that are due later; False: end, and go on another time
    deadline_s: float | None = None  # seconds after which it ends by itself
    observer: CrawlObserver | None = None  # None: silent


def corpus_of(
    source: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, settings: Mapping[str, Any] | None = None
) -> spec.Corpus:
    """Return the corpus of a corpus file, or of a folder or file of audio.

    out: the workspace. settings: dotted field -> value, as in {"vad.threshold": 0.6}. Raises ConfigError.
    """
    path = Path(source)
    if not path.exists():
        raise ConfigError(f"{path} does not exist; name a corpus file (.yaml), or a folder or file of audio")
    if path.is_file() and path.suffix.lower() in (".yaml", ".yml"):
        corpus = spec.load(path, settings)
    else:
        raw = {"name": path.resolve().stem, "sources": [{"local": {"path": str(path.resolve())}}]}
        corpus = spec.resolve(spec.with_overrides(raw, settings or {}), Path.cwd())
    return pipeline.with_store(corpus, Path(out)) if out is not None else corpus


def run(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    memory_mb: int | None = None,
    engine: str = "local",
    address: str | None = None,
    options: Options | None = None,
    observer: Observer | None = None,
    crawling: Crawling | None = None,
) -> Summary:
    """Make the dataset of a corpus file or a folder of audio; going on where an earlier call was cut off.

    workers: processes, None for one per core; memory_mb: the most that each may take. engine: local, dask or ray;
    address: of a cluster that runs already. Processes are spawned, so a script calls this under
    `if __name__ == "__main__":`. Remote sources are crawled first, for what can be had now. Raises ConfigError or
    WorkspaceError where it can't run; what fails in single recordings is in the Summary.
    """
    corpus = corpus_of(source, out, settings)
    runs_on = make(engine, workers, memory_mb, address)
    if has_remote(corpus) and crawl_corpus(corpus, crawling or Crawling(wait=False)).ending == "interrupted":
        raise KeyboardInterrupt
    summary = pipeline.run(corpus, runs_on, options, observer)
    if has_remote(corpus):
        retain(corpus)
    return summary


def crawl(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    crawling: Crawling | None = None,
) -> CrawlSummary:
    """Find, describe and fetch what a corpus file's remote sources have, and hand it over to the next run.

    Only what is new is fetched; what can't be had is counted. Raises ConfigError, WorkspaceError where it can't crawl.
    """
    return crawl_corpus(corpus_of(source, out, settings), crawling)


def has_remote(corpus: spec.Corpus) -> bool:
    """Tell whether a corpus has sources that must be crawled."""
    return any(is_remote(choice) for choice in corpus.sources)


def crawl_corpus(corpus: spec.Corpus, crawling: Crawling | None = None) -> CrawlSummary:
    """Crawl the remote sources of a corpus that is read already; see `crawl`."""
    from speechmill.crawl.corpus import job_of
    from speechmill.crawl.plane import run_crawl

    asked = crawling or Crawling()
    job = job_of(corpus, fetch=asked.fetch, wait=asked.wait, deadline_s=asked.deadline_s)
    Workspace.create(corpus.store)
    summary = run_crawl(job, asked.observer)
    hand_over(corpus, asked.observer)
    return summary


def retain(corpus: spec.Corpus) -> int:
    """Delete crawled originals that the corpus file doesn't want kept any longer. Returns how many."""
    from speechmill.crawl import corpus as crawled

    return crawled.retain(corpus)


def hand_over(corpus: spec.Corpus, observer: CrawlObserver | None = None) -> None:
    """Give what is stored of a corpus's remote sources to its next run, without asking any of them.

    The observer is told of what is stored and refused by the policy as it is now.
    """
    from speechmill.crawl.corpus import give_to_pipeline

    refused = give_to_pipeline(corpus)
    if refused and observer is not None:
        observer.note(f"{refused} stored recordings are left out: today's policy does not accept them")


def open(workspace: str | os.PathLike[str]) -> Dataset:
    """Open a finished dataset. Raises WorkspaceError where there is none."""
    Workspace.open(Path(workspace))
    return Dataset(Path(workspace))


def filter(workspace: str | os.PathLike[str], rules: Any) -> Index:
    """Decide anew which segments are kept, and write the dataset; no stage runs.

    rules: as `filter:` in a corpus file: a preset, a list of expressions, or both in a mapping. Raises ConfigError.
    """
    place = Workspace.open(Path(workspace))
    with place.held():
        current = read_index(place)
        asked = structs.replace(current.asked, filter=rules)
        index, _worked = refilter(place, current.run, current.table, asked, current.scores)
        materialise(place, index)
    return index
