# SPDX-License-Identifier: Apache-2.0
"""What every diarization backend promises."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from speechmill import models
from speechmill.core import registry
from speechmill.core.errors import MissingDependency, MissingModel
from speechmill.core.stage import Context
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio


@pytest.fixture(scope="module", params=registry.names("diarize"))
def backend(request):
    try:
        module = registry.require("diarize", request.param)
        return module.Backend(module.Config(), Context(Path(), models.path))
    except (MissingDependency, MissingModel) as error:
        pytest.skip(str(error))


def sound(seconds: float, seed: int) -> np.ndarray:
    """Noise of a colour of its own, -20 dBFS, so that two seeds are two voices of sorts."""
    generator = np.random.default_rng(seed)
    shape = np.convolve(generator.normal(size=round(seconds * 16_000)), generator.normal(size=40), mode="same")
    return np.asarray(0.1 * shape / shape.std(), dtype=np.float32)


TWO_CHANNELS = ArrayAudio([sound(20, 1), sound(20, 2)])
SPEECH = [
    Interval(0.5, 0.2, 1),
    Interval(1.0, 3.0, 0),
    Interval(4.5, 2.5, 1),
    Interval(8.0, 0.1, 0),
    Interval(9.0, 6.0, 0),
    Interval(16.0, 4.0, 1),
]


def assert_keeps_its_promises(turns, speech) -> None:
    assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)
    for turn in turns:  # from the start of speech to the end of speech; short pauses may lie between
        assert turn.duration > 0
        parts = [part for part in speech if part.channel == turn.channel]
        assert any(part.start <= turn.start < part.end for part in parts)
        assert any(part.start < turn.end <= part.end + 1e-9 for part in parts)
    first = list(dict.fromkeys(turn.speaker for turn in turns))
    assert first == [f"#{number + 1}" for number in range(len(first))]
    for one in turns:  # within a channel no two turns overlap
        for other in turns:
            if one is not other and one.channel == other.channel:
                assert one.end <= other.start + 1e-9 or other.end <= one.start + 1e-9


def test_no_speech_gives_no_turns(backend):
    assert backend.diarize(ArrayAudio([np.zeros(48_000)]), [], None) == []
    assert backend.diarize(ArrayAudio([np.zeros(0)]), [], 2) == []


def test_digital_silence_taken_for_speech(backend):
    speech = [Interval(0.5, 4.0), Interval(5.0, 0.3)]
    turns = backend.diarize(ArrayAudio([np.zeros(96_000)]), speech, None)
    assert_keeps_its_promises(turns, speech)
    assert {turn.speaker for turn in turns} == {"#1"}


@pytest.mark.parametrize("num_speakers", [None, 1, 2])
@pytest.mark.parametrize(("start", "duration"), [(0.0, 0.05), (0.1, 0.5), (0.0, 1.0)])
def test_one_short_burst_is_one_turn(backend, start, duration, num_speakers):
    speech = [Interval(start, duration)]
    turns = backend.diarize(ArrayAudio([sound(1.0, 3)]), speech, num_speakers)
    assert [(turn.start, turn.duration, turn.speaker) for turn in turns] == [(start, duration, "#1")]


@pytest.mark.parametrize("num_speakers", [None, 1, 2, 3])
def test_two_channels(backend, num_speakers):
    turns = backend.diarize(TWO_CHANNELS, SPEECH, num_speakers)
    assert_keeps_its_promises(turns, SPEECH)
    # Nothing overlaps here, so nothing is bleed and all speech is somebody's; no pause is shorter than 1.5 s.
    assert sum(turn.duration for turn in turns) == pytest.approx(sum(part.duration for part in SPEECH))


def test_the_same_input_gives_the_same_turns(backend):
    assert backend.diarize(TWO_CHANNELS, SPEECH, None) == backend.diarize(TWO_CHANNELS, SPEECH, None)


def test_the_order_of_intervals_does_not_matter(backend):
    assert backend.diarize(TWO_CHANNELS, SPEECH[::-1], None) == backend.diarize(TWO_CHANNELS, SPEECH, None)


@pytest.mark.parametrize("name", registry.names("diarize"))
def test_an_unknown_option_is_refused(name):
    with pytest.raises(msgspec.ValidationError, match="no_such_option"):
        msgspec.convert({"no_such_option": 1}, registry.load("diarize", name).Config)
