# SPDX-License-Identifier: Apache-2.0
"""review.html: a page on which a person listens to a sample, judges each segment and mends its text and speaker.

It needs nothing but the folder `clips` beside it, asks no network and says so to the browser. What was judged is kept
in the browser until it is saved as verdicts.csv. Texts and names are text, whatever they hold.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.core.errors import SpeechmillError
from speechmill.core.files import write_bytes
from speechmill.core.timebase import CANONICAL_HZ
from speechmill.core.types import Recording, Segment
from speechmill.pipeline.report.markup import json_text, tag
from speechmill.pipeline.sample.drawing import Drawn, Sample
from speechmill.pipeline.sample.verdicts import FAULTS, GOOD
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace

LABELS = (GOOD, *FAULTS)  # on the keys 1, 2, 3, ...


class Item(Struct, frozen=True):
    """A segment as the page and sample.json show it."""

    id: str
    recording: str
    text: str
    speaker: str
    language: str
    seconds: float
    stratum: str
    weight: float
    clip: str  # path beside the page; "": there is no audio
    missing: str = ""  # why


def write_sheet(workspace: Workspace, sample: Sample, folder: Path) -> Path:
    """Write review.html, sample.json and clips/ into a folder. Returns the page's path.

    The dataset must still be the one that the sample was drawn from.
    """
    dataset = Dataset(workspace.root)
    recordings = dataset.recordings()
    segments = {one.id: one for one in _segments(workspace, {drawn.id for drawn in sample.segments})}
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    items = [
        _item(dataset, recordings[segments[drawn.id].recording_id], segments[drawn.id], drawn, folder)
        for drawn in sample.segments
    ]
    about = {name: getattr(sample, name) for name in sample.__struct_fields__ if name != "segments"}
    write_bytes(folder / "sample.json", msgspec.json.format(msgspec.json.encode({**about, "segments": items})))
    page = folder / "review.html"
    data = {"sample": sample.id, "labels": LABELS, "items": items}
    write_bytes(page, _page(data).encode())
    return page


def _segments(workspace: Workspace, wanted: set[str]) -> list[Segment]:
    columns = SegmentColumns(workspace.dataset / "segments.parquet")
    rows = [row for row, name in enumerate(columns.ids().to_pylist()) if name in wanted]
    return [msgspec.convert(row, Segment) for row in columns.rows(rows)]


def _item(dataset: Dataset, recording: Recording, segment: Segment, drawn: Drawn, folder: Path) -> Item:
    clip, missing = f"clips/{segment.id}.flac", ""
    try:
        _write_clip(dataset, recording, segment, folder / clip)
    except (OSError, SpeechmillError) as error:  # the others can be judged; the page says why this one can't
        clip, missing = "", str(error)
    return Item(
        segment.id,
        recording.id,
        segment.text or "",
        segment.speaker or "",
        segment.language or recording.language or "",
        segment.duration,
        drawn.stratum,
        drawn.weight,
        clip,
        missing,
    )


def _write_clip(dataset: Dataset, recording: Recording, segment: Segment, path: Path) -> None:
    from speechmill.formats.flac import encode_flac

    samples = dataset.cut(recording, segment)
    path.write_bytes(encode_flac(samples, CANONICAL_HZ))


def _page(data: Any) -> str:
    script = _file("review.js")
    return Template(_file("review.html")).substitute(
        title=tag("title", f"Review of sample {data['sample']}"),
        style=_file("review.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=json_text(data),
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
