# SPDX-License-Identifier: Apache-2.0
"""What a purge leaves: a certificate for good, and while it is under way a journal of what it must find again.

The certificate doesn't name what was purged. It has an HMAC of it by a salt that only the caller is given, once: who
has that can prove that this certificate is of that name; who has not can't try names until one fits. The journal holds
ids, hashes and addresses, no text and no audio, readable by the owner alone, and goes when the purge is through.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core.errors import WorkspaceError
from speechmill.core.files import atomic, write_bytes
from speechmill.pipeline.purge.target import Target
from speechmill.store.denied import FOLDER
from speechmill.store.workspace import Workspace


class Asked(Struct, frozen=True):
    """Who wants it, and why; both stand in the certificate."""

    who: str = ""
    reason: str = ""


class Model(Struct, frozen=True):
    """A model made from the corpus, and whether it is known to have been trained on the target."""

    id: str
    stage: str
    trained: str  # "yes" | "maybe" | "no": what was recorded of its training items doesn't name them
    deleted: bool = False


class Journal(Struct, frozen=True):
    """A purge under way."""

    certificate: str
    salt: str
    target: Target
    asked: Asked
    models: bool  # whether models trained on it go, too
    versions: tuple[int, ...] = ()
    made: tuple[Model, ...] = ()
    exports: tuple[str, ...] = ()
    touched: dict[str, dict[str, int]] = {}


class Certificate(Struct, frozen=True):
    """`purges/<id>.json`."""

    id: str
    when: str  # UTC, ISO 8601
    who: str
    reason: str
    kind: str  # recording | speaker | url
    target: str  # HMAC-SHA256 of what was asked for, by the caller's salt
    recordings: int
    rewritten: dict[str, int]  # kind of thing -> files
    deleted: dict[str, int]
    versions: tuple[int, ...]  # of the dataset, that it was in
    exports: tuple[str, ...]  # formats it was in: written anew without it, or deleted
    models: tuple[Model, ...]
    looked_for: dict[str, int]  # by the scan: how many names, texts, pieces of audio
    scanned: int  # files
    found: int  # traces that the scan found: 0
    beyond: tuple[str, ...]  # what is out of reach
    speechmill: str


def salted(salt: str, asked: str) -> str:
    """Return what a certificate has of a target."""
    return hmac.new(bytes.fromhex(salt), asked.encode(), "sha256").hexdigest()


def write_certificate(workspace: Workspace, certificate: Certificate) -> Path:
    """Write it; nothing ever rewrites it."""
    path = workspace.root / "purges" / f"{certificate.id}.json"
    write_bytes(path, msgspec.json.format(msgspec.json.encode(certificate), indent=2))
    return path


def journal_path(workspace: Workspace) -> Path:
    """Where the journal is while a purge is under way."""
    return workspace.root / FOLDER / "purging.json"


def write_journal(workspace: Workspace, journal: Journal) -> None:
    """Write it, readable by its owner alone."""
    with atomic(journal_path(workspace)) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(msgspec.json.encode(journal))
        os.chmod(temporary, 0o600)


def read_journal(workspace: Workspace) -> Journal | None:
    """Return the purge that was cut off; None where there is none."""
    path = journal_path(workspace)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise WorkspaceError(f"{path} can't be read: {error}. Delete it and purge again") from error
