# SPDX-License-Identifier: Apache-2.0
"""Forced alignment of English words and phones with CMU PocketSphinx: everything is in its wheel.

Words are found first, then phones inside them. Where a token may be said in several ways, the audio decides.
Pronunciations are CMUdict's; what it lacks is put together from its parts or guessed from its letters, and scores
lower. Phones are ARPAbet without stress.
Not trained on the corpus, unlike `gmm`: an accent or a room that its model never heard costs precision.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from speechmill.align._english import latin, letter_to_sound
from speechmill.core.errors import Unalignable
from speechmill.core.registry import check_language
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Alignment, Word
from speechmill.text.spoken import Spoken, fold

if TYPE_CHECKING:
    from pocketsphinx import AlignmentEntry, Decoder

VERSION = "2"
REQUIRES = ("pocketsphinx==5.1.1",)
MODELS = ("pocketsphinx-en",)
LANGUAGES = frozenset({"en"})

_GRAMMAR = "text"
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_ALTERNATE = re.compile(r"\(\d+\)$")
_FRAME_S = 0.01  # a frame's time is its start: shifted to its window's centre, words came 8 ms later still
_MIN_FRAMES = 3  # of a phone: one for each state of its model
# Acoustic cost per frame at which a word is as likely wrong as right, and how fast that changes. Measured on
# 60 LibriSpeech test-other utterances: the median is 18 with the true text and 50 with another's text.
_EVEN_COST, _COST_SCALE = 35.0, 8.0


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How wide the search is, and what makes a word doubtful."""

    beam: float = 1e-120  # upstream's 1e-48 finds no path through 25 s of spontaneous speech; costs 10 % of speed
    word_beam: float = 1e-80  # upstream's is 7e-29
    min_peak_dbfs: float = -66.0  # about 16 steps of 16-bit audio: below it there is nothing to align
    min_mean_score: float = 0.35  # below it the text is refused: true ones had 0.5 and more, others' 0.21 (median)
    max_word_s: float = 3.0  # few words last as long: such a word swallowed something that is not in the text
    min_run: int = 4  # so many phones in a row at their shortest (30 ms) were squeezed in, not heard
    doubt: float = 0.5  # a score is multiplied by it for a guessed pronunciation, a long word, a squeezed run


class _Entry(Struct, frozen=True):
    """A spoken word and the dictionary's name of it."""

    name: str
    num_phones: int
    guessed: bool


class _Found(Struct, frozen=True):
    """A word or phone of the decoder: 10 ms frames, a score that is minus its acoustic cost, its phones."""

    name: str
    start: int
    duration: int
    score: int
    phones: tuple[_Found, ...] = ()


_Entries = Sequence[Sequence[Sequence[_Entry]]]  # token, way, word


class Backend:
    """PocketSphinx's two passes over a segment: words through a grammar of the text, then phones."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._folder = context.model_path(MODELS[0])
        self._open()

    def _open(self) -> None:
        from pocketsphinx import Decoder

        self._added: dict[str, _Entry] = {}
        self._decoder: Decoder = Decoder(
            hmm=str(self._folder / "en-us"),
            dict=str(self._folder / "cmudict-en-us.dict"),
            lm=None,
            cmn="batch",  # "live" carries the mean of earlier segments along
            bestpath=False,  # its words may end where their phones don't fit, and the second pass fails
            beam=self._config.beam,
            pbeam=self._config.beam,
            wbeam=self._config.word_beam,
            loglevel="FATAL",
        )

    def align(self, samples: Samples, said: Spoken, language: str | None) -> Alignment:
        """Align every token of `said`, and the phones of its words.

        A score is a logistic function of the acoustic cost per frame: it ranks words, but is not calibrated.
        Raises Unalignable: "no-words", "unknown-characters", "silence", "audio-too-short-for-text",
        "no-alignment", "poor-match"; UnsupportedLanguage for anything but English.
        """
        check_language("align", "pocketsphinx", language)
        entries = [[[self._entry(word) for word in way] for way in ways] for ways in said.ways]
        self._check(samples, entries)
        found = [word for word in self._search(samples, entries) if not _FILLER.fullmatch(word.name)]
        heard = [_ALTERNATE.sub("", word.name) for word in found]
        chosen = _path([[[entry.name for entry in way] for way in ways] for ways in entries], heard)
        if chosen is None:
            raise Unalignable("no-alignment", "the audio ends before the text")
        mean = sum(map(_score, found)) / len(found)
        if mean < self._config.min_mean_score:
            raise Unalignable("poor-match", f"mean score {mean:.2f} is below {self._config.min_mean_score:g}")
        last = len(samples) / WORKING_HZ
        spoken = [entry for ways, way in zip(entries, chosen, strict=True) if ways for entry in ways[way]]
        words = [self._word(entry, word, last) for entry, word in zip(spoken, found, strict=True)]
        phones = tuple(_timed(phone.name, phone, last) for word in found for phone in word.phones)
        return Alignment(fold(said, words, last, chosen), phones)

    def _check(self, samples: Samples, entries: _Entries) -> None:
        if not any(entries):
            raise Unalignable("no-words", "the text has no letter and no digit")
        num_phones = sum(min(sum(entry.num_phones for entry in way) for way in ways) for ways in entries if ways)
        seconds, needed = len(samples) / WORKING_HZ, num_phones * _MIN_FRAMES * _FRAME_S
        if seconds < needed:
            raise Unalignable(
                "audio-too-short-for-text", f"{num_phones} phones need {needed:.2f} s, not {seconds:.2f} s"
            )
        if float(np.max(np.abs(samples))) < 10 ** (self._config.min_peak_dbfs / 20):
            raise Unalignable("silence", f"no sample reaches {self._config.min_peak_dbfs:g} dBFS")

    def _entry(self, word: str) -> _Entry:
        """Find a word's pronunciation, or add one to the decoder's dictionary."""
        added = self._added.get(word)
        if added is None:
            name = latin(word)
            known = self._decoder.lookup_word(name)
            added = _Entry(name, len(known.split()), guessed=False) if known else self._add(name)
            self._added[word] = added
        return added

    def _add(self, word: str) -> _Entry:
        phones, guessed = self._pronounced(word)
        name = f"@{word}"  # CMUdict has no word with "@"
        if self._decoder.lookup_word(name) is None:
            self._decoder.add_word(name, phones, False)
        return _Entry(name, len(phones.split()), guessed)

    def _pronounced(self, word: str) -> tuple[str, bool]:
        """Return phones and whether they were guessed."""
        if word.endswith("'s") and (base := self._decoder.lookup_word(word[:-2])):
            return f"{base} {_possessive(base.split()[-1])}", False
        if not re.search("[aeiouy]", word) and (letters := word.replace("'", "")):
            return " ".join(self._decoder.lookup_word(letter) for letter in letters), True
        return " ".join(letter_to_sound(word)), True

    def _search(self, samples: Samples, entries: _Entries) -> list[_Found]:
        pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        try:
            last, transitions = _grammar(entries)
            self._decoder.add_fsg(_GRAMMAR, self._decoder.create_fsg(_GRAMMAR, 0, last, transitions))
            self._decoder.activate_search(_GRAMMAR)
            self._pass(pcm)
            if self._decoder.hyp() is None:
                raise Unalignable("no-alignment", "no path through the text survives the beam")
            self._decoder.set_alignment()
            self._pass(pcm)
        except RuntimeError as error:
            # What state it left the decoder in is not documented.
            self._open()
            raise Unalignable("no-alignment", str(error)) from error
        # An entry is good only until the next one is asked for: kept longer, it reads freed memory and crashes.
        return [
            _Found(word.name, word.start, word.duration, word.score, tuple(_phones(word)))
            for word in self._decoder.get_alignment()
        ]

    def _pass(self, pcm: bytes) -> None:
        # The noise tracker of the front end is never reset between utterances: make a new one (20 us).
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()

    def _word(self, entry: _Entry, word: _Found, last: float) -> Word:
        timed = _timed(entry.name, word, last)
        doubts = entry.guessed + (timed.duration > self._config.max_word_s) + self._squeezed(word.phones)
        return Word(timed.symbol, timed.start, timed.duration, round(_score(word) * self._config.doubt**doubts, 4))

    def _squeezed(self, phones: Sequence[_Found]) -> bool:
        run = longest = 0
        for phone in phones:
            run = run + 1 if phone.duration <= _MIN_FRAMES else 0
            longest = max(longest, run)
        return longest >= self._config.min_run


def _grammar(entries: _Entries) -> tuple[int, list[tuple[int, int, float, str]]]:
    """Return the last state and the transitions of a grammar that says each token in one of its ways."""
    spoken = [ways for ways in entries if ways]
    last = states = len(spoken)
    transitions = []
    for start, ways in enumerate(spoken):
        for way in ways:
            inner = range(states + 1, states + len(way))
            states += len(inner)
            path = (start, *inner, start + 1)
            transitions += [
                (left, right, 1.0, one.name) for (left, right), one in zip(pairwise(path), way, strict=True)
            ]
    return last, transitions


def _path(names: Sequence[Sequence[Sequence[str]]], heard: Sequence[str]) -> list[int] | None:
    """Find which way of each token was heard (0 where it has none); None where the words are not of these ways."""
    reached: list[dict[int, tuple[int, int]]] = [{0: (0, 0)}]  # words so far -> words before this token, its way
    for ways in names:
        following: dict[int, tuple[int, int]] = {}
        for begin in reached[-1]:
            for number, way in enumerate(ways or [[]]):
                if list(heard[begin : begin + len(way)]) == list(way):
                    following.setdefault(begin + len(way), (begin, number))
        reached.append(following)
    position, chosen = len(heard), []
    for step in reversed(reached[1:]):
        if position not in step:
            return None
        position, number = step[position]
        chosen.append(number)
    return chosen[::-1]


def _possessive(phone: str) -> str:
    if phone in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        return "IH Z"
    return "S" if phone in {"P", "T", "K", "F", "TH"} else "Z"


def _phones(word: Iterable[AlignmentEntry]) -> Iterator[_Found]:
    for phone in word:
        yield _Found(phone.name, phone.start, phone.duration, phone.score)


def _timed(symbol: str, found: _Found, last: float) -> Word:
    start, end = (_edge(frame, last) for frame in (found.start, found.start + found.duration))
    return Word(symbol, start, tick(end - start), round(_score(found), 4))


def _edge(frame: int, last: float) -> float:
    return tick(min(last, frame * _FRAME_S))


def _score(found: _Found) -> float:
    cost = -found.score / max(1, found.duration)
    return 1.0 / (1.0 + math.exp(min(50.0, (cost - _EVEN_COST) / _COST_SCALE)))
