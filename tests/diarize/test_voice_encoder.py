# SPDX-License-Identifier: Apache-2.0
"""The voice encoder gives what Resemblyzer's gives."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import MissingModel
from speechmill.diarize import dvector
from speechmill.diarize._voice_encoder import VoiceEncoder, mel_filters, mel_spectrogram
from speechmill.models.tensors import read_torch


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


@pytest.fixture(scope="module")
def encoder() -> VoiceEncoder:
    try:
        folder = models.path("dvector")
    except MissingModel as error:
        pytest.skip(str(error))
    return VoiceEncoder(dvector._network(read_torch(folder / "pretrained.pt")))


def test_each_mel_filter_has_unit_area_until_bins_are_too_coarse():
    filters = mel_filters()
    assert filters.shape == (201, 40)
    # 40 Hz from bin to bin; the widest filters are sampled finely enough to integrate.
    assert (filters[:, 25:].sum(axis=0) * 40).tolist() == pytest.approx([1.0] * 15, abs=0.01)


def test_a_tone_is_loudest_in_the_band_around_it():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    # 1 kHz is 15 mel; 8 kHz is 45.245 mel: the 40 centres are 1.1035 mel apart, and 15 / 1.1035 = 13.6.
    assert set(mel_spectrogram(tone).argmax(axis=1).tolist()) <= {12, 13}


def test_a_frame_needs_400_samples_and_steps_by_160():
    assert [len(mel_spectrogram(np.ones(n, np.float32))) for n in (399, 400, 559, 560)] == [0, 1, 1, 2]


def test_mels_and_embedding_of_real_speech_are_resemblyzers(encoder, shared_data):
    # Printed by Resemblyzer 0.1.4 with librosa 0.11 and torch 2.13 for the first 160 frames of this utterance.
    samples = decode(shared_data / "librispeech_test_other" / "1688" / "1688-142285-0002.flac")
    mels = mel_spectrogram(np.pad(samples, 200))[:160]
    expected = [0.315598637, 2.64179564, 0.776076198, 0.0217911825, 0.0144471396, 0.0973823965]
    assert mels[80][:6].tolist() == pytest.approx(expected, rel=1e-4)
    embedding = encoder.embed(mels[None])[0]
    largest = np.argsort(-embedding)[:8]
    assert largest.tolist() == [21, 243, 236, 57, 84, 139, 111, 138]
    values = [0.2850, 0.2309, 0.2078, 0.2071, 0.1862, 0.1841, 0.1807, 0.1710]
    assert embedding[largest].tolist() == pytest.approx(values, abs=1e-4)
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow  # importing torch
def test_the_network_is_torchs_lstm():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    tensors = _random_weights(generator)
    lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    lstm.load_state_dict({name[5:]: torch.from_numpy(a) for name, a in tensors.items() if name.startswith("lstm.")})
    mels = generator.random((3, 160, 40), dtype=np.float32)
    with torch.no_grad():
        hidden = lstm(torch.from_numpy(mels))[1][0][-1].numpy()
    raw = np.maximum(hidden @ tensors["linear.weight"].T + tensors["linear.bias"], 0)
    assert np.abs(VoiceEncoder(tensors).embed(mels) - raw / np.linalg.norm(raw, axis=1, keepdims=True)).max() < 1e-5


def _random_weights(generator) -> dict[str, np.ndarray]:
    shapes = {"linear.weight": (256, 256), "linear.bias": (256,)}
    for layer in range(3):
        shapes[f"lstm.weight_ih_l{layer}"] = (1024, 256 if layer else 40)
        shapes[f"lstm.weight_hh_l{layer}"] = (1024, 256)
        shapes[f"lstm.bias_ih_l{layer}"] = shapes[f"lstm.bias_hh_l{layer}"] = (1024,)
    return {name: generator.uniform(-0.1, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}


def test_a_window_embeds_alone_as_among_others(encoder):
    mels = np.random.default_rng(1).random((70, 160, 40), dtype=np.float32)  # more than two batches of 32
    together = encoder.embed(mels)
    assert together.shape == (70, 256)
    for index in (0, 31, 32, 69):
        assert np.abs(encoder.embed(mels[index : index + 1])[0] - together[index]).max() < 1e-5


def test_no_windows(encoder):
    assert encoder.embed(np.zeros((0, 160, 40), np.float32)).shape == (0, 256)
