# SPDX-License-Identifier: Apache-2.0
"""Which lexicon a corpus is aligned with: a file, or a backend that pronounces every word of it; and what is OOV.

Nothing is guessed behind the user's back: what no lexicon has and nothing predicted is counted, and aligned as unknown
speech.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.alignment.corpus import Corpus
from speechmill.alignment.words import Worded, Wording, expanded, is_mark
from speechmill.core.errors import ConfigError
from speechmill.formats import lexicon as formats
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.g2p import G2pBackend, guessing, resolve

GRAPHEMES = "graphemes"
TRAIN = "train"  # as a G2P model: one trained on the lexicon


class Source(Struct, frozen=True):
    """Where pronunciations come from."""

    name: str
    lexicon: Lexicon
    g2p: G2pBackend | None  # for words that the lexicon lacks
    guess: G2pBackend | None = None  # for words that `g2p` lacks too


class Prepared(Struct, frozen=True):
    """A corpus in words of a lexicon that has all words that could be pronounced."""

    lexicon: Lexicon
    worded: Mapping[str, Worded]  # by the utterance's key
    oov: Counter[str]  # words that nobody could pronounce, and tokens that nobody can say
    predicted: Mapping[str, tuple[Pronunciation, ...]]
    notices: tuple[str, ...] = ()


def source(name: str | None, g2p: str | None = None, language: str | None = None) -> Source:
    """Return the lexicon of a file, or of a name or model that `speechmill.g2p` knows; None is `graphemes`.

    g2p: what predicts words that it lacks: a model's file, a name, or `train`: a model trained on the file, and for a
    name what `speechmill.g2p.guessing` has.
    language: `espeak` needs it. Raises ConfigError, FormatError, MissingDependency.
    """
    chosen = name or GRAPHEMES
    path = Path(chosen)
    if not path.is_file() or path.suffix == ".npz":
        return Source(chosen, Lexicon({}), resolve(chosen, language=language), _guess(chosen, g2p, language))
    lexicon = formats.read(path)
    if g2p is None:
        return Source(chosen, lexicon, None)
    return Source(chosen, lexicon, _trained(lexicon) if g2p == TRAIN else resolve(g2p, lexicon, language=language))


def _guess(name: str, g2p: str | None, language: str | None) -> G2pBackend | None:
    """Return what says the words that a name lacks. Raises ConfigError where nothing is known that does."""
    if g2p is None:
        return None
    chosen = guessing(name) if g2p == TRAIN else g2p
    if chosen is None:
        raise ConfigError(f"--g2p: nothing can be trained on {name}, which is no file. Name a model: --g2p-model FILE")
    return resolve(chosen, language=language)


def _trained(lexicon: Lexicon) -> G2pBackend:
    """Train a model on a lexicon, for this run alone."""
    from speechmill.g2p import joint

    if not joint.can_learn(lexicon):
        raise ConfigError(
            f"{len(lexicon.entries)} words are too few to train a G2P model on. Name one: --g2p-model FILE"
        )
    return resolve(None, lexicon)


def prepare(corpus: Corpus, pronounced: Source, language: str | None) -> Prepared:
    """Look up the texts of a corpus; words that the lexicon lacks are predicted where there is somebody to do it."""
    texts = [(utterance.key, utterance.text) for recording in corpus.recordings for utterance in recording.utterances]
    wording = Wording(pronounced.lexicon, language)
    worded = {key: wording(text) for key, text in texts}
    lexicon, predicted = pronounced.lexicon, {}
    missing = sorted({word for one in worded.values() for word in one.oov if not is_mark(word)})
    if missing and pronounced.g2p is not None:
        said = _said(pronounced.g2p, missing)
        guessed = _said(pronounced.guess, [word for word in missing if word not in said])
        predicted = said if pronounced.lexicon.entries else guessed  # a name's own words are no prediction
        lexicon = expanded(lexicon, {**said, **guessed})
        wording = Wording(lexicon, language)
        worded = {key: wording(text) for key, text in texts}
    return Prepared(lexicon, worded, _oov(worded.values()), predicted, tuple(sorted(wording.notices)))


def _said(backend: G2pBackend | None, words: Sequence[str]) -> dict[str, tuple[Pronunciation, ...]]:
    if backend is None or not words:
        return {}
    return {word: ways for word, ways in zip(words, backend.pronounce(words), strict=True) if ways}


def _oov(worded: Iterable[Worded]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in worded:
        counts.update(word for word in one.oov if not is_mark(word))
        counts.update(one.unspoken)
    return counts
