# SPDX-License-Identifier: Apache-2.0
"""How a recording sounds, coarsely: 30 ms frames and one Gaussian a phone, enough to find where in a text one is.

It needs no model of the language. Phones begin as one of twelve classes (open vowels, nasals, sibilants ...) whose
Gaussians are in `_long_classes.toml`, made by `training/alignment_classes.py`; the recording itself tells them apart.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.features import FeatureConfig, Matrix, dynamic, static
from speechmill.acoustic.products import product
from speechmill.core.stage import Samples

Read = Callable[[float, float], Samples]  # start, duration in seconds -> 16 kHz samples

FRAME_S = 0.03
FEATURES = FeatureConfig(
    hop_ms=10.0, window_ms=25.0, num_filters=26, num_cepstra=13, low_hz=50.0, high_hz=7600.0, delta_ms=30.0
)  # those the classes' table was made with
_POOLED = 3  # frames of the features to one here
_BLOCK_S = 60.0  # read at once
_MARGIN_S = 0.15  # read around it, so that deltas don't know where blocks end
_AROUND = 500  # frames to either side whose mean is taken off: a speaker, a room
_PRIOR = 20.0  # frames that what was known of a phone before counts for
_LEAST = 0.05  # variance; that of all frames together is 1

_SYMBOLS = {
    "open vowel": "aɑɐæɒʌäɶ",
    "mid vowel": "eɛəɜɘɞøœɤɚɝ",
    "close front vowel": "iɪyʏɨ",
    "close back vowel": "uʊɯʉ",
    "mid back vowel": "oɔ",
    "nasal": "nmŋɲɳɴɱ",
    "approximant": "lrɹɾɻɽɭʎʟʀwjɥʋɰɺɫ",
    "sibilant": "sʃɕʂzʒʑʐ",
    "voiceless fricative": "fθxχhħçɸɬʍ",
    "voiced fricative": "vðβɣʁʕɦɮʝ",
    "voiceless stop": "ptkqcʔʈ",
    "voiced stop": "bdɡgɟɖɢɓɗɠʄʛ",
}
CLASSES = (*_SYMBOLS, "silence")
_CLASS_OF = {symbol: number for number, symbols in enumerate(_SYMBOLS.values()) for symbol in symbols}
_ARPABET = {
    "AH": "ʌ",
    "AO": "ɔ",
    "CH": "t",
    "DH": "ð",
    "HH": "h",
    "JH": "d",
    "NG": "ŋ",
    "SH": "ʃ",
    "TH": "θ",
    "ZH": "ʒ",
}


class Gaussians(Struct, frozen=True):
    """One for each phone and, last, silence."""

    means: NDArray[np.float64]  # (phones + 1, dimensions)
    variances: NDArray[np.float64]


def frames(read: Read, duration: float) -> Matrix:
    """Return (frames of 30 ms, dimensions) float32, each column about 0 for some 30 s around and of variance 1."""
    blocks = [_block(read, start, duration) for start in np.arange(0.0, duration, _BLOCK_S)]
    features = np.concatenate(blocks) if blocks else np.zeros((0, FEATURES.num_dimensions), np.float32)
    return _normalised(features)


def _block(read: Read, start: float, duration: float) -> Matrix:
    begin, end = max(0.0, start - _MARGIN_S), min(duration, start + _BLOCK_S + _MARGIN_S)
    found = dynamic(static(read(begin, end - begin), FEATURES), FEATURES)
    first = round((start - begin) * 1000 / FEATURES.hop_ms)
    found = found[first : first + round(_BLOCK_S * 1000 / FEATURES.hop_ms)]
    whole = len(found) // _POOLED * _POOLED
    pooled: Matrix = found[:whole].reshape(-1, _POOLED, found.shape[1]).mean(axis=1)
    return pooled


def _normalised(features: Matrix) -> Matrix:
    """Take off the mean of what is near, without a second copy of a long recording in double precision."""
    count = len(features)
    centred = np.empty_like(features)
    for axis in range(features.shape[1]):
        total = np.concatenate([[0.0], np.cumsum(features[:, axis], dtype=np.float64)])
        low, high = np.maximum(0, np.arange(count) - _AROUND), np.minimum(count, np.arange(count) + _AROUND)
        column = features[:, axis] - (total[high] - total[low]) / np.maximum(high - low, 1)
        centred[:, axis] = column / (column.std() + 1e-6) if count else column
    return centred


def class_of(phone: str) -> int:
    """Return the index in CLASSES of a phone, however it is written: IPA, ARPAbet, or a letter of any script.

    >>> [CLASSES[class_of(phone)] for phone in ("ŋ", "tʰ", "AA1", "SH", "б", "ก")]
    ['nasal', 'voiceless stop', 'open vowel', 'sibilant', 'voiced stop', 'voiceless stop']
    """
    symbols = phone.rstrip("012")
    symbols = _ARPABET.get(symbols, symbols)
    for symbol in unicodedata.normalize("NFD", symbols.lower()):
        for written in (symbol, *_named(symbol)):
            if written in _CLASS_OF:
                return _CLASS_OF[written]
    return CLASSES.index("mid vowel")


def _named(symbol: str) -> str:
    """Return what Unicode calls a letter: CYRILLIC SMALL LETTER BE is "be", THAI CHARACTER KO KAI "ko"."""
    if unicodedata.category(symbol) not in ("Ll", "Lo"):  # a stress mark is no letter, though its name says so
        return ""
    words = unicodedata.name(symbol, "").split()
    marks = [place for place, word in enumerate(words) if word in ("LETTER", "CHARACTER", "SYLLABLE", "SIGN")]
    return words[marks[0] + 1].lower() if marks and marks[0] + 1 < len(words) else ""


@functools.cache
def _classes() -> Gaussians:
    table = tomllib.loads((Path(__file__).with_name("_long_classes.toml")).read_text(encoding="utf-8"))
    return Gaussians(*(np.array([table[name][kind] for name in CLASSES]) for kind in ("mean", "variance")))


def beginning(phones: Sequence[str]) -> Gaussians:
    """Return what phones sound like before anything of the recording is known."""
    classes = _classes()
    rows = [*map(class_of, phones), CLASSES.index("silence")]
    return Gaussians(classes.means[rows], classes.variances[rows])


def learnt(features: Matrix, labels: NDArray[Any], phones: Sequence[str]) -> Gaussians:
    """Return the Gaussians of phones, from frames with labels; one that is rarely heard leans on others of its class.

    labels: (frames,), -1 where a frame counts for none, len(phones) in silence.
    """
    classes = np.array([*map(class_of, phones), CLASSES.index("silence"), -1])
    parents = estimated(features, classes[labels], _classes())
    rows = classes[:-1]
    return estimated(features, labels, Gaussians(parents.means[rows], parents.variances[rows]))


def estimated(features: Matrix, labels: NDArray[Any], before: Gaussians) -> Gaussians:
    """Return the Gaussians of frames with labels, as if some more frames had been as before. labels: -1 for none."""
    means, variances = before.means.copy(), before.variances.copy()
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(len(means) + 1))
    for number in range(len(means)):
        own = features[order[bounds[number] : bounds[number + 1]]].astype(np.float64)
        share = len(own) / (len(own) + _PRIOR)
        if share:
            means[number] = share * own.mean(axis=0) + (1 - share) * before.means[number]
            variances[number] = share * own.var(axis=0) + (1 - share) * before.variances[number]
    return Gaussians(means, np.maximum(variances, _LEAST))


def likelihoods(features: Matrix, gaussians: Gaussians) -> Matrix:
    """Return (frames, phones + 1) float32."""
    inverse = 1 / gaussians.variances
    norm = np.log(2 * np.pi * gaussians.variances).sum(axis=1) + (gaussians.means**2 * inverse).sum(axis=1)
    weights = np.hstack([gaussians.means * inverse, -0.5 * inverse]).T.astype(np.float32)
    found: Matrix = product(np.hstack([features, features * features]), weights) - (norm / 2).astype(np.float32)
    return found
