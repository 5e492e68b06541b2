# SPDX-License-Identifier: Apache-2.0
"""Names for speakers that tell nobody who they are: `spk-` and 10 hex digits of an HMAC-SHA256 of the name.

The key is random, the workspace's own (`privacy/key`, readable by its owner alone) and never exported: who has it can
try names, nobody else can; who deletes it gives every speaker a new pseudonym at the next export. One name is one
pseudonym in every export and version of a workspace, and another in another workspace.

What stays: recording ids hold the stems of files' names, attributions name authors, and a text may name anybody.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
import uuid
from pathlib import Path

from speechmill.core.errors import WorkspaceError
from speechmill.core.files import TEMPORARY, sync_folder

KEY = Path("privacy") / "key"
DIGITS = 10  # of 10,000 speakers, two have the same in 1 of 20,000 workspaces
_KEY = re.compile(r"[0-9a-f]{64}")


class Pseudonyms:
    """Gives speakers other names."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        """Name the key without telling it: exports made with another give other names."""
        return hmac.new(self._key, b"speechmill.key", "sha256").hexdigest()[:16]

    def of(self, speaker: str | None) -> str | None:
        """Return a speaker's pseudonym; None for nobody."""
        if speaker is None:
            return None
        if speaker not in self._known:
            digest = hmac.new(self._key, speaker.encode(), "sha256").hexdigest()
            self._known[speaker] = f"spk-{digest[:DIGITS]}"
        return self._known[speaker]


def pseudonyms(workspace: Path) -> Pseudonyms:
    """Return those of a workspace; its key is made at the first call. Raises WorkspaceError where that is broken."""
    path = workspace / KEY
    if not path.exists():
        _make(path)
    written = path.read_text(encoding="ascii", errors="replace").strip()
    if not _KEY.fullmatch(written):
        raise WorkspaceError(f"{path} is no key of 64 hex digits. Restore it; without it, every pseudonym changes")
    return Pseudonyms(bytes.fromhex(written))


def naming(workspace: Path, speakers: str) -> str:
    """Name the way in which exports name speakers, the key of pseudonyms included. speakers: see `Dataset`."""
    return f"pseudonyms {pseudonyms(workspace).fingerprint}" if speakers == "pseudonyms" else speakers


def _make(path: Path) -> None:
    """Write a key unless another process was first: none is ever replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
