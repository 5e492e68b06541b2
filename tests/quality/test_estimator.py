# SPDX-License-Identifier: Apache-2.0
"""The estimator of STOI and PESQ: what must hold of any weights, and how good these are on speech."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import av
import numpy as np
import pytest

from speechmill import models
from speechmill.core import registry
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.measures.stoi import stoi
from speechmill.quality import Cut, _estimator, pesq_est, stoi_est

RNG = np.random.default_rng(0)
NOISE = 0.1 * RNG.standard_normal(40 * 16_000).astype(np.float32)
SWELLS = NOISE * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(len(NOISE)) / 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def estimator():
    return _estimator.Estimator("cpu")


def decode(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def test_gain_does_not_matter(estimator):
    cut = SWELLS[:48_000]
    expected = estimator.scores(cut)
    np.testing.assert_allclose(estimator.scores(30 * cut), expected, atol=1e-4)
    np.testing.assert_allclose(estimator.scores(cut / 1000), expected, atol=1e-4)


def test_a_cut_under_a_second_is_repeated(estimator):
    cut = SWELLS[:6_000]
    expected = estimator.scores(np.concatenate([cut, cut, cut[:4_000]]))
    np.testing.assert_array_equal(estimator.scores(cut), expected)


def test_over_20_s_equal_parts_are_averaged(estimator):
    halves = [estimator.scores(SWELLS[:288_000]), estimator.scores(SWELLS[288_000:576_000])]
    np.testing.assert_allclose(estimator.scores(SWELLS[:576_000]), np.mean(halves, axis=0), atol=1e-9)


def test_a_silent_part_does_not_count(estimator):
    cut = np.concatenate([SWELLS[:320_000], np.zeros(320_000, np.float32)])
    np.testing.assert_array_equal(estimator.scores(cut), estimator.scores(SWELLS[:320_000]))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (NOISE[:3_999], "too-short"),
        (NOISE[:0], "too-short"),
        (np.zeros(32_000, np.float32), "silence"),
        (np.full(32_000, 0.25, np.float32), "silence"),
        (1e-6 * NOISE[:32_000], "silence"),
    ],
)
def test_what_has_no_value_says_why(estimator, samples, reason):
    with pytest.raises(Unscorable) as caught:
        estimator.scores(samples)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("name", "position"), [("stoi_est", 0), ("pesq_est", 1)])
def test_each_metric_has_its_own_score(estimator, name, position):
    module = registry.load("quality", name)
    cut = SWELLS[:48_000]
    scores = module.Backend(module.Config(), Context(Path(), models.path)).score(Cut(cut))
    assert scores == {name: estimator.scores(cut)[position]}


def test_the_weights_name_themselves():
    weights = resources.files("speechmill.quality").joinpath("quality_est.onnx").read_bytes()
    assert stoi_est.model_digest(stoi_est.Config()) == hashlib.sha256(weights).hexdigest()
    assert pesq_est.model_digest(pesq_est.Config()) == stoi_est.model_digest(stoi_est.Config())
    assert len(weights) < 5_000_000


def test_the_published_pair_is_told_apart(estimator, shared_data):
    """True values of the noisy one: STOI 0.674, PESQ 1.083. Its talkers' babble is a kind no training had."""
    clean, noisy = (decode(shared_data / "pesq" / name) for name in ("speech.wav", "speech_bab_0dB.wav"))
    assert estimator.scores(clean)[0] > 0.9 > 0.8 > estimator.scores(noisy)[0]
    assert estimator.scores(clean)[1] > 2.5 > 1.6 > estimator.scores(noisy)[1]


def test_estimates_follow_the_true_stoi(estimator, shared_data):
    """Speakers and recordings that no training had, with noise at -5 to 25 dB."""
    found, true = [], []
    for number, path in enumerate(sorted((shared_data / "librispeech_test_other").glob("*/*.flac"))[:60:3]):
        clean = decode(path)[:64_000]
        noise = RNG.standard_normal(len(clean)).astype(np.float32)
        noisy = clean + noise * clean.std() * np.float32(10 ** ((5 - 1.5 * number) / 20))
        found.append(estimator.scores(noisy)[0])
        true.append(stoi(clean, noisy))
    assert len(found) == 20
    assert np.corrcoef(found, true)[0, 1] > 0.9


def test_what_no_frame_of_the_spectrogram_sees_is_silence(estimator):
    cut = np.zeros(32_100, np.float32)
    cut[-90:] = 0.5  # the last frame ends with sample 32,000
    with pytest.raises(Unscorable) as caught:
        estimator.scores(cut)
    assert caught.value.reason == "silence"
