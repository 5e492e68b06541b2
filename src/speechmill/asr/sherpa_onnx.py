# SPDX-License-Identifier: Apache-2.0
"""Recognition with models of the k2-fsa projects, run by sherpa-onnx: small, fast on a CPU, many languages.

Zipformer and NeMo transducers, and CTC models of icefall, NeMo, WeNet and Omnilingual ASR, SenseVoice and
Paraformer. Which of them lies in a folder is seen from its files and their metadata. Not its Whisper: for
that see `faster_whisper`. Times are those at which a model emits its tokens, so they may be a tenth of a
second off; a word ends where the next one starts, or 0.2 s after its last token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, structs

from speechmill.asr._chunks import ChunkSeconds, GapSeconds, PadSeconds, heard
from speechmill.asr._words import Timed, from_starts, spelled, utterance
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Interval, Transcript, Utterance
from speechmill.models import hub
from speechmill.models.onnx_metadata import metadata

if TYPE_CHECKING:
    from sherpa_onnx import OfflineRecognizer

VERSION = "1"
COST = 0.05  # CPU seconds per second of audio, for estimates: a zipformer transducer of 70 M weights in int8
REQUIRES = ("sherpa-onnx",)
NOT_IDENTITY = ("model", "revision", "download_root")

Kind = Literal[
    "transducer",
    "nemo_transducer",
    "zipformer_ctc",
    "nemo_ctc",
    "wenet_ctc",
    "omnilingual",
    "sense_voice",
    "paraformer",
]
# What the exporting scripts of sherpa-onnx write as `model_type`.
_KINDS: dict[str, Kind] = {
    "zipformer2_ctc": "zipformer_ctc",
    "EncDecCTCModel": "nemo_ctc",
    "EncDecCTCModelBPE": "nemo_ctc",
    "EncDecHybridRNNTCTCBPEModel": "nemo_ctc",
    "wenet_ctc": "wenet_ctc",
    "omnilingual-asr": "omnilingual",
    "sense_voice_ctc": "sense_voice",
    "paraformer": "paraformer",
}
_PARTS = ("encoder", "decoder", "joiner")
_MARK = re.compile(r"<(?!0x[0-9A-Fa-f]{2}>)[^<>\s]+>|⁇")  # <unk>, but no byte
_SUFFIX = "@@"  # of Paraformer's tokens that a word goes on after


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which model, and how it is searched."""

    model: str  # a hub id "owner/name", or a local folder
    revision: str | None = None  # commit of a hub's repository; None is its newest when it is first fetched
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    kind: Kind | None = None  # None sees it from the files
    precision: Literal["int8", "float32"] = "int8"  # where a folder has both: a quarter of the size, and faster
    language: str | None = None  # of a model that knows one only; recordings in another are refused
    decoding: Literal["greedy_search", "modified_beam_search"] = "greedy_search"  # the latter: transducers only, slower
    max_chunk_s: ChunkSeconds = 25.0  # most models were trained on utterances of up to 30 s
    join_gap_s: GapSeconds = 1.0  # longer silences would be heard for nothing
    pad_s: PadSeconds = 0.2  # first and last sounds that a voice detector clipped
    min_peak_dbfs: float = -66.0  # below it there is nothing to hear


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder start where the corpus file is."""
    return structs.replace(config, model=hub.rebased(config.model, base))


def prepare(config: Config) -> None:
    """Have the weights here before work starts. Raises MissingModel."""
    layout(hub.folder(_weights(config)), config)


def model_digest(config: Config) -> str:
    """Identify the weights; see `hub.identity`."""
    return hub.identity(_weights(config))


def _weights(config: Config) -> hub.Weights:
    needed = ("*.onnx", "tokens.txt or *-tokens.txt")
    return hub.Weights(
        "asr sherpa_onnx", config.model, needed, ("*.weights", "*.data"), config.revision, config.download_root
    )


class Layout(Struct, frozen=True):
    """Which files of a folder are which part of a model."""

    kind: Kind
    tokens: Path
    parts: dict[str, Path]  # "model", or "encoder", "decoder" and "joiner"


def layout(folder: Path, config: Config) -> Layout:
    """See which model lies in a folder. Raises MissingModel where it is none that is known, or where it is two."""
    tokens = sorted([*folder.glob("tokens.txt"), *folder.glob("*-tokens.txt")])[0]
    parts = {part: _chosen(folder, part, config.precision) for part in _PARTS}
    if all(parts.values()):
        whole = {part: path for part, path in parts.items() if path is not None}
        is_nemo = metadata(whole["encoder"]).get("model_type", "").startswith("EncDec")
        return Layout(config.kind or ("nemo_transducer" if is_nemo else "transducer"), tokens, whole)
    model = None if any(parts.values()) else _chosen(folder, "", config.precision)
    if model is None:
        raise MissingModel(
            f"asr sherpa_onnx: {folder} holds no model that this backend runs: it needs *encoder*.onnx, "
            "*decoder*.onnx and *joiner*.onnx, or one model.onnx, with tokens.txt"
        )
    noted = metadata(model).get("model_type", "nothing")
    kind = config.kind or _KINDS.get(noted)
    if kind is None:
        raise MissingModel(
            f"asr sherpa_onnx: {model} says {noted!r} of its kind; known are {', '.join(_KINDS)}. Say kind: "
            f"{' | '.join(sorted(set(_KINDS.values())))}"
        )
    return Layout(kind, tokens, {"model": model})


def _chosen(folder: Path, part: str, precision: str) -> Path | None:
    """The file of one part; of several precisions the one asked for. Raises MissingModel where it is not clear."""
    found = sorted(path for path in folder.glob("*.onnx") if part in path.name)
    quantised = [path for path in found if ".int8." in path.name]
    plain = [path for path in found if path not in quantised and ".fp16." not in path.name]
    best = (quantised or plain) if precision == "int8" else (plain or quantised)
    if len(best) > 1 and not part:  # WeNet's releases have a streaming model beside the whole one
        best = [path for path in best if path.name in ("model.onnx", "model.int8.onnx")] or best
    if len(best) > 1:
        names = ", ".join(path.name for path in best)
        raise MissingModel(f"asr sherpa_onnx: {folder} holds several models: {names}. Leave one in a folder of its own")
    return best[0] if best else None


def _opened(found: Layout, config: Config) -> OfflineRecognizer:
    from sherpa_onnx import OfflineRecognizer

    tokens, parts = str(found.tokens), {name: str(path) for name, path in found.parts.items()}
    if found.kind in ("transducer", "nemo_transducer"):
        return OfflineRecognizer.from_transducer(
            **parts, tokens=tokens, decoding_method=config.decoding, model_type=found.kind
        )
    makers = {
        "zipformer_ctc": OfflineRecognizer.from_zipformer_ctc,
        "nemo_ctc": OfflineRecognizer.from_nemo_ctc,
        "wenet_ctc": OfflineRecognizer.from_wenet_ctc,
        "omnilingual": OfflineRecognizer.from_omnilingual_asr_ctc,
        "sense_voice": OfflineRecognizer.from_sense_voice,
        "paraformer": OfflineRecognizer.from_paraformer,
    }
    return makers[found.kind](parts["model"], tokens=tokens)


class Backend:
    """One recogniser over the chunks of a recording, each decoded on its own, on one thread.

    Raises MissingModel.
    """

    def __init__(self, config: Config, context: Context) -> None:
        found = layout(hub.folder(_weights(config)), config)
        self._config = config
        self._suffixed = any(_SUFFIX in line for line in found.tokens.read_text(encoding="utf-8").splitlines())
        self._recogniser = _opened(found, config)

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Return one utterance per chunk in which something was said.

        A word's score is the mean probability of its tokens, where the model says it. An utterance's language
        is the one that the model hears, or was said to be. Raises UnsupportedLanguage.
        """
        config = self._config
        if config.language and language and config.language.split("-")[0] != language.split("-")[0]:
            raise UnsupportedLanguage(
                f"asr sherpa_onnx: the model {config.model!r} is said to know {config.language!r} only, not "
                f"{language!r}; say when: \"language == '{config.language}'\""
            )
        pieces = heard(
            audio,
            speech,
            max_s=config.max_chunk_s,
            join_gap_s=config.join_gap_s,
            pad_s=config.pad_s,
            min_peak_dbfs=config.min_peak_dbfs,
        )
        found = (self._utterance(chunk, samples, language) for chunk, samples in pieces)
        return Transcript("sherpa_onnx", tuple(one for one in found if one is not None))

    def _utterance(self, chunk: Interval, samples: Samples, language: str | None) -> Utterance | None:
        stream = self._recogniser.create_stream()
        stream.accept_waveform(WORKING_HZ, samples)
        self._recogniser.decode_stream(stream)
        result = stream.result
        heard_language = result.lang.strip("<|>") or None  # SenseVoice: "<|en|>"
        timed: list[Timed] = []
        if len(result.timestamps) == len(result.tokens):
            scores = [math.exp(min(0.0, value)) for value in result.ys_log_probs]
            symbols = ["" if _MARK.fullmatch(token) else self._spaced(token) for token in result.tokens]
            timed = spelled(from_starts(symbols, result.timestamps, scores, len(samples) / WORKING_HZ))
        return utterance(_MARK.sub("", result.text), timed, chunk, language or heard_language or self._config.language)

    def _spaced(self, token: str) -> str:
        """Write Paraformer's tokens, which mark where a word goes on, as others that mark where one starts."""
        if not self._suffixed:
            return token
        return token.removesuffix(_SUFFIX) if token.endswith(_SUFFIX) else f"{token} "
