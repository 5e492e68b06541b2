# SPDX-License-Identifier: Apache-2.0
"""What a format couldn't hold as it was: counted by each shard, told for each split in counts.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.exporters import Written
from speechmill.exporters._lines import splits_of

FILE = "counts.json"


class Counts(Struct, frozen=True):
    """Segments of a shard, or of a split."""

    without_text: int = 0  # left out
    text_changed: int = 0  # written otherwise than they are in the dataset


def write_counts(folder: Path, shards: Sequence[Written]) -> None:
    """Add the notes of shards up and write them."""
    found = {}
    for split, written in splits_of(shards).items():
        counts = [msgspec.convert(shard.note, Counts) for shard in written]
        without, changed = sum(one.without_text for one in counts), sum(one.text_changed for one in counts)
        segments = sum(shard.segments for shard in written)
        found[split] = {"written": segments - without, "without_text": without, "text_changed": changed}
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
