# SPDX-License-Identifier: Apache-2.0
"""A language of six letters, each a sound of its own, so that the truth is known to the sample."""

from __future__ import annotations

import sys
import wave
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from speechmill.acoustic.model import AcousticModel
from speechmill.acoustic.train import Options, train
from speechmill.alignment.audio import AudioCache
from speechmill.alignment.corpus import find
from speechmill.alignment.lexica import Source, prepare
from speechmill.alignment.run import examples
from speechmill.core.types import Word
from speechmill.formats import lexicon as lexica
from speechmill.formats.lexicon import Lexicon, Pronunciation

HZ = 16_000
LETTER_S = 0.12
PAUSE_S = 0.25
# Of a letter, the tones it is made of, in Hz; of s, noise.
SOUNDS = {"a": (700, 1200), "i": (300, 2300), "u": (320, 800), "m": (200,), "o": (450, 900), "s": ()}
WORDS = ("masa", "sima", "umi", "isu", "osama", "simu", "asu", "misa")
TEXTS = tuple(" ".join(WORDS[(i + k) % len(WORDS)] for k in (0, 3, 1)) for i in range(16))
LEXICON = Lexicon({word: (Pronunciation(tuple(word)),) for word in WORDS})


def said(text: str, pitch: float = 1.0) -> tuple[np.ndarray, tuple[Word, ...]]:
    """Say a text of these letters: samples, and when each word is said; a pause around every word."""
    rng = np.random.default_rng(zlib.crc32(f"{text} {pitch}".encode()))
    parts, words, at = [_sound("", PAUSE_S, rng, pitch)], [], PAUSE_S
    for word in text.split():
        parts += [_sound(letter, LETTER_S, rng, pitch) for letter in word]
        words.append(Word(word, round(at, 4), round(LETTER_S * len(word), 4)))
        parts.append(_sound("", PAUSE_S, rng, pitch))
        at += LETTER_S * len(word) + PAUSE_S
    return np.concatenate(parts).astype(np.float32), tuple(words)


def _sound(letter: str, seconds: float, rng: np.random.Generator, pitch: float) -> np.ndarray:
    time = np.arange(round(seconds * HZ)) / HZ
    noise = rng.normal(size=len(time))
    if letter == "s":
        return 0.1 * noise
    tones = sum(np.sin(2 * np.pi * hertz * pitch * time) for hertz in SOUNDS.get(letter, ()))
    return 0.15 * tones + 0.002 * noise


def write_wav(path: Path, channels: list[np.ndarray], sampling_rate: int = HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(sampling_rate)
        file.writeframes((np.stack(channels, axis=1) * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def write_corpus(folder: Path, texts: tuple[str, ...] = TEXTS) -> dict[str, tuple[Word, ...]]:
    """Write texts as said by two speakers, each in a folder; returns the truth by key."""
    truth = {}
    for i, text in enumerate(texts):
        speaker = ("ann", "bob")[i % 2]
        samples, words = said(text, (1.0, 1.1)[i % 2])
        key = f"{speaker}/{i:02d}"
        write_wav(folder / f"{key}.wav", [samples])
        (folder / f"{key}.lab").write_text(text + "\n", encoding="utf-8")
        truth[key] = words
    return truth


@pytest.fixture(scope="session")
def letters_language() -> ModuleType:
    """This module: `said`, `write_wav`, `write_corpus`, LEXICON, TEXTS."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def lexicon_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lexicon") / "letters.dict"
    lexica.write(path, LEXICON)
    return path


@pytest.fixture(scope="session")
def letters_model(tmp_path_factory: pytest.TempPathFactory) -> AcousticModel:
    """A model trained on sixteen utterances of the language."""
    folder = tmp_path_factory.mktemp("letters")
    write_corpus(folder)
    corpus = find(folder)
    prepared = prepare(corpus, Source("letters", LEXICON, None), None)
    with AudioCache(2) as cache:
        return train(examples(corpus, prepared, cache), LEXICON, Options(), threads=1)
