# SPDX-License-Identifier: Apache-2.0
"""The metric `stoi` compares a segment with its clean reference; the measure has tests of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.quality import Cut, stoi

CLEAN = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
NOISY = CLEAN + 0.5 * np.random.default_rng(1).standard_normal(32_000).astype(np.float32)


def score(samples, clean):
    backend = stoi.Backend(stoi.Config(), Context(Path(), models.path))
    return backend.score(Cut(samples, reference=lambda: clean))


def test_a_segment_like_its_reference_has_all_of_it():
    assert score(CLEAN, CLEAN) == {"stoi": pytest.approx(1.0, abs=1e-9)}
    assert 0.5 < score(NOISY, CLEAN)["stoi"] < 0.95


def test_a_reference_that_ends_sooner_is_compared_as_far_as_it_goes():
    assert score(NOISY, CLEAN[:20_000]) == score(NOISY[:20_000], CLEAN[:20_000])


def test_without_a_reference_it_says_so():
    with pytest.raises(Unscorable, match="no-reference"):
        stoi.Backend(stoi.Config(), Context(Path(), models.path)).score(Cut(NOISY))


@pytest.mark.parametrize(
    ("samples", "clean", "reason"),
    [
        (np.zeros(32_000, np.float32), CLEAN, "silence"),
        (NOISY, np.zeros(32_000, np.float32), "silence"),
        (NOISY, CLEAN[:4_000], "too-short"),
        (NOISY, CLEAN[:0], "silence"),
    ],
)
def test_what_has_no_value_says_why(samples, clean, reason):
    with pytest.raises(Unscorable) as caught:
        score(samples, clean)
    assert caught.value.reason == reason
