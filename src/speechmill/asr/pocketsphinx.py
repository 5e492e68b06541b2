# SPDX-License-Identifier: Apache-2.0
"""English recognition with CMU PocketSphinx: everything is in its wheel, nothing to download.

The offline default, not a good recogniser: it writes lower-case words without punctuation, and on
speech that is not read cleanly more than every second word is wrong. Where weights can be
fetched, the other recognisers serve far better. One decoder is one thread: all cores are used because
the engine runs a worker, and so a decoder, on each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from speechmill.asr._chunks import ChunkSeconds, GapSeconds, PadSeconds, heard
from speechmill.core.registry import check_language
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Interval, Transcript, Utterance, Word

if TYPE_CHECKING:
    from pocketsphinx import Decoder

VERSION = "1"
COST = 0.17  # CPU seconds per second of audio, for estimates
REQUIRES = ("pocketsphinx==5.1.1",)
MODELS = ("pocketsphinx-en",)
LANGUAGES = frozenset({"en"})

_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")  # <s>, <sil>, [NOISE], ++UH++
_ALTERNATE = re.compile(r"\(\d+\)$")  # into(2): the dictionary's second pronunciation
_FRAME_S = 0.01


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How speech is cut and searched."""

    max_chunk_s: ChunkSeconds = 25.0  # memory of the word lattice grows with it; sentences rarely last longer
    join_gap_s: GapSeconds = 1.0  # the language model gains from what was said before, but not across a pause
    pad_s: PadSeconds = 0.2  # the model expects some silence around words
    min_peak_dbfs: float = -66.0  # about 16 steps of 16-bit audio: below it there is nothing to hear
    max_active_states: int = 10_000  # per frame; 30,000 is upstream's: same WER on LibriSpeech, 15 % slower
    max_word_exits: int = 20  # per frame; upstream's has no limit
    language_weight: float = 6.5  # of the first pass; upstream's


class Backend:
    """PocketSphinx's three passes (tree, flat, best path through the lattice) over each chunk."""

    def __init__(self, config: Config, context: Context) -> None:
        from pocketsphinx import Decoder

        folder = context.model_path(MODELS[0])
        self._config = config
        self._decoder: Decoder = Decoder(
            hmm=str(folder / "en-us"),
            dict=str(folder / "cmudict-en-us.dict"),
            lm=str(folder / "en-us.lm.bin"),
            cmn="batch",  # "live" carries the mean of earlier chunks along
            maxhmmpf=config.max_active_states,
            maxwpf=config.max_word_exits,
            lw=config.language_weight,
            loglevel="FATAL",
        )

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Return one utterance per chunk in which words were found; a word's score is its posterior.

        Raises UnsupportedLanguage for anything but English.
        """
        check_language("asr", "pocketsphinx", language)
        config = self._config
        stretches = heard(
            audio,
            speech,
            max_s=config.max_chunk_s,
            join_gap_s=config.join_gap_s,
            pad_s=config.pad_s,
            min_peak_dbfs=config.min_peak_dbfs,
        )
        utterances = (self._utterance(chunk, samples) for chunk, samples in stretches)
        return Transcript("pocketsphinx", tuple(utterance for utterance in utterances if utterance is not None))

    def _utterance(self, chunk: Interval, samples: Samples) -> Utterance | None:
        words = tuple(self._words(samples, chunk.start))
        if not words:
            return None
        text = " ".join(word.symbol for word in words)
        start, end = tick(chunk.start), tick(chunk.start + len(samples) / WORKING_HZ)
        return Utterance(text, start, tick(end - start), chunk.channel, language="en", words=words)

    def _words(self, samples: Samples, offset: float) -> Iterator[Word]:
        self._decode(samples)
        last = len(samples) / WORKING_HZ
        # seg() is None where no path survived the beam: nothing was recognised.
        for segment in self._decoder.seg() or ():
            if _FILLER.fullmatch(segment.word):
                continue
            start, end = _edge(segment.start_frame, last), _edge(segment.end_frame + 1, last)
            symbol = _ALTERNATE.sub("", segment.word)
            score = round(min(1.0, max(0.0, segment.prob)), 4)
            yield Word(symbol, tick(start + offset), tick(tick(end + offset) - tick(start + offset)), score)

    def _decode(self, samples: Samples) -> None:
        decoder = self._decoder
        # The noise tracker of the front end is never reset between utterances: make a new one (20 us).
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(_pcm16(samples), full_utt=True)
        decoder.end_utt()


def _pcm16(samples: Samples) -> bytes:
    return np.round(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()


def _edge(frame: int, last: float) -> float:
    return min(last, frame * _FRAME_S)
