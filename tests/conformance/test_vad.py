# SPDX-License-Identifier: Apache-2.0
"""What every VAD backend must do with anything it is given."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core import registry
from speechmill.core.errors import MissingDependency, MissingModel
from speechmill.core.stage import Context
from speechmill.formats.array_audio import ArrayAudio

HZ = 16_000
RNG = np.random.default_rng(0)
SQUARE = np.where(np.arange(3 * HZ) % 100 < 50, 1.0, -1.0)
VOICED = np.sign(np.sin(2 * np.pi * 120 * np.arange(4 * HZ) / HZ)) * (np.arange(4 * HZ) % HZ < HZ // 2) * 0.3
SIGNALS = {
    "silence": np.zeros(3 * HZ),
    "noise": 0.1 * RNG.standard_normal(3 * HZ),
    "20 ms": 0.1 * RNG.standard_normal(HZ // 50),
    "one sample": np.ones(1),
    "nothing": np.zeros(0),
    "loud square wave": SQUARE,
    "buzz in bursts": VOICED,
    "ends on no round time": VOICED[: 2 * HZ + 1_233],
}
ROUNDING = 1e-9


def made(folder: Path) -> dict[str, str]:
    """Options of a backend whose weights are in no wheel: a model that is made here."""
    path = Path(__file__).parents[1] / "vad" / "tiny_segmentation.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_network(folder / "model.onnx")
    return {"model": str(folder)}


@pytest.fixture(params=registry.names("vad"), scope="module")
def backend(request, tmp_path_factory):
    try:
        module = registry.require("vad", request.param)
        options = made(tmp_path_factory.mktemp("model")) if request.param == "pyannote" else {}
        return module.Backend(module.Config(**options), Context(Path(), models.path))
    except (MissingDependency, MissingModel) as error:
        pytest.skip(str(error))


def test_there_are_backends():
    assert set(registry.names("vad")) >= {"energy", "pyannote", "silero"}


@pytest.mark.parametrize("name", SIGNALS)
def test_speech_is_inside_the_recording_ordered_and_disjoint(backend, name):
    audio = ArrayAudio([SIGNALS[name], SIGNALS[name][::-1]])
    for channel in (0, 1):
        position = 0.0
        for interval in backend.speech(audio, channel):
            assert interval.channel == channel
            assert interval.start >= position - ROUNDING
            assert interval.duration > 0
            position = interval.end
        assert position <= audio.duration + ROUNDING


@pytest.mark.parametrize("name", ["silence", "nothing"])
def test_silence_is_no_speech(backend, name):
    assert backend.speech(ArrayAudio([SIGNALS[name]]), 0) == []


def test_a_result_does_not_depend_on_earlier_calls(backend):
    alone = {name: backend.speech(ArrayAudio([SIGNALS[name]]), 0) for name in SIGNALS}
    again = {name: backend.speech(ArrayAudio([SIGNALS[name]]), 0) for name in reversed(SIGNALS)}
    assert alone == again


def test_the_audio_is_left_as_it_was(backend):
    samples = SIGNALS["buzz in bursts"].astype(np.float32)
    before = samples.copy()
    backend.speech(ArrayAudio([samples]), 0)
    assert np.array_equal(samples, before)
