# SPDX-License-Identifier: Apache-2.0
"""The pyannote backend on a network of the real one's shape, made here: it hears whatever is loud."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from speechmill.core.errors import FormatError, MissingModel
from speechmill.core.stage import Context
from speechmill.formats.array_audio import ArrayAudio
from speechmill.vad import pyannote

HZ = 16_000


def tiny(name: str) -> ModuleType:
    """Import a module that stands beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SEGMENTATION = tiny("tiny_segmentation")
LOUD, write_network = SEGMENTATION.LOUD, SEGMENTATION.write_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    where = tmp_path_factory.mktemp("segmentation")
    write_network(where / "model.onnx")
    return where


def backend(folder: Path, **options) -> pyannote.Backend:
    return pyannote.Backend(pyannote.Config(model=str(folder), **options), Context(Path(), Path))


def steps(seconds, *loud):
    samples = np.zeros(round(seconds * HZ))
    for start, end in loud:
        samples[round(start * HZ) : round(end * HZ)] = 0.2
    return ArrayAudio([samples])


def test_speech_is_found_within_a_frame_of_where_it_is(folder):
    found = backend(folder).speech(steps(25, (3, 5), (12, 18.5)), 0)
    edges = [edge for interval in found for edge in (interval.start, interval.end)]
    assert len(edges) == 4
    assert edges == pytest.approx([3, 5, 12, 18.5], abs=270 / HZ)


def test_a_probability_is_what_is_not_nobody(folder):
    samples = np.zeros(4 * HZ)
    samples[HZ : 2 * HZ] = LOUD
    samples[2 * HZ : 3 * HZ] = LOUD + 0.001  # e to the first power in nobody's disfavour
    found = backend(folder).probabilities(ArrayAudio([samples]), 0)
    assert len(found) == 236  # middles of frames: 495, 765, ... below 64,000
    middles = (np.arange(236) * 270 + 495) / HZ
    at = {second: found[np.argmin(np.abs(middles - second))] for second in (0.5, 1.5, 2.5, 3.5)}
    assert at == pytest.approx({0.5: 0.0, 1.5: 0.5, 2.5: 1 / (1 + np.exp(-1)), 3.5: 0.0}, abs=1e-3)


def test_logits_and_their_logarithmic_softmax_are_the_same(folder, tmp_path):
    write_network(tmp_path / "onnx" / "model.onnx", log_softmax=True)
    audio = ArrayAudio([0.2 * np.random.default_rng(0).random(12 * HZ)])
    logits, logarithms = (backend(where).probabilities(audio, 0) for where in (folder, tmp_path))
    assert logits.min() < 0.4
    assert logits.max() > 0.6
    np.testing.assert_allclose(logits, logarithms, atol=1e-5)


def test_windows_that_overlap_agree_on_what_each_sees_alone(folder):
    audio = steps(31, (2, 4), (9, 11), (21, 30))
    coarse, fine = (backend(folder, step_s=step).probabilities(audio, 0) for step in (10.0, 1.0))
    assert len(coarse) == len(fine)
    assert np.mean(np.abs(coarse - fine) > 0.5) < 0.01
    assert len(backend(folder, step_s=10).speech(audio, 0)) == 3  # 9 to 11 is one, though two windows meet in it


def test_what_touches_the_edges_stays_at_the_edges(folder):
    found = backend(folder).speech(steps(11, (0, 2), (9, 11)), 0)
    assert found[0].start == 0
    assert found[-1].end == 11


@pytest.mark.parametrize("num_samples", [0, 1, 400, 5_000, 160_000, 160_001])
def test_silence_of_any_length_is_no_speech(folder, num_samples):
    audio = ArrayAudio([np.zeros(num_samples)])
    model = backend(folder)
    assert model.speech(audio, 0) == []
    assert len(model.probabilities(audio, 0)) == max(-(-(num_samples - 495) // 270), 0)


def test_each_channel_is_its_own(folder):
    loud = steps(3, (1, 2)).read()
    audio = ArrayAudio([np.zeros_like(loud), loud])
    model = backend(folder)
    assert model.speech(audio, 0) == []
    assert [interval.channel for interval in model.speech(audio, 1)] == [1]


def test_lengths_are_options(folder):
    audio = steps(6, (1, 2), (2.1, 3), (4, 4.1))
    assert len(backend(folder).speech(audio, 0)) == 3
    assert len(backend(folder, min_silence_ms=200).speech(audio, 0)) == 2
    assert len(backend(folder, min_silence_ms=200, min_speech_ms=300).speech(audio, 0)) == 1


def test_another_network_is_named(tmp_path):
    write_network(tmp_path / "model.onnx", classes=3)
    with pytest.raises(FormatError, match=r"model\.onnx: scores of shape \(589, 3\), not \(589, 7\)"):
        backend(tmp_path).speech(steps(1), 0)


def test_missing_weights_say_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    options = pyannote.Config(download_root=str(tmp_path / "hub"))
    with pytest.raises(MissingModel, match=r"vad pyannote: .*hf download onnx-community/pyannote-segmentation-3\.0"):
        pyannote.prepare(options)
    with pytest.raises(MissingModel, match=r"has no onnx/model\.onnx or model\.onnx"):
        backend(tmp_path)


def test_other_weights_are_another_result(folder, tmp_path):
    write_network(tmp_path / "model.onnx", log_softmax=True)
    first, second = (pyannote.model_digest(pyannote.Config(model=str(where))) for where in (folder, tmp_path))
    assert first != second
    assert first == pyannote.model_digest(pyannote.Config(model=str(folder)))


def test_a_relative_folder_starts_where_the_corpus_file_is(folder):
    moved = pyannote.rebase(pyannote.Config(model=folder.name), folder.parent)
    assert Path(moved.model) == folder.resolve()


@pytest.mark.parametrize("text", ['{"token": "secret"}', '{"step_s": 0}', '{"step_s": 11}', '{"threshold": 1}'])
def test_odd_options_are_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=pyannote.Config)
