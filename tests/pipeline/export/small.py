# SPDX-License-Identifier: Apache-2.0
"""A dataset of as many recordings as a test wants, each with two segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from speechmill.core.types import Drop, Recording, Segment
from speechmill.formats.flac import write_flac
from speechmill.formats.manifest import segment_schema, table_of, write_parquet, write_rows
from speechmill.pipeline.export.engine import Made
from speechmill.store.contents import FILE
from speechmill.store.dataset import Dataset


def recording(name: str) -> Recording:
    return Recording(name, f"{name}.wav", "0" * 64, 2.0, 16_000, 1, (f"recordings/{name}.flac",), language="en")


def segments(name: str, split: str = "train", text: str = "hello") -> list[Segment]:
    ids = (f"{name}-0-0000000-0000500", f"{name}-0-0001000-0001500")
    return [Segment(one, name, start, 0.5, text=text, split=split) for one, start in zip(ids, (0.0, 1.0), strict=True)]


def write_dataset(root: Path, found: Sequence[Segment]) -> Dataset:
    """Write the tables of a dataset, and audio where there is none yet; a dataset that was there is replaced."""
    names = list(dict.fromkeys(one.recording_id for one in found))
    for name in names:
        path = root / "recordings" / f"{name}.flac"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flac(path, np.arange(48_000, dtype=np.int16) % 100, 24_000)
    write_rows(root / "dataset" / "recordings.parquet", [recording(name) for name in names], Recording)
    write_parquet(root / "dataset" / "segments.parquet", table_of(found, segment_schema([])))
    (root / "dataset" / FILE).unlink(missing_ok=True)
    return Dataset(root)


def dropped(one: Segment) -> Segment:
    return Segment(one.id, one.recording_id, one.start, one.duration, text=one.text, drops=(Drop("snr_db", 1.0, 2.0),))


Export = Callable[..., Made]
