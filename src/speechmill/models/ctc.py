# SPDX-License-Identifier: Apache-2.0
"""Emissions of CTC networks of the transformers library: wav2vec 2.0, HuBERT, MMS with its adapters, and kin.

An emission says for each frame how likely each label is. A recogniser reads the best path through them
(`greedy`), an aligner the best path through a given text; both find here what they need. No text is made here.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.models import hub

_NEEDED = (
    "config.json",
    "model.safetensors or model.safetensors.index.json or pytorch_model.bin or pytorch_model.bin.index.json",
    "preprocessor_config.json or processor_config.json",
    "tokenizer.json or vocab.json",
)
_ALSO = ("model-*.safetensors", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json")


def weights(
    backend: str, model: str, revision: str | None, download_root: str | None, target_lang: str | None
) -> hub.Weights:
    """Return what an `Emitter` reads of a model, for `hub.folder` and `hub.identity`."""
    adapter = () if target_lang is None else (f"adapter.{target_lang}.safetensors or adapter.{target_lang}.bin",)
    return hub.Weights(backend, model, (*_NEEDED, *adapter), _ALSO, revision, download_root)


class Emissions(Struct, frozen=True):
    """Log-probabilities of labels over time.

    Frame i stands for the time from i * hop_s on. `labels` are as the vocabulary writes them: letters or
    pieces of words, "|" or "▁" for a space, and marks such as <pad>, whose indices are in `specials`.
    """

    log_probs: NDArray[np.float32]  # (num_frames, num_labels); exp of a row sums to 1
    labels: tuple[str, ...]
    blank: int
    specials: frozenset[int]  # the blank among them
    hop_s: float


class Label(Struct, frozen=True):
    """A label that is emitted over some frames: seconds, and the mean probability in these."""

    symbol: str
    start: float
    end: float
    score: float


def greedy(emissions: Emissions) -> list[Label]:
    """Return the labels on the best path: the likeliest of each frame, repeats joined, blanks and marks left out."""
    best = np.argmax(emissions.log_probs, axis=1)
    peaks = np.exp(np.max(emissions.log_probs, axis=1))
    found = []
    for index, frames in groupby(range(len(best)), key=lambda frame: int(best[frame])):
        run = list(frames)
        if index not in emissions.specials:
            edges = (run[0] * emissions.hop_s, (run[-1] + 1) * emissions.hop_s)
            found.append(Label(emissions.labels[index], *edges, float(np.mean(peaks[run]))))
    return found


def quiet() -> None:
    """Keep the library's progress bars and advice off the terminal of a run; errors are raised in any case."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


class Emitter:
    """A CTC network in a folder as transformers saves it, on one thread.

    target_lang: of a network with adapters (MMS), the one to load: `adapter.<target_lang>.safetensors`.
    """

    def __init__(self, folder: Path, *, target_lang: str | None = None, device: str = "cpu") -> None:
        import torch
        from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

        quiet()
        torch.set_num_threads(1)
        self._device = device
        self._extractor: Any = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCTC.from_pretrained(folder, local_files_only=True)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if target_lang is not None:
            tokenizer.set_target_lang(target_lang)
            model.load_adapter(target_lang, local_files_only=True)
        self._model = model.eval().to(device)
        self._blank = int(tokenizer.pad_token_id)
        delimiter = getattr(tokenizer, "word_delimiter_token", None)
        self._labels = tuple(map(str, tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))))
        marks = {token for token in tokenizer.all_special_tokens if token != delimiter}
        self._specials = frozenset(i for i, label in enumerate(self._labels) if i == self._blank or label in marks)

    def emit(self, samples: Samples) -> Emissions:
        """Return what is emitted for 16 kHz samples, heard at once; memory grows with the square of their length."""
        import torch

        inputs = self._extractor(samples, sampling_rate=WORKING_HZ, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            logits = self._model(**inputs).logits[0]
            log_probs = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
        return Emissions(
            log_probs, self._labels, self._blank, self._specials, self._hop_s(len(samples), len(log_probs))
        )

    def _hop_s(self, num_samples: int, num_frames: int) -> float:
        ratio = getattr(self._model.config, "inputs_to_logits_ratio", None)
        return float(ratio or num_samples / max(1, num_frames)) / WORKING_HZ
