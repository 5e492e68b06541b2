# SPDX-License-Identifier: Apache-2.0
"""The metric `pesq`; expected values are those that the package `pesq` publishes for its own pair of files."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.quality import Cut, pesq

pytest.importorskip("pesq", reason="the package pesq is not installed")


def score(samples, clean, **options):
    backend = pesq.Backend(pesq.Config(**options), Context(Path(), models.path))
    return backend.score(Cut(samples, reference=lambda: clean))


@pytest.fixture(scope="module")
def pair(shared_data):
    return [decode(shared_data / "pesq" / name) for name in ("speech.wav", "speech_bab_0dB.wav")]


def decode(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


@pytest.mark.parametrize(("mode", "expected"), [("wb", 1.0832), ("nb", 1.6072)])
def test_the_published_pair_scores_as_published(pair, mode, expected):
    clean, noisy = pair
    assert score(noisy, clean, mode=mode) == {"pesq": pytest.approx(expected, abs=1e-4)}


def test_wide_band_is_the_default(pair):
    clean, noisy = pair
    assert score(noisy, clean) == score(noisy, clean, mode="wb")


def test_more_than_20_s_is_the_mean_of_equal_parts(pair):
    clean, noisy = (np.tile(samples, 8)[: 16_000 * 24] for samples in pair)
    halves = [score(noisy[part], clean[part])["pesq"] for part in (slice(0, 192_000), slice(192_000, None))]
    assert score(noisy, clean)["pesq"] == pytest.approx(sum(halves) / 2, abs=1e-6)


def test_a_reference_that_ends_sooner_is_compared_as_far_as_it_goes(pair):
    clean, noisy = pair
    assert score(noisy, clean[:32_000]) == score(noisy[:32_000], clean[:32_000])


def test_without_a_reference_it_says_so():
    with pytest.raises(Unscorable, match="no-reference"):
        pesq.Backend(pesq.Config(), Context(Path(), models.path)).score(Cut(np.ones(16_000, np.float32)))


NOISE = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
NOTHING = np.zeros(32_000, np.float32)


@pytest.mark.parametrize(
    ("samples", "clean", "reason"),
    [
        (NOTHING, NOISE, "silence"),
        (NOISE, NOTHING, "no-speech"),
        (NOISE, NOISE[:3_999], "too-short"),
        (NOISE[:0], NOISE, "too-short"),
    ],
)
def test_what_has_no_value_says_why(samples, clean, reason):
    with pytest.raises(Unscorable) as caught:
        score(samples, clean)
    assert caught.value.reason == reason
