# SPDX-License-Identifier: Apache-2.0
"""A workspace: one folder that holds everything of a corpus, of one schema version, held by one run at a time.

workspace.json   schema version            hashes.parquet   what intake remembers of files
recordings/      canonical FLAC            stages/          the ledger
tables/          the join of all stages    decisions/       what becomes of each segment
dataset/         the result                exports/         the result in other formats
splits/          what is of which split    versions/        what each dataset was made of
models/          models made from the corpus, and which is pinned
corrections/     what people corrected, and who they were
samples/         what people were asked    purges/          certificates of what was taken out
privacy/         key of pseudonyms, and salted hashes of what must not come back
runs/<id>/       plan, manifest, shards, events, summary    report.html
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from speechmill.core.errors import WorkspaceBusy, WorkspaceError
from speechmill.core.files import TEMPORARY, write_bytes
from speechmill.formats.manifest import SCHEMA_VERSION

LOOK_S = 0.5  # how often a workspace that is waited for is looked at


class Workspace:
    """Names the places of a workspace. `open` reads one, `create` makes it where it isn't."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.tables = root / "tables"
        self.decisions = root / "decisions"
        self.splits = root / "splits"
        self.versions = root / "versions"
        self.dataset = root / "dataset"
        self.exports = root / "exports"
        self.recordings = root / "recordings"
        self.models = root / "models"
        self.corrections = root / "corrections"
        self.samples = root / "samples"
        self.hashes = root / "hashes.parquet"
        self.report = root / "report.html"

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Open a workspace, making it first where it isn't. Raises WorkspaceError."""
        marker = root / "workspace.json"
        if not marker.exists():
            if root.is_dir() and any(not path.name.startswith(TEMPORARY) for path in root.iterdir()):
                raise WorkspaceError(f"{root} is not empty and not a workspace; name a new folder with --out")
            try:
                write_bytes(marker, json.dumps({"speechmill_schema": SCHEMA_VERSION}).encode())
            except OSError as error:
                raise WorkspaceError(f"{root} can't be written: {error.strerror}") from error
        return cls.open(root)

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open a workspace that exists. Raises WorkspaceError where it doesn't or is of another version."""
        marker = root / "workspace.json"
        try:
            found = json.loads(marker.read_bytes()).get("speechmill_schema")
        except FileNotFoundError:
            raise WorkspaceError(
                f"{root} is not a workspace. Make one with: speechmill run CORPUS --out {root}"
            ) from None
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            raise WorkspaceError(f"{marker} can't be read: {error}") from error
        if found != SCHEMA_VERSION:
            raise WorkspaceError(
                f"{root} is a workspace of schema version {found}, this speechmill writes {SCHEMA_VERSION}. "
                "Use the version that made it, or run into a new workspace"
            )
        return cls(root)

    @contextlib.contextmanager
    def held(self, patience_s: float = 0.0) -> Iterator[None]:
        """Hold the workspace for one run; the lock goes with the process, however that ends.

        patience_s: how long to wait for another holder. Raises WorkspaceBusy, naming that one.
        """
        end = time.monotonic() + patience_s
        with self._lock_file("lock") as file:
            while not (mine := _lock(file.fileno(), shared=False)) and time.monotonic() < end:
                time.sleep(LOOK_S)
            if not mine:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise WorkspaceBusy(f"{self.root} is held by {holder}; wait, or join its run with: speechmill exec")
            file.truncate(0)
            file.write(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            file.flush()
            yield

    @contextlib.contextmanager
    def joined(self, *, alone: bool = False) -> Iterator[None]:
        """Be one of any number of processes that crawl, or work on a run's shards; `alone`: see that there is none.

        Raises WorkspaceBusy.
        """
        with self._lock_file("joined") as file:
            if not _lock(file.fileno(), shared=not alone):
                raise WorkspaceBusy(f"{self.root} is in use by `speechmill crawl`, `exec` or `gc`; wait for them")
            yield

    def _lock_file(self, name: str) -> TextIO:
        try:
            return (self.root / name).open("a+")
        except OSError as error:
            raise WorkspaceError(f"{self.root} can't be written: {error.strerror}") from error

    def latest_run(self) -> Path | None:
        """Return the folder of the newest run that has a plan."""
        found = sorted(path.parent for path in self.runs.glob("*/plan.json"))
        return found[-1] if found else None

    def temporary_files(self) -> list[Path]:
        """Return what a crash left behind."""
        return sorted(self.root.rglob(f"{TEMPORARY}*"))


def _lock(handle: int, *, shared: bool) -> bool:
    """Try to take a lock; False where somebody else's is in the way."""
    if os.name == "nt":
        if shared:
            return True  # msvcrt has no shared locks; there `exec` and `gc` are kept apart by people
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
