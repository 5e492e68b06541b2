# SPDX-License-Identifier: Apache-2.0
"""Recognition in a hundred languages with Whisper, run by CTranslate2 through faster-whisper.

Weights are not in the wheel: they come from a local folder or, once, from their hub. Decoding is
beam search at temperature 0 only. Whisper's usual retries at higher temperatures draw random
numbers, and CTranslate2 seeds those once per thread: a result would depend on what came before.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, structs

from speechmill.asr._chunks import chunks, silent
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.files import digest, sha256_file
from speechmill.core.registry import check_language
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Interval, Transcript, Utterance, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Word as TimedToken

VERSION = "1"
COST = 0.5  # CPU seconds per second of audio, for estimates: the `small` model in int8
REQUIRES = ("faster-whisper",)
NOT_IDENTITY = ("model", "revision", "download_root")  # model_digest says which weights; where they lie doesn't matter
LANGUAGES = frozenset(
    code
    for line in (
        "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy",
        "id is it ja jv jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my nb ne nl nn no oc pa pl ps pt",
        "ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh",
    )
    for code in line.split()
)

_WHISPERS_CODE = {"jv": "jw", "nb": "no"}  # where Whisper's differs from ISO 639-1
_NEEDED = ("config.json", "model.bin", "tokenizer.json")
_READ = (*_NEEDED, "preprocessor_config.json", "vocabulary.json", "vocabulary.txt")
_SHORTEST_S = 0.1


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which weights, and how they are searched."""

    model: str = "small"  # a size, a hub id "owner/name", or a local folder; larger ones err less and cost more
    revision: str | None = None  # commit of a hub's repository; None is its newest, which may change
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    compute_type: str = "int8"  # a quarter of float32's memory, and every CPU has it
    beam_size: int = 5  # Whisper's paper (Radford et al., 2022)
    max_chunk_s: float = 30.0  # Whisper's window
    join_gap_s: float = 1.0  # longer silences would be heard for nothing
    pad_s: float = 0.2  # first and last sounds that a voice detector clipped
    detect_chunks: int = 4  # of the first chunks, their language probabilities are added up
    min_peak_dbfs: float = -66.0  # in digital silence Whisper invents text


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder start where the corpus file is."""
    folder = base / config.model
    return structs.replace(config, model=str(folder.resolve())) if folder.is_dir() else config


def prepare(config: Config) -> None:
    """Have the weights here before work starts, fetched once and not by every worker. Raises MissingModel."""
    _folder(config)


def model_digest(config: Config) -> str:
    """Identify the weights: a digest over a local folder's files, or `name@revision` of a hub."""
    folder = Path(config.model).expanduser()
    if not folder.is_dir():
        return f"{config.model}@{config.revision or 'main'}"
    files = [folder / name for name in _READ if (folder / name).is_file()]
    return _digest(tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@functools.cache
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest files, once while size and date stay: a plan asks several times, and weights are gigabytes."""
    return digest(*(part for file, _size, _mtime_ns in files for part in (file.name, sha256_file(file))))


class Backend:
    """A Whisper model over the chunks of a recording, each decoded on its own.

    Raises MissingModel where the weights are neither here nor to be had.
    """

    def __init__(self, config: Config, context: Context) -> None:
        from faster_whisper import WhisperModel

        device, _, index = context.device.partition(":")
        self._config = config
        self._model: WhisperModel = WhisperModel(
            str(_folder(config)),
            device=device,
            device_index=int(index or 0),
            compute_type=config.compute_type,
            cpu_threads=1,
        )

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Return one utterance per stretch that Whisper puts between two of its timestamps.

        language: None detects one for the whole recording. A word's score is the mean probability of
        its tokens. Raises UnsupportedLanguage.
        """
        check_language("asr", "faster_whisper", language)
        config = self._config
        pieces = chunks(audio, speech, max_s=config.max_chunk_s, join_gap_s=config.join_gap_s, pad_s=config.pad_s)
        heard = [piece for piece in pieces if _audible(_read(audio, piece), config)]
        if not heard:
            return Transcript("faster_whisper")
        spoken = language or self._detect(audio, heard[: config.detect_chunks])
        found = (utterance for piece in heard for utterance in self._utterances(audio, piece, spoken))
        return Transcript("faster_whisper", tuple(found))

    def _detect(self, audio: Audio, pieces: Sequence[Interval]) -> str:
        if not self._model.model.is_multilingual:
            return "en"
        sums: dict[str, float] = {}
        for piece in pieces:
            _, _, probabilities = self._model.detect_language(_read(audio, piece))
            for code, probability in probabilities:
                sums[code] = sums.get(code, 0.0) + probability
        return max(sorted(sums), key=lambda code: sums[code])

    def _utterances(self, audio: Audio, piece: Interval, language: str) -> Iterator[Utterance]:
        segments, _ = self._model.transcribe(
            _read(audio, piece),
            language=self._code(language),
            beam_size=self._config.beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        spoken = 0.0
        for segment in segments:
            words = _words(segment.words or (), piece, spoken)
            # Rarely the words of one segment all stand in the one before it, which then has their text.
            if not words:
                continue
            spoken = words[-1].end
            text = "".join(token.word for token in segment.words).strip()
            start = words[0].start
            yield Utterance(text, start, tick(spoken - start), piece.channel, language=language, words=words)

    def _code(self, language: str) -> str:
        code = language.split("-")[0]
        code = _WHISPERS_CODE.get(code, code)
        if code not in self._model.supported_languages:
            raise UnsupportedLanguage(
                f"faster_whisper model {self._config.model!r} knows English only, not {language!r}: "
                "choose a multilingual one (a size without '.en')"
            )
        return code


def _read(audio: Audio, piece: Interval) -> Samples:
    return audio.read(piece.start, piece.duration, channel=piece.channel, sampling_rate=WORKING_HZ)


def _audible(samples: Samples, config: Config) -> bool:
    return len(samples) >= _SHORTEST_S * WORKING_HZ and not silent(samples, config.min_peak_dbfs)


def _words(timed: Iterable[TimedToken], piece: Interval, not_before: float) -> tuple[Word, ...]:
    """Move tokens to the recording's timeline, inside their piece and in order."""
    words = []
    last = max(piece.start, not_before)
    for token in timed:
        symbol = token.word.strip()
        if not symbol:
            continue
        start, end = (min(piece.end, max(last, piece.start + float(edge))) for edge in (token.start, token.end))
        last = max(start, end)
        start, end = tick(start), tick(last)
        words.append(Word(symbol, start, tick(end - start), round(float(np.clip(token.probability, 0, 1)), 4)))
    return tuple(words)


def _folder(config: Config) -> Path:
    """Find the weights' folder, fetching them where that is allowed."""
    folder = Path(config.model).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or config.model.startswith("."):
            raise MissingModel(f"faster_whisper: no folder {folder}. {_help(config)}")
        folder = _fetched(config)
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        # Without tokenizer.json faster-whisper would silently fetch another model's.
        raise MissingModel(f"faster_whisper: {folder} has no {', '.join(missing)}. {_help(config)}")
    return folder


def _fetched(config: Config) -> Path:
    from faster_whisper import available_models, download_model
    from huggingface_hub.errors import HfHubHTTPError

    if "/" not in config.model and config.model not in available_models():
        raise MissingModel(f"faster_whisper: no model {config.model!r}; sizes: {', '.join(available_models())}")
    offline = os.environ.get("SPEECHMILL_OFFLINE", "") not in ("", "0")
    try:
        return Path(
            download_model(
                config.model, cache_dir=config.download_root, revision=config.revision, local_files_only=offline
            )
        )
    # The hub's client raises OSError's children for the network and the cache, ValueError for malformed ids.
    except (OSError, ValueError, HfHubHTTPError) as error:
        why = "SPEECHMILL_OFFLINE is set" if offline else f"its hub could not be reached ({type(error).__name__})"
        raise MissingModel(
            f"faster_whisper: weights of {config.model!r} are not here and {why}. {_help(config)}"
        ) from error


def _help(config: Config) -> str:
    name = config.model if config.model.count("/") == 1 else "Systran/faster-whisper-small"
    return (
        f"Fetch them where there is a network, hf download {name} --local-dir FOLDER, "
        f"copy FOLDER here and say model: FOLDER. It must hold {', '.join(_NEEDED)}."
    )
