# SPDX-License-Identifier: Apache-2.0
"""Recognisers of some hundred random weights in ONNX, in the files and with the names of real ones.

They write rubbish, but they are found, loaded, fed and read like icefall's, Meta's and NeMo's.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MELS, WIDTH = 80, 8
VOCABULARY = ("<blk>", "<sos/eos>", "<unk>", "▁xin", "▁ch", "ào", "▁b", "ạn", "'", "你", "好", "ab")
NEMO_VOCABULARY = ("<unk>", "▁we", "▁sa", "id", "▁", "x", "'s", "▁good", "bye", "n", "<blk>")
CANARY_PROMPT = (
    " ", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|en|>", "<|de|>", "<|pnc|>",
    "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>", "<|endoftext|>",
)  # fmt: skip
FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32


def zipformer_ctc(folder: Path, seed: int = 0) -> Path:
    """model.onnx and tokens.txt, as icefall's export-onnx-ctc.py writes them."""
    vocabulary = VOCABULARY
    nodes = [*_centred("x", 1, "c"), *_subsampled("c", "s", 1, 4), *_lengths("x_lens", "log_probs_len", 4)]
    nodes += _projection("s", "logits")
    nodes += [helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=2)]
    constants = {**_projected(seed, MELS, vocabulary), **_slice(1, 4), **_division(4)}
    inputs = {"x": (FLOAT, ["N", "T", MELS]), "x_lens": (INT64, ["N"])}
    outputs = {"log_probs": (FLOAT, ["N", "F", len(vocabulary)]), "log_probs_len": (INT64, ["N"])}
    _save(folder / "model.onnx", nodes, constants, inputs, outputs, {"model_type": "zipformer2_ctc"})
    return _tokens(folder, vocabulary)


def transducer(folder: Path, seed: int = 1, suffix: str = "-epoch-1-avg-1") -> Path:
    """encoder, decoder and joiner, as icefall's export-onnx.py of a stateless transducer writes them."""
    size = len(VOCABULARY)
    nodes = [*_centred("x", 1, "c"), *_subsampled("c", "s", 1, 4), *_lengths("x_lens", "encoder_out_lens", 4)]
    nodes += [helper.make_node("MatMul", ["s", "w"], ["encoder_out"])]
    constants = {"w": _weights(seed, MELS, WIDTH), **_slice(1, 4), **_division(4)}
    _save(
        folder / f"encoder{suffix}.onnx",
        nodes,
        constants,
        {"x": (FLOAT, ["N", "T", MELS]), "x_lens": (INT64, ["N"])},
        {"encoder_out": (FLOAT, ["N", "F", WIDTH]), "encoder_out_lens": (INT64, ["N"])},
        {"model_type": "zipformer2", "version": "1", "model_author": "k2-fsa"},
    )
    _save(
        folder / f"decoder{suffix}.onnx",
        [
            helper.make_node("Gather", ["table", "y"], ["embedded"]),
            helper.make_node("ReduceSum", ["embedded", "one"], ["decoder_out"], keepdims=0),
        ],
        {"table": _weights(seed + 1, size, WIDTH), "one": np.array([1], np.int64)},
        {"y": (INT64, ["N", 2])},
        {"decoder_out": (FLOAT, ["N", WIDTH])},
        {"context_size": "2", "vocab_size": str(size)},
    )
    _save(
        folder / f"joiner{suffix}.onnx",
        [
            helper.make_node("Add", ["encoder_out", "decoder_out"], ["sum"]),
            *_projection("sum", "logit"),
        ],
        _projected(seed + 2, WIDTH, VOCABULARY),
        {"encoder_out": (FLOAT, ["N", WIDTH]), "decoder_out": (FLOAT, ["N", WIDTH])},
        {"logit": (FLOAT, ["N", size])},
        {"joiner_dim": str(WIDTH)},
    )
    return _tokens(folder, VOCABULARY)


def omnilingual(folder: Path, seed: int = 3) -> Path:
    """model.onnx and tokens.txt, as sherpa-onnx's export of Omnilingual ASR writes them: samples in, letters out."""
    vocabulary = ("<s>", "<pad>", "</s>", "<unk>", *"ẹọṣabdefgi ")
    nodes = [
        helper.make_node("Unsqueeze", ["x", "one"], ["wave"]),
        helper.make_node("Conv", ["wave", "filters"], ["heard"], strides=[320], kernel_shape=[400]),
        helper.make_node("Transpose", ["heard"], ["frames"], perm=[0, 2, 1]),
        *_projection("frames", "logits"),
    ]
    constants = {
        **_projected(seed, WIDTH, vocabulary),
        "filters": _weights(seed, WIDTH, 1, 400),
        "one": np.array([1], np.int64),
    }
    outputs = {"logits": (FLOAT, ["N", "F", len(vocabulary)])}
    notes = {"model_type": "omnilingual-asr", "version": "1", "vocab_size": str(len(vocabulary))}
    _save(folder / "model.onnx", nodes, constants, {"x": (FLOAT, ["N", "S"])}, outputs, notes)
    return _tokens(folder, vocabulary)


def nemo_ctc(folder: Path, seed: int = 4) -> Path:
    """model.onnx, vocab.txt and config.json of a NeMo CTC model, as onnx-asr reads them."""
    nodes = [*_centred("audio_signal", 2, "c"), *_subsampled("c", "s", 2, 8)]
    nodes += [helper.make_node("Transpose", ["s"], ["frames"], perm=[0, 2, 1])]
    nodes += _projection("frames", "logits")
    nodes += [helper.make_node("LogSoftmax", ["logits"], ["logprobs"], axis=2)]
    nodes += [helper.make_node("Identity", ["length"], ["same_length"])]
    constants = {**_projected(seed, MELS, NEMO_VOCABULARY), **_slice(2, 8)}
    outputs = {"logprobs": (FLOAT, ["N", "F", len(NEMO_VOCABULARY)]), "same_length": (INT64, ["N"])}
    _save(folder / "model.onnx", nodes, constants, _signal(), outputs, {})
    return _nemo(folder, "nemo-conformer-ctc", NEMO_VOCABULARY)


def nemo_tdt(folder: Path, seed: int = 5) -> Path:
    """A token-and-duration transducer, such as Parakeet v3, as onnx-asr reads it."""
    size, durations, cells = len(NEMO_VOCABULARY), 5, 2
    _nemo_encoder(folder, seed, {"outputs": (FLOAT, ["N", WIDTH, "F"]), "encoded_lengths": (INT64, ["N"])})
    nodes = [
        helper.make_node("Squeeze", ["encoder_outputs", "two"], ["frame"]),
        helper.make_node("Gather", ["table", "targets"], ["embedded"]),
        helper.make_node("Squeeze", ["embedded", "one"], ["last"]),
        helper.make_node("Add", ["frame", "last"], ["sum"]),
        *_projection("sum", "flat"),
        helper.make_node("Unsqueeze", ["flat", "both"], ["outputs"]),
        helper.make_node("Identity", ["input_states_1"], ["output_states_1"]),
        helper.make_node("Identity", ["input_states_2"], ["output_states_2"]),
        helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
    ]
    constants = {
        "table": _weights(seed + 1, size, WIDTH),
        **_projected(seed + 2, WIDTH, (*NEMO_VOCABULARY, *("duration",) * durations)),
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "both": np.array([1, 2], np.int64),
    }
    state = (FLOAT, [1, "N", cells])
    inputs = {
        "encoder_outputs": (FLOAT, ["N", WIDTH, 1]),
        "targets": (INT32, ["N", 1]),
        "target_length": (INT32, ["N"]),
        "input_states_1": state,
        "input_states_2": state,
    }
    outputs = {
        "outputs": (FLOAT, ["N", 1, 1, size + durations]),
        "prednet_lengths": (INT32, ["N"]),
        "output_states_1": state,
        "output_states_2": state,
    }
    _save(folder / "decoder_joint-model.onnx", nodes, constants, inputs, outputs, {})
    return _nemo(folder, "nemo-conformer-tdt", NEMO_VOCABULARY)


def nemo_aed(folder: Path, seed: int = 6) -> Path:
    """An encoder-decoder, such as Canary, as onnx-asr reads it: it is told languages and gives no times."""
    vocabulary = (*CANARY_PROMPT, "▁guten", "▁good", "▁tag", "▁day")
    _nemo_encoder(folder, seed, {"encoder_embeddings": (FLOAT, ["N", "F", WIDTH]), "encoder_mask": (INT64, ["N"])})
    # A text of four words, then the end: the bias walks with the number of tokens that were written.
    spoken = np.full((64, len(vocabulary)), -50.0, np.float32)
    for step in range(64):
        spoken[step, 11 + step if step < 4 else 10] = 50.0
    nodes = [
        helper.make_node("Shape", ["decoder_mems"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "second"], ["done"]),
        helper.make_node("Shape", ["input_ids"], ["prompt"]),
        helper.make_node("Gather", ["prompt", "first"], ["given"]),
        helper.make_node("Add", ["done", "given"], ["step"]),
        helper.make_node("Sub", ["step", "prefix"], ["place"]),
        helper.make_node("Gather", ["spoken", "place"], ["row"]),
        helper.make_node("Unsqueeze", ["row", "zero"], ["logits"]),
        helper.make_node("Expand", ["blank", "grown"], ["new"]),
        helper.make_node("Concat", ["one", "one", "given", "one"], ["grown"], axis=0),
        helper.make_node("Concat", ["decoder_mems", "new"], ["decoder_hidden_states"], axis=2),
    ]
    nodes = [*nodes[:8], nodes[9], nodes[8], nodes[10]]  # in an order in which they can be computed
    constants = {
        "spoken": spoken,
        "blank": np.zeros((1, 1, 1, 1), np.float32),
        "prefix": np.array([10], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "first": np.array([1], np.int64),
        "second": np.array([2], np.int64),
    }
    inputs = {
        "input_ids": (INT64, ["N", "T"]),
        "encoder_embeddings": (FLOAT, ["N", "F", WIDTH]),
        "encoder_mask": (INT64, ["N"]),
        "decoder_mems": (FLOAT, [1, "N", "M", 1]),
    }
    outputs = {
        "logits": (FLOAT, ["N", "T2", len(vocabulary)]),
        "decoder_hidden_states": (FLOAT, [1, "N", "M2", 1]),
    }
    _save(folder / "decoder-model.onnx", nodes, constants, inputs, outputs, {})
    return _nemo(folder, "nemo-conformer-aed", vocabulary)


def _nemo_encoder(folder: Path, seed: int, outputs: dict) -> None:
    encoded, lengths = outputs
    nodes = [*_centred("audio_signal", 2, "c"), *_subsampled("c", "s", 2, 8), *_lengths("length", lengths, 8)]
    nodes += [helper.make_node("Transpose", ["s"], ["frames"], perm=[0, 2, 1])]
    if encoded == "outputs":
        nodes += [helper.make_node("MatMul", ["frames", "w"], ["wide"])]
        nodes += [helper.make_node("Transpose", ["wide"], [encoded], perm=[0, 2, 1])]
    else:
        nodes += [helper.make_node("MatMul", ["frames", "w"], [encoded])]
    constants = {"w": _weights(seed, MELS, WIDTH), **_slice(2, 8), **_division(8)}
    _save(folder / "encoder-model.onnx", nodes, constants, _signal(), outputs, {})


def _signal() -> dict:
    return {"audio_signal": (FLOAT, ["N", MELS, "T"]), "length": (INT64, ["N"])}


def _weights(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def _projection(name: str, out: str) -> list:
    product = helper.make_node("MatMul", [name, "projection"], [f"{out}_product"])
    return [product, helper.make_node("Add", [f"{out}_product", "bias"], [out])]


def _projected(seed: int, width: int, vocabulary: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Weights of a projection onto tokens: blanks likely, as between real words, and other marks never."""
    likely = {"<blk>": 0.5 * width**0.5, "<s>": 0.5 * width**0.5}
    bias = [likely.get(token, -1000.0 if token.startswith("<") else 0.0) for token in vocabulary]
    return {"projection": _weights(seed, width, len(vocabulary)), "bias": np.array(bias, np.float32)}


def _centred(name: str, time_axis: int, out: str) -> list:
    """Take the mean over time away: it is most of a log-mel, and random weights would name one token all the time."""
    mean = helper.make_node("ReduceMean", [name], [f"{out}_mean"], axes=[time_axis], keepdims=1)
    return [mean, helper.make_node("Sub", [name, f"{out}_mean"], [out])]


def _slice(axis: int, step: int) -> dict[str, np.ndarray]:
    values = {"from": 0, "to": np.iinfo(np.int64).max, "axis": axis, "step": step}
    return {f"slice_{name}": np.array([value], np.int64) for name, value in values.items()}


def _subsampled(name: str, out: str, axis: int, step: int) -> list:
    del axis, step  # they stand in the constants of _slice
    return [helper.make_node("Slice", [name, "slice_from", "slice_to", "slice_axis", "slice_step"], [out])]


def _division(step: int) -> dict[str, np.ndarray]:
    return {"up": np.array([step - 1], np.int64), "by": np.array([step], np.int64)}


def _lengths(name: str, out: str, step: int) -> list:
    del step
    return [helper.make_node("Add", [name, "up"], [f"{out}_up"]), helper.make_node("Div", [f"{out}_up", "by"], [out])]


def _save(path: Path, nodes: list, constants: dict, inputs: dict, outputs: dict, notes: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = [
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in side.items()]
        for side in (inputs, outputs)
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, path.stem, *values, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, notes)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _tokens(folder: Path, vocabulary: tuple[str, ...]) -> Path:
    lines = "".join(f"{token} {i}\n" for i, token in enumerate(vocabulary))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")
    return folder


def _nemo(folder: Path, kind: str, vocabulary: tuple[str, ...]) -> Path:
    lines = "".join(f"{token.replace(' ', '▁')} {i}\n" for i, token in enumerate(vocabulary))
    (folder / "vocab.txt").write_text(lines, encoding="utf-8")
    (folder / "config.json").write_text(
        json.dumps({"model_type": kind, "features_size": MELS, "subsampling_factor": 8})
    )
    return folder
