# SPDX-License-Identifier: Apache-2.0
"""ELAN's annotation format (EAF): reads the tiers of a document, and puts further tiers into one.

Follows "The EAF format, version 3.0" (Max Planck Institute for Psycholinguistics). Annotations without times of their
own get those of what they refer to, or share it evenly. What stands in a document beside the tiers that are written
stays as it was. Not read: documents in units other than milliseconds, and those with a document type of their own.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import write_bytes
from speechmill.core.types import Word

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_MAX_LEVELS = 64  # of tiers that depend on tiers, and of elements; ELAN writes about six
_MAX_DIGITS = 11  # of a time in milliseconds: three years
_TYPE = "aligned"  # the linguistic type of tiers that are added


class Tier(Struct, frozen=True):
    """Annotations in order of time, in seconds."""

    name: str
    annotations: tuple[Word, ...] = ()
    type: str = _TYPE  # its linguistic type
    participant: str = ""  # who speaks; "" where the document doesn't say
    parent: str = ""  # the tier it depends on; "" where there is none


class Eaf(Struct, frozen=True):
    """The tiers of a document, in its order, and the media files it names."""

    tiers: tuple[Tier, ...] = ()
    media: tuple[str, ...] = ()


def read(path: Path) -> Eaf:
    """Read a document. Raises FormatError where it is no EAF or an annotation hangs in the air."""
    root = _parse(path)
    return Eaf(_Reader(path, root).tiers(), tuple(one.get("MEDIA_URL", "") for one in root.iter("MEDIA_DESCRIPTOR")))


def _parse(path: Path) -> ET.Element:
    try:
        parser = ET.XMLParser(target=_Guarded(path))
        root: ET.Element = ET.fromstring(path.read_bytes(), parser)
    except ET.ParseError as error:
        raise FormatError(f"{path}:{error.position[0]}: not XML: {error}") from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise FormatError(f"{path}: not XML: {error}") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise FormatError(f"{path}: holds a {root.tag}, not an ANNOTATION_DOCUMENT")
    header = root.find("HEADER")
    units = header.get("TIME_UNITS", "milliseconds") if header is not None else "milliseconds"
    if units != "milliseconds":
        raise FormatError(f"{path}: times in {units}; only milliseconds are read")
    if root.find("TIME_ORDER") is None:
        raise FormatError(f"{path}: has no TIME_ORDER")
    return root


class _Guarded(ET.TreeBuilder):
    """A tree without document types, whatever the encoding, and of bounded depth."""

    def __init__(self, path: Path) -> None:
        super().__init__(insert_comments=True)
        self._path = path
        self._depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse before an entity is defined."""
        raise FormatError(f"{self._path}: an EAF has no document type of its own; entities are not expanded")

    def start(self, tag: str, attrs: dict[str, str]) -> ET.Element:
        self._depth += 1
        if self._depth > _MAX_LEVELS:
            raise FormatError(f"{self._path}: elements are nested deeper than {_MAX_LEVELS}")
        return super().start(tag, attrs)

    def end(self, tag: str) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


class _Reader:
    """Finds the times of annotations: their own, or those of what they refer to."""

    def __init__(self, path: Path, root: ET.Element) -> None:
        self._path = path
        self._tiers = root.findall("TIER")
        slots = list(root.iter("TIME_SLOT"))
        self._slots = {slot.get("TIME_SLOT_ID", ""): self._value(slot) for slot in slots}
        if len(self._slots) < len(slots):
            raise FormatError(f"{path}: a time slot is there twice; which one annotations mean can't be told")
        self._spans: dict[str, tuple[float, float]] = {}  # annotation -> start, end in ms

    def _value(self, slot: ET.Element) -> float | None:
        value = slot.get("TIME_VALUE")
        if value is not None and not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
            raise FormatError(f"{self._path}: time slot {slot.get('TIME_SLOT_ID')} has the value {value[:40]!r}")
        return None if value is None else float(value)

    def tiers(self) -> tuple[Tier, ...]:
        for tier in self._tiers:
            self._own_times(tier)
        pending = [annotations for tier in self._tiers if (annotations := tier.findall(".//REF_ANNOTATION"))]
        for _level in range(_MAX_LEVELS):
            left = [annotations for annotations in pending if not self._referred_times(annotations)]
            if left and len(left) == len(pending):
                name = left[0][0].get("ANNOTATION_ID")
                raise FormatError(f"{self._path}: annotation {name} refers to one that isn't there")
            pending = left
            if not pending:
                break
        if pending:
            raise FormatError(f"{self._path}: tiers depend on each other over more than {_MAX_LEVELS} levels")
        return tuple(self._tier(tier) for tier in self._tiers)

    def _own_times(self, tier: ET.Element) -> None:
        annotations = tier.findall(".//ALIGNABLE_ANNOTATION")
        slots = [one.get(name, "") for one in annotations for name in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")]
        if missing := [slot for slot in slots if slot not in self._slots]:
            raise FormatError(f"{self._path}: tier {tier.get('TIER_ID')!r}: no time slot {missing[0]!r}")
        times = _between(list(dict.fromkeys(slots)), self._slots)
        if times is None:
            raise FormatError(f"{self._path}: tier {tier.get('TIER_ID')!r}: the first or last time has no value")
        for one, first, last in zip(annotations, slots[::2], slots[1::2], strict=True):
            self._spans[one.get("ANNOTATION_ID", "")] = times[first], times[last]

    def _referred_times(self, annotations: Sequence[ET.Element]) -> bool:
        """Give annotations that refer to the same one equal shares of it; False where a time isn't known yet."""
        by_parent: dict[str, list[ET.Element]] = {}
        for one in annotations:
            by_parent.setdefault(one.get("ANNOTATION_REF", ""), []).append(one)
        if not by_parent.keys() <= self._spans.keys():
            return False
        for parent, children in by_parent.items():
            start, end = self._spans[parent]
            for i, one in enumerate(children):
                share = (end - start) / len(children)
                self._spans[one.get("ANNOTATION_ID", "")] = start + i * share, start + (i + 1) * share
        return True

    def _tier(self, tier: ET.Element) -> Tier:
        annotations = []
        for one in (*tier.findall(".//ALIGNABLE_ANNOTATION"), *tier.findall(".//REF_ANNOTATION")):
            start, end = self._spans[one.get("ANNOTATION_ID", "")]
            text = one.findtext("ANNOTATION_VALUE") or ""
            annotations.append(Word(text, round(start / 1000, 6), round((end - start) / 1000, 6)))
        names = (tier.get(name, "") for name in ("LINGUISTIC_TYPE_REF", "PARTICIPANT", "PARENT_REF"))
        in_order = sorted(annotations, key=lambda word: word.start)
        return Tier(tier.get("TIER_ID", ""), tuple(in_order), *names)


def _between(slots: Sequence[str], values: Mapping[str, float | None]) -> dict[str, float] | None:
    """Fill in times without a value, evenly between those around them; None where one end has none."""
    known = [i for i, slot in enumerate(slots) if values[slot] is not None]
    if slots and (not known or known[0] != 0 or known[-1] != len(slots) - 1):
        return None
    found = {slots[0]: values[slots[0]] or 0.0} if slots else {}
    for before, after in itertools.pairwise(known):
        first, last = values[slots[before]] or 0.0, values[slots[after]] or 0.0
        for i in range(before + 1, after + 1):
            found[slots[i]] = first + (last - first) * (i - before) / (after - before)
    return found


def write(path: Path, tiers: Sequence[Tier], source: Path | None = None) -> None:
    """Write a document with these tiers after those of `source`, or in the place of those that have their names.

    Times are rounded to milliseconds, all that ELAN keeps. A tier that others depend on, or that depends on one, is
    not replaced: the new one is called "NAME (aligned)". Raises FormatError where annotations of a tier overlap.
    """
    root = _new_document() if source is None else _parse(source)
    _Writer(path, root).put(tiers)
    ET.register_namespace("xsi", _XSI)
    ET.indent(root, "    ")
    write_bytes(path, ET.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n")


def _new_document() -> ET.Element:
    attributes = {"AUTHOR": "", "DATE": "1970-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0"}
    root = ET.Element("ANNOTATION_DOCUMENT", attributes | {f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA})
    ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    ET.SubElement(root, "TIME_ORDER")
    return root


class _Writer:
    """Puts tiers into a document, with numbers for slots and annotations that nobody has yet."""

    def __init__(self, path: Path, root: ET.Element) -> None:
        self._path = path
        self._root = root
        (self._slots,) = root.findall("TIME_ORDER")[:1]
        self._next_slot = _last(slot.get("TIME_SLOT_ID") for slot in root.iter("TIME_SLOT"))
        ids = (one.get("ANNOTATION_ID") for kind in ("ALIGNABLE", "REF") for one in root.iter(f"{kind}_ANNOTATION"))
        self._next_annotation = _last(ids)

    def put(self, tiers: Sequence[Tier]) -> None:
        for tier in tiers:
            self._put(tier)
        self._sort_slots()
        types = {one.get("LINGUISTIC_TYPE_ID") for one in self._root.findall("LINGUISTIC_TYPE")}
        for name in sorted({tier.type for tier in tiers} - types):
            kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": name, "TIME_ALIGNABLE": "true"}
            self._insert_after(("LINGUISTIC_TYPE", "TIER", "TIME_ORDER"), ET.Element("LINGUISTIC_TYPE", kind))
        for used in self._root.findall("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']"):
            used.text = str(self._next_annotation)

    def _put(self, tier: Tier) -> None:
        old = self._replaced(tier.name)
        name = tier.name if old is not None or self._named(tier.name) is None else f"{tier.name} (aligned)"
        old = old if old is not None else self._replaced(name)
        given = {"LINGUISTIC_TYPE_REF": tier.type, "PARTICIPANT": tier.participant, "TIER_ID": name}
        element = ET.Element("TIER", {key: value for key, value in given.items() if value})
        for start, end, symbol in self._milliseconds(tier):
            element.append(self._annotation(start, end, symbol))
        if old is None:
            self._insert_after(("TIER", "TIME_ORDER"), element)
            return
        place = list(self._root).index(old)
        self._root[place] = element
        self._forget_slots(old)

    def _named(self, name: str) -> ET.Element | None:
        return next((tier for tier in self._root.findall("TIER") if tier.get("TIER_ID") == name), None)

    def _replaced(self, name: str) -> ET.Element | None:
        tier = self._named(name)
        if tier is None or tier.get("PARENT_REF"):
            return None
        return None if any(one.get("PARENT_REF") == name for one in self._root.findall("TIER")) else tier

    def _milliseconds(self, tier: Tier) -> Iterator[tuple[int, int, str]]:
        last = 0
        for word in tier.annotations:
            start, end = round(word.start * 1000), round(word.end * 1000)
            if start < last - 1 or end <= start:
                raise FormatError(f"{self._path}: tier {tier.name!r}: {word.symbol!r} at {word.start} s overlaps")
            yield max(start, last), end, word.symbol
            last = end

    def _annotation(self, start: int, end: int, symbol: str) -> ET.Element:
        self._next_annotation += 1
        element = ET.Element("ANNOTATION")
        names = {"ANNOTATION_ID": f"a{self._next_annotation}"}
        slots = {f"TIME_SLOT_REF{i}": self._slot(time) for i, time in enumerate((start, end), start=1)}
        value = ET.SubElement(ET.SubElement(element, "ALIGNABLE_ANNOTATION", names | slots), "ANNOTATION_VALUE")
        value.text = symbol
        return element

    def _slot(self, milliseconds: int) -> str:
        self._next_slot += 1
        name = f"ts{self._next_slot}"
        ET.SubElement(self._slots, "TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(milliseconds)})
        return name

    def _forget_slots(self, tier: ET.Element) -> None:
        names = ("TIME_SLOT_REF1", "TIME_SLOT_REF2")
        mine = {one.get(name) for one in tier.iter("ALIGNABLE_ANNOTATION") for name in names}
        others = {one.get(name) for one in self._root.iter("ALIGNABLE_ANNOTATION") for name in names}
        for slot in self._slots.findall("TIME_SLOT"):
            if slot.get("TIME_SLOT_ID") in mine - others:
                self._slots.remove(slot)

    def _sort_slots(self) -> None:
        """Order the slots by time; one without a value stays behind the one before it."""
        last, keys = 0, []
        for slot in self._slots:
            last = int(slot.get("TIME_VALUE", last)) if slot.tag == "TIME_SLOT" else last
            keys.append(last)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self._slots[:] = [self._slots[i] for i in order]

    def _insert_after(self, tags: Sequence[str], element: ET.Element) -> None:
        """Insert an element behind the last one of the first of these tags that there is."""
        children = list(self._root)
        for tag in tags:
            places = [i for i, child in enumerate(children) if child.tag == tag]
            if places:
                self._root.insert(places[-1] + 1, element)
                return


def _last(names: Iterator[str | None]) -> int:
    """Return the largest number in names such as "ts12"; 0 where there is none."""
    found = (re.search(r"[0-9]{1,18}$", name or "") for name in names)
    return max((int(match[0]) for match in found if match), default=0)
