# SPDX-License-Identifier: Apache-2.0
"""Whole ELAN documents, made from nothing: tiers that depend on each other, and the media they belong to.

Elements stand in the order that the schema of EAF 3.0 gives them: HEADER, TIME_ORDER, TIER, LINGUISTIC_TYPE,
CONSTRAINT. Written line by line: ten hours with phones are half a million annotations. `formats.eaf` reads it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import atomic

# ELAN knows these four and writes all of them into every document.
CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
_MIME = {
    ".wav": "audio/x-wav",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
}
_UNWRITABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no way to say
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
"""


class Annotation(NamedTuple):
    """A stretch of time with a text, in milliseconds: ELAN keeps no finer times."""

    start_ms: int
    end_ms: int
    text: str


class Kind(Struct, frozen=True):
    """A linguistic type: of tiers that stand alone, or that depend on others by a constraint."""

    name: str
    constraint: str = ""  # of CONSTRAINTS


class DocumentTier(Struct, frozen=True):
    """A tier; where it has a parent, each of its annotations lies in one of the parent's."""

    name: str
    kind: Kind
    annotations: tuple[Annotation, ...] = ()
    participant: str = ""
    parent: str = ""


def write(path: Path, tiers: Sequence[DocumentTier], media: str = "", *, durable: bool = True) -> None:
    """Write a document. media: name of the recording's file; ELAN looks for it beside the document.

    Raises FormatError where a tier's name is there twice, a parent comes behind its child, or annotations are empty,
    out of order or not inside one of their parent's. durable: see `core.files.atomic`.
    """
    _check(path, tiers)
    with atomic(path, durable=durable) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for line in _lines(tiers, media):
            file.write(line)


def _check(path: Path, tiers: Sequence[DocumentTier]) -> None:
    seen: dict[str, Sequence[Annotation]] = {}
    for tier in tiers:
        if tier.name in seen or (tier.parent and tier.parent not in seen):
            raise FormatError(f"{path}: tier {tier.name!r} is there twice, or before {tier.parent!r}, its parent")
        at = 0
        around = iter(seen.get(tier.parent, ()))
        outer = next(around, None)
        for one in tier.annotations:
            while outer is not None and outer.end_ms < one.end_ms:
                outer = next(around, None)
            lost = tier.parent and (outer is None or one.start_ms < outer.start_ms)
            if one.start_ms < at or one.end_ms <= one.start_ms or lost:
                raise FormatError(
                    f"{path}: tier {tier.name!r}: {one.text!r} at {one.start_ms}-{one.end_ms} ms overlaps, is empty"
                    + (f" or lies outside {tier.parent!r}" if tier.parent else "")
                )
            at = one.end_ms
        seen[tier.name] = tier.annotations


def _lines(tiers: Sequence[DocumentTier], media: str) -> Iterator[str]:
    yield _HEAD
    yield '    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">\n'
    if media:
        kind = _MIME.get(PurePosixPath(media).suffix.lower(), "audio/*")
        url = f"./{quote(media)}"
        yield f'        <MEDIA_DESCRIPTOR MEDIA_URL="{url}" MIME_TYPE="{kind}" RELATIVE_MEDIA_URL="{url}"/>\n'
    total = sum(len(tier.annotations) for tier in tiers)
    yield f'        <PROPERTY NAME="lastUsedAnnotationId">{total}</PROPERTY>\n    </HEADER>\n    <TIME_ORDER>\n'
    slots, order = _slots(tiers)
    for number, milliseconds in enumerate(order, start=1):
        yield f'        <TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{milliseconds}"/>\n'
    yield "    </TIME_ORDER>\n"
    at = 0
    for tier in tiers:
        yield from _tier_lines(tier, slots, at)
        at += len(tier.annotations)
    for kind_of in dict.fromkeys(tier.kind for tier in tiers):
        constraint = f'CONSTRAINTS="{kind_of.constraint}" ' if kind_of.constraint else ""
        name = _attribute(kind_of.name)
        yield f'    <LINGUISTIC_TYPE {constraint}GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID={name} '
        yield 'TIME_ALIGNABLE="true"/>\n'
    for stereotype, description in CONSTRAINTS.items():
        yield f'    <CONSTRAINT DESCRIPTION="{description}" STEREOTYPE="{stereotype}"/>\n'
    yield "</ANNOTATION_DOCUMENT>\n"


def _slots(tiers: Sequence[DocumentTier]) -> tuple[list[int], list[int]]:
    """Number the two slots of every annotation by time. Returns each one's number, and the times in their order."""
    times = [time for tier in tiers for one in tier.annotations for time in (one.start_ms, one.end_ms)]
    order = sorted(range(len(times)), key=times.__getitem__)
    numbers = [0] * len(times)
    for number, index in enumerate(order, start=1):
        numbers[index] = number
    return numbers, [times[index] for index in order]


def _tier_lines(tier: DocumentTier, slots: Sequence[int], at: int) -> Iterator[str]:
    """Yield a tier whose first annotation is the `at`-th of the document, from 0."""
    given = {"PARENT_REF": tier.parent, "PARTICIPANT": tier.participant, "TIER_ID": tier.name}
    attributes = "".join(f" {name}={_attribute(value)}" for name, value in given.items() if value)
    yield f"    <TIER LINGUISTIC_TYPE_REF={_attribute(tier.kind.name)}{attributes}>\n"
    for number, one in enumerate(tier.annotations, start=at):
        first, last = slots[2 * number : 2 * number + 2]
        yield (
            f'        <ANNOTATION>\n            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number + 1}" '
            f'TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{last}">\n'
            f"                <ANNOTATION_VALUE>{escape(_writable(one.text))}</ANNOTATION_VALUE>\n"
            "            </ALIGNABLE_ANNOTATION>\n        </ANNOTATION>\n"
        )
    yield "    </TIER>\n"


def _attribute(value: str) -> str:
    return quoteattr(_writable(value))


def _writable(text: str) -> str:
    return _UNWRITABLE.sub(" ", text)
