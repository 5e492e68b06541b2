# SPDX-License-Identifier: Apache-2.0
"""Emissions read by hand, and of a made network."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from speechmill.models.ctc import Emissions, Emitter, Label, greedy


def emissions(path: str, certainty: float = 0.8) -> Emissions:
    """The labels of a path, one a frame, each as likely as is said."""
    labels = ("<pad>", "a", "b", "|")
    rest = (1 - certainty) / (len(labels) - 1)
    probabilities = np.full((len(path), len(labels)), rest)
    for frame, label in enumerate(path):
        probabilities[frame, "-ab|".index(label)] = certainty
    return Emissions(np.log(probabilities).astype(np.float32), labels, 0, frozenset({0}), 0.02)


def found(path: str) -> list[tuple[str, float, float]]:
    return [(label.symbol, round(label.start, 2), round(label.end, 2)) for label in greedy(emissions(path))]


def test_repeats_are_one_label_and_a_blank_parts_two():
    assert found("-aa-ab") == [("a", 0.02, 0.06), ("a", 0.08, 0.1), ("b", 0.1, 0.12)]


def test_spaces_are_labels_and_blanks_are_none():
    assert found("a||b--") == [("a", 0.0, 0.02), ("|", 0.02, 0.06), ("b", 0.06, 0.08)]


def test_a_score_is_the_mean_probability():
    (label,) = greedy(emissions("aa", 0.7))
    assert label == Label("a", 0.0, 0.04, pytest.approx(0.7))


def test_nothing_is_emitted_by_blanks_or_in_no_time():
    assert found("---") == []
    assert found("") == []


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("transformers")
    path = Path(__file__).parents[1] / "asr" / "tiny_transformers.py"
    spec = importlib.util.spec_from_file_location("tiny_transformers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_network_emits_probabilities_every_fiftieth_of_a_second(tiny, tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    made = Emitter(tiny.wav2vec2(tmp_path / "model")).emit(samples)
    assert made.log_probs.shape == (49, 18)
    assert made.log_probs.dtype == np.float32
    np.testing.assert_allclose(np.exp(made.log_probs).sum(axis=1), 1.0, rtol=1e-5)
    assert made.labels == tiny.LETTERS
    assert (made.blank, made.specials, made.hop_s) == (0, frozenset({0, 1, 2, 3}), 0.02)


def test_an_adapter_brings_its_own_vocabulary_and_weights(tiny, tmp_path):
    folder = tiny.mms(tmp_path / "model")
    samples = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    yoruba = Emitter(folder, target_lang="yor").emit(samples)
    english = Emitter(folder, target_lang="eng").emit(samples)
    assert (yoruba.labels, yoruba.log_probs.shape) == (tiny.YORUBA, (49, 14))
    assert (english.labels, english.log_probs.shape) == (tiny.LETTERS, (49, 18))
    assert not np.allclose(english.log_probs[:, :14], yoruba.log_probs)
