# SPDX-License-Identifier: Apache-2.0
"""Recognition with networks of the transformers library, on torch: CTC (wav2vec 2.0, MMS) and Whisper (PhoWhisper).

For languages that only such a model knows. Where Whisper's weights exist for CTranslate2, `faster_whisper` needs
a fraction of the time and no torch. Whisper's word times come from its attention, where the model says which
heads follow the speech; else its utterances have no words. They have no scores.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct, structs

from speechmill.asr._chunks import ChunkSeconds, GapSeconds, PadSeconds, heard
from speechmill.asr._words import WHISPERS_CODE, Timed, spelled, utterance
from speechmill.core.errors import ConfigError, MissingModel, SpeechmillError, UnsupportedLanguage
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Interval, Transcript
from speechmill.models import hub
from speechmill.models.ctc import Emitter, greedy, quiet

VERSION = "1"
COST = 1.0  # CPU seconds per second of audio, for estimates: wav2vec 2.0 of 300 M weights
REQUIRES = ("torch", "transformers")
DEVICES = ("cpu", "cuda")
NOT_IDENTITY = ("model", "revision", "download_root")

_NEEDED = (
    "config.json",
    "model.safetensors or model.safetensors.index.json or pytorch_model.bin or pytorch_model.bin.index.json",
    "preprocessor_config.json or processor_config.json",
    "tokenizer.json or vocab.json",
)
_ALSO = (
    "model-*.safetensors",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "normalizer.json",
    "vocab.json",  # Whisper's beside its tokenizer.json
    "merges.txt",
)


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which network, and how speech is cut for it."""

    model: str  # a hub id "owner/name", or a local folder
    revision: str | None = None  # commit of a hub's repository; None is its newest when it is first fetched
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    target_lang: str | None = None  # MMS: the adapter to load, an ISO 639-3 code such as yor
    language: str | None = None  # of a model that knows one only; recordings in another are refused
    num_beams: Annotated[int, Meta(ge=1)] = 1  # Whisper's search; CTC takes the best path
    detect_chunks: Annotated[int, Meta(ge=1)] = (
        4  # Whisper: of the first chunks, their language probabilities are added up
    )
    max_chunk_s: ChunkSeconds = 25.0  # attention's memory grows with the square of it; Whisper hears 30 s at most
    join_gap_s: GapSeconds = 1.0  # longer silences would be heard for nothing
    pad_s: PadSeconds = 0.2  # first and last sounds that a voice detector clipped
    min_peak_dbfs: float = -66.0  # in digital silence Whisper invents text


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder start where the corpus file is."""
    return structs.replace(config, model=hub.rebased(config.model, base))


def prepare(config: Config) -> None:
    """Have the weights here before work starts. Raises MissingModel."""
    hub.folder(_weights(config))


def model_digest(config: Config) -> str:
    """Identify the weights; see `hub.identity`."""
    return hub.identity(_weights(config))


def _weights(config: Config) -> hub.Weights:
    lang = config.target_lang
    adapter = () if lang is None else (f"adapter.{lang}.safetensors or adapter.{lang}.bin",)
    needed = (*_NEEDED, *adapter)
    return hub.Weights("asr transformers", config.model, needed, _ALSO, config.revision, config.download_root)


class Network(Protocol):
    """What hears a chunk, of `longest_s` seconds at most."""

    longest_s: float

    def detect(self, chunks: Sequence[Samples]) -> str | None:
        """Return the language that is spoken, or None where the network doesn't tell."""
        ...

    def hear(self, samples: Samples, language: str | None) -> tuple[str, list[Timed]]:
        """Return text and words, timed in the chunk; no words where the network gives no times."""
        ...


class Backend:
    """One network over the chunks of a recording, each decoded on its own.

    Raises MissingModel, and ConfigError where the model is of a kind that isn't known here.
    """

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        folder = hub.folder(_weights(config))
        self._network = _opened(folder, config, context.device)

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Return one utterance per chunk in which something was said.

        language: None: Whisper detects one for the whole recording; CTC is taken to speak the option's.
        Raises UnsupportedLanguage.
        """
        config = self._config
        if config.language and language and config.language.split("-")[0] != language.split("-")[0]:
            raise UnsupportedLanguage(
                f"asr transformers: the model {config.model!r} is said to know {config.language!r} only, not "
                f"{language!r}; say when: \"language == '{config.language}'\""
            )
        pieces = heard(
            audio,
            speech,
            max_s=min(config.max_chunk_s, self._network.longest_s),
            join_gap_s=config.join_gap_s,
            pad_s=config.pad_s,
            min_peak_dbfs=config.min_peak_dbfs,
        )
        spoken = language or config.language
        first = list(islice(pieces, config.detect_chunks))
        if spoken is None and first:
            spoken = self._network.detect([samples for _, samples in first])
        found = (
            utterance(*self._network.hear(samples, spoken), chunk, spoken) for chunk, samples in chain(first, pieces)
        )
        return Transcript("transformers", tuple(one for one in found if one is not None))


def _opened(folder: Path, config: Config, device: str) -> Network:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    try:
        if kind == "whisper":
            return _Whisper(folder, config, device)
        if kind in MODEL_FOR_CTC_MAPPING_NAMES:
            return _Ctc(Emitter(folder, target_lang=config.target_lang, device=device))
    except SpeechmillError:
        raise
    except Exception as error:  # errors of transformers, torch and safetensors share no base
        raise MissingModel(f"asr transformers: {folder} can't be opened: {error}") from error
    known = ", ".join(sorted([*MODEL_FOR_CTC_MAPPING_NAMES, "whisper"]))
    raise ConfigError(f"asr transformers: {folder} holds a model of type {kind!r}; known are {known}")


class _Ctc:
    """The best path through a CTC network's emissions; a word's score is the mean of its labels'."""

    longest_s = math.inf

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def detect(self, chunks: Sequence[Samples]) -> None:
        """Tell nothing: it writes down sounds."""

    def hear(self, samples: Samples, language: str | None) -> tuple[str, list[Timed]]:
        labels = greedy(self._emitter.emit(samples))
        words = spelled(Timed(label.symbol, label.start, label.end, label.score) for label in labels)
        spaced = "".join(label.symbol for label in labels).replace("|", " ").replace("▁", " ")
        return spaced, words


class _Whisper:
    """Whisper's encoder and decoder, at temperature 0."""

    longest_s = 30.0  # what is longer would be cut off

    def __init__(self, folder: Path, config: Config, device: str) -> None:
        import torch
        from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

        quiet()
        torch.set_num_threads(1)
        self._config, self._device = config, device
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._extractor: Any = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        # Word times are read off the attention, which only the plain implementation gives.
        self._model: Any = WhisperForConditionalGeneration.from_pretrained(
            folder, attn_implementation="eager", local_files_only=True
        )
        self._model.eval().to(device)
        options = self._model.generation_config
        self._codes: dict[str, int] = getattr(options, "lang_to_id", None) or {}
        self._has_times = getattr(options, "alignment_heads", None) is not None

    def detect(self, chunks: Sequence[Samples]) -> str | None:
        import torch

        if not self._codes:
            return None
        start = torch.tensor([[self._model.config.decoder_start_token_id]], device=self._device)
        ids = list(self._codes.values())
        total = torch.zeros(len(ids))
        for samples in chunks:
            with torch.inference_mode():
                logits = self._model(**self._features(samples), decoder_input_ids=start).logits[0, -1]
            total += torch.softmax(logits[ids].float(), dim=0).cpu()
        return list(self._codes)[int(total.argmax())].strip("<|>")

    def hear(self, samples: Samples, language: str | None) -> tuple[str, list[Timed]]:
        import torch

        with torch.inference_mode():
            made = self._model.generate(
                **self._features(samples),
                num_beams=self._config.num_beams,
                do_sample=False,
                return_dict_in_generate=True,
                return_token_timestamps=self._has_times or None,
                **self._told(language),
            )
        tokens = made["sequences"][0].tolist()
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        if not self._has_times:
            return text, []
        return text, self._timed(tokens, made["token_timestamps"][0].tolist())

    def _told(self, language: str | None) -> dict[str, str]:
        """What `generate` is told; models of one language are told nothing."""
        if not self._codes:
            return {}
        code = (language or "en").split("-")[0]
        code = WHISPERS_CODE.get(code, code)
        if f"<|{code}|>" not in self._codes:
            raise UnsupportedLanguage(f"asr transformers: {self._config.model!r} does not know {language!r}")
        return {"language": code, "task": "transcribe"}

    def _timed(self, tokens: Sequence[int], ends: Sequence[float]) -> list[Timed]:
        """Join the bytes that tokens stand for to characters, and these to words.

        The library says when a token ends (its own words start where the token before ended).
        """
        marks = set(self._tokenizer.all_special_ids)
        pieces: list[Timed] = []
        waiting: list[int] = []
        begin = 0.0
        for token, end in zip(tokens, ends, strict=True):
            if token in marks:
                continue
            waiting.append(token)
            text = self._tokenizer.decode(waiting)
            if "\ufffd" not in text:
                pieces.append(Timed(text, begin, end))
                begin, waiting = end, []
        return spelled(pieces)

    def _features(self, samples: Samples) -> dict[str, Any]:
        made = self._extractor(samples, sampling_rate=WORKING_HZ, return_tensors="pt", return_attention_mask=True).to(
            self._device
        )
        return {"input_features": made.input_features, "attention_mask": made.attention_mask}
