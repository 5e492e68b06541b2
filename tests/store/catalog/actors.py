# SPDX-License-Identifier: Apache-2.0
"""Processes of their own that use a catalog, forked off one that has done the imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

# What every child needs is imported once.
import alembic.runtime.environment
import alembic.script  # noqa: F401
from tests.store.catalog.builders import ACCEPT, asset, caption, description, page

import speechmill.store.catalog.opening  # noqa: F401
from speechmill.store.catalog import Catalog, Job, LeaseLost

ENDLESS_S = 600.0  # every test ends its own
FINISHED = "finished"
ROOT = Path(__file__).resolve().parents[3]


def take_everything(catalog: Catalog, name: str, say: Callable[[object], None]) -> None:
    """Lease until nothing is left; print what was given."""
    while jobs := catalog.lease(name, ["q"], 7, 1000.0, 0.0):
        for job in jobs:
            say(job.ref.id)


def hold_one(catalog: Catalog, name: str, say: Callable[[object], None]) -> None:
    """Lease one, mean to write an object, and hang."""
    (job,) = catalog.lease(name, ["q"], 1, 100.0, 0.0)
    catalog.intend(name, job.item, f"originals/{name}.m4a")
    say(job.ref.id)
    time.sleep(ENDLESS_S)


def spend_everything(catalog: Catalog, name: str, say: Callable[[object], None]) -> None:
    """Ask for three at a time until none is granted; print how many were."""
    granted = 0
    while grant := catalog.spend("youtube", 250, 3, 1000.0).granted:
        granted += grant
    say(granted)


def work(catalog: Catalog, name: str, say: Callable[[object], None]) -> None:
    """Crawl until killed, with leases so short that others take jobs over."""
    for number in numbers():
        for job in find_and_lease(catalog, name, number, 5.0):
            try:
                visit(catalog, name, job, say)
            except LeaseLost:
                continue


def persist(catalog: Catalog, name: str, say: Callable[[object], None]) -> None:
    """Crawl until killed, with leases that nobody takes over; one that is lost is the end."""
    for number in numbers():
        for job in find_and_lease(catalog, name, number, 1e6):
            visit(catalog, name, job, say)


def numbers() -> Iterator[int]:
    end = time.monotonic() + ENDLESS_S
    number = 0
    while time.monotonic() < end:
        number += 1
        yield number


def find_and_lease(catalog: Catalog, name: str, number: int, lease_s: float) -> list[Job]:
    """Find an item of one's own and one that everybody finds."""
    found = page(f"{name}-{number}", f"both-{number}", cursor=str(number))
    catalog.save_page("q", found, {}, float(number))
    return catalog.lease(name, ["q"], 2, lease_s, float(number))


def visit(catalog: Catalog, name: str, job: Job, say: Callable[[object], None]) -> None:
    """Say "asked" once the budget has given it, and its id once it is stored."""
    catalog.spend("youtube", None, 1, 0.0)
    say("asked")
    catalog.described(name, job.item, description(job.ref.id), ACCEPT, 1.0)
    catalog.intend(name, job.item, f"originals/{job.ref.id}.m4a")
    catalog.stored(name, job.item, asset(job.ref.id), [caption(job.ref.id)], 2.0)
    say(job.ref.id)


ACTIONS = {"take": take_everything, "hold": hold_one, "spend": spend_everything, "work": work, "persist": persist}


class Actor:
    """A process that a troupe has started."""

    def __init__(self, pid: int, output: Path) -> None:
        self.pid = pid
        self._output = output

    def lines(self) -> list[str]:
        """What it has said so far, in whole lines."""
        return self._output.read_text().split("\n")[:-1]

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def wait_for_an_item(self) -> None:
        """Wait until it has said the id of one."""
        while set(self.lines()) <= {"asked"}:
            assert self.is_alive(), "it ended without a word"
            time.sleep(0.005)

    def wait(self) -> list[str]:
        """Wait for its end, which must be a good one, and return what it said."""
        while self.is_alive():
            time.sleep(0.005)
        *said, end = self.lines()
        assert end == FINISHED
        return said

    def kill(self) -> list[str]:
        """Kill it with -9 and return what it said."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        while self.is_alive():
            time.sleep(0.005)
        return [line for line in self.lines() if line != FINISHED]


class Troupe:
    """Starts actors. Close it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._actors: list[Actor] = []
        command = [sys.executable, "-m", "tests.store.catalog.actors"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, action: str, address: str, name: str) -> Actor:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output = self._folder / f"{len(self._actors)}.txt"
        output.touch()
        print(action, address, name, output, sep="\t", file=self._process.stdin, flush=True)
        actor = Actor(int(self._process.stdout.readline()), output)
        self._actors.append(actor)
        return actor

    def close(self) -> None:
        for actor in self._actors:
            actor.kill()
        self._process.communicate()


def serve(commands: TextIO) -> None:
    """Fork a child for every line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in commands:
        pid = os.fork()
        if pid == 0:
            try:
                perform(*line.rstrip("\n").split("\t"))
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        print(pid, flush=True)


def perform(action: str, address: str, name: str, output: str) -> None:
    """Do it, and end with the last line only where it went well."""
    with open(output, "a", buffering=1) as file, Catalog.open(address) as catalog:
        ACTIONS[action](catalog, name, lambda word: print(word, file=file))
        print(FINISHED, file=file)


if __name__ == "__main__":
    serve(sys.stdin)
