# SPDX-License-Identifier: Apache-2.0
"""The asyncio plane: discovery, budgets, leases, visits and storing, of every platform beside every other.

The event loop only decides and waits. Requests are the workers' (processes), the catalog and the blob store are asked
by threads, and audio is decoded by a pool of its own. What is under way is bounded, so that memory and disk are too.
An end in the middle loses nothing: what is leased is given back, or falls due by itself when the process was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, field

from speechmill.core import registry
from speechmill.core.errors import SpeechmillError
from speechmill.core.registry import Choice
from speechmill.crawl import _folders
from speechmill.crawl._platform import PlatformCrawl
from speechmill.crawl._tally import CrawlSummary, Ending, Observer, Progress, Silent, Tally
from speechmill.crawl.decode import Decoder
from speechmill.crawl.discovery import Listing
from speechmill.crawl.policy import decide
from speechmill.crawl.storing import Storing
from speechmill.crawl.workers import Limits, ProcessWorkers, Workers, wanted_of
from speechmill.pipeline.batches import is_remote, query_id
from speechmill.pipeline.crawl_options import CrawlOptions
from speechmill.pipeline.spec import Corpus
from speechmill.store.blobs import Blobs, open_blobs
from speechmill.store.catalog import Attempt, Catalog
from speechmill.store.denied import read_denied
from speechmill.store.workspace import Workspace

__all__ = ["CrawlJob", "CrawlSummary", "Listing", "Observer", "Progress", "Silent", "crawl", "listings_of", "run_crawl"]

TICK_S = 0.5
WRITE_S = 2.0  # attempts and the ways' health are written this often, and others' ways looked up
GRACE_S = 15.0  # that visits under way have to end after Ctrl-C
CATALOG_THREADS = 2
STORE_THREADS = 8

Result = TypeVar("Result")


class CrawlJob(Struct, frozen=True, kw_only=True):
    """What to crawl, and where to keep it."""

    listings: tuple[Listing, ...]
    catalog: str  # SQLAlchemy's address
    blobs: str  # folder, or s3://bucket/prefix
    workspace: Path
    options: CrawlOptions = field(default_factory=CrawlOptions)
    base: Path = Path()  # folder that relative paths of the options start at
    language: str | None = None  # of the corpus
    caption_kinds: tuple[str, ...] = ("manual",)
    fetch: bool = True  # False: items are described and decided, and no media asked for
    wait: bool = True  # for budget, for tries that are due later, for ways that rest. False: then the crawl ends
    deadline_s: float | None = None  # seconds after which it ends by itself
    corpus: Corpus | None = None  # make canonical audio for it, beside the fetching
    limits: Limits = Limits()
    lease_s: float = 90.0  # after which others may take what a dead process had
    pace: float = 1.0  # multiplies what is waited for after failures, save a Retry-After: less suits a replica alone


def listings_of(corpus: Corpus) -> tuple[Listing, ...]:
    """Return the remote sources of a corpus."""
    return tuple(_listing(choice) for choice in corpus.sources if is_remote(choice))


def _listing(choice: Choice) -> Listing:
    return Listing(choice.backend, choice.config, query_id(choice), choice.module.kind(choice.config))


def run_crawl(job: CrawlJob, observer: Observer | None = None) -> CrawlSummary:
    """Crawl from a program without an event loop. Ctrl-C ends it in order; a second one at once."""
    stop = Stop()
    with _interruptible(stop):
        return asyncio.run(crawl(job, observer or Silent(), stop))


class Stop:
    """Whether, and why, a crawl is to end before there is nothing left. Set from any thread."""

    def __init__(self) -> None:
        self.why: Ending | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    def bind(self) -> None:
        """Belong to the running loop from now on."""
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        if self.why is not None:
            self._event.set()

    def set(self, why: Ending) -> None:
        """Ask the crawl to end."""
        self.why = self.why or why
        if self._loop is not None and self._event is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        if self._event is None:
            raise RuntimeError("Stop.wait() before bind()")
        await self._event.wait()


@contextlib.contextmanager
def _interruptible(stop: Stop) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into an orderly end; the next one is Python's own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def interrupted(number: int, _frame: object) -> None:
        stop.set("interrupted")
        signal.signal(number, signal.default_int_handler)

    for number in before:
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Ground:
    """What the parts of one crawl share."""

    def __init__(
        self,
        job: CrawlJob,
        observer: Observer,
        stop: Stop,
        catalog: Catalog,
        blobs: Blobs,
        folder: _folders.OwnFolder,
        decoder: Decoder | None,
    ) -> None:
        self.job = job
        self.observer = observer
        self.stop = stop
        self.catalog = catalog
        self.folder = folder
        self.decoder = decoder
        self.owner = self.folder.owner
        self.denied = read_denied(job.workspace)  # what was purged is not even noted
        self.tally = Tally()
        self.notes: list[str] = []
        self.attempts: list[Attempt] = []
        self.storing = Storing(catalog, blobs, self.owner, self.folder.path)
        processes = job.options.processes or Decoder.cores()
        self.workers: Workers = ProcessWorkers(processes, job.options.threads, job.limits)
        self.slots = processes * job.options.threads
        # Some more than there are workers, so that none waits while another item is being stored.
        self.room = asyncio.Semaphore(self.slots + max(2, self.slots // 2))
        self._rows = ThreadPoolExecutor(CATALOG_THREADS, "catalog")
        self._files = ThreadPoolExecutor(STORE_THREADS, "store")

    async def rows(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Ask the catalog."""
        return await asyncio.get_running_loop().run_in_executor(self._rows, functools.partial(call, *arguments))

    async def files(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Do something that may take long with files or objects."""
        return await asyncio.get_running_loop().run_in_executor(self._files, functools.partial(call, *arguments))

    def note(self, text: str) -> None:
        """Tell the observer something, once."""
        if text not in self.notes:
            self.notes.append(text)
            self.observer.note(text)

    async def write_attempts(self) -> None:
        """Append what visits cost since the last time."""
        attempts, self.attempts = self.attempts, []
        if attempts:
            await self.rows(self.catalog.attempt, attempts)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the crawl is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()

    async def close(self) -> None:
        """Let go of processes and threads."""
        await self.workers.close()
        for pool in (self._rows, self._files):
            await asyncio.to_thread(pool.shutdown)


async def crawl(job: CrawlJob, observer: Observer, stop: Stop | None = None) -> CrawlSummary:
    """Crawl until nothing is left, every limit is met, or `stop` is set.

    Raises ConfigError, WorkspaceError, BlobError, and OSError of a full disk; nothing is lost by any of them.
    """
    stop = stop or Stop()
    stop.bind()
    for listing in job.listings:
        registry.require("sources", listing.backend)
    async with _ground(job, observer, stop) as ground:
        platforms = await _platforms(ground)
        try:
            await _work(ground, platforms)
        except BaseException:
            # What ended the crawl is what its caller is to hear of; what can't be given back now falls due by itself.
            with contextlib.suppress(SpeechmillError):
                await _put_down(ground, platforms)
            raise
        await _put_down(ground, platforms)
        if ground.decoder is not None and stop.why is None:
            await asyncio.to_thread(ground.decoder.drain)
        _count_canonical(ground)
        return _summary(ground, [platform.ending for platform in platforms])


async def _work(ground: Ground, platforms: list[PlatformCrawl]) -> None:
    """Crawl every platform to its end."""
    try:
        async with asyncio.timeout(None) as grace, asyncio.TaskGroup() as group:
            watch = [group.create_task(_tick(ground, platforms)), group.create_task(_hold(ground))]
            watch.append(group.create_task(_end(ground, platforms, grace)))
            crawling = [group.create_task(platform.run()) for platform in platforms]
            group.create_task(_cancel_after(crawling, watch))
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    except TimeoutError:
        ground.note("visits that were under way were cut off; they are given back")


async def _put_down(ground: Ground, platforms: list[PlatformCrawl]) -> None:
    """Give back what was not finished, and write down what it cost."""
    for platform in platforms:
        await platform.put_down()
    await ground.write_attempts()


def _summary(ground: Ground, endings: list[Ending]) -> CrawlSummary:
    progress = ground.tally.progress()
    ground.observer.progress(progress)
    unfinished = [ending for ending in endings if ending != "finished"]
    ending = ground.stop.why or (unfinished[0] if unfinished else "finished")
    return CrawlSummary(progress, ending, tuple(ground.notes))


@contextlib.asynccontextmanager
async def _ground(job: CrawlJob, observer: Observer, stop: Stop) -> AsyncIterator[Ground]:
    workspace = Workspace.create(job.workspace)
    with contextlib.ExitStack() as stack:
        stack.enter_context(workspace.joined())  # what is being written is no left-over for `speechmill gc`
        catalog = stack.enter_context(await asyncio.to_thread(Catalog.open, job.catalog))
        blobs = open_blobs(job.blobs)
        await asyncio.to_thread(blobs.check)
        for dead in _folders.clear_dead(job.workspace):
            await asyncio.to_thread(catalog.renew, dead, 0.0, time.time())
        folder = _folders.OwnFolder(job.workspace)
        stack.callback(folder.remove)
        decoder = Decoder(job.corpus, blobs, job.caption_kinds) if job.corpus is not None else None
        if decoder is not None:
            stack.callback(decoder.close)
        ground = Ground(job, observer, stop, catalog, blobs, folder, decoder)
        try:
            yield ground
        finally:
            await ground.close()


async def _platforms(ground: Ground) -> list[PlatformCrawl]:
    """Take up every platform of the job: what was decided under another policy is decided anew first."""
    by_backend: dict[str, list[Listing]] = defaultdict(list)
    for listing in ground.job.listings:
        by_backend[listing.backend].append(listing)
    found = []
    for backend, listings in by_backend.items():
        found.append(await PlatformCrawl.start(ground, backend, listings))
        for listing in listings:
            await ground.rows(reconsider, ground.catalog, listing, ground.job.language, time.time())
    return found


def reconsider(catalog: Catalog, listing: Listing, language: str | None, now: float) -> int:
    """Decide anew what was held or skipped, by the policy as it is now. Returns how many are decided otherwise."""
    wanted = wanted_of(listing.config)
    changed = {}
    for verdict in ("hold", "skip"):
        for item, _query, description in catalog.undecided([listing.id], [verdict]):
            decision = decide(wanted, description, language)
            if decision.verdict != verdict:
                changed[item] = decision
    if changed:
        catalog.reconsider(changed, now)
    return len(changed)


async def _tick(ground: Ground, platforms: list[PlatformCrawl]) -> None:
    """Tell the observer how far it is, and write what is written by the way."""
    written = time.monotonic()
    while True:
        await asyncio.sleep(TICK_S)
        _count_canonical(ground)
        ground.observer.progress(ground.tally.progress())
        if time.monotonic() - written > WRITE_S:
            await ground.write_attempts()
            for platform in platforms:
                await platform.remember()
                await platform.learn()
            if ground.decoder is not None:
                await asyncio.to_thread(ground.decoder.flush, now=False)
            written = time.monotonic()


def _count_canonical(ground: Ground) -> None:
    if ground.decoder is not None:
        ground.tally.canonical = ground.decoder.made


async def _hold(ground: Ground) -> None:
    """Keep hold of what is leased."""
    while True:
        await asyncio.sleep(ground.job.lease_s / 3)
        await ground.rows(ground.catalog.renew, ground.owner, ground.job.lease_s, time.time())


async def _end(ground: Ground, platforms: list[PlatformCrawl], grace: asyncio.Timeout) -> None:
    """End the crawl at its deadline; once it is to end, for whatever reason, bound how long that takes."""
    if ground.job.deadline_s is not None:
        asyncio.get_running_loop().call_later(ground.job.deadline_s, ground.stop.set, "deadline")
    await ground.stop.wait()
    for platform in platforms:
        platform.bell.ring()
    grace.reschedule(asyncio.get_running_loop().time() + GRACE_S)
    await asyncio.sleep(GRACE_S + 1)


async def _cancel_after(crawling: list[asyncio.Task[None]], watching: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*crawling)
    for task in watching:
        task.cancel()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended a crawl: the others came of it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
