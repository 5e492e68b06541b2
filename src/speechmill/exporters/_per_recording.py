# SPDX-License-Identifier: Apache-2.0
"""Exports of one file for each recording, `<split>/<recording>.<suffix>`, and of one for each split."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from speechmill.core.files import atomic
from speechmill.core.paths import file_name
from speechmill.core.types import Recording
from speechmill.exporters import Shard, Written

UNKNOWN = "unknown"  # formats whose lines and tiers must name a speaker


def place(folder: Path, shard: Shard, recording: Recording, suffix: str) -> Path:
    """Return the path of a recording's file. Raises WorkspaceError where its id can't be a file's name.

    Who writes it needn't wait for the disk: an export is on it as a whole before it takes its place.
    """
    return folder / shard.split / f"{file_name(recording.id, 'dataset/recordings.parquet')}{suffix}"


def put_together(shards: Sequence[Written], folder: Path, suffix: str) -> None:
    """Write `<split><suffix>`: the files of a split's recordings one behind the other, ordered by the ids' bytes.

    One file at a time is open, so that memory doesn't grow with the number of recordings.
    """
    found: dict[str, list[str]] = {}
    for shard in shards:
        found.setdefault(shard.split, []).extend(shard.recordings)
    for split, ids in found.items():
        with atomic(folder / f"{split}{suffix}") as temporary, temporary.open("wb") as whole:
            for recording_id in sorted(ids):  # code points have the order of their bytes in UTF-8
                with (folder / split / f"{recording_id}{suffix}").open("rb") as part:
                    shutil.copyfileobj(part, whole)


def one_field(text: str) -> str:
    """Make a name or word that can stand between spaces: white space becomes "_", and no comment starts with it.

    >>> one_field(" Bảo, the host")
    'Bảo,_the_host'
    """
    return "_".join(text.split()).lstrip(";") or UNKNOWN


def one_name(name: str) -> str:
    """Make a speaker's name that can stand between spaces; one that can't be written as it is gets a hash of it.

    So "a b" and "a_b" stay two speakers, in every shard and whoever else is in the data set.

    >>> one_name("a_b"), one_name("a b")
    ('a_b', 'a_b_c8687a08')
    """
    plain = one_field(name)
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
