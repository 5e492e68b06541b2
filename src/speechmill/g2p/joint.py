# SPDX-License-Identifier: Apache-2.0
"""Pronunciations of unknown words, learnt from any lexicon: a joint n-gram model of letters and phones.

After Bisani and Ney (Joint-sequence models for grapheme-to-phoneme conversion, Speech Communication 50, 2008), with
hard alignments as in Phonetisaurus (Novak et al., NLE 22, 2016). Own are the layouts of tone marks and the model of
vowels and consonants. Training on CMUdict's 126,000 words takes seconds, not minutes, and no compiler.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.core import files
from speechmill.core.errors import ConfigError
from speechmill.core.stage import Context
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.g2p._joint_align import Cut, align
from speechmill.g2p._joint_model import FORMAT, SKELETON_SYMBOLS, Guess, Header, Model, load, save, skeleton
from speechmill.g2p._joint_ngram import Ngrams, Reader, estimate
from speechmill.g2p._joint_symbols import Layout, layouts, vowels
from speechmill.text.characters import composed, letters

__all__ = ["Accuracy", "Backend", "Config", "Guess", "Model", "Options", "evaluate", "load", "save", "split", "train"]

VERSION = "1"
REQUIRES = ()
LANGUAGES = None

N_BEST, LEAST = 3, 0.1

_Units = list[tuple[tuple[int, ...], tuple[int, ...]]]
_MIN_WORDS = 50
_WEIGHTS = (0.0, 0.25, 0.5)  # of the skeleton's model, tried on held-out words
_TRIED_WORDS = 6000  # of a lexicon, to choose layout and weight on; a sixth of them are held out


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which model, and how much of what it finds."""

    model: str  # a file that `speechmill train-g2p` wrote
    n_best: int = N_BEST  # pronunciations of a word; the aligner's audio decides between them
    least: float = LEAST  # how likely one must be, relative to the word's likeliest


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """How to train."""

    order: int = 8  # units; 6 said 0.1 points fewer new words of CMUdict right, in the same time
    iterations: int = 10  # of expectation maximisation; alignments hardly change after five
    seed: int = 1  # of the words held out to choose a layout by


_DEFAULT = Options()


class Accuracy(Struct, frozen=True):
    """How well a model says words it wasn't trained on."""

    words: int
    right: int  # the likeliest pronunciation is one that the lexicon lists
    phone_errors: int  # edits to the nearest listed pronunciation
    phones: int  # in those

    @property
    def word_accuracy(self) -> float:
        return self.right / self.words if self.words else 0.0

    @property
    def phone_error_rate(self) -> float:
        return self.phone_errors / self.phones if self.phones else 0.0


class _Part(Struct, frozen=True):
    """A pronunciation to learn from: its word, its symbols, and its phones as they were."""

    word: str
    letters: list[str]
    phones: list[str]


def split(lexicon: Lexicon, share: float, seed: int) -> tuple[Lexicon, Lexicon]:
    """Part a lexicon by word into one to train on and one, of about `share` of its words, to test on."""
    words = sorted(word for word in lexicon.entries if _is_spelled(word))
    random.Random(seed).shuffle(words)
    count = round(len(words) * share)
    test, rest = sorted(words[:count]), sorted(words[count:])
    return _only(lexicon, rest), _only(lexicon, test)


def _only(lexicon: Lexicon, words: Sequence[str]) -> Lexicon:
    return Lexicon({word: lexicon.entries[word] for word in words})


def _is_spelled(word: str) -> bool:
    """Tell whether letters alone say how a word sounds: not <unk>, [laughter] or 24h."""
    return letters(word) == [composed(word)]


def can_learn(lexicon: Lexicon) -> bool:
    """Tell whether a lexicon has enough words to train on."""
    return sum(map(_is_spelled, lexicon.entries)) >= _MIN_WORDS


def train(lexicon: Lexicon, options: Options = _DEFAULT) -> Model:
    """Train a model on a lexicon. The same lexicon and options give the same model.

    Raises ConfigError where too few of its words are made of letters.
    """
    words = sorted(word for word in lexicon.entries if _is_spelled(word))
    if len(words) < _MIN_WORDS:
        raise ConfigError(f"{len(words)} words of letters are too few to learn from: a G2P model needs {_MIN_WORDS}")
    layout, weight = _chosen(_only(lexicon, words), options)
    return _trained(_only(lexicon, words), layout, weight, options)


def _chosen(lexicon: Lexicon, options: Options) -> tuple[Layout, float]:
    """Choose layout and weight by words that a first model is not trained on."""
    words = sorted(lexicon.entries)
    sample = sorted(random.Random(options.seed).sample(words, min(len(words), _TRIED_WORDS)))
    rest, held_out = split(_only(lexicon, sample), 1 / 6, options.seed)
    tried = []
    for layout in layouts(words):
        model = _trained(rest, layout, 0.0, options)
        for weight in _WEIGHTS:
            weighed = Model(msgspec.structs.replace(model.header, skeleton_weight=weight), model.ngrams, model.skeleton)
            tried.append((evaluate(weighed, held_out).right, layout, weight))
    _, layout, weight = max(tried, key=lambda one: one[0])  # of equals the first: the plainer
    return layout, weight


def _trained(lexicon: Lexicon, layout: Layout, weight: float, options: Options) -> Model:
    parts = _parts(lexicon, layout)
    spelled = sorted({letter for part in parts for letter in part.letters})
    said = sorted({phone for part in parts for phone in part.phones})
    names = ({name: i for i, name in enumerate(spelled, 1)}, {name: i for i, name in enumerate(said, 1)})
    left = [np.array([names[0][one] for one in part.letters], np.int64) for part in parts]
    right = [np.array([names[1][one] for one in part.phones], np.int64) for part in parts]
    size, end_apart = (len(spelled), len(said)), layout.kind != "marks-last"
    cuts = align(left, right, iterations=options.iterations, size=size, end_apart=end_apart)
    units = {
        i: _units(tuple(left[i].tolist()), tuple(right[i].tolist()), cut)
        for i, cut in enumerate(cuts)
        if cut is not None
    }
    kept = _one_a_word(parts, units, options.order)
    inventory = sorted({unit for i in kept for unit in units[i]})
    ngrams = _estimated([units[i] for i in kept], inventory, options.order)
    found = vowels([parts[i].phones for i in kept])
    shapes = [skeleton(parts[i].phones, found) for i in kept]
    header = Header(
        FORMAT, layout, tuple(spelled), tuple(said), found, tuple(inventory), weight, len(kept), lexicon.digest
    )
    return Model(header, ngrams, estimate(shapes, SKELETON_SYMBOLS, 8))


def _parts(lexicon: Lexicon, layout: Layout) -> list[_Part]:
    """List the pronunciations that come back from their symbols as they were."""
    parts = [
        _Part(word, layout.letters(word), layout.phones(variant.phones))
        for word in sorted(lexicon.entries)
        for variant in lexicon.entries[word]
    ]
    if layout.kind != "marks-last":
        return parts
    found = vowels([part.phones for part in parts])
    return [part for part in parts if _comes_back(part, lexicon, layout, found)]


def _comes_back(part: _Part, lexicon: Lexicon, layout: Layout, found: frozenset[str]) -> bool:
    return layout.joined(part.phones, found) in {variant.phones for variant in lexicon.entries[part.word]}


def _units(spelled: tuple[int, ...], said: tuple[int, ...], cut: Cut) -> _Units:
    i = j = 0
    found = []
    for a, b in cut:
        found.append((spelled[i : i + a], said[j : j + b]))
        i, j = i + a, j + b
    return found


def _estimated(sequences: Sequence[_Units], inventory: _Units, order: int) -> Ngrams:
    number = {unit: i for i, unit in enumerate(inventory, start=2)}
    return estimate([[number[unit] for unit in units] for units in sequences], len(inventory) + 2, order)


def _one_a_word(parts: Sequence[_Part], units: Mapping[int, _Units], order: int) -> list[int]:
    """Choose of each word's variants the one most like the words that have one only.

    Taken all together, reduced variants would be learnt as often as full ones, and be said for words that have none.
    """
    variants: dict[str, list[int]] = {}
    for i in units:
        variants.setdefault(parts[i].word, []).append(i)
    single = [found[0] for found in variants.values() if len(found) == 1]
    if not single or len(single) == len(variants):
        return sorted(found[0] for found in variants.values())
    inventory = sorted({unit for found in units.values() for unit in found})
    number = {unit: i for i, unit in enumerate(inventory, start=2)}
    reader = Reader(_estimated([units[i] for i in single], inventory, order))
    return sorted(
        max(found, key=lambda i: reader.score([number[unit] for unit in units[i]])) for found in variants.values()
    )


def evaluate(model: Model, lexicon: Lexicon) -> Accuracy:
    """Say a lexicon's words and compare with what it lists."""
    right = errors = phones = 0
    for word, variants in lexicon.entries.items():
        guesses = model.guess(word)
        said = guesses[0].phones if guesses else ()
        edits, length = min((_edits(said, variant.phones), len(variant.phones)) for variant in variants)
        right, errors, phones = right + (edits == 0), errors + edits, phones + length
    return Accuracy(len(lexicon.entries), right, errors, phones)


def _edits(left: Sequence[str], right: Sequence[str]) -> int:
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, start=1):
        previous, row = row, [i]
        for j, other in enumerate(right, start=1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (one != other)))
    return row[-1]


def rebase(config: Config, base: Path) -> Config:
    """Return the options with the model's path starting at a folder."""
    return msgspec.structs.replace(config, model=str(base / Path(config.model).expanduser()))


def model_digest(config: Config) -> str:
    """Identify the model by its content."""
    if not Path(config.model).is_file():
        raise ConfigError(f"no such file: {config.model}. Make it with: speechmill train-g2p LEXICON {config.model}")
    return files.sha256_file(Path(config.model))


class Backend:
    """Predicts pronunciations with a trained model."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self.model = load(Path(config.model))

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return each word's pronunciations, likeliest first; none where it has letters the model never saw."""
        return [pronunciations(self.model, word, self._config.n_best, self._config.least) for word in words]


def pronunciations(model: Model, word: str, n_best: int = N_BEST, least: float = LEAST) -> tuple[Pronunciation, ...]:
    """Return what a model guesses, with probabilities relative to the likeliest, as a lexicon has them."""
    guesses = model.guess(word, n_best=n_best)
    best = guesses[0].confidence if guesses else 1.0
    ratios = [(guess.phones, round(guess.confidence / best, 4)) for guess in guesses]
    return tuple(Pronunciation(phones, ratio) for phones, ratio in ratios if ratio >= least)
