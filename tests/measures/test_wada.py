# SPDX-License-Identifier: Apache-2.0
"""WADA on the distributions that it assumes."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.core.errors import Unscorable
from speechmill.measures.wada import TABLE, wada_snr_db


def gamma_in_noise(wanted_db: float) -> np.ndarray:
    """'Speech' of the paper's distribution in Gaussian noise."""
    random = np.random.default_rng(0)
    speech = random.gamma(0.4, 1.0, 400_000) * random.choice([-1.0, 1.0], 400_000)
    speech /= np.sqrt(np.mean(speech**2))
    return (0.02 * (speech + 10 ** (-wanted_db / 20) * random.standard_normal(400_000))).astype(np.float32)


@pytest.mark.parametrize("wanted", [0, 10, 20, 30])
def test_the_papers_own_distributions_have_the_ratio_they_were_made_with(wanted):
    assert wada_snr_db(gamma_in_noise(wanted)) == pytest.approx(wanted, abs=0.3)


def test_loudness_and_offset_change_nothing():
    samples = gamma_in_noise(10)
    assert wada_snr_db(3 * samples + 0.1) == pytest.approx(wada_snr_db(samples), abs=1e-3)


def test_pure_noise_is_at_the_lower_end():
    assert wada_snr_db(np.random.default_rng(1).standard_normal(100_000).astype(np.float32)) < -5


def test_a_click_in_digital_silence_is_at_the_upper_end():
    click = np.zeros(16_000, np.float32)
    click[100:102] = 1.0, -1.0  # without an offset: silence stays silence
    assert wada_snr_db(click) == 100.0


def test_the_table_has_a_value_for_each_decibel():
    assert len(TABLE) == 121
    assert (TABLE[0], TABLE[20], TABLE[120]) == (0.40974774, 0.46221153, 1.63204102)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.ones(7_999), "too-short"), (np.zeros(0), "too-short"), (np.full(8_000, 0.25), "silence")],
)
def test_what_has_no_ratio_says_why(samples, reason):
    with pytest.raises(Unscorable) as caught:
        wada_snr_db(samples.astype(np.float32))
    assert caught.value.reason == reason
