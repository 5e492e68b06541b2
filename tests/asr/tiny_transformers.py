# SPDX-License-Identifier: Apache-2.0
"""Networks of some thousand random weights, saved by transformers as real ones are.

They write rubbish, but they are loaded, fed and read like wav2vec 2.0, MMS with its adapters and Whisper.
"""

from __future__ import annotations

import json
from pathlib import Path

LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abcdehinoxạàẹ")
YORUBA = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abdeẹgiọṣ")
WRITTEN = ("<|endoftext|>", *"abchiĠ")  # Whisper's token of a space
LANGUAGES = ("en", "vi", "yo")


def wav2vec2(folder: Path) -> Path:
    """A CTC network with one vocabulary."""
    return _ctc(folder, dict(zip(LETTERS, range(len(LETTERS)), strict=True)), len(LETTERS))


def mms(folder: Path) -> Path:
    """A CTC network with an adapter and a vocabulary for each language; the one it was saved with is English."""
    from safetensors.torch import save_file

    vocabularies = {
        code: dict(zip(letters, range(len(letters)), strict=True))
        for code, letters in (("eng", LETTERS), ("yor", YORUBA))
    }
    _ctc(folder, vocabularies, len(LETTERS), target_lang="eng", adapter_attn_dim=4)
    for seed, (code, vocabulary) in enumerate(vocabularies.items(), start=5):
        model = _network(len(vocabulary), seed, adapter_attn_dim=4)
        weights = {name: tensor.contiguous() for name, tensor in model._get_adapters().items()}
        save_file(weights, folder / f"adapter.{code}.safetensors", metadata={"format": "pt"})
    return folder


def _ctc(folder: Path, vocabulary: dict, size: int, target_lang: str | None = None, **options) -> Path:
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

    folder.mkdir(parents=True, exist_ok=True)
    _network(size, 0, **options).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), target_lang=target_lang).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


def _network(size: int, seed: int, **options):
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(seed)
    config = Wav2Vec2Config(
        vocab_size=size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
        **options,
    )
    model = Wav2Vec2ForCTC(config)
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 2)
        model.lm_head.bias[1:4] = -100.0  # no real network emits <s>
        model.lm_head.bias[4] += 2.0  # spaces
    return model.eval()


def whisper(folder: Path, with_times: bool = True) -> Path:
    """An encoder-decoder with byte-level tokens, three languages and a text of some words at each run."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    folder.mkdir(parents=True, exist_ok=True)
    ids = _tokenizer(folder)
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    torch.manual_seed(3)
    config = WhisperConfig(
        vocab_size=len(ids),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_mel_bins=80,
        max_target_positions=64,
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        model.model.decoder.embed_tokens.weight.normal_(0, 1)
        model.model.decoder.embed_positions.weight.normal_(0, 3)  # another letter at another place
    heads = {"alignment_heads": [[0, 0], [0, 1]]} if with_times else {}
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        max_length=40,
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES},
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        no_timestamps_token_id=ids["<|notimestamps|>"],
        suppress_tokens=[i for token, i in ids.items() if token not in WRITTEN],
        **heads,
    )
    model.eval().save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> dict[str, int]:
    from tokenizers import pre_tokenizers
    from transformers import WhisperTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    marks += ["<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(alphabet)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = WhisperTokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    return tokenizer.get_vocab()
