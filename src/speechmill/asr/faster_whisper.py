# SPDX-License-Identifier: Apache-2.0
"""Recognition in a hundred languages with Whisper, run by CTranslate2 through faster-whisper.

Weights are not in the wheel: they come from a local folder or, once, from their hub. Decoding is
beam search at temperature 0 only. Whisper's usual retries at higher temperatures draw random
numbers, and CTranslate2 seeds those once per thread: a result would depend on what came before.
Chunks of one recording are decoded several at a time, in groups that follow from the recording alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta, Struct, structs

from speechmill.asr._chunks import ChunkSeconds, GapSeconds, PadSeconds, heard
from speechmill.asr._words import WHISPERS_CODE, Timed, placed
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.registry import check_language
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Interval, Transcript, Utterance
from speechmill.models import hub

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from faster_whisper.transcribe import Segment

VERSION = "2"
COST = 0.5  # CPU seconds per second of audio, for estimates: the `small` model in int8
REQUIRES = ("faster-whisper",)
DEVICES = ("cpu", "cuda")
# Which weights is said by model_digest. What shares a batch doesn't change a chunk's text or times (tested).
NOT_IDENTITY = ("model", "revision", "download_root", "batch_audio_s")
LANGUAGES = frozenset(
    code
    for line in (
        "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy",
        "id is it ja jv jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my nb ne nl nn no oc pa pl ps pt",
        "ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh",
    )
    for code in line.split()
)

_SIZES = {
    **{size: f"Systran/faster-whisper-{size}" for size in ("tiny", "base", "small", "medium")},
    **{f"{size}.en": f"Systran/faster-whisper-{size}.en" for size in ("tiny", "base", "small", "medium")},
    **{size: f"Systran/faster-whisper-{size}" for size in ("large-v1", "large-v2", "large-v3")},
    **{f"distil-{size}": f"Systran/faster-distil-whisper-{size}" for size in ("large-v2", "large-v3")},
    **{f"distil-{size}.en": f"Systran/faster-distil-whisper-{size}.en" for size in ("small", "medium")},
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
# Without tokenizer.json faster-whisper would silently fetch another model's.
_NEEDED = ("config.json", "model.bin", "tokenizer.json")
_ALSO = ("preprocessor_config.json", "vocabulary.json", "vocabulary.txt")
_WINDOW_S = 30.0  # what the encoder hears, filled up with silence
_BATCH_AUDIO_S = {"cpu": 30.0, "cuda": 240.0}
_SLOT_S = 2 * _WINDOW_S  # from a chunk's start to the next one's in a group


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which weights, and how they are searched."""

    model: str = "small"  # a size, a hub id "owner/name", or a local folder; larger ones err less and cost more
    revision: str | None = None  # commit of a hub's repository; None is its newest, which may change
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    compute_type: str = "int8"  # a quarter of float32's memory, and every CPU has it
    beam_size: Annotated[int, Meta(ge=1)] = 5  # Whisper's paper (Radford et al., 2022)
    # Decoded at once, 30 s a chunk; None: 240 on a GPU, 30 on a CPU, where more audio at once gained no speed (a model
    # of `base`'s size, one thread) and took 0.1 GB a chunk.
    batch_audio_s: Annotated[float, Meta(gt=0)] | None = None
    max_chunk_s: ChunkSeconds = 30.0  # Whisper's window
    join_gap_s: GapSeconds = 1.0  # longer silences would be heard for nothing
    pad_s: PadSeconds = 0.2  # first and last sounds that a voice detector clipped
    detect_chunks: Annotated[int, Meta(ge=1)] = 4  # of the first chunks, their language probabilities are added up
    min_peak_dbfs: float = -66.0  # in digital silence Whisper invents text


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder start where the corpus file is."""
    return structs.replace(config, model=hub.rebased(config.model, base))


def prepare(config: Config) -> None:
    """Have the weights here before work starts, fetched once and not by every worker. Raises MissingModel."""
    hub.folder(_weights(config))


def model_digest(config: Config) -> str:
    """Identify the weights; see `hub.identity`."""
    return hub.identity(_weights(config))


def _weights(config: Config) -> hub.Weights:
    model = _SIZES.get(config.model, config.model)
    if "/" not in model and not Path(model).expanduser().is_dir():
        raise MissingModel(f"asr faster_whisper: no model {model!r}; sizes: {', '.join(_SIZES)}")
    return hub.Weights("asr faster_whisper", model, _NEEDED, _ALSO, config.revision, config.download_root)


class Backend:
    """A Whisper model over the chunks of a recording.

    Raises MissingModel where the weights are neither here nor to be had.
    """

    def __init__(self, config: Config, context: Context) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        device, _, index = context.device.partition(":")
        self._config = config
        self._at_once = max(1, int((config.batch_audio_s or _BATCH_AUDIO_S[device]) / _WINDOW_S))
        self._model: WhisperModel = WhisperModel(
            str(hub.folder(_weights(config))),
            device=device,
            device_index=int(index or 0),
            compute_type=config.compute_type,
            cpu_threads=1,
        )
        self._pipeline: BatchedInferencePipeline = BatchedInferencePipeline(self._model)

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Return one utterance per chunk in which words were found.

        language: None detects one for the whole recording. A word's score is the mean probability of
        its tokens. Raises UnsupportedLanguage.
        """
        check_language("asr", "faster_whisper", language)
        config = self._config
        pieces = heard(
            audio,
            speech,
            max_s=min(config.max_chunk_s, _WINDOW_S),
            join_gap_s=config.join_gap_s,
            pad_s=config.pad_s,
            min_peak_dbfs=config.min_peak_dbfs,
        )
        first = list(islice(pieces, config.detect_chunks))
        if not first:
            return Transcript("faster_whisper")
        spoken = language or self._detect([samples for _, samples in first])
        groups = _groups(chain(first, pieces), self._at_once)
        return Transcript("faster_whisper", tuple(one for group in groups for one in self._utterances(group, spoken)))

    def _detect(self, chunks: Sequence[Samples]) -> str:
        if not self._model.model.is_multilingual:
            return "en"
        sums: dict[str, float] = {}
        for samples in chunks:
            _, _, probabilities = self._model.detect_language(samples)
            for code, probability in probabilities:
                sums[code] = sums.get(code, 0.0) + probability
        return max(sorted(sums), key=lambda code: sums[code])

    def _utterances(self, group: Sequence[tuple[Interval, Samples]], language: str) -> Iterator[Utterance]:
        samples, clips = _laid_out([samples for _, samples in group])
        segments, _ = self._pipeline.transcribe(
            samples,
            language=self._code(language),
            beam_size=self._config.beam_size,
            temperature=0.0,
            word_timestamps=True,
            vad_filter=False,
            clip_timestamps=clips,
            batch_size=len(clips),
        )
        for segment in segments:
            # Not by its start: that one is moved to the first word.
            slot = round(segment.seek / (100 * _SLOT_S))
            found = _utterance(segment, slot * _SLOT_S, group[slot - 1][0], language)
            if found is not None:
                yield found

    def _code(self, language: str) -> str:
        code = language.split("-")[0]
        code = WHISPERS_CODE.get(code, code)
        if code not in self._model.supported_languages:
            raise UnsupportedLanguage(
                f"faster_whisper model {self._config.model!r} knows English only, not {language!r}: "
                "choose a multilingual one (a size without '.en')"
            )
        return code


def _groups(pieces: Iterator[tuple[Interval, Samples]], size: int) -> Iterator[list[tuple[Interval, Samples]]]:
    while group := list(islice(pieces, size)):
        yield group


def _laid_out(chunks: Sequence[Samples]) -> tuple[Samples, list[dict[str, float]]]:
    """Lay chunks onto one timeline, a slot each from the second on, and say from where to where they are.

    faster-whisper shortens a first word by how long ago the last one ended. With 30 s or more before each
    chunk that is the same whatever the others say.
    """
    slot = round(_SLOT_S * WORKING_HZ)
    samples = np.zeros(slot * (len(chunks) + 1), np.float32)
    clips = []
    for i, chunk in enumerate(chunks, start=1):
        samples[i * slot : i * slot + len(chunk)] = chunk
        clips.append({"start": i * _SLOT_S, "end": i * _SLOT_S + (len(chunk) + 0.5) / WORKING_HZ})
    return samples, clips


def _utterance(segment: Segment, offset: float, chunk: Interval, language: str) -> Utterance | None:
    tokens = [token for token in segment.words or () if token.word.strip()]
    if not tokens:
        return None
    timed = [
        Timed(token.word.strip(), token.start - offset, token.end - offset, float(token.probability))
        for token in tokens
    ]
    words = placed(timed, chunk)
    text = " ".join("".join(token.word for token in segment.words or ()).split())
    start, end = words[0].start, words[-1].end
    return Utterance(text, start, tick(end - start), chunk.channel, language=language, words=words)
