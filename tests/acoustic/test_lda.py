# SPDX-License-Identifier: Apache-2.0
"""Directions that tell classes apart, and turns that make covariances diagonal, where both are known."""

import io
import zipfile

import numpy as np
import pytest

from speechmill.acoustic.adapt import adapted_model
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.lda import Projection, Scatter, Spread, projected, spliced
from speechmill.acoustic.model import load, save
from speechmill.acoustic.train import Options, TrainingError, train
from speechmill.core.errors import FormatError


def test_frames_stand_between_their_neighbours():
    features = np.array([[1, 9], [2, 9], [3, 9]], np.float32)
    np.testing.assert_array_equal(spliced(features, 1, 1), [[1, 1, 2], [1, 2, 3], [2, 3, 3]])
    sums = Projection(1, np.array([[1, 1, 1], [0, 0, 1]], np.float32))
    np.testing.assert_allclose(projected(features, sums), [[4, 2], [6, 3], [8, 3]])
    assert projected(features, None) is features


def test_the_direction_in_which_classes_differ_is_found():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 6000)
    frames = rng.normal(0, [5.0, 1.0, 0.2], (6000, 3))
    frames[:, 1] += 2.0 * classes  # the first axis is louder, and says nothing
    whole, part = Scatter(3, 3), Scatter(3, 3)
    whole.add(frames[:2000].astype(np.float32), classes[:2000])
    part.add(frames[2000:].astype(np.float32), classes[2000:])
    whole.merge(part)
    found = whole.discriminant(1)
    np.testing.assert_allclose(np.abs(found), [[0, 1, 0]], atol=0.1)
    assert float((frames @ found.T)[classes == 1].std()) == pytest.approx(1, abs=0.05)


def test_covariances_are_turned_diagonal():
    rng = np.random.default_rng(1)
    mixing = np.array([[1.0, 0.8, 0.0], [0.0, 1.0, 0.5], [0.3, 0.0, 1.0]])
    scales = rng.uniform(0.5, 3, (4, 3))
    classes = rng.integers(0, 4, 20_000)
    frames = (rng.normal(size=(20_000, 3)) * scales[classes]) @ mixing.T
    whole, part = Spread(np.zeros((4, 3))), Spread(np.zeros((4, 3)))
    whole.add(frames[:9000].astype(np.float32), classes[:9000])
    part.add(frames[9000:].astype(np.float32), classes[9000:])
    whole.merge(part)
    before, after = frames, frames @ whole.turn().T
    assert largest_correlation(before, classes) > 0.5
    assert largest_correlation(after, classes) < 0.05


def largest_correlation(frames, classes):
    found = [np.corrcoef(frames[classes == one].T) - np.eye(3) for one in range(4)]
    return float(np.abs(found).max())


def test_too_little_speech_is_not_turned():
    np.testing.assert_array_equal(Spread(np.zeros((2, 3))).turn(), np.eye(3))


@pytest.fixture(scope="module")
def model(band_examples, band_lexicon):
    return train(band_examples[:20], band_lexicon, Options(lda=2, lda_dimensions=20), threads=1)


def test_boundaries_are_found_with_projected_features(model, band_lexicon, spoken):
    assert model.projection.matrix.shape == (20, 65)
    assert model.mixtures.means.shape[1] == 20
    samples, truth = spoken(["sad", "ba", "dis"], 60)
    found = Aligner(model, band_lexicon).align(samples, ((("sad",),), (("ba",),), (("dis",),)))
    starts = [phone.start for word in found.phones for phone in word]
    assert np.abs(np.array(starts) - [start for _, start, _ in truth]).mean() < 0.015


def test_a_model_with_a_projection_comes_back_and_adapts(model, band_examples, band_lexicon, tmp_path):
    save(model, tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.digest == model.digest
    assert again.projection.reach == 2
    np.testing.assert_array_equal(again.projection.matrix, model.projection.matrix)
    moved = adapted_model(again, band_lexicon, band_examples[20:24], passes=1, threads=1)
    assert moved.projection is again.projection
    assert np.isfinite(moved.mixtures.means).all()


HOSTILE = {
    "no frames": (np.zeros((20, 64), np.float32), "projects no frames of 13 numbers"),
    "an even number of frames": (np.zeros((20, 52), np.float32), "projects no frames"),
    "a thousand frames": (np.zeros((20, 13 * 1001), np.float32), "projects no frames"),
    "no numbers": (np.full((20, 65), np.nan, np.float32), "projection: not finite"),
    "numbers beyond all": (np.full((20, 65), 1e30, np.float32), "projection must lie within"),
    "other dimensions than its Gaussians": (np.zeros((19, 65), np.float32), "means"),
    "another type": (np.zeros((20, 65)), "projection: float64"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_projection_is_refused(model, tmp_path, what):
    values, message = HOSTILE[what]
    save(model, tmp_path / "model.npz")
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO()
    np.save(content, values)
    with zipfile.ZipFile(tmp_path / "model.npz", "w") as archive:
        for name, data in {**members, "projection.npy": content.getvalue()}.items():
            archive.writestr(name, data)
    with pytest.raises(FormatError, match=message):
        load(tmp_path / "model.npz")


def test_a_projection_and_transforms_of_speakers_exclude_each_other(band_examples, band_lexicon):
    with pytest.raises(TrainingError, match="lda and adapt_before"):
        train(band_examples[:4], band_lexicon, Options(lda=2, adapt_before=(3,)), threads=1)
