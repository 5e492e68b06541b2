# SPDX-License-Identifier: Apache-2.0
"""A pool that makes canonical audio beside the fetching, so that `speechmill run` finds it done.

Items are normalised by the pipeline's own stage, and their results written into its ledger under the same keys. What
breaks becomes a Failed there, as in a run. What is under way is bounded: who puts more in waits.

Hashes and results are read and written by one thread alone: Arrow keeps what a table took for the thread that made
it, and with a dozen threads that take turns at ever larger tables a crawl's memory grows for as long as it goes on.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from msgspec import structs

from speechmill.core.remote import Wanted
from speechmill.core.types import Source
from speechmill.crawl._decode_process import Processes
from speechmill.crawl.handover import source_row
from speechmill.engines.local import usable_cores
from speechmill.pipeline.intake import Memory, keyed_as_in
from speechmill.pipeline.plan import Node, nodes
from speechmill.pipeline.spec import Corpus
from speechmill.stages.normalise import Normalise
from speechmill.store.blobs import Blobs
from speechmill.store.catalog import Stored
from speechmill.store.ledger import Ledger, Result
from speechmill.store.workspace import Workspace

SHARD = "crawl"  # of the ledger's parts: a run's shards are made later, and read parts of any
FLUSH_ITEMS = 64
FLUSH_S = 10.0
AHEAD = 2  # items for each core: one at work and one waiting
BASE_TIMEOUT_S = 60.0


class Decoder:
    """Makes canonical audio of stored items. Methods may be called by several threads."""

    def __init__(self, corpus: Corpus, blobs: Blobs, caption_kinds: Sequence[str]) -> None:
        self._corpus = corpus
        self._blobs = blobs
        self._kinds = caption_kinds
        self._workspace = Workspace.create(corpus.store)
        self._memory = Memory(self._workspace.hashes)
        self._ledger = Ledger(self._workspace.root)
        self._node: Node = next(node for node in nodes(corpus) if node.name == Normalise.name)
        self._done = set(self._ledger.states(self._node.folder))
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "ledger")
        self._results: list[Result] = []
        self._flushed = time.monotonic()
        self._error: BaseException | None = None
        self._places = self.cores() * AHEAD
        self._free = threading.Semaphore(self._places)
        self.made = 0
        self._pool = Processes(self.cores(), self._workspace.root)

    @staticmethod
    def cores() -> int:
        return usable_cores()

    def put(self, stored: Stored, wanted: Wanted, path: Path | None = None) -> None:
        """Have an item normalised; waits while enough is under way. path: where its audio lies right now.

        Raises what ended the pool's work: a full disk, or options that can't be.
        """
        source = source_row(stored, wanted, self._corpus.store, self._blobs, self._kinds)
        keyed = self._writer.submit(self._keyed, source).result()
        if keyed is None:
            return
        if not Path(keyed.uri).exists() and path is not None:
            keyed = structs.replace(keyed, uri=str(path), blob=None)
            self._wait_for(keyed, stored)
            return
        self._schedule(keyed, stored)

    def flush(self, *, now: bool = True) -> None:
        """Write results that wait. now: False only where they are many or wait long. Raises what broke the pool."""
        if self._error is not None:
            raise self._error
        if now or len(self._results) >= FLUSH_ITEMS or time.monotonic() - self._flushed >= FLUSH_S:
            self._writer.submit(self._write).result()

    def drain(self) -> None:
        """Wait until all that was put in is written."""
        for _ in range(self._places):
            self._free.acquire()
        for _ in range(self._places):
            self._free.release()
        self.flush()

    def close(self) -> None:
        """End the pool; what is under way is left to the pipeline."""
        self._pool.close()
        try:
            if self._error is None:
                self.flush()
                self._writer.submit(self._ledger.compact, self._node.folder).result()
                self._writer.submit(self._memory.save).result()
        finally:
            self._writer.shutdown()

    def _keyed(self, source: Source) -> Source | None:
        """Return a recording with its key; None where it can't be read, or is made already. Runs in the writer."""
        keyed = keyed_as_in(self._corpus, source, self._memory)
        if keyed.error is not None or keyed.key in self._done:
            return None
        self._done.add(keyed.key)
        return keyed

    def _write(self) -> None:
        """Write results that wait. Runs in the writer."""
        with self._lock:
            results, self._results = self._results, []
        if results:
            self._ledger.write(self._node.folder, SHARD, self._node.writes, results)
            pa.default_memory_pool().release_unused()  # what saving the hashes took, too
        self._flushed = time.monotonic()

    def _wait_for(self, source: Source, stored: Stored) -> None:
        """Normalise a file that the caller deletes afterwards."""
        concurrent.futures.wait([self._schedule(source, stored)])

    def _schedule(self, source: Source, stored: Stored) -> concurrent.futures.Future[Result]:
        self._free.acquire()
        duration = stored.asset.duration or stored.description.duration or 0.0
        timeout_s = BASE_TIMEOUT_S + duration * Normalise.resources.timeout_per_audio_s
        future = self._pool.do(source, timeout_s)
        future.add_done_callback(self._take)
        return future

    def _take(self, done: concurrent.futures.Future[Result]) -> None:
        """Keep a result, or why there will be none any more. Runs in a thread of the pool's."""
        try:
            result = done.result()
        except concurrent.futures.CancelledError:
            pass  # left to the pipeline
        except BaseException as error:  # for whoever puts the next one in
            self._error = error
        else:
            with self._lock:
                self._results.append(result)
                self.made += result.failed is None
        finally:
            self._free.release()
