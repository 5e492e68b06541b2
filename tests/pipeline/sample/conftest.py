# SPDX-License-Identifier: Apache-2.0
"""A workspace of four recordings with five segments each, one of them dropped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from speechmill.core.types import Drop, Recording, Segment, Word
from speechmill.formats.flac import write_flac
from speechmill.formats.manifest import segment_schema, table_of, write_parquet, write_rows
from speechmill.pipeline.refilter import Index
from speechmill.store.workspace import Workspace

EVIL = "</script><script>document.title='evil'</script><img src=x onerror=alert(1)>"


def segment(recording: int, number: int) -> Segment:
    start = 1.0 * number
    name = f"talk-{recording}-0-{number * 1000:07d}-{number * 1000 + 900:07d}"
    return Segment(
        name,
        f"talk-{recording}",
        start,
        0.9,
        0,
        EVIL if (recording, number) == (0, 0) else f"text {recording} {number}",
        "vi" if recording == 3 else "en",
        None if number == 3 else f"talk-{recording}#{number % 2}",
        words=(Word("text", start, 0.9, (recording * 5 + number) / 20),),
        scores={"snr_db": None if number == 1 else 10.0 * recording + number},
        drops=(Drop("snr_db", 1.0, 5.0),) if number == 4 else (),
        split=None if number == 4 else "train",
    )


def recording(number: int) -> Recording:
    return Recording(
        f"talk-{number}", f"/x/{number}.wav", f"{number}" * 64, 5.0, 24_000, 1, (f"recordings/{number}.flac",)
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "workspace")
    segments = [segment(of, number) for of in range(4) for number in range(5)]
    write_parquet(made.dataset / "segments.parquet", table_of(segments, segment_schema(["snr_db"])))
    write_rows(made.dataset / "recordings.parquet", [recording(number) for number in range(4)], Recording)
    index = Index("run", "aaaa", "bbbb", (), None, ("snr_db",))
    (made.dataset / "index.json").write_bytes(msgspec.json.encode(index))
    (made.root / "recordings").mkdir()
    tone = np.rint(8000 * np.sin(np.arange(5 * 24_000) / 20)).astype(np.int16)
    for number in range(4):
        write_flac(made.root / f"recordings/{number}.flac", tone, 24_000)
    return made
