# SPDX-License-Identifier: Apache-2.0
"""Everything that happened to a segment or a recording, and why, in lines of text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechmill.core.errors import ConfigError
from speechmill.core.types import SPLITS
from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.events import read_events
from speechmill.pipeline.reasons import meaning
from speechmill.pipeline.refilter import Index, read_index
from speechmill.store import assigned
from speechmill.store.workspace import Workspace
from speechmill.text.pii import kinds


def explain(root: Path, name: str) -> list[str]:
    """Explain a segment's or a recording's id. Raises ConfigError where the dataset has neither."""
    workspace = Workspace.open(root)
    index = read_index(workspace)
    segment = _find(workspace.dataset / "segments.parquet", name)
    recording = _find(workspace.dataset / "recordings.parquet", segment["recording_id"] if segment else name)
    if recording is None:
        raise ConfigError(f"{root} has no segment or recording {name!r}; ids stand in dataset/segments.parquet")
    lines = [*_recording(recording), *_split(workspace, recording), *_history(workspace, recording["id"])]
    if segment is not None:
        lines += [*_segment(segment), *_models(workspace, index.run), *_verdict(segment, index)]
    return lines


def _find(path: Path, name: str) -> dict[str, Any] | None:
    """Return the row of that id: ids are read alone first, for the table may hold a million segments."""
    ids = read_parquet(path, ["id"])["id"]
    row = pc.index(ids, name).as_py()
    if row < 0:
        return None
    with pq.ParquetFile(path) as file:
        for i in range(file.num_row_groups):
            count = file.metadata.row_group(i).num_rows
            if row < count:
                found: dict[str, Any] = file.read_row_group(i).slice(row, 1).to_pylist(maps_as_pydicts="strict")[0]
                return found
            row -= count
    return None


def _recording(row: dict[str, Any]) -> Iterator[str]:
    yield f"recording {row['id']}"
    yield f"  original      {row['uri']!r}, sha256 {row['sha256'][:16]}"
    if row["audio"]:
        yield f"  audio         {row['duration']:.3f} s, {row['sampling_rate']} Hz, {row['channels']} channels"
        loudness = row["loudness_lufs"]
        yield f"  loudness      {'silent' if loudness is None else f'{loudness:.1f} LUFS'}"
    rights = row["rights"] or {}
    yield f"  licence       {rights.get('licence') or 'unstated'}"
    yield f"  language      {row['language'] or 'unstated'}; text from {row['transcript'] or 'nowhere'}"
    for warning in row["warnings"]:
        yield f"  warning       {warning}"
    if row["alias_of"]:
        yield f"  equal to      {row['alias_of']}: same content and text, worked on once"
    if row["failed_stage"]:
        yield f"  failed        in {row['failed_stage']}: {row['reason']} {row['detail'] or ''}"


def _history(workspace: Workspace, recording_id: str) -> Iterator[str]:
    yield "history"
    for run in sorted(workspace.runs.glob("*")):
        for event in read_events(run, recording_id):
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
            outcome = f"failed: {event.failed} {event.detail}" if event.failed else "done"
            yield f"  {when}  {event.stage:<18} {outcome}  ({event.wall_s:.2f} s, run {run.name})"


def _segment(row: dict[str, Any]) -> Iterator[str]:
    yield f"segment {row['id']}"
    yield f"  place         {row['start']:.3f} s to {row['start'] + row['duration']:.3f} s, channel {row['channel']}"
    yield f"  speaker       {row['speaker'] or 'unknown'}, overlap {row['overlap']:.2f}"
    yield f"  text          {row['text']!r}"
    yield f"  words         {len(row['words'])} timed, {len(row['phones'])} phones"
    if row.get("corrected"):
        yield f"  corrected     {', '.join(row['corrected'])}; see: speechmill corrections list"
    for name, value in (row["scores"] or {}).items():
        yield f"  {name:<13} {'none' if value is None else f'{value:.3f}'}"
    if (row["scores"] or {}).get("pii"):
        yield f"  personal      {', '.join(kinds(row['text'] or '', row['language']))}"
    for stage, reason in row["gaps"].items():
        yield f"  gap           {stage}: {reason}"


def _models(workspace: Workspace, run: str) -> Iterator[str]:
    """Name the models made from the corpus that the dataset's run worked with."""
    from speechmill.pipeline.overview import models_of

    for model in models_of(workspace.runs / run):
        yield f"  {'aligned by' if model.stage == 'align' else model.stage:<13} {model.backend}, model {model.id}"


def _verdict(row: dict[str, Any], index: Index) -> Iterator[str]:
    kept = f"kept, for {row['split']}" if index.splits is not None else "kept"
    yield kept if not row["drops"] else "dropped"
    dropped = {drop["rule"]: drop for drop in row["drops"]}
    for rule in index.rules:
        drop = dropped.get(rule)
        if drop is None:
            yield f"  passed        {rule}"
        elif drop["value"] is None:
            yield f"  dropped by    {rule}: there is no value"
        else:
            yield f"  dropped by    {rule}: it is {drop['value']:.4g}"
    for drop in row["drops"]:
        if meaning(drop["rule"]) is not None:
            yield f"  dropped as    {drop['rule']}: {_in_words(drop, row['duplicate_of'])}"


def _in_words(drop: dict[str, Any], duplicate_of: str | None) -> str:
    """Say why something that is no rule dropped a segment, and in whose place."""
    text = meaning(drop["rule"]) or ""
    if drop["value"] is not None:
        text += f"; similarity {drop['value']:.3g}, and {drop['threshold']:.3g} is too much"
    return f"{text}; kept is {duplicate_of}" if duplicate_of and drop["rule"].startswith("duplicate-") else text


def _split(workspace: Workspace, recording: dict[str, Any]) -> Iterator[str]:
    """Say of which split a recording is remembered to be."""
    split = assigned.read(workspace.splits).of("recording").get(recording["sha256"])
    if split is not None:
        yield f"  split         {SPLITS[split]}, and it stays there"
