# SPDX-License-Identifier: Apache-2.0
"""Rows of a Hugging Face dataset as Arrow, a column at a time, and the schema that has its features."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from speechmill.core.timebase import ticks
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters._attribution import rights_of
from speechmill.exporters._clips import Container
from speechmill.exporters._kept import SAMPLING_RATE, language_of
from speechmill.formats.manifest import arrow_type

AUDIO_LEAF = "audio.bytes"
REPEATED = ["recording_id", "language", "speaker", "licence", "attribution"]  # columns with few values

_AUDIO = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
_TIMED = arrow_type(tuple[Word, ...])


class Clip(NamedTuple):
    """A segment with its audio."""

    recording: Recording
    segment: Segment
    content: bytes
    duration: float  # seconds


def schema_of(scores: Sequence[str], container: Container) -> pa.Schema:
    """Return the schema of a shard, with the features that `datasets` reads from its metadata."""
    types = {
        "id": pa.string(),
        "audio": _AUDIO,
        "text": pa.string(),
        "language": pa.string(),
        "speaker": pa.string(),
        "recording_id": pa.string(),
        "start": pa.float64(),
        "duration": pa.float64(),
        "words": _TIMED,
        "phones": _TIMED,
        **{f"score_{name}": pa.float64() for name in scores},
        "licence": pa.string(),
        "attribution": pa.string(),
    }
    features = {name: _feature(kind) for name, kind in types.items() if name != "audio"}
    features["audio"] = {"sampling_rate": SAMPLING_RATE, "_type": "Audio"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}}), "audio": container}
    return pa.schema(list(types.items()), metadata=metadata)


def _feature(kind: pa.DataType) -> Any:
    """Return an Arrow type as `datasets` writes it in JSON; a list is a list of one, which versions 3 to 5 read."""
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": {pa.string(): "string", pa.float64(): "float64"}[kind], "_type": "Value"}


def table_of(clips: Sequence[Clip], schema: pa.Schema, scores: Sequence[str]) -> pa.Table:
    """Return rows of these clips."""
    suffix = schema.metadata[b"audio"].decode()
    segments = [clip.segment for clip in clips]
    rights = [rights_of(clip.recording) for clip in clips]
    columns: dict[str, Any] = {
        "id": [segment.id for segment in segments],
        "audio": _audio(clips, suffix),
        "text": [segment.text for segment in segments],
        "language": [language_of(clip.recording, clip.segment) for clip in clips],
        "speaker": [segment.speaker for segment in segments],
        "recording_id": [segment.recording_id for segment in segments],
        "start": [segment.start for segment in segments],
        "duration": [clip.duration for clip in clips],
        "words": _timed(segments, lambda segment: segment.words),
        "phones": _timed(segments, lambda segment: segment.phones),
        **{f"score_{name}": [segment.scores.get(name) for segment in segments] for name in scores},
        "licence": [one.licence for one in rights],
        "attribution": [one.attribution for one in rights],
    }
    arrays = [_array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _audio(clips: Sequence[Clip], suffix: str) -> pa.Array:
    bounds = np.zeros(len(clips) + 1, np.int32)
    np.cumsum([len(clip.content) for clip in clips], out=bounds[1:])
    # One copy of the bytes, where pa.array makes a buffer grow under them.
    joined = pa.py_buffer(b"".join([clip.content for clip in clips]))
    content = pa.BinaryArray.from_buffers(pa.binary(), len(clips), [None, pa.py_buffer(bounds), joined])
    paths = pa.array([f"{clip.segment.id}.{suffix}" for clip in clips], pa.string())
    return pa.StructArray.from_arrays([content, paths], fields=list(_AUDIO))


def _timed(segments: Sequence[Segment], of: Callable[[Segment], Sequence[Word]]) -> pa.Array:
    """Return words or phones, counted from the start of the clip."""
    lists = [of(segment) for segment in segments]
    flat = [symbol for found in lists for symbol in found]
    offsets = [0, *itertools.accumulate(map(len, lists))]
    begins = np.repeat([segment.start for segment in segments], np.diff(offsets))
    children = [
        pa.array([symbol.symbol for symbol in flat], pa.string()),
        pa.array(ticks(np.array([symbol.start for symbol in flat], np.float64) - begins)),
        pa.array(ticks(np.array([symbol.duration for symbol in flat], np.float64))),
        pa.array([symbol.score for symbol in flat], pa.float64()),
    ]
    items = pa.StructArray.from_arrays(children, fields=list(_TIMED.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=_TIMED)


def leaves(schema: pa.Schema) -> Iterator[str]:
    """Yield the paths of a schema's columns as Parquet has them."""
    for field in schema:
        yield from _paths(field.name, field.type)


def _paths(path: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_list(kind):
        yield from _paths(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _paths(f"{path}.{field.name}", field.type)
    else:
        yield path
