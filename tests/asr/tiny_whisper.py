# SPDX-License-Identifier: Apache-2.0
"""A Whisper model of a few thousand random weights in CTranslate2's format.

It writes rubbish out of letters and spaces, but it is loaded, fed and aligned like a real one.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WIDTH, HEADS, MELS, AUDIO_FRAMES, TEXT_LENGTH = 16, 2, 80, 1500, 448
LANGUAGES = ("en", "vi", "de")


def write(folder: Path, seed: int = 0) -> Path:
    """Write config.json, model.bin, vocabulary.json, tokenizer.json, preprocessor_config.json; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _tokenizer(folder)
    spec = _spec(tokens, np.random.default_rng(seed))
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS, "sampling_rate": 16000}))
    return folder


def _tokenizer(folder: Path) -> list[str]:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES)]
    specials += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    specials += ["<|notimestamps|>", *(f"<|{i * 0.02:.2f}|>" for i in range(1501))]
    text = [*alphabet, ""]  # CTranslate2 knows a multilingual vocabulary by its empty token
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(text)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    tokenizer.save(str(folder / "tokenizer.json"))
    return text + specials


def _spec(tokens: list[str], rng: np.random.Generator):
    from ctranslate2.specs import WhisperSpec

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    def linear(spec, outputs: int, inputs: int) -> None:
        spec.weight, spec.bias = weights(outputs, inputs), weights(outputs)

    def norm(spec) -> None:
        spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def attention(spec, crossed: bool = False) -> None:
        norm(spec.layer_norm)
        sizes = (1, 2, 1) if crossed else (3, 1)
        for part, size in zip(spec.linear, sizes, strict=True):
            linear(part, size * WIDTH, WIDTH)

    def feed_forward(spec) -> None:
        norm(spec.layer_norm)
        linear(spec.linear_0, 2 * WIDTH, WIDTH)
        linear(spec.linear_1, WIDTH, 2 * WIDTH)

    spec = WhisperSpec(1, HEADS, 1, HEADS)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = weights(WIDTH, MELS, 3), weights(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = weights(WIDTH, WIDTH, 3), weights(WIDTH)
    encoder.position_encodings.encodings = weights(AUDIO_FRAMES, WIDTH)
    decoder.embeddings.weight = weights(len(tokens), WIDTH)
    decoder.position_encodings.encodings = weights(TEXT_LENGTH, WIDTH)
    decoder.projection.weight, decoder.projection.bias = weights(len(tokens), WIDTH) / 2, _letters_and_times(tokens)
    for part in (encoder, decoder):
        norm(part.layer_norm)
        attention(part.layer[0].self_attention)
        feed_forward(part.layer[0].ffn)
    attention(decoder.layer[0].attention, crossed=True)
    spec.register_vocabulary(tokens)
    spec.config.lang_ids = [tokens.index(f"<|{language}|>") for language in LANGUAGES]
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.alignment_heads = [(0, head) for head in range(HEADS)]
    return spec


def _letters_and_times(tokens: list[str]) -> np.ndarray:
    """Bias of the output: letters and spaces likely, other bytes never, so that the text has words."""
    wanted = {**dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 6.0), "Ġ": 7.0, "<|endoftext|>": 3.0}
    plain = [wanted.get(token, 0.0 if token.startswith("<|") else -50.0) for token in tokens]
    return np.array(plain, np.float32)
