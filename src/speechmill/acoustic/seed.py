# SPDX-License-Identifier: Apache-2.0
"""The seed: a small model of English phones, whose alignment is where training starts in any language.

A flat start learns the silence of a stop consonant as a pause, or as the end of the word before, and a few minutes
of speech never teach it better. The seed needs only to be roughly right: what is trained from its alignment has no
Gaussian of it. `training/seed_acoustic.py` makes it, of LibriSpeech (CC BY 4.0).
"""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from speechmill.acoustic.features import FeatureConfig
from speechmill.acoustic.gmm import Mixtures
from speechmill.acoustic.trees import PHONE_STATES, Tying

FILE = Path(__file__).with_name("seed.npz")
_TABLES = Path(__file__).with_name("seed.toml")
_ARPABET = re.compile(r"([A-Z]{1,2})[0-9]?")
_SILENCE, _UNKNOWN = (0, 1, 2), (3, 3, 3)
_LETTER_NAME = re.compile(r"(?:LETTER|CHARACTER|SIGN)\b.* ([A-Z])[A-Z]*$")


class SeedCard(Struct, frozen=True, forbid_unknown_fields=True):
    """What the seed was made of."""

    licence: str
    hours: float
    features: FeatureConfig
    phones: tuple[str, ...]  # ARPAbet


class Seed(Struct, frozen=True):
    """Gaussians of silence (states 0 to 2), any speech (3), and of each phone's three places."""

    card: SeedCard
    mixtures: Mixtures


@functools.lru_cache(maxsize=1)
def read() -> Seed:
    """Return the seed that is part of the package."""
    with np.load(FILE, allow_pickle=False) as arrays:
        card = msgspec.json.decode(arrays["card"].tobytes(), type=SeedCard)
        means, variances = (arrays[name].astype(np.float64) for name in ("means", "variances"))
        return Seed(card, Mixtures(arrays["first"], arrays["weights"].astype(np.float64), means, variances))


def write(seed: Seed, path: Path) -> None:
    """Write a seed, rounded to half precision: no boundary moves by it."""
    found = seed.mixtures
    halves = {name: getattr(found, name).astype(np.float16) for name in ("means", "variances")}
    card = np.frombuffer(msgspec.json.encode(seed.card), np.uint8)
    np.savez_compressed(path, card=card, first=found.first, weights=found.weights.astype(np.float32), **halves)


def fits(config: FeatureConfig) -> bool:
    """Tell whether the seed was made of features like these; pitch doesn't count, for it knows none."""
    return replace(config, pitch=False) == read().card.features


def columns(config: FeatureConfig) -> NDArray[np.int64]:
    """Return which of a model's dimensions the seed knows: all but pitch and voicing."""
    return np.flatnonzero(np.arange(config.num_dimensions) % config.num_static < config.num_cepstra)


def mixtures(tying: Tying) -> Mixtures:
    """Return a first guess at the states of monophones: each has the Gaussians of the seed's phones that it is like."""
    known = read()
    like = likened(tying.phones[2:])
    sources: dict[int, list[tuple[int, ...]]] = {0: [_SILENCE], 1: [_UNKNOWN]}
    for number, phone in enumerate(tying.phones[2:], start=2):
        sources[number] = [_states(known.card.phones.index(one)) for one in like[phone]] or [_UNKNOWN]
    pooled: dict[int, list[int]] = {}
    for number, roots in enumerate(tying.roots):
        for place, root in enumerate(roots):
            pooled[int(tying.nodes[root, 1])] = [states[place] for states in sources[number]]
    return _joined(known.mixtures, [sorted(set(pooled[state])) for state in range(tying.num_states)])


def _states(phone: int) -> tuple[int, ...]:
    return tuple(range(4 + phone * PHONE_STATES, 4 + (phone + 1) * PHONE_STATES))


def _joined(found: Mixtures, pooled: list[list[int]]) -> Mixtures:
    """Return mixtures whose state s has all components of the states pooled[s], in equal parts."""
    rows = [np.concatenate([np.arange(*found.first[one : one + 2]) for one in states]) for states in pooled]
    first = np.concatenate([[0], np.cumsum([len(one) for one in rows])]).astype(np.int32)
    weights = np.concatenate([found.weights[one] / len(states) for one, states in zip(rows, pooled, strict=True)])
    every = np.concatenate(rows)
    return Mixtures(first, weights, found.means[every], found.variances[every])


def likened(symbols: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the seed's phones that each symbol is like; none where nobody knows.

    Symbols are ARPAbet where all are; IPA where any is a letter that only IPA has; else letters of some script.
    """
    symbols = tuple(symbols)
    tables = _tables()
    if symbols and all(_arpabet(one) for one in symbols):
        return {one: _arpabet(one) for one in symbols}
    bases = {one: _base(one) for one in symbols}
    only_ipa = set("".join(tables["ipa"])) - set("".join(tables["letters"]))
    table = tables["ipa"] if any(only_ipa & set(base) for base in bases.values()) else tables["letters"]
    return {one: _likened(base, table, tables["letters"]) for one, base in bases.items()}


def _arpabet(symbol: str) -> tuple[str, ...]:
    match = _ARPABET.fullmatch(symbol)
    return (match[1],) if match and match[1] in read().card.phones else ()


def _base(symbol: str) -> str:
    """Return a symbol's letters, without marks and tones."""
    return "".join(one for one in unicodedata.normalize("NFD", symbol.lower()) if one.isalpha() and one not in "ʰʷʲˠˤ")


def _likened(base: str, table: dict[str, tuple[str, ...]], letters: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    for length in (2, 1):
        if base[:length] in table:
            return table[base[:length]]
    named = _LETTER_NAME.search(unicodedata.name(base[0], "")) if base else None
    return letters.get(named[1].lower(), ()) if named else ()  # a letter's name mostly starts with its sound


@functools.lru_cache(maxsize=1)
def _tables() -> dict[str, dict[str, tuple[str, ...]]]:
    content: dict[str, dict[str, Any]] = tomllib.loads(_TABLES.read_text(encoding="utf-8"))
    return {
        name: {symbol: tuple(phones.split()) for symbols, phones in table.items() for symbol in symbols.split()}
        for name, table in content.items()
    }
