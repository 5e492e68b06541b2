# SPDX-License-Identifier: Apache-2.0
"""Pronunciation lexica as the Montreal Forced Aligner and CMUdict write them.

A line is: word, tab, phones; between them may stand a probability, or four numbers (probability, probability
of silence after, correction for silence before, correction for no silence before). Without tabs the word is what
stands before the first space. `word(2)` is a variant of `word`, `;;;` starts a comment line.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from speechmill.core import files
from speechmill.core.errors import FormatError
from speechmill.formats.encoding import read_text

_VARIANT = re.compile(r"(.+)\(\d+\)")
_DECIMAL = re.compile(r"\d*\.\d+")  # a bare digit may be a phone or a tone


class Pronunciation(Struct, frozen=True):
    """One way to say a word."""

    phones: tuple[str, ...]
    probability: float | None = None  # relative to the word's likeliest variant
    silence_after: float | None = None  # probability that a pause follows
    silence_before: float | None = None  # correction factor after a pause, about 1
    no_silence_before: float | None = None  # correction factor after speech, about 1


class Lexicon(Struct, frozen=True):
    """Words (NFC, in the file's case) with their pronunciations, in the file's order."""

    entries: Mapping[str, tuple[Pronunciation, ...]]

    @property
    def phones(self) -> tuple[str, ...]:
        """All phones, sorted."""
        found = {phone for variants in self.entries.values() for variant in variants for phone in variant.phones}
        return tuple(sorted(found))

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the content; the order of words doesn't count, that of a word's variants does."""
        return files.digest(*(line for word in sorted(self.entries) for line in _lines(word, self.entries[word])))


def read(path: Path) -> Lexicon:
    """Read a lexicon. Raises FormatError with the line, or where there is no entry at all."""
    entries: dict[str, dict[Pronunciation, None]] = {}  # in their order; a list would be searched for each line
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip() or line.startswith(";;;"):
            continue
        word, pronunciation = _entry(path, number, line)
        entries.setdefault(word, {})[pronunciation] = None
    if not entries:
        raise FormatError(f"{path}: a lexicon without words")
    return Lexicon({word: tuple(variants) for word, variants in entries.items()})


def _entry(path: Path, number: int, line: str) -> tuple[str, Pronunciation]:
    word, numbers, phones = _split(line)
    if not word or not phones:
        raise FormatError(f"{path}:{number}: {line.strip()[:60]!r} has no {'phones' if word else 'word'}")
    if len(numbers) not in (0, 1, 4):
        raise FormatError(f"{path}:{number}: {len(numbers)} numbers before the phones; there are 0, 1 or 4")
    try:
        values = [float(value) for value in numbers]
    except ValueError:
        raise FormatError(f"{path}:{number}: {' '.join(numbers)[:60]!r} should be numbers") from None
    if not all(math.isfinite(value) and value >= 0 for value in values) or any(value > 1 for value in values[:2]):
        raise FormatError(f"{path}:{number}: {' '.join(numbers)} are not probabilities")
    return word, Pronunciation(tuple(phones), *values)


def _split(line: str) -> tuple[str, list[str], list[str]]:
    """Part a line into word, numbers and phones."""
    line = line.rstrip()
    if "\t" in line:
        word, *numbers, phones = line.split("\t")
        return _word(word), numbers, phones.split()
    word, *rest = line.split(" #")[0].split()
    count = next((index for index, item in enumerate(rest) if not _DECIMAL.fullmatch(item)), len(rest))
    return _word(word), rest[:count], rest[count:]


def _word(text: str) -> str:
    text = unicodedata.normalize("NFC", text.strip())
    match = _VARIANT.fullmatch(text)
    return match.group(1) if match else text


def write(path: Path, lexicon: Lexicon) -> None:
    """Write the tabbed format, words sorted, so that equal lexica are equal files.

    Raises FormatError for an entry that would not come back as it is (a phone with a space in it).
    """
    lines: list[str] = []
    for word in sorted(lexicon.entries):
        variants = lexicon.entries[word]
        for variant, line in zip(variants, _lines(word, variants), strict=True):
            if _entry(path, len(lines) + 1, line) != (word, variant) or "\n" in line:
                raise FormatError(f"{path}: {word!r} {variant} can't be written as a line")
            lines.append(line + "\n")
    files.write_bytes(path, "".join(lines).encode())


def _lines(word: str, variants: tuple[Pronunciation, ...]) -> Iterator[str]:
    for variant in variants:
        numbers = (
            variant.probability,
            variant.silence_after,
            variant.silence_before,
            variant.no_silence_before,
        )
        given = [repr(value) for value in numbers if value is not None]
        yield "\t".join([word, *given, " ".join(variant.phones)])
