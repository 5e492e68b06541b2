# SPDX-License-Identifier: Apache-2.0
"""One worker process of the crawl: threads that hold remote backends, and a pipe to whoever asks.

It starts no process of its own, leaves Ctrl-C to its parent, and ends when its parent does.
"""

from __future__ import annotations

import functools
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe

import psutil
from msgspec import structs

from speechmill.core import registry
from speechmill.core.errors import FetchError
from speechmill.core.watchdog import ORPHANED, watch
from speechmill.crawl.cookies import own_copy, secrets_in
from speechmill.crawl.redact import Redactor
from speechmill.crawl.visit import answer_to, fault
from speechmill.crawl.workers import Answer, Asked, Call, Done, Fault, Limits, Media, backend_name, own_folder
from speechmill.sources import Connection, RemoteBackend

LISTING_THREADS = 2
HELD = 64  # idle backends: one for each thread, and one for each listing that is being read

Calls = queue.SimpleQueue[Call | None]


def main(pipe: Pipe, threads: int, limits: Limits, parent: int) -> None:
    """Serve calls until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    watch(limits.memory_mb, parent)
    visits: Calls = queue.SimpleQueue()
    pages: Calls = queue.SimpleQueue()
    server = _Server(pipe, limits)
    crew = [visits] * threads + [pages] * LISTING_THREADS
    running = [threading.Thread(target=server.serve, args=(calls,), daemon=True, name="visit") for calls in crew]
    for thread in running:
        thread.start()
    try:
        while (call := pipe.recv()) is not None:
            (pages if call.asked.verb == "discover" else visits).put(call)
    except (EOFError, OSError):
        os._exit(ORPHANED)
    for calls in crew:
        calls.put(None)
    for thread in running:
        thread.join()
    server.backends.close()


class _Server:
    """What the threads of this process share."""

    def __init__(self, pipe: Pipe, limits: Limits) -> None:
        self.backends = Backends()
        self._pipe = pipe
        self._limits = limits
        self._process = psutil.Process()
        self._lock = threading.Lock()

    def serve(self, calls: Calls) -> None:
        """Be one thread: take calls, one at a time."""
        while (call := calls.get()) is not None:
            answer = self.backends.answer(call.asked, functools.partial(self._media, call.number))
            grown = self._process.memory_info().rss > self._limits.recycle_mb * 2**20
            self._say(Done(call.number, _for_the_pipe(answer), grown))

    def _media(self, number: int, duration: float | None) -> None:
        self._say(Media(number, duration))

    def _say(self, message: Media | Done) -> None:
        with self._lock:
            try:
                self._pipe.send(message)
            except OSError:
                os._exit(ORPHANED)


def _for_the_pipe(answer: Answer) -> Answer:
    error = answer.error
    if not isinstance(error, FetchError):
        return answer
    return structs.replace(answer, error=Fault(error.kind, error.reason, error.detail, error.retry_after))


class Backends:
    """The idle backends of this process, by what they were made of; the one used longest ago goes first.

    A call takes one out, so that no two threads have the same, and puts it back for the next that needs such a one.
    """

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._idle: list[tuple[bytes, RemoteBackend]] = []  # used longest ago first
        self._lock = threading.Lock()

    def answer(self, asked: Asked, began: Callable[[float | None], None]) -> Answer:
        """Do a call with the backend that it asks for."""
        redact = _redactor(asked.connection)
        started = time.perf_counter()
        name = backend_name(asked)
        try:
            backend = self._taken(name) or self._made(asked)
        except (Exception, SystemExit) as error:  # a backend's bug is told like any other
            return Answer(error=fault(error, redact), seconds=time.perf_counter() - started)
        answer = answer_to(backend, asked, redact, began)
        if answer.error is not None and answer.error.reason.startswith("error-"):
            _closed(backend)  # nobody foresaw what went wrong: it may be in a state that nobody knows
        else:
            self._put_back(name, backend)
        return answer

    def close(self) -> None:
        """Close every idle backend."""
        while self._idle:
            _closed(self._idle.pop()[1])

    def _taken(self, name: bytes) -> RemoteBackend | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index][0] == name:
                    return self._idle.pop(index)[1]
        return None

    def _put_back(self, name: bytes, backend: RemoteBackend) -> None:
        with self._lock:
            self._idle.append((name, backend))
            oldest = self._idle.pop(0)[1] if len(self._idle) > self._held else None
        if oldest is not None:
            _closed(oldest)

    @staticmethod
    def _made(asked: Asked) -> RemoteBackend:
        folder = own_folder(asked.connection.folder, os.getpid())
        folder.mkdir(parents=True, exist_ok=True)
        cookies = asked.connection.cookies
        copied = own_copy(cookies, folder) if cookies is not None else None
        connection = structs.replace(asked.connection, folder=folder, cookies=copied)
        backend: RemoteBackend = registry.require("sources", asked.backend).Backend(asked.config, connection)
        return backend


@functools.lru_cache(maxsize=64)
def _redactor(connection: Connection) -> Redactor:
    told = [secret for secret in (connection.proxy, connection.api_key) if secret]
    return Redactor([*told, *(secrets_in(connection.cookies) if connection.cookies is not None else ())])


def _closed(backend: RemoteBackend) -> None:
    try:
        backend.close()
    except Exception as error:  # it is on its way out; what it holds goes with the process
        print(f"a source could not be closed: {type(error).__name__}", file=sys.stderr, flush=True)
