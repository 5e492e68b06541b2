# SPDX-License-Identifier: Apache-2.0
"""Forced alignment through the emissions of any CTC network of the transformers library: wav2vec 2.0, HuBERT, MMS.

The network was trained elsewhere and stays as it is; the search is ours. Where its labels are letters, words are
spelled in them; where they are phones, `lexicon` says how words are pronounced, and the phones are timed too. A
network of this kind emits a label in a frame or two, somewhere in its sound: words begin a little late and end early.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from msgspec import Meta, Struct, structs

from speechmill.align._ctc_graph import Span, Spelling, Spellings, Token, best_path, shortest
from speechmill.core.errors import MissingModel, SpeechmillError, Unalignable
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Alignment, Word
from speechmill.formats import lexicon
from speechmill.formats.lexicon import Lexicon
from speechmill.models import ctc, hub
from speechmill.models.ctc import Emissions
from speechmill.text.characters import graphemes
from speechmill.text.spoken import Spoken, fold

VERSION = "1"
COST = 1.0  # CPU seconds per second of audio, for estimates: wav2vec 2.0 of 300 M weights
REQUIRES = ("torch", "transformers")
DEVICES = ("cpu", "cuda")
SCORED = True
NOT_IDENTITY = ("model", "revision", "download_root", "lexicon")

_SPACES = ("|", "▁", " ")  # labels that stand for a space
_SAME = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which network, and how long audio is cut for it."""

    model: str  # a hub id "owner/name", or a local folder
    revision: str | None = None  # commit of a hub's repository; None is its newest when it is first fetched
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    target_lang: str | None = None  # MMS: the adapter to load, an ISO 639-3 code such as yor
    lexicon: str | None = None  # pronunciations in the network's labels; None: the labels are letters
    window_s: Annotated[float, Meta(ge=5.0)] = 25.0  # attention's memory grows with the square of it
    overlap_s: Annotated[float, Meta(ge=0.2, le=4.0)] = 2.0  # half of it at a window's edge isn't used
    min_peak_dbfs: float = -66.0  # below it there is nothing to align
    min_mean_score: float = 0.1  # below it the text is refused: a label that isn't said has a probability near 0


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder and the lexicon start where the corpus file is."""
    lexicon_path = str((base / Path(config.lexicon).expanduser()).resolve()) if config.lexicon else None
    return structs.replace(config, model=hub.rebased(config.model, base), lexicon=lexicon_path)


def prepare(config: Config) -> None:
    """Have the weights here before work starts. Raises MissingModel."""
    hub.folder(_weights(config))


def model_digest(config: Config) -> str:
    """Identify the weights, see `hub.identity`, and the lexicon."""
    identity = hub.identity(_weights(config))
    return f"{identity} {lexicon.read(Path(config.lexicon)).digest}" if config.lexicon else identity


def _weights(config: Config) -> hub.Weights:
    return ctc.weights("align ctc", config.model, config.revision, config.download_root, config.target_lang)


class Emits(Protocol):
    """What hears samples: `models.ctc.Emitter`."""

    def emit(self, samples: Samples) -> Emissions: ...


class Backend:
    """One network over the segments; the text's best path through what it emits.

    Raises MissingModel.
    """

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._emitter: Emits = _opened(config, context.device)
        self._lexicon = lexicon.read(Path(config.lexicon)) if config.lexicon else None

    def align(self, samples: Samples, said: Spoken, language: str | None) -> Alignment:
        """Align every token of `said`; phones, too, where the labels are phones.

        A word's score is the mean probability of its labels, each over the frames it is emitted in. A word with
        characters that the network lacks is aligned by its others, and the alignment doubted; one with no others
        gets what its neighbours leave, and the score 0.
        Raises Unalignable: "no-words", "unknown-characters", "silence", "audio-too-short-for-text",
        "no-alignment", "poor-match".
        """
        if not said.words:
            raise Unalignable("no-words", "the text has no letter and no digit")
        if not len(samples) or float(np.max(np.abs(samples))) < 10 ** (self._config.min_peak_dbfs / 20):
            raise Unalignable("silence", f"no sample reaches {self._config.min_peak_dbfs:g} dBFS")
        emissions = joined(self._emitter, samples, self._config.window_s, self._config.overlap_s)
        speller = _Speller(emissions, self._lexicon)
        tokens = [tuple(tuple(map(speller.word, way)) for way in ways) for ways in said.ways]
        spelled = [tuple(way for way in ways if all(way)) for ways in tokens]
        if not any(spelled):
            raise Unalignable("unknown-characters", speller.named())
        self._check(emissions, spelled)
        spans = best_path(emissions, spelled, speller.space)
        if spans is None:
            raise Unalignable("no-alignment", "no path leads through the text to the audio's end")
        return self._folded(said, spelled, spans, emissions, speller)

    def _check(self, emissions: Emissions, tokens: Sequence[Token]) -> None:
        needed, there = shortest(tokens), len(emissions.log_probs)
        if there < needed:
            seconds = (needed * emissions.hop_s, there * emissions.hop_s)
            raise Unalignable("audio-too-short-for-text", f"its labels need {seconds[0]:.2f} s, not {seconds[1]:.2f} s")

    def _folded(
        self, said: Spoken, spelled: Sequence[Token], spans: Sequence[Span], emissions: Emissions, speller: _Speller
    ) -> Alignment:
        words, phones, chosen = [], [], [0] * len(spelled)
        for (token, way, _word), run in groupby(spans, key=lambda s: (s.place.token, s.place.way, s.place.word)):
            labels = list(run)
            chosen[token] = way
            words.append(_word_of(labels, emissions))
            phones += [_timed(emissions.labels[one.index], [one], emissions) for one in labels]
        mean = sum(word.score or 0.0 for word in words) / len(words)
        if mean < self._config.min_mean_score:
            raise Unalignable("poor-match", f"mean score {mean:.2f} is below {self._config.min_mean_score:g}")
        duration = len(emissions.log_probs) * emissions.hop_s
        heard = structs.replace(said, ways=tuple(_said(said, i, ways) for i, ways in enumerate(spelled)))
        made = fold(heard, words, duration, chosen)
        doubts = ("unknown-characters",) if speller.missing else ()
        return Alignment(made, tuple(phones) if self._lexicon else (), round(mean, 4), doubts)


def _opened(config: Config, device: str) -> Emits:
    folder = hub.folder(_weights(config))
    try:
        return ctc.Emitter(folder, target_lang=config.target_lang, device=device)
    except SpeechmillError:
        raise
    except Exception as error:  # errors of transformers, torch and safetensors share no base
        raise MissingModel(f"align ctc: {folder} can't be opened: {error}") from error


def joined(emitter: Emits, samples: Samples, window_s: float, overlap_s: float) -> Emissions:
    """Emit long audio window by window, each giving the frames that are far enough from its edges.

    Windows start on whole frames, so that theirs are those of the whole.
    """
    emissions = emitter.emit(samples[: int(window_s * WORKING_HZ)])
    if len(samples) <= window_s * WORKING_HZ:
        return emissions
    hop = round(emissions.hop_s * WORKING_HZ)
    window, margin = int(window_s * WORKING_HZ) // hop, max(1, int(overlap_s * WORKING_HZ / 2) // hop)
    parts, start = [emissions.log_probs[: window - margin]], 0
    while (start + window) * hop < len(samples):
        start += window - 2 * margin
        last = (start + window) * hop >= len(samples)
        emitted = emitter.emit(samples[start * hop : None if last else (start + window) * hop])
        parts.append(emitted.log_probs[margin : None if last else window - margin])
    return structs.replace(emissions, log_probs=np.concatenate(parts), hop_s=hop / WORKING_HZ)


class _Speller:
    """Spells words in a network's labels, and remembers what it can't spell."""

    def __init__(self, emissions: Emissions, pronunciations: Lexicon | None) -> None:
        self._lexicon = pronunciations
        usable = {i: label for i, label in enumerate(emissions.labels) if i not in emissions.specials}
        self.space = next((i for i, label in usable.items() if label in _SPACES), None)
        self._labels: dict[str, int] = {}
        for index, label in usable.items():
            if index != self.space:
                self._labels.setdefault(unicodedata.normalize("NFC", label), index)
        self._longest = max(map(len, self._labels), default=1)
        self._known: dict[str, Spellings] = {}
        self.missing: dict[str, str] = {}  # character or phone -> a word that has it

    def word(self, word: str) -> Spellings:
        """Return a word's spellings; none where the network has none of its characters, or the lexicon not the word."""
        if word not in self._known:
            found = self._pronounced(word) if self._lexicon else [self._spelled(word)]
            self._known[word] = tuple(spelling for spelling in dict.fromkeys(found) if spelling)
        return self._known[word]

    def named(self) -> str:
        """Name what the network lacks."""
        shown = ", ".join(f"{character} in {word!r}" for character, word in sorted(self.missing.items())[:20])
        return f"{shown}; the network's labels are {' '.join(list(self._labels)[:80])}"

    def _pronounced(self, word: str) -> Iterator[Spelling]:
        entries: Mapping[str, Sequence[lexicon.Pronunciation]] = self._lexicon.entries if self._lexicon else {}
        for pronunciation in entries.get(word) or entries.get(word.lower()) or ():
            lacking = [phone for phone in pronunciation.phones if phone not in self._labels]
            self.missing |= dict.fromkeys(lacking, word)
            if not lacking:
                yield tuple(self._labels[phone] for phone in pronunciation.phones)
        if word not in entries and word.lower() not in entries:
            self.missing[word] = word

    def _spelled(self, word: str) -> Spelling:
        text = unicodedata.normalize("NFC", word).translate(_SAME)
        for variant in dict.fromkeys((text, text.upper(), text.lower())):
            spelling = self._covered(f"▁{variant}") or self._covered(variant)
            if spelling:
                return spelling
        return tuple(label for one in graphemes(text) for label in self._grapheme(one, word))

    def _covered(self, text: str) -> Spelling:
        """Cover a text with labels, the longest first; nothing where a part of it has none."""
        found, at = [], 0
        while at < len(text):
            lengths = range(min(self._longest, len(text) - at), 0, -1)
            length = next((n for n in lengths if text[at : at + n] in self._labels), 0)
            if not length:
                return ()
            found.append(self._labels[text[at : at + length]])
            at += length
        return tuple(found)

    def _grapheme(self, one: str, word: str) -> Spelling:
        """Spell a character, or what is left when its marks go one by one; one that has no label is named."""
        parts = unicodedata.normalize("NFD", one)
        shorter = (unicodedata.normalize("NFC", parts[:length]) for length in range(len(parts), 0, -1))
        for variant in (one, parts, *shorter, unicodedata.normalize("NFKD", one)):
            for cased in (variant, variant.upper(), variant.lower()):
                if spelling := self._covered(cased):
                    return spelling
        if one != "'":
            self.missing[one] = word
        return ()


def _said(said: Spoken, token: int, spelled: Token) -> tuple[tuple[str, ...], ...]:
    """Return placeholders for a token's ways that could be spelled: `fold` counts their words."""
    return tuple(("",) * len(way) for way in spelled)


def _word_of(spans: Sequence[Span], emissions: Emissions) -> Word:
    return _timed("", spans, emissions)


def _timed(symbol: str, spans: Sequence[Span], emissions: Emissions) -> Word:
    start, end = tick(spans[0].first * emissions.hop_s), tick(spans[-1].last * emissions.hop_s)
    return Word(symbol, start, tick(end - start), round(sum(one.score for one in spans) / len(spans), 4))
