# SPDX-License-Identifier: Apache-2.0
"""report.html: what a run made of a corpus, in one file that opens anywhere.

It asks the network for nothing and says so to the browser (a content security policy with no source but
itself); audio, pictures, style and script are inside. What the corpus says of itself is always text.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path
from string import Template

from speechmill.core.files import write_bytes
from speechmill.pipeline.report import sections
from speechmill.pipeline.report.facts import gather
from speechmill.pipeline.report.markup import Html, json_text, tag
from speechmill.pipeline.report.recordings import Recordings
from speechmill.pipeline.report.samples import collect
from speechmill.pipeline.segment_columns import SegmentColumns


def write_report(workspace: Path, *, audio: bool = True, samples: int = 24) -> Path:
    """Write `report.html` into a workspace and return its path.

    audio: put short clips of the samples into the page, about 8 MB at most. samples: how many segments to
    show, half of them dropped ones where there are enough. Raises WorkspaceError where there was no run.
    """
    table = workspace / "dataset" / "segments.parquet"
    segments = SegmentColumns(table) if table.exists() else None
    recordings = Recordings(workspace / "dataset" / "recordings.parquet")
    facts = gather(workspace, segments, recordings)
    kept, dropped = collect(workspace, segments, recordings, samples, audio=audio) if segments else ([], [])
    path = workspace / "report.html"
    page = _page(f"{facts.name}: speech dataset report", sections.body(facts, kept, dropped), sections.numbers(facts))
    write_bytes(path, page.encode())
    return path


def _page(title: str, body: Html, numbers: object) -> str:
    script = _file("report.js")
    return Template(_file("report.html")).substitute(
        title=tag("title", title),
        style=_file("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        body=body,
        data=json_text(numbers),
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
