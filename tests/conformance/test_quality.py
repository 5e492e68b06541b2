# SPDX-License-Identifier: Apache-2.0
"""What every quality metric must do with anything it is given: a finite value in range, or a reason."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core import registry
from speechmill.core.errors import MissingDependency, MissingModel, Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Utterance
from speechmill.quality import Cut

HZ = 16_000
LENGTH = 36_800  # 2.3 s, which four times over is one window of DNSMOS
RNG = np.random.default_rng(0)
SQUARE = np.where(np.arange(LENGTH) % 100 < 50, 1.0, -1.0)
SIGNALS = {
    "silence": np.zeros(LENGTH),
    "almost silence": np.full(LENGTH, 1e-7),
    "noise": 0.1 * RNG.standard_normal(LENGTH),
    "20 ms": 0.1 * RNG.standard_normal(HZ // 50),
    "0.1 s": 0.1 * RNG.standard_normal(HZ // 10),
    "nothing": np.zeros(0),
    "loud square wave": SQUARE,
    "clicks": (np.arange(LENGTH) % 4_000 == 0).astype(float),
    "half silent": np.concatenate([np.zeros(HZ), 0.1 * RNG.standard_normal(LENGTH - HZ)]),
}


@pytest.fixture(params=registry.names("quality"), scope="module")
def metric(request):
    try:
        module = registry.require("quality", request.param)
        return module, module.Backend(module.Config(), Context(Path(), models.path))
    except (MissingDependency, MissingModel) as error:
        pytest.skip(str(error))


def outcome(backend, samples, speech):
    """The scores, or the reason why there are none."""
    segment = Utterance("it is what it is", 3.0, len(samples) / HZ)
    try:
        return dict(backend.score(Cut(samples.astype(np.float32), segment, speech, "en")))
    except Unscorable as error:
        return error.reason


def speech_of(samples):
    return {
        "all speech": [Interval(0.0, len(samples) / HZ)],
        "some speech": [Interval(0.3, 0.5), Interval(1.1, 0.4)],
        "no speech": [],
    }


def test_there_are_metrics():
    assert {"dnsmos", "snr"} <= set(registry.names("quality"))


@pytest.mark.parametrize("name", SIGNALS)
def test_a_score_is_finite_and_in_range_or_says_why_not(metric, name):
    module, backend = metric
    for speech in speech_of(SIGNALS[name]).values():
        found = outcome(backend, SIGNALS[name], speech)
        if isinstance(found, str):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found)
            continue
        assert set(found) == set(module.COLUMNS)
        for column, value in found.items():
            low, high = module.COLUMNS[column].range
            assert type(value) is float
            assert math.isfinite(value)
            assert low <= value <= high, column


def test_columns_say_what_they_mean(metric):
    module, _ = metric
    assert module.COLUMNS
    for column in module.COLUMNS.values():
        assert column.range[0] < column.range[1]
        assert column.source


def test_a_result_does_not_depend_on_earlier_calls(metric):
    _, backend = metric
    speech = [Interval(0.1, 1.5)]
    alone = {name: outcome(backend, samples, speech) for name, samples in SIGNALS.items()}
    again = {name: outcome(backend, SIGNALS[name], speech) for name in reversed(SIGNALS)}
    assert alone == again


def test_the_samples_are_left_as_they_were(metric):
    _, backend = metric
    samples = SIGNALS["half silent"].astype(np.float32)
    samples.flags.writeable = False
    outcome(backend, samples, [Interval(1.0, 1.0)])
