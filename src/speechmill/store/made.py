# SPDX-License-Identifier: Apache-2.0
"""Models made from the corpus: kept whole or not at all, never altered, and one of a trainer's models pinned.

    models/<id>/        what the trainer wrote, and made.json
    models/pins.json    fingerprint of a trainer -> id of the model that is used

An id is the hash of the trainer's fingerprint and of what it was trained on.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core.documents import read_document
from speechmill.core.files import TEMPORARY, digest, sync_folder, write_bytes


class Made(Struct, frozen=True):
    """What is known of a model made from the corpus: `made.json`."""

    id: str
    stage: str
    backend: str
    trainer: str  # the trainer's fingerprint
    items: str  # digest of what it was trained on
    source: str  # "corpus", or the folder that `train_on` names
    language: str | None
    hours: float
    utterances: int
    speakers: int
    left_out: dict[str, int] = {}  # reason -> utterances that were not trained on
    phones: int = 0
    words: int = 0  # different ones in the texts of the corpus
    guessed: int = 0  # of them, in no lexicon and said by no rule: by a trained G2P, or as a loan
    oov: int = 0  # of them, without a pronunciation


def model_id(trainer: str, items: str) -> str:
    """Name the model that a trainer makes of these items: 16 hex digits."""
    return digest(trainer, items)[:16]


def read_pins(models: Path) -> dict[str, str]:
    """Return which model each trainer has pinned. `models` is the workspace's folder of models."""
    path = models / "pins.json"
    try:
        return read_document(path, dict[str, str], "Delete it to train anew")
    except FileNotFoundError:
        return {}


def pin(models: Path, trainer: str, model: str) -> None:
    """Use a model from now on for everything that this trainer's models are for."""
    found = read_pins(models) | {trainer: model}
    write_bytes(models / "pins.json", msgspec.json.format(msgspec.json.encode(dict(sorted(found.items()))), indent=2))


def read_made(models: Path, model: str) -> Made | None:
    """Return what is known of a model; None where it is not there."""
    try:
        return read_document(models / model / "made.json", Made)
    except FileNotFoundError:
        return None


def keep(models: Path, model: str, make: Callable[[Path], Made]) -> bool:
    """Have a model made, unless it is there; whole or not at all. Returns whether it was made now.

    make: writes the model's files into the folder it is given, and says what is known of the model.
    """
    if read_made(models, model) is not None:
        return False
    staging = models / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
    staging.mkdir(parents=True)
    try:
        made = make(staging)
        write_bytes(staging / "made.json", msgspec.json.format(msgspec.json.encode(made), indent=2))
        for path in staging.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        _place(staging, models / model)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def _place(staging: Path, folder: Path) -> None:
    """Give a finished folder its name; another process may have been first with the same model."""
    try:
        staging.replace(folder)
    except OSError:
        if not (folder / "made.json").exists():
            raise
    sync_folder(folder.parent)


def unused(models: Path) -> list[Path]:
    """Return the models that nothing has pinned; `speechmill gc` deletes them."""
    pinned = set(read_pins(models).values())
    folders = [path for path in models.glob("*") if path.is_dir() and not path.name.startswith(TEMPORARY)]
    return sorted(path for path in folders if path.name not in pinned)
