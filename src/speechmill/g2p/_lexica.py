# SPDX-License-Identifier: Apache-2.0
"""Lexica by name: what a corpus file, an aligner or a command may ask for, and words that a lexicon lacks.

A source pronounces words; sources are never mixed in silence. What one lacks is named, and another fills in only where
it was asked to.
"""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from speechmill.core import files, registry
from speechmill.core.errors import ConfigError
from speechmill.core.stage import Context
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.text.spoken import spoken
from speechmill.words import choose

if TYPE_CHECKING:
    from speechmill.g2p import G2pBackend
    from speechmill.g2p._joint_model import Model

# Names, beside those of backends that need no options -> backend and options.
NAMES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "vi-hanoi": ("vietnamese", {"dialect": "hanoi"}),
    "vi-saigon": ("vietnamese", {"dialect": "saigon"}),
    "vi-hue": ("vietnamese", {"dialect": "hue"}),
    "vi-hanoi-loans": ("vietnamese", {"dialect": "hanoi", "loans": True}),
    "vi-saigon-loans": ("vietnamese", {"dialect": "saigon", "loans": True}),
    "vi-hue-loans": ("vietnamese", {"dialect": "hue", "loans": True}),
    "graphemes": ("graphemes", {}),
}
CMUDICT, ESPEAK, LEARNT = "cmudict", "espeak", "learnt"
_CMUDICT_CARD = "pocketsphinx-en"
_MODEL_SUFFIX = ".npz"


class LexiconSource:
    """Pronounces words, by a file, by rule or by a model; itself a backend of the family."""

    def __init__(self, name: str, backend: G2pBackend, digest: str) -> None:
        self.name = name
        self.backend = backend
        self.digest = digest  # of all that its pronunciations hang on

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return each word's pronunciations, likeliest first; none for a word it lacks."""
        return self.backend.pronounce(words)

    def lexicon(self, words: Iterable[str]) -> tuple[Lexicon, tuple[str, ...]]:
        """Return the lexicon of exactly these words, spelled as they are here, and those of them it lacks."""
        asked = sorted(set(words))
        found = dict(zip(asked, self.pronounce(asked), strict=True))
        entries = {word: variants for word, variants in found.items() if variants}
        return Lexicon(entries), tuple(word for word in asked if word not in entries)


class _Learnt:
    """A model that is trained on a lexicon when a word is asked for that nobody listed."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    @functools.cached_property
    def model(self) -> Model | None:
        """The model; None where the lexicon is too small to learn from."""
        from speechmill.g2p import joint

        return joint.train(self._lexicon) if joint.can_learn(self._lexicon) else None

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return what the model says; nothing where there is none."""
        from speechmill.g2p import joint

        if not words or self.model is None:
            return [() for _ in words]
        return [joint.pronunciations(self.model, word) for word in words]


def default(language: str | None) -> str:
    """Name what pronounces a language where nobody says: rules or a dictionary that is here, else its letters."""
    primary = (language or "").lower().split("-")[0]
    if primary == "vi":
        return "vi-hanoi"
    return CMUDICT if primary == "en" and has_cmudict() else "graphemes"


def has_cmudict() -> bool:
    """Tell whether CMUdict is here: it comes with pocketsphinx."""
    from speechmill import models

    return models.is_present(_CMUDICT_CARD)


def names() -> list[str]:
    """List the names that `resolve` knows, beside files."""
    return [*NAMES, CMUDICT, ESPEAK]


def guessing(name: str) -> str | None:
    """Name what guesses at the words that a name lacks; None where nothing does, or a G2P model would be trained."""
    return f"{name}-loans" if f"{name}-loans" in NAMES else None


def resolve(
    asked: str | None,
    given: Lexicon | None = None,
    *,
    language: str | None = None,
    base: Path | None = None,
) -> LexiconSource:
    """Find what a lexicon is asked for by: a name of `names`, or a file of a dictionary or of a trained G2P model.

    None: a model that is trained on `given` when it is needed; without `given` the language's default. base: the folder
    that relative paths start at. Raises ConfigError, FormatError, MissingDependency, MissingModel.
    """
    if asked is None and given is not None:
        return LexiconSource(LEARNT, _Learnt(given), given.digest)
    name = asked or default(language)
    if name in NAMES:
        backend, options = NAMES[name]
        return _opened(name, backend, options)
    if name == "vietnamese":
        return _opened(name, "vietnamese", {})
    if name == CMUDICT:
        return _opened(name, "dictionary", {"path": str(_cmudict())})
    if name == ESPEAK:
        if not language:
            raise ConfigError("lexicon: espeak needs to know the language. Give it: --language vi, or language: vi")
        return _opened(name, "espeak", {"language": language})
    return _from_file(name, base or Path())


def _cmudict() -> Path:
    from speechmill import models

    return models.path(_CMUDICT_CARD) / "cmudict-en-us.dict"


def _from_file(name: str, base: Path) -> LexiconSource:
    path = base / Path(name).expanduser()
    if not path.is_file():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"no lexicon {name}: it is neither a file nor one of {', '.join(names())}.{hint}")
    if path.suffix == _MODEL_SUFFIX:
        return _opened(name, "joint", {"model": str(path)})
    return _opened(name, "dictionary", {"path": str(path)})


def _opened(name: str, backend: str, options: Mapping[str, Any]) -> LexiconSource:
    module = registry.require("g2p", backend)
    config = module.Config(**options)
    weights = module.model_digest(config) if hasattr(module, "model_digest") else ""
    kept = {key: value for key, value in msgspec.to_builtins(config).items() if key not in ("path", "model")}
    identity = files.digest(backend, module.VERSION, msgspec.json.encode(kept, order="deterministic"), weights)
    return LexiconSource(name, module.Backend(config, Context(Path(), Path)), identity)


class Oov(Struct, frozen=True):
    """A word that a lexicon lacks."""

    word: str
    count: int  # how often texts have it
    pronunciations: tuple[Pronunciation, ...] = ()  # predicted, likeliest first
    confidence: float | None = None  # 0..1, of the likeliest; None where nothing says


class Extended(Struct, frozen=True):
    """A lexicon with predicted words, and what was predicted."""

    lexicon: Lexicon
    oov: tuple[Oov, ...]  # the commonest first

    @property
    def missing(self) -> tuple[str, ...]:
        """Words that could not be predicted."""
        return tuple(one.word for one in self.oov if not one.pronunciations)


def counted(texts: Iterable[str], language: str | None = None) -> Counter[str]:
    """Count the words of texts, each token in its likeliest way to be said; one that nobody can say as it stands."""
    counts: Counter[str] = Counter()
    split = choose(language).split
    for text in texts:
        said = spoken(text, language, split)
        counts.update(word for ways in said.ways for word in (ways[0] if ways else ()))
        counts.update(said.tokens[i].symbol for i in said.unspoken)
    return counts


def oov(known: Lexicon, counts: Mapping[str, int], g2p: LexiconSource | None = None) -> tuple[Oov, ...]:
    """List the counted words that a lexicon lacks, the commonest first, with what G2P makes of them."""
    from speechmill.g2p.dictionary import Entries

    entries = Entries(known)
    missing = sorted((word for word in counts if not entries.variants(word)), key=lambda word: (-counts[word], word))
    if g2p is None:
        return tuple(Oov(word, counts[word]) for word in missing)
    predicted = g2p.pronounce(missing)
    sure = _confidences(g2p, missing)
    return tuple(
        Oov(word, counts[word], variants, sure.get(word)) for word, variants in zip(missing, predicted, strict=True)
    )


def extend(known: Lexicon, counts: Mapping[str, int], g2p: LexiconSource) -> Extended:
    """Add the counted words that a lexicon lacks, where G2P can say them."""
    found = oov(known, counts, g2p)
    more = {one.word: one.pronunciations for one in found if one.pronunciations}
    return Extended(Lexicon({**known.entries, **more}), found)


def _confidences(g2p: LexiconSource, words: Sequence[str]) -> dict[str, float]:
    model = getattr(g2p.backend, "model", None)
    if model is None:
        return {}
    best = {word: model.guess(word) for word in words}
    return {word: guesses[0].confidence for word, guesses in best.items() if guesses}
