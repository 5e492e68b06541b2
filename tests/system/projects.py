# SPDX-License-Identifier: Apache-2.0
"""Crawls as their users have them: a corpus file, the command line in a process group of its own, and what is left.

`Project` is one corpus with its workspace; `Crawling` is its command under way, to be waited for or killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

from replica.handle import Replica
from speechmill import api
from speechmill.crawl.corpus import blobs_address, open_catalog, queries_of
from speechmill.pipeline.spec import Corpus
from speechmill.store.blobs import Blobs, open_blobs
from speechmill.store.catalog import Catalog

QUERY = "talks"
QUICK = Path(__file__).with_name("quick_crawl.py")
PATIENCE_S = 600.0  # for one crawl on a busy machine; what takes longer hangs


class Crawling:
    """`speechmill crawl` under way."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], output: Path) -> None:
        self.output = output
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def said(self) -> str:
        """What it and its workers have written."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    @property
    def summary(self) -> dict[str, Any]:
        """What it printed at its end, where it was asked for JSON."""
        summary: dict[str, Any] = json.loads(self.said[self.said.index("{\n") : self.said.rindex("}") + 1])
        return summary

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait(self, expect: int | None = 0, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end; expect: its exit status, None for any."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end after {timeout_s:.0f} s:\n{self.said[-4000:]}") from None
        if expect is not None:
            assert status == expect, f"exit {status}:\n{self.said[-4000:]}"
        return status

    def wait_until(self, happened: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait for something to happen while it runs."""
        end = time.monotonic() + timeout_s
        while not happened():
            assert self.runs, f"it ended before what was waited for:\n{self.said[-4000:]}"
            assert time.monotonic() < end, f"not within {timeout_s:.0f} s:\n{self.said[-4000:]}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as kill -9 does: the command and all its workers at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def kill_command(self) -> None:
        """Kill the command alone; its workers are orphans until they notice."""
        self._process.kill()
        self._process.wait()

    def children(self) -> list[psutil.Process]:
        """Its workers: those that fetch and those that decode."""
        try:
            found = psutil.Process(self.pid).children(recursive=True)
            return [child for child in found if "spawn_main" in " ".join(child.cmdline())]
        except psutil.NoSuchProcess:
            return []


class Project:
    """A corpus file in a folder, and the places that its crawl writes to."""

    def __init__(
        self,
        folder: Path,
        replica: Replica,
        *,
        environment: dict[str, str] | None = None,
        crawl: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        self.folder = folder
        self.replica = replica
        self._started = 0
        self.environment = {**replica.environment(), "OMP_NUM_THREADS": "1", **(environment or {})}
        self.file = folder / "corpus.yaml"
        ways = [{"name": f"way{index}", "proxy": replica.proxy(index)} for index in range(len(replica.ports))]
        self._fields = {
            "name": "talks",
            "language": "en",
            "sources": [{"youtube": {"search": QUERY}}],
            "transcript": ["captions"],
            "quality": [],
            "diarize": None,
            "align": None,
            "export": [],
            "store": "workspace",
            **fields,
        }
        options = {"processes": 2, "threads": 3, "spacing_s": 0.0, "budgets": {"youtube": None}, "egress": ways}
        self.configure(**{**options, **(crawl or {})})

    def configure(self, **crawl: Any) -> None:
        """Write the corpus file with other options of `crawl:`; those that are not named stay."""
        self._fields["crawl"] = {**self._fields.get("crawl", {}), **crawl}
        self.file.write_text(yaml.safe_dump(self._fields), encoding="utf-8")

    @property
    def corpus(self) -> Corpus:
        return api.corpus_of(self.file)

    @property
    def workspace(self) -> Path:
        return self.corpus.store

    def start(
        self,
        *arguments: str,
        python: Sequence[str] = (),
        command: Sequence[str] = ("crawl",),
        target: Path | None = None,
    ) -> Crawling:
        """Crawl, or do another command, in a process of its own. python: options of the interpreter."""
        words = [sys.executable, *python, "-m", "speechmill", *command, str(target or self.file), *arguments]
        return self._run(words)

    def start_quickly(self, pace: float) -> Crawling:
        """Crawl with waits after failures that are multiplied by `pace`."""
        return self._run([sys.executable, str(QUICK), str(self.file), str(pace)])

    def _run(self, words: Sequence[str]) -> Crawling:
        self._started += 1
        return Crawling(words, self.environment, self.folder / f"output-{self._started:03d}.txt")

    def catalog(self) -> Catalog:
        return open_catalog(self.corpus)

    def blobs(self) -> Blobs:
        return open_blobs(blobs_address(self.corpus))

    @property
    def queries(self) -> list[str]:
        return queries_of(self.corpus)


def visits(replica: Replica) -> int:
    """How many players were asked for so far."""
    return sum(counts.get("player", 0) for counts in replica.statistics()["videos"].values())
