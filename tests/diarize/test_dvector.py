# SPDX-License-Identifier: Apache-2.0
"""Speakers by d-vectors on real speech."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import ItemError, MissingModel
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize import dvector
from speechmill.formats.array_audio import ArrayAudio
from speechmill.measures.der import der
from speechmill.vad import silero


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16_000
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def ready(module, **options):
    try:
        return module.Backend(module.Config(**options), Context(Path(), models.path))
    except MissingModel as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def backend():
    return ready(dvector)


@pytest.fixture(scope="module")
def vad():
    return ready(silero)


def reference(path: Path) -> list[Turn]:
    fields = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [Turn(float(field[3]), float(field[4]), field[7]) for field in fields]


def speakers(turns) -> set[str]:
    return {turn.speaker for turn in turns}


def assert_divides(turns, speech) -> None:
    """Every stretch of speech is covered by turns without gap or overlap."""
    for part in speech:
        inside = [turn for turn in turns if turn.channel == part.channel and part.start <= turn.start < part.end]
        assert inside[0].start == part.start
        assert inside[-1].end == pytest.approx(part.end, abs=1e-9)
        for one, other in itertools.pairwise(inside):
            assert one.end == pytest.approx(other.start, abs=1e-9)
            assert one.speaker != other.speaker
    assert sum(turn.duration for turn in turns) == pytest.approx(sum(part.duration for part in speech))


def test_two_speakers_on_the_telephone(backend, vad, shared_data):
    audio = ArrayAudio([decode(shared_data / "two_speakers" / "sample.flac")])
    speech = vad.speech(audio, 0)
    turns = backend.diarize(audio, speech, None)
    assert speakers(turns) == {"#1", "#2"}
    assert_divides(turns, speech)
    assert der(reference(shared_data / "two_speakers" / "sample.rttm"), turns, duration=30.0).rate <= 0.15


@pytest.mark.parametrize(("name", "count"), [("syn0", 2), ("syn1", 3), ("syn2", 2)])
def test_readers_in_turn_are_counted(backend, vad, shared_data, name, count):
    folder = shared_data / "concatenated_conversation"
    audio = ArrayAudio([decode(folder / f"{name}.flac")])
    turns = backend.diarize(audio, vad.speech(audio, 0), None)
    assert len(speakers(turns)) == count
    assert der(reference(folder / f"{name}.rttm"), turns, duration=audio.duration).confusion < 1.0


@pytest.mark.slow
def test_one_reader_is_one_speaker(backend, vad, shared_data):
    files = sorted((shared_data / "librispeech_test_other").glob("*/*.flac"))
    assert len(files) == 60
    for path in files:
        audio = ArrayAudio([decode(path)])
        speech = vad.speech(audio, 0)
        assert speech, path.name
        assert speakers(backend.diarize(audio, speech, None)) == {"#1"}, path.name


@pytest.fixture(scope="module")
def dialogue(shared_data) -> ArrayAudio:
    """Two readers in turn, 3 s each, eight times, with 0.5 s between."""
    folder = shared_data / "librispeech_test_other"
    readers = [np.concatenate([decode(path) for path in sorted(folder.glob(f"{name}/*.flac"))]) for name in SPEAKERS]
    pause = np.zeros(8_000, np.float32)
    turns = [readers[turn % 2][(turn // 2) * 48_000 :][:48_000] for turn in range(16)]
    return ArrayAudio([np.concatenate([part for turn in turns for part in (turn, pause)])])


SPEAKERS = ("3005", "1688")
TURNS = [Interval(index * 3.5, 3.0) for index in range(16)]


def test_speakers_who_take_turns(backend, dialogue):
    expected = [Turn(part.start, 3.0, f"#{1 + index % 2}") for index, part in enumerate(TURNS)]
    assert backend.diarize(dialogue, TURNS, None) == expected
    assert backend.diarize(dialogue, TURNS, 2) == expected


def test_a_subset_of_the_windows_finds_the_same_speakers(backend, dialogue):
    assert ready(dvector, max_windows=24).diarize(dialogue, TURNS, None) == backend.diarize(dialogue, TURNS, None)


def test_a_change_of_speaker_within_speech_is_a_change_of_turn(backend, dialogue):
    joined = [Interval(0.0, 56.0)]
    turns = backend.diarize(dialogue, joined, None)
    assert_divides(turns, joined)
    # The middle of each pause is a boundary, up to half the pause (0.25 s) and half a hop (0.4 s).
    assert [turn.start for turn in turns[1:]] == pytest.approx([3.25 + 3.5 * index for index in range(15)], abs=0.66)


def test_a_word_too_short_gets_its_neighbours_speaker(backend, dialogue):
    speech = sorted([*TURNS, Interval(3.1, 0.2), Interval(6.6, 0.2)], key=lambda part: part.start)
    turns = {turn.start: turn.speaker for turn in backend.diarize(dialogue, speech, None)}
    assert (turns[3.1], turns[6.6]) == ("#1", "#2")


def test_one_speaker_on_two_channels_is_one_speaker(backend, dialogue):
    samples = dialogue.read()
    audio = ArrayAudio([samples, 0.5 * samples])
    speech = [Interval(part.start, part.duration, index % 4 // 2) for index, part in enumerate(TURNS)]
    turns = backend.diarize(audio, speech, None)
    assert [turn.speaker for turn in turns] == ["#1", "#2"] * 8
    assert [turn.channel for turn in turns] == [0, 0, 1, 1] * 4


def test_one_known_speaker_costs_no_model(backend):
    class Deaf(ArrayAudio):
        def read(self, *_args, **_options):
            raise AssertionError("nothing needs to be heard")

    turns = backend.diarize(Deaf([np.zeros(160_000)]), [Interval(1, 3), Interval(5, 4)], 1)
    assert turns == [Turn(1, 3, "#1"), Turn(5, 4, "#1")]


def test_no_speakers_is_refused(backend, dialogue):
    with pytest.raises(ItemError, match="bad-num-speakers"):
        backend.diarize(dialogue, TURNS, 0)
