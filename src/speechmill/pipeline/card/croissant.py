# SPDX-License-Identifier: Apache-2.0
"""Croissant 1.0: the dataset described for programs, https://docs.mlcommons.org/croissant/docs/croissant-spec.html.

Words and phones are lists of structs, which Croissant can't take apart: they are in the files and not in the record
sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from speechmill.pipeline.card.facts import Facts
from speechmill.pipeline.card.front import hub_licence

PARQUET = "application/x-parquet"
_SPECIFICATION = "http://mlcommons.org/croissant/1.0"
# What the specification's own examples have, less the terms that are not used here.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_MEANINGS = {
    "id": "Name of the row.",
    "recording_id": "The recording that a segment is of.",
    "start": "Seconds from the start of the recording.",
    "duration": "Seconds.",
    "text": "What is said.",
    "speaker": "Who says it.",
    "language": "ISO 639 code of the language that is spoken.",
    "split": "train, dev or test; null where the segment is dropped.",
    "audio": "The segment's sound.",
    "licence": "Licence of the recording.",
    "attribution": "Whom to name.",
}

Record = dict[str, Any]


def of_dataset(facts: Facts, segments: pa.Schema, recordings: pa.Schema) -> Record:
    """Describe dataset/: segments.parquet and recordings.parquet."""
    files = facts.manifest.files
    schemas = {"segments": segments, "recordings": recordings}
    distribution = [
        {
            "@type": "cr:FileObject",
            "@id": f"{name}.parquet",
            "name": f"{name}.parquet",
            "contentUrl": f"{name}.parquet",
            "contentSize": f"{files[f'dataset/{name}.parquet'].bytes} B",
            "encodingFormat": PARQUET,
            "sha256": files[f"dataset/{name}.parquet"].sha256,
        }
        for name in schemas
    ]
    sets = [
        _record_set(name, schema, {"fileObject": {"@id": f"{name}.parquet"}}, facts) for name, schema in schemas.items()
    ]
    return _described(facts, distribution, sets) | {"datePublished": facts.manifest.created[:10]}


def of_parquet_export(facts: Facts, schema: pa.Schema, patterns: Mapping[str, str]) -> Record:
    """Describe an export of Parquet shards. patterns: split -> its files, such as data/train-*.parquet."""
    distribution, sets = [], []
    for split, pattern in patterns.items():
        distribution.append(
            {
                "@type": "cr:FileSet",
                "@id": f"{split}-files",
                "name": f"{split}-files",
                "encodingFormat": PARQUET,
                "includes": pattern,
            }
        )
        sets.append(_record_set(split, schema, {"fileSet": {"@id": f"{split}-files"}}, facts))
    return _described(facts, distribution, sets)


def as_json(record: Record) -> str:
    """Write a description."""
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _described(facts: Facts, distribution: Iterable[Record], sets: Iterable[Record]) -> Record:
    counts = facts.manifest.counts
    licences = sorted({_licence(one.licence) for one in facts.licences if one.licence})
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": re.sub(r"[^A-Za-z0-9_.-]+", "-", facts.name).strip("-.") or "corpus",
        "conformsTo": _SPECIFICATION,
        "description": (
            f"{counts.kept_hours:.2f} hours of speech with text: {counts.kept} segments of {counts.recordings_kept} "
            "recordings, made with speechmill. README.md beside this file says how, and what to beware of."
        ),
        **({"license": licences} if licences else {}),
        **({"inLanguage": found} if (found := [one for one in counts.languages if one]) else {}),
        "keywords": ["speech", "speech recognition", "text to speech"],
        "version": f"{facts.manifest.number}.0.0",
        "isLiveDataset": False,
        "distribution": list(distribution),
        "recordSet": list(sets),
    }


def _licence(written: str) -> str:
    """Return a licence as an address where it is a Creative Commons one, else as it was written."""
    known = re.fullmatch(r"cc-(by(?:-[a-z]+)*)-(\d\.\d)", hub_licence(written))
    return f"https://creativecommons.org/licenses/{known[1]}/{known[2]}/" if known else " ".join(written.split())


def _record_set(name: str, schema: pa.Schema, source: Record, facts: Facts) -> Record:
    fields = [made for field in schema for made in _fields(name, field, source, facts)]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _fields(name: str, field: pa.Field, source: Record, facts: Facts) -> list[Record]:
    if field.name == "scores" and pa.types.is_struct(field.type):
        return [
            _field(name, f"scores/{one.name}", "sc:Float", source, "scores", facts, json_path=f"$.{one.name}")
            for one in field.type
        ]
    kind = "sc:AudioObject" if field.name == "audio" and pa.types.is_struct(field.type) else _data_type(field.type)
    return [_field(name, field.name, kind, source, field.name, facts)] if kind else []


def _field(
    of: str, name: str, kind: str, source: Record, column: str, facts: Facts, json_path: str | None = None
) -> Record:
    score = facts.meanings.get(name.removeprefix("scores/").removeprefix("score_"))
    meaning = f"{score.column.unit}: {score.column.source}" if score else _MEANINGS.get(name, "")
    return {
        "@type": "cr:Field",
        "@id": f"{of}/{name}",
        "name": f"{of}/{name}",
        **({"description": meaning} if meaning else {}),
        "dataType": kind,
        "source": {
            **source,
            "extract": {"column": column},
            **({"transform": {"jsonPath": json_path}} if json_path else {}),
        },
    }


def _data_type(kind: pa.DataType) -> str | None:
    """Return Croissant's name of a type; None for lists, maps and structs."""
    if pa.types.is_dictionary(kind):
        return _data_type(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "sc:Text"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else None
