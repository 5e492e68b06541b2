# SPDX-License-Identifier: Apache-2.0
"""Made-up speech whose truth is exact: each phone is noise in a band of its own, between stretches of faint hiss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from speechmill.acoustic.types import Example
from speechmill.formats.lexicon import Lexicon, Pronunciation

HZ = 16_000
CENTRES = {"a": 600.0, "b": 1200.0, "d": 2000.0, "e": 3000.0, "i": 4500.0, "s": 6500.0}
WORDS = {"ba": "b a", "dis": "d i s", "se": "s e", "abi": "a b i", "ed": "e d", "sad": "s a d"}

Spoken = tuple[np.ndarray, list[tuple[str, float, float]]]  # samples, and phones with start and end in seconds


def say(words: Sequence[str], seed: int, phone_s: float = 0.08, pause_s: float = 0.3) -> Spoken:
    """Say words after each other; a pause stands at both ends and wherever a word is ""."""
    rng = np.random.default_rng(seed)
    pieces, truth, position = [_hiss(rng, pause_s)], [], pause_s
    for word in words:
        if not word:
            pieces.append(_hiss(rng, pause_s))
            position += pause_s
            continue
        for phone in WORDS[word].split():
            seconds = round(phone_s * rng.uniform(0.7, 1.6) * 200) / 200
            pieces.append(_band(rng, CENTRES[phone], seconds))
            truth.append((phone, position, position + seconds))
            position += seconds
    pieces.append(_hiss(rng, pause_s))
    return np.concatenate(pieces).astype(np.float32), truth


def _hiss(rng: np.random.Generator, seconds: float) -> np.ndarray:
    return rng.normal(0, 3e-4, round(seconds * HZ))


def _band(rng: np.random.Generator, centre: float, seconds: float) -> np.ndarray:
    num = round(seconds * HZ)
    spectrum = np.fft.rfft(rng.normal(0, 1, num))
    hertz = np.fft.rfftfreq(num, 1 / HZ)
    noise = np.fft.irfft(spectrum * np.exp(-0.5 * ((hertz - centre) / (0.12 * centre)) ** 2), num)
    return 0.1 * noise / np.sqrt(np.mean(noise**2)) + _hiss(rng, num / HZ)


@pytest.fixture(scope="session")
def spoken() -> Callable[..., Spoken]:
    """See `say`."""
    return say


@pytest.fixture(scope="session")
def band_lexicon() -> Lexicon:
    """The words that bands are known for."""
    return Lexicon({word: (Pronunciation(tuple(phones.split())),) for word, phones in WORDS.items()})


def texts(count: int) -> list[tuple[str, ...]]:
    """Return texts of two to four words, every word often."""
    rng = np.random.default_rng(7)
    names = sorted(WORDS)
    return [tuple(names[index] for index in rng.integers(0, len(names), 2 + number % 3)) for number in range(count)]


@pytest.fixture(scope="session")
def band_examples() -> list[Example]:
    """Forty utterances of two speakers."""
    examples = []
    for number, words in enumerate(texts(40)):
        samples, _ = say(words, number)
        ways = tuple(((word,),) for word in words)
        read = lambda samples=samples: samples  # noqa: E731
        examples.append(Example(f"u{number:02d}", len(samples) / HZ, read, ways, f"speaker{number % 2}"))
    return examples
