# SPDX-License-Identifier: Apache-2.0
"""A joint n-gram model: what it holds, how it says a word, and its file.

Two n-gram models say how likely a pronunciation is: one of units of letters and phones, and a small one of its skeleton
of vowels, consonants and tones, which knows that a syllable needs a vowel even where the units are too rare to tell.
"""

from __future__ import annotations

import functools
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.core import files
from speechmill.core.errors import FormatError
from speechmill.g2p._joint_decode import Symbols, decode
from speechmill.g2p._joint_ngram import Level, Ngrams, Reader
from speechmill.g2p._joint_symbols import Layout, is_contour
from speechmill.text.characters import folded, plain

FORMAT = "speechmill-g2p-1"
VOWEL, CONSONANT, CONTOUR = 2, 3, 4  # symbols of a skeleton; 0 and 1 are its ends
SKELETON_SYMBOLS = 5
MAX_BYTES = 2**31  # of a model's arrays, unpacked: fifty times CMUdict's
_BEAM, _WIDTH = 8.0, 30  # wider beams said no word of a held-out tenth of CMUdict better
_MAX_WORD = 60  # letters; what is longer is no word
_FIELDS = {"keys": np.int64, "suffix": np.int64, "log_prob": np.float64, "backoff": np.float64}


class Guess(Struct, frozen=True):
    """A predicted pronunciation."""

    phones: tuple[str, ...]
    confidence: float  # 0..1: its probability, where one of those that were found is right


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model knows besides probabilities."""

    format: str
    layout: Layout
    letters: tuple[str, ...]  # symbol 1 and on
    phones: tuple[str, ...]  # symbol 1 and on
    vowels: frozenset[str]
    units: tuple[tuple[Symbols, Symbols], ...]  # letters and phones; in the n-gram model symbol 2 and on
    skeleton_weight: float
    num_words: int  # learnt from
    lexicon: str  # its digest


class Model:
    """A trained model. Equal models are of equal `digest`."""

    def __init__(self, header: Header, ngrams: Ngrams, skeleton: Ngrams) -> None:
        self.header, self.ngrams, self.skeleton = header, ngrams, skeleton
        self._reader, self._skeleton = Reader(ngrams), Reader(skeleton)
        self._letters = {letter: i for i, letter in enumerate(header.letters, start=1)}
        self._phones: list[Symbols] = [(), (), *(phones for _, phones in header.units)]
        self._units: dict[Symbols, tuple[int, int]] = {}
        for i, (letters, _) in enumerate(header.units, start=2):
            self._units[letters] = (self._units.get(letters, (i, i))[0], i + 1)

    @functools.cached_property
    def digest(self) -> str:
        """Hex SHA-256 of all that the model knows."""
        return files.digest(*(value.tobytes() for _, value in sorted(_arrays(self).items())))

    def guess(self, word: str, *, n_best: int = 1) -> tuple[Guess, ...]:
        """Predict a word's pronunciations, likeliest first; none where it has letters the model never saw."""
        letters = self._symbols(word)
        if not 2 < len(letters) <= _MAX_WORD:
            return ()
        found = decode(self._reader, self._units, self._phones, letters, beam=_BEAM, width=_WIDTH)
        scores: dict[tuple[str, ...], float] = {}
        for symbols, score in found.items():
            names = tuple(self.header.phones[symbol - 1] for symbol in symbols)
            phones = self.header.layout.joined(names, self.header.vowels)
            if phones:
                scores[phones] = score + self.header.skeleton_weight * self._skeleton.score(
                    skeleton(names, self.header.vowels)
                )
        if not scores:
            return ()
        best = max(scores.values())
        total = math.fsum(math.exp(score - best) for score in scores.values())
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:n_best]
        return tuple(Guess(phones, round(math.exp(score - best) / total, 6)) for phones, score in ordered)

    def _symbols(self, word: str) -> list[int]:
        """Return a word's letters, in another case where only that is known; none where the model knows neither."""
        small = folded(plain(word))
        for spelling in (word, small, small.upper()):
            found = [self._letters.get(letter, 0) for letter in self.header.layout.letters(spelling)]
            if 0 not in found:
                return found
        return []


def skeleton(symbols: tuple[str, ...] | list[str], vowels: frozenset[str]) -> list[int]:
    """Return what each symbol of a pronunciation is: vowel, consonant or tone."""
    return [CONTOUR if is_contour(one) else VOWEL if one in vowels else CONSONANT for one in symbols]


def save(model: Model, path: Path) -> None:
    """Write a model as one .npz file; numpy reads it without pickle."""
    with files.atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **_arrays(model))


def _arrays(model: Model) -> dict[str, Any]:
    found = {"header": np.frombuffer(msgspec.json.encode(model.header, order="deterministic"), np.uint8)}
    for name, ngrams in (("units", model.ngrams), ("skeleton", model.skeleton)):
        for k, level in enumerate(ngrams.levels):
            found |= {f"{name}.{k}.{field}": getattr(level, field).astype(kind) for field, kind in _FIELDS.items()}
    return found


def load(path: Path) -> Model:
    """Read a model. Raises FormatError for anything else, however it is made; nothing in a file is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise FormatError(
                f"{path}: {size / 2**20:.0f} MB of arrays are more than a G2P model's {MAX_BYTES >> 20} MB"
            )
        with np.load(path, allow_pickle=False) as arrays:
            return _model({name: arrays[name] for name in arrays.files})
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file. Make a G2P model with: speechmill train-g2p LEXICON {path}") from None
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OverflowError, msgspec.MsgspecError) as error:
        raise FormatError(f"{path}: not a G2P model that can be used: {error}") from error


def _model(arrays: Mapping[str, Any]) -> Model:
    header = msgspec.json.decode(arrays["header"].tobytes(), type=Header)
    if header.format != FORMAT:
        raise ValueError(f"its format is {header.format[:40]!r}, and this version reads {FORMAT!r}")
    sizes = (len(header.letters), len(header.phones))
    for unit in header.units:
        if not all(0 < symbol <= size for part, size in zip(unit, sizes, strict=True) for symbol in part):
            raise ValueError(f"unit {unit} is of unknown symbols")
    if list(header.units) != sorted(set(header.units)) or not math.isfinite(header.skeleton_weight):
        raise ValueError("its units are in no order or its weight is no number")
    ngrams = _ngrams(arrays, "units", len(header.units) + 2)
    return Model(header, ngrams, _ngrams(arrays, "skeleton", SKELETON_SYMBOLS))


def _ngrams(arrays: Mapping[str, Any], name: str, num_symbols: int) -> Ngrams:
    levels: list[Level] = []
    while f"{name}.{len(levels)}.keys" in arrays:
        values = {field: arrays[f"{name}.{len(levels)}.{field}"] for field in _FIELDS}
        level = Level(**values)
        _check(level, len(levels[-1].keys) if levels else 1, num_symbols)
        levels.append(level)
    if len(levels) < 2 or not np.array_equal(levels[0].keys, np.arange(num_symbols)):
        raise ValueError(f"its model of {name} lacks 1-grams or 2-grams")
    return Ngrams(num_symbols, tuple(levels))


def _check(level: Level, num_shorter: int, num_symbols: int) -> None:
    for field, kind in _FIELDS.items():
        value = getattr(level, field)
        if value.dtype != kind or value.shape != (len(level.keys),):
            raise ValueError(f"its {field} are {value.dtype} of shape {value.shape}")
        if kind is np.float64 and not (np.isfinite(value).all() and (value < 1e-6).all()):
            raise ValueError(f"its {field} are no log probabilities")
    inside = (level.keys >= 0).all() and (level.keys < num_shorter * num_symbols).all()
    sorted_ = (np.diff(level.keys) > 0).all()
    if not (inside and sorted_ and (level.suffix >= 0).all() and (level.suffix < num_shorter).all()):
        raise ValueError("its n-grams are in no order")
