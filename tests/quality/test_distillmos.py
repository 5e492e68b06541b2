# SPDX-License-Identifier: Apache-2.0
"""Scores are upstream's; expected values were computed once with distillmos 0.9.1 and torch 2.13.0."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import FormatError, MissingModel, Unscorable
from speechmill.core.stage import Context
from speechmill.quality import Cut, distillmos
from speechmill.quality._distillmos_network import _ByBins, _spectrum

UPSTREAM = {
    "1998/1998-15444-0008": 3.946757,  # 2.945 s
    "2033/2033-164914-0004": 3.420299,  # 4.305 s
    "2609/2609-156975-0008": 3.698698,  # 7.11 s
}


@pytest.fixture(scope="module")
def backend() -> distillmos.Backend:
    return opened(distillmos.Config())


def opened(config: distillmos.Config) -> distillmos.Backend:
    try:
        return distillmos.Backend(config, Context(Path(), models.path))
    except MissingModel as error:
        pytest.skip(str(error))


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def tone(num_samples: int) -> np.ndarray:
    """A tone whose pitch and loudness move, over noise: bins that hold rounding alone would decide otherwise."""
    time = np.arange(num_samples) / 16_000
    phase = 2 * np.pi * (200 * time + 40 * np.sin(2 * np.pi * time))
    noise = 0.01 * np.random.default_rng(0).standard_normal(num_samples)
    return (0.3 * np.sin(phase) * (0.5 + 0.5 * np.sin(6 * np.pi * time)) + noise).astype(np.float32)


def score(backend: distillmos.Backend, samples: np.ndarray) -> float:
    scores = backend.score(Cut(samples))
    assert list(scores) == ["distillmos"]
    return scores["distillmos"]


@pytest.mark.parametrize(("name", "expected"), UPSTREAM.items())
def test_speech_scores_as_upstream(backend, shared_data, name, expected):
    samples = decode(shared_data / "librispeech_test_other" / f"{name}.flac")
    assert score(backend, samples) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("name", "expected"), UPSTREAM.items())
def test_8_bits_score_about_as_upstream(shared_data, name, expected):
    """Within what the corpus file's page allows, and not the very same: 8 bits were used."""
    backend = opened(distillmos.Config(precision="int8"))
    samples = decode(shared_data / "librispeech_test_other" / f"{name}.flac")
    found = score(backend, samples)
    assert found == pytest.approx(expected, abs=0.2)
    assert found != pytest.approx(expected, abs=1e-4)


def test_8_bits_know_silence_at_the_end():
    backend = opened(distillmos.Config(precision="int8"))
    samples = np.pad(tone(30_000), (0, 92_880))
    spectrum = _spectrum(samples / np.abs(samples).max())
    whole = backend._network._cnn.run(spectrum)
    np.testing.assert_allclose(backend._network._features(spectrum), whole, atol=2e-3)


@pytest.mark.parametrize(
    ("num_samples", "expected"),
    [
        (1_600, 1.618102),
        (32_000, 1.571094),
        (122_880, 1.500802),  # exactly one window
        (122_881, 1.504619),  # a sample more makes two
        (150_000, 1.503653),
    ],
)
def test_a_synthetic_tone_scores_as_upstream(backend, num_samples, expected):
    assert score(backend, tone(num_samples)) == pytest.approx(expected, abs=1e-4)


def test_silence_has_a_score(backend):
    assert score(backend, np.zeros(32_000, np.float32)) == pytest.approx(1.969043, abs=1e-4)


def test_silence_at_the_end_is_computed_once(backend):
    """Any number of silent frames, with those that the tail's borders reach."""
    samples = tone(60_000)
    samples[30_000:] = 0
    assert score(backend, samples) == pytest.approx(1.622861, abs=1e-4)
    network = backend._network
    window = np.pad(samples, (0, 122_880 - 60_000))
    whole = network._cnn.run(_spectrum(window / np.abs(window).max()))
    np.testing.assert_allclose(network._features(_spectrum(window / np.abs(window).max())), whole, atol=1e-4)


def test_level_does_not_matter(backend):
    assert score(backend, 0.01 * tone(32_000)) == pytest.approx(score(backend, tone(32_000)), abs=1e-4)


def test_windows_reach_from_edge_to_edge():
    samples = np.arange(122_880 + 40_000, dtype=np.float32)
    windows = distillmos._windows(samples)
    assert [(int(window[0]), len(window)) for window in windows] == [
        (0, 122_880),
        (13_333, 122_880),
        (26_666, 122_880),
        (40_000, 122_880),
    ]
    assert [len(window) for window in distillmos._windows(samples[:5])] == [122_880]


def test_three_taps_step_by_two():
    """Rows 1 to 8 of one channel with taps 1, 10, 100: the last output has no third row."""
    filters = np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    rows = np.arange(1, 9, dtype=np.float32).reshape(1, 1, 8)
    made = _ByBins(filters, 8).of(rows).ravel()
    assert made[:3].tolist() == [321, 543, 765]


def test_too_short_says_so(backend):
    with pytest.raises(Unscorable) as caught:
        backend.score(Cut(tone(1_599)))
    assert caught.value.reason == "too-short"


def test_another_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(distillmos, "read_torch", lambda path: {"model.weight": np.zeros(1, np.float32)})
    with pytest.raises(FormatError, match=r"no tensor 'cnn\.cnn\.0\.weight'; not DistillMOS 0\.9\.1"):
        distillmos.Backend(distillmos.Config(), Context(Path(), lambda name: tmp_path))
