# SPDX-License-Identifier: Apache-2.0
"""What was purged must not come back: `privacy/denied.json`, by salted hashes that tell nothing by themselves.

Whoever has the file or the address can ask whether it is denied; nobody can read from the list what it was.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core.errors import WorkspaceError
from speechmill.core.files import write_bytes

FOLDER = "privacy"


class Entry(Struct, frozen=True):
    """One thing that is denied."""

    certificate: str  # of the purge; without its entries the same things are taken in again
    hash: str  # HMAC-SHA256 by the list's salt


class _File(Struct, frozen=True):
    """The list as it is written. `salt`: 64 hex digits."""

    salt: str = ""
    entries: tuple[Entry, ...] = ()


class Denied:
    """What must not come back."""

    def __init__(self, salt: str = "", entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._salt = bytes.fromhex(salt)
        self._known = frozenset(entry.hash for entry in self.entries)

    def hash(self, name: str) -> str:
        """Return what the list would have of a name."""
        return hmac.new(self._salt, name.encode(), "sha256").hexdigest()

    def holds(self, *names: str) -> bool:
        """Tell whether any of these is denied: a file's SHA-256, or `item_name`."""
        return bool(self._known) and any(self.hash(name) in self._known for name in names if name)


def item_name(recording_id: str) -> str:
    """Name a crawled item for the list: by the id of its recording, which its platform's id makes anywhere."""
    return f"item:{recording_id}"


def read_denied(workspace: Path) -> Denied:
    """Read the list. Raises WorkspaceError where it is broken: nothing may slip through."""
    found = _read(workspace)
    return Denied(found.salt, found.entries)


def deny(workspace: Path, certificate: str, names: Iterable[str]) -> int:
    """Add names to the list. Returns how many are new."""
    found = _read(workspace)
    salt = found.salt or secrets.token_hex(32)
    before = Denied(salt, found.entries)
    new = sorted({before.hash(name) for name in names if name and not before.holds(name)})
    entries = (*found.entries, *(Entry(certificate, one) for one in new))
    content = msgspec.json.format(msgspec.json.encode(_File(salt, entries)), indent=2)
    write_bytes(workspace / FOLDER / "denied.json", content)
    return len(new)


def _read(workspace: Path) -> _File:
    path = workspace / FOLDER / "denied.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
        bytes.fromhex(found.salt)
    except FileNotFoundError:
        return _File()
    except (msgspec.MsgspecError, ValueError) as error:
        raise WorkspaceError(f"{path} can't be read: {error}. It says what was purged; restore it") from error
    return found
