# SPDX-License-Identifier: Apache-2.0
"""Recognition with Parakeet, Canary, GigaAM and their kin, run on onnxruntime through the package onnx-asr.

Weights are fetched by us, never by that package, so that offline mode, mirrors and digests hold. Its Whisper
is left to `faster_whisper`. Times are those at which a model emits its tokens: a word ends where the next
one starts, or 0.2 s after its last token. Canary gives no times: its utterances have no words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct, structs

from speechmill.asr._chunks import ChunkSeconds, GapSeconds, PadSeconds, heard
from speechmill.asr._words import from_starts, spelled, utterance
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Interval, Transcript, Utterance
from speechmill.models import hub

if TYPE_CHECKING:
    from onnx_asr.adapters import TimestampedResultsAsrAdapter

VERSION = "1"
COST = 0.1  # CPU seconds per second of audio, for estimates: Parakeet of 600 M weights in int8
REQUIRES = ("onnx-asr",)
DEVICES = ("cpu", "cuda")
NOT_IDENTITY = ("model", "revision", "download_root")

Kind = Literal[
    "nemo-conformer-ctc", "nemo-conformer-rnnt", "nemo-conformer-tdt", "nemo-conformer-aed", "kaldi-rnnt", "t-one-ctc"
]
_TOLD_LANGUAGE = "NemoConformerAED"  # Canary's class: it writes English where nothing else is said


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which model, and how speech is cut for it."""

    model: str  # a name of onnx-asr such as nemo-parakeet-tdt-0.6b-v3, a hub id "owner/name", or a local folder
    revision: str | None = None  # commit of a hub's repository; None is its newest when it is first fetched
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    kind: Kind | None = None  # of a folder's model, where its config.json doesn't say it
    precision: Literal["int8", "float32"] = "int8"  # a quarter of the size, and faster on a CPU
    language: str | None = None  # of recordings that don't say theirs, and what Canary is told then
    max_chunk_s: ChunkSeconds = 25.0  # attention's cost grows with the square of it
    join_gap_s: GapSeconds = 1.0  # longer silences would be heard for nothing
    pad_s: PadSeconds = 0.2  # first and last sounds that a voice detector clipped
    min_peak_dbfs: float = -66.0  # below it there is nothing to hear


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder start where the corpus file is."""
    return structs.replace(config, model=hub.rebased(config.model, base))


def prepare(config: Config) -> None:
    """Have the weights here before work starts. Raises MissingModel."""
    hub.folder(_weights(config))


def model_digest(config: Config) -> str:
    """Identify the weights; see `hub.identity`. A name of several models counts too, as their files lie together."""
    return f"{_kind(config) or ''} {hub.identity(_weights(config))}"


def _weights(config: Config) -> hub.Weights:
    from onnx_asr.resolver import model_repos

    name = "*int8.onnx" if config.precision == "int8" else "*[!8].onnx"
    return hub.Weights(
        "asr onnx_asr",
        model_repos.get(config.model, config.model),
        (f"{name} or **/{name}",),
        ("config.json", "*.txt", "*/tokens.txt", "*.onnx.data", "*.onnx_data"),
        config.revision,
        config.download_root,
    )


def _kind(config: Config) -> str | None:
    """What onnx-asr is to take the files for; None: what their config.json says."""
    from onnx_asr.resolver import model_repos

    return config.kind or (config.model if config.model in model_repos else None)


class Backend:
    """One recogniser over the chunks of a recording, each decoded on its own.

    Raises MissingModel.
    """

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._recogniser = _opened(hub.folder(_weights(config)), config, context.device)
        self._is_told = type(self._recogniser.asr).__name__ == _TOLD_LANGUAGE

    def transcribe(self, audio: Audio, speech: Sequence[Interval], language: str | None) -> Transcript:
        """Return one utterance per chunk in which something was said.

        A word's score is the mean probability of its tokens. An utterance's language is the recording's, or
        else the option's: these models don't say which they hear. Raises UnsupportedLanguage.
        """
        config, spoken = self._config, language or self._config.language
        options = {"language": self._told(spoken)} if self._is_told else {}
        pieces = heard(
            audio,
            speech,
            max_s=config.max_chunk_s,
            join_gap_s=config.join_gap_s,
            pad_s=config.pad_s,
            min_peak_dbfs=config.min_peak_dbfs,
        )
        found = (self._utterance(chunk, samples, spoken, options) for chunk, samples in pieces)
        return Transcript("onnx_asr", tuple(one for one in found if one is not None))

    def _told(self, language: str | None) -> str:
        code = (language or "").split("-")[0]
        if f"<|{code}|>" not in self._recogniser.asr._vocab.values():
            known = "no language was given" if language is None else f"it doesn't know {language!r}"
            raise UnsupportedLanguage(
                f"asr onnx_asr: {self._config.model!r} must be told the language, and {known}: say language:, or "
                "choose a model that needs none"
            )
        return code

    def _utterance(
        self, chunk: Interval, samples: Samples, language: str | None, options: dict[str, str]
    ) -> Utterance | None:
        result = self._recogniser.recognize(np.ascontiguousarray(samples), sample_rate=WORKING_HZ, **options)
        timed = []
        if result.timestamps is not None and result.tokens is not None:
            scores = [math.exp(min(0.0, value)) for value in result.logprobs or ()]
            tokens = ["" if token == "<unk>" else token for token in result.tokens]
            timed = spelled(from_starts(tokens, result.timestamps, scores, len(samples) / WORKING_HZ))
        return utterance(result.text.replace("<unk>", ""), timed, chunk, language)


def _opened(folder: Path, config: Config, device: str) -> TimestampedResultsAsrAdapter:
    import onnxruntime
    from onnx_asr.loader import Manager
    from onnx_asr.utils import ModelLoadingError

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    name, _, index = device.partition(":")
    providers: list[Any] = ["CPUExecutionProvider"]
    if name == "cuda":
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(index or 0)}))
    manager = Manager(options, providers)
    quantization = "int8" if config.precision == "int8" else None
    try:
        return manager.create_asr(_kind(config), folder, quantization=quantization).with_timestamps()
    except (ModelLoadingError, OSError) as error:
        raise MissingModel(
            f"asr onnx_asr: {folder} holds no model that onnx-asr opens: {error} It needs config.json with model_type "
            "(or say kind:), vocab.txt, and the kind's .onnx files"
        ) from error
