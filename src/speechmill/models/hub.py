# SPDX-License-Identifier: Apache-2.0
"""Weights that no card describes: a folder of the user's own, or a repository of a model hub.

`identity` says which weights an option leads to, and so what is in a fingerprint; `folder` has them
here. A local folder is looked for first, then SPEECHMILL_MIRROR (`owner/name` in it, or
`owner/name@revision` for a pinned one), then the hub library's cache, then the hub itself: the one
that HF_ENDPOINT names. SPEECHMILL_OFFLINE=1 forbids the last. What is in the cache stays as it is: a
newer commit is fetched only where `revision` asks for it. Not for weights with a card; see `cache`.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import MissingDependency, MissingModel
from speechmill.core.files import digest, sha256_file

NEWEST = "main"  # the hub's name of a repository's newest commit
LOOKUP_TIMEOUT_S = 10.0

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PASSWORD = re.compile(r"//[^/@\s]+@")  # in a hub's or a proxy's address: who asks, and their password


class Weights(Struct, frozen=True):
    """Which model a backend is to load, and which files of it.

    Files are glob patterns; "a or b" where one of them will do, the better one first.
    """

    backend: str  # opens the messages: "asr faster_whisper"
    model: str  # a folder, or a hub id "owner/name"
    needed: tuple[str, ...]
    also: tuple[str, ...] = ()  # read where they are there
    revision: str | None = None  # commit, tag or branch of the hub's repository; None is the newest
    cache: str | None = None  # folder of fetched weights; None is the hub library's own

    @property
    def preferred(self) -> list[str]:
        """Patterns with the first of several formats only: a repository may hold its weights in three."""
        return [*(entry.split(" or ")[0] for entry in self.needed), *self.also]

    @property
    def patterns(self) -> list[str]:
        """Every pattern of a file that may be read."""
        return [pattern for entry in (*self.needed, *self.also) for pattern in entry.split(" or ")]


def rebased(model: str, base: Path) -> str:
    """Return a model with a relative folder made to start at `base`; a hub id stays."""
    path = base / Path(model).expanduser()
    return str(path.resolve()) if path.is_dir() else model


def folder(weights: Weights) -> Path:
    """Return the folder with the files, fetched where that is needed and allowed. Raises MissingModel."""
    found = _here(weights) or _fetched(weights)
    missing = _lacking(found, weights)
    if missing:
        raise MissingModel(f"{weights.backend}: {found} has no {', '.join(missing)}. {_help(weights)}")
    return found


def identity(weights: Weights) -> str:
    """Say which weights these are: a digest of a folder's files, or `owner/name@commit` of a hub.

    The commit is looked up in the hub library's cache, then on the hub. Where neither knows it,
    `owner/name@revision`.
    """
    here = _here(weights)
    if here is not None:
        return _digest(tuple((file, *_stamp(file)) for file in _files(here, weights.patterns)))
    revision = weights.revision or NEWEST
    if not _COMMIT.fullmatch(revision):
        revision = _cached_commit(weights) or _hubs_commit(weights.model, revision, _offline()) or revision
    return f"{weights.model}@{revision}"


def _here(weights: Weights) -> Path | None:
    path = Path(weights.model).expanduser()
    if path.is_dir():
        return path
    if not _HUB_ID.fullmatch(weights.model):
        raise MissingModel(f"{weights.backend}: no folder {path}. {_help(weights)}")
    mirror = os.environ.get("SPEECHMILL_MIRROR")
    name = f"{weights.model}@{weights.revision}" if weights.revision else weights.model
    copy = Path(mirror) / name if mirror else None
    return copy if copy is not None and copy.is_dir() else None


def _files(where: Path, patterns: list[str]) -> list[Path]:
    return sorted({file for pattern in patterns for file in where.glob(pattern) if file.is_file()})


def _lacking(where: Path, weights: Weights) -> list[str]:
    return [entry for entry in weights.needed if not _files(where, entry.split(" or "))]


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@functools.cache
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest files, once while size and date stay: a plan asks several times, and weights are gigabytes."""
    return digest(*(part for file, _size, _mtime_ns in files for part in (file.name, sha256_file(file))))


def _fetched(weights: Weights) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingDependency(
            f"{weights.backend}: {weights.model!r} comes from a hub: pip install huggingface_hub"
        ) from None
    found, failure = None, None
    for patterns, local in _tries(weights):
        # The hub's client raises OSError's children for the network and the cache, ValueError for malformed ids.
        try:
            found = Path(
                str(
                    snapshot_download(
                        weights.model,
                        revision=weights.revision,
                        cache_dir=weights.cache,
                        allow_patterns=patterns,
                        local_files_only=local,
                    )
                )
            )
        except (OSError, ValueError) as error:
            failure = error
            if not local:
                break
        else:
            if not _lacking(found, weights):
                return found
    if found is not None:
        return found  # whoever asked names what it lacks
    said = _PASSWORD.sub("//", next(iter(str(failure).splitlines()), ""))
    why = "SPEECHMILL_OFFLINE is set" if _offline() else f"the hub gave none ({type(failure).__name__}: {said})"
    raise MissingModel(
        f"{weights.backend}: there is no folder {weights.model!r}, no weights of that name are cached, and {why}. "
        f"{_help(weights)}"
    ) from failure


def _tries(weights: Weights) -> list[tuple[list[str], bool]]:
    """Patterns, and whether only the cache is asked: what is here is enough, and one format of several is."""
    both = (weights.preferred, weights.patterns)
    return [(patterns, local) for local in ((True,) if _offline() else (True, False)) for patterns in both]


def _cached_commit(weights: Weights) -> str | None:
    """The commit that a branch or tag meant when it was fetched, as the hub library notes it in its cache."""
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    cache = Path(weights.cache).expanduser() if weights.cache else Path(constants.HF_HUB_CACHE)
    noted = cache / f"models--{weights.model.replace('/', '--')}" / "refs" / (weights.revision or NEWEST)
    return noted.read_text(encoding="utf-8").strip() if noted.is_file() else None


@functools.cache
def _hubs_commit(model: str, revision: str, offline: bool) -> str | None:
    """Ask the hub what a branch or tag means, before anything is fetched: the fingerprint is then final."""
    if offline:
        return None
    try:
        from huggingface_hub import HfApi

        commit = HfApi().model_info(model, revision=revision, timeout=LOOKUP_TIMEOUT_S).sha
    except Exception:  # its HTTP client's errors share no base; whoever fetches the weights meets the cause again
        return None
    return None if commit is None else str(commit)


def _offline() -> bool:
    return os.environ.get("SPEECHMILL_OFFLINE", "") not in ("", "0")


def _help(weights: Weights) -> str:
    name = weights.model if _HUB_ID.fullmatch(weights.model) else "OWNER/NAME"
    pinned = f" --revision {weights.revision}" if weights.revision else ""
    return (
        f"Fetch them where there is a network, hf download {name}{pinned} --local-dir FOLDER, "
        f"copy FOLDER here and say model: FOLDER. It must hold {', '.join(weights.needed)}."
    )
