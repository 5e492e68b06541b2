# SPDX-License-Identifier: Apache-2.0
"""Processes of threads that hold long-lived remote backends. One that dies costs the calls it had, and is replaced.

Each process has a pipe. It is given no more visits than it has threads, so that what waits can still go elsewhere.
Listings are read by threads beside these, and page after page by one and the same backend: most can only go on where
they are. One whose call does not come back in time, or that has grown, is retired: it gets no more calls, finishes
those it has, and another takes its place at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import shutil
import threading
from collections import Counter, deque
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct, structs

from speechmill.core.errors import FetchError, Unsupported
from speechmill.core.remote import Caption, Decision, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection

MAX_DEATHS = 5  # in a row, without a single answer: then it is not one item's fault
DIED = "worker-died"  # reason of calls whose worker is gone: nothing is known of how they went
CLOSE_S = 5.0  # that processes have to let go of their connections before they are ended


class Asked(Struct, frozen=True):
    """One call to a backend."""

    backend: str  # name in the family `sources`
    config: Any  # its Config
    connection: Connection
    verb: Literal["discover", "visit", "describe"]
    cursor: str | None = None  # of discover
    ref: Ref | None = None  # of visit and describe
    language: str | None = None  # of the corpus
    caption_languages: tuple[str, ...] = ()
    caption_kinds: tuple[str, ...] = ("manual",)
    reference: bool = False  # note where media stays instead of copying it, where the source knows such a place


class Answer(Struct, frozen=True):
    """What came of a call. A visit may be described and yet fail at its media: then both are set."""

    page: Page | None = None
    description: Description | None = None
    decision: Decision | None = None
    captions: tuple[Caption, ...] = ()
    fetched: Fetched | None = None
    duration: float | None = None  # seconds, as the container of the media says
    reference: str | None = None  # address of the object that is the media, and stays
    error: Any = None  # FetchError, with secrets redacted
    requests: int = 0
    seconds: float = 0.0


class Workers(Protocol):
    """Runs calls, bounded by processes x threads; a call whose worker dies answers with kind "net", "worker-died"."""

    async def ask(self, asked: Asked) -> Answer: ...

    async def close(self) -> None: ...


class Limits(Struct, frozen=True):
    """What a worker may take before it is taken for broken."""

    listing_s: float = 300.0  # one page of a listing, or one description
    media_s: float = 300.0  # media and captions, and besides as long as the recording itself: slower is no use
    max_media_s: float = 14_400.0  # altogether
    recycle_mb: int = 600  # resident memory of a process after a call: another takes its place
    memory_mb: int = 2_000  # and at which it is ended


class Fault(Struct, frozen=True):
    """A FetchError as it goes through a pipe: exceptions with arguments of their own can't be pickled."""

    kind: Any
    reason: str
    detail: str
    retry_after: float | None


class Media(Struct, frozen=True):
    """Said by a worker: from now on this call fetches media of so many seconds."""

    number: int
    duration: float | None


class Done(Struct, frozen=True):
    """Said by a worker: this is what came of a call. grown: the process had better be replaced."""

    number: int
    answer: Answer
    grown: bool = False


class Call(Struct, frozen=True):
    """Said to a worker."""

    number: int
    asked: Asked


def wanted_of(config: Any) -> Wanted:
    """Return the policy part of a remote source's config."""
    if not isinstance(config, Wanted):
        raise TypeError(f"{type(config).__module__}.Config does not inherit core.remote.Wanted")
    return config


class ProcessWorkers:
    """Workers as processes of this machine. Made and used inside one event loop."""

    def __init__(self, processes: int, threads: int, limits: Limits | None = None) -> None:
        self.slots = processes * threads
        self._threads = threads
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._homes: dict[bytes, _Process] = {}  # which process reads a listing
        self._deaths = 0  # since the last answer
        self._closed = False
        self._retired: set[_Process] = set()
        self._active = [_Process(self) for _ in range(processes)]

    async def ask(self, asked: Asked) -> Answer:
        """Have a call done by the next free thread. Raises Unsupported where processes die before they answer."""
        process = self._home(asked) if asked.verb == "discover" else await self._next_free()
        if process is None:
            return Answer(error=FetchError("net", DIED, "the crawl is ending"))
        return await process.ask(next(self._numbers), asked)

    async def close(self) -> None:
        """End the processes, politely first. Calls that are under way are answered as by a dead worker."""
        self._closed = True
        processes = [*self._active, *self._retired]
        for process in processes:
            process.hang_up()
        await asyncio.gather(*(asyncio.to_thread(process.end, CLOSE_S) for process in processes))
        await asyncio.sleep(0)  # what the readers said last
        self._wake(everybody=True)

    @property
    def processes(self) -> list[int]:
        """Ids of the processes that get calls."""
        return [process.id for process in self._active]

    async def _next_free(self) -> _Process | None:
        """Return a process with a free thread, when there is one; None: the pool is closed."""
        while not self._closed:
            self._check_deaths()
            process = min(self._active, key=_Process.num_visits)
            if process.num_visits() < self._threads:
                return process
            turn: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()  # the turn may have been given already: pass it on
                raise
        return None

    def _home(self, asked: Asked) -> _Process | None:
        """Return the process that reads a listing by this way."""
        if self._closed:
            return None
        self._check_deaths()
        name = backend_name(asked)
        home = self._homes.get(name)
        if home not in self._active:
            homes = Counter(self._homes.values())
            home = self._homes[name] = min(self._active, key=lambda one: homes[one])
        return home

    def _check_deaths(self) -> None:
        if self._deaths >= MAX_DEATHS:
            raise Unsupported(
                f"{self._deaths} worker processes of the crawl died before they answered; see what they wrote above"
            )

    def _wake(self, *, everybody: bool = False) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                if not everybody:
                    return

    # -- what processes tell

    def answered(self, process: _Process, *, grown: bool) -> None:
        """Note that a thread is free again."""
        self._deaths = 0
        if grown or process in self._retired:
            self.retire(process)
        self._wake()

    def retire(self, process: _Process) -> None:
        """Give a process no more calls, and put another one in its place. It ends when its last call has."""
        if self._closed:
            return
        if process in self._active:
            self._active[self._active.index(process)] = _Process(self)
            self._retired.add(process)
            for _ in range(self._threads):
                self._wake()
        if process in self._retired and not process.calls:
            self._retired.discard(process)
            self._loop.run_in_executor(None, process.end, 0.0)

    def died(self, process: _Process, how: str) -> None:
        """Answer for a process that is gone."""
        self._deaths += process in self._active and not self._closed
        process.fail_all(DIED, f"worker process {process.id} ended: {how}")
        self.retire(process)

    @property
    def settings(self) -> tuple[int, Limits, asyncio.AbstractEventLoop]:
        return self._threads, self._limits, self._loop


class _UnderWay:
    """A call that a process has."""

    def __init__(self, asked: Asked, answer: asyncio.Future[Answer], timer: asyncio.TimerHandle) -> None:
        self.asked = asked
        self.answer = answer
        self.timer = timer


class _Process:
    """One worker process, seen from the event loop. Its pipe is read by a thread of its own."""

    def __init__(self, pool: ProcessWorkers) -> None:
        from speechmill.crawl._worker_process import main

        self._pool = pool
        threads, self._limits, self._loop = pool.settings
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.calls: dict[int, _UnderWay] = {}
        self._visits = 0
        self._folders: set[Path] = set()
        self._process = context.Process(
            target=main, args=(theirs, threads, self._limits, os.getpid()), daemon=True, name="crawl-worker"
        )
        self._process.start()
        theirs.close()
        self.id = self._process.pid or 0
        self._reader = threading.Thread(target=self._read, args=(self._pipe,), daemon=True, name="crawl-answers")
        self._reader.start()

    def num_visits(self) -> int:
        """Calls that take one of its threads."""
        return self._visits

    async def ask(self, number: int, asked: Asked) -> Answer:
        """Have a call done, and wait for what comes of it."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        timer = self._loop.call_later(self._limits.listing_s, self._late, number)
        self.calls[number] = _UnderWay(asked, answer, timer)
        self._visits += asked.verb != "discover"
        self._folders.add(asked.connection.folder)
        with contextlib.suppress(OSError):  # it is gone: its reader says so, and answers for it
            self._pipe.send(Call(number, asked))
        return await answer

    def hang_up(self) -> None:
        """Tell the process to end: at the end of its pipe it lets go of everything."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)

    def end(self, patience_s: float) -> None:
        """Wait for the process, then kill it, and clear what it was fetching. Blocks."""
        if patience_s:
            self._process.join(patience_s)
        self._process.kill()
        self._process.join()
        self._reader.join()
        self._pipe.close()
        self._process.close()
        for folder in self._folders:
            shutil.rmtree(own_folder(folder, self.id), ignore_errors=True)

    def fail_all(self, reason: str, detail: str) -> None:
        for number in list(self.calls):
            self._answer(number, Answer(error=FetchError("net", reason, detail)))

    def _late(self, number: int) -> None:
        self._answer(number, Answer(error=FetchError("net", "timeout", "a worker did not answer in time")))
        self._pool.retire(self)

    def _read(self, pipe: Pipe) -> None:
        """Pass on what the process says. Runs in a thread of its own until the pipe's end."""
        try:
            while True:
                self._loop.call_soon_threadsafe(self._said, pipe.recv())
        except (EOFError, OSError):
            self._process.join(1.0)  # its status comes a moment after the end of its pipe
            how = f"exit status {self._process.exitcode}"
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._pool.died, self, how)

    def _said(self, message: Media | Done) -> None:
        if isinstance(message, Media):
            self._prolong(message)
            return
        answer = message.answer
        if isinstance(answer.error, Fault):
            fault = answer.error
            error = FetchError(fault.kind, fault.reason, fault.detail, retry_after=fault.retry_after)
            answer = structs.replace(answer, error=error)
        self._answer(message.number, answer)
        self._pool.answered(self, grown=message.grown)

    def _prolong(self, media: Media) -> None:
        if (call := self.calls.get(media.number)) is not None:
            call.timer.cancel()
            allowed_s = min(self._limits.media_s + (media.duration or 0.0), self._limits.max_media_s)
            call.timer = self._loop.call_later(allowed_s, self._late, media.number)

    def _answer(self, number: int, answer: Answer) -> None:
        call = self.calls.pop(number, None)
        if call is None:
            self._drop(answer)  # too late: it was answered for already
            return
        call.timer.cancel()
        self._visits -= call.asked.verb != "discover"
        if call.answer.done():  # whoever asked has gone
            self._drop(answer)
        else:
            call.answer.set_result(answer)

    @staticmethod
    def _drop(answer: Answer) -> None:
        if answer.fetched is not None:
            answer.fetched.path.unlink(missing_ok=True)


def backend_name(asked: Asked) -> bytes:
    """Name the backend that a call needs, by all that it is made of. Holds secrets: it is never shown."""
    return msgspec.json.encode([asked.backend, asked.config, asked.connection, asked.verb == "discover"], enc_hook=str)


def own_folder(folder: Path, process: int) -> Path:
    """Return where one worker process keeps what it is fetching. It is deleted when the process is gone."""
    return folder / f"worker-{process}"
