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


class Denied(Struct, frozen=True):
    """The list. `salt`: 64 hex digits."""

    salt: str = ""
    entries: tuple[Entry, ...] = ()

    def hash(self, name: str) -> str:
        """Return what the list would have of a name."""
        return hmac.new(bytes.fromhex(self.salt), name.encode(), "sha256").hexdigest()

    def holds(self, *names: str) -> bool:
        """Tell whether any of these is denied: a file's SHA-256, or `item_name`."""
        if not self.entries:
            return False
        known = {entry.hash for entry in self.entries}
        return any(self.hash(name) in known for name in names if name)


def item_name(recording_id: str) -> str:
    """Name a crawled item for the list: by the id of its recording, which its platform's id makes anywhere."""
    return f"item:{recording_id}"


def read_denied(workspace: Path) -> Denied:
    """Read the list. Raises WorkspaceError where it is broken: nothing may slip through."""
    path = workspace / FOLDER / "denied.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Denied)
    except FileNotFoundError:
        return Denied()
    except msgspec.MsgspecError as error:
        raise WorkspaceError(f"{path} can't be read: {error}. It says what was purged; restore it") from error


def deny(workspace: Path, certificate: str, names: Iterable[str]) -> int:
    """Add names to the list. Returns how many are new."""
    found = read_denied(workspace)
    found = found if found.salt else Denied(secrets.token_hex(32))
    known = {entry.hash for entry in found.entries}
    new = sorted({found.hash(name) for name in names if name} - known)
    entries = (*found.entries, *(Entry(certificate, one) for one in new))
    path = workspace / FOLDER / "denied.json"
    write_bytes(path, msgspec.json.format(msgspec.json.encode(Denied(found.salt, entries)), indent=2))
    return len(new)
