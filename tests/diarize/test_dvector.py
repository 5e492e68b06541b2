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


def assert_covers(turns, speech) -> None:
    """Every stretch of speech is in turns that don't overlap; what else is in them are pauses under 0.3 s."""
    for one, other in itertools.pairwise(turns):
        assert one.end <= other.start + 1e-9
        assert one.speaker != other.speaker or other.start - one.end >= 0.3
    for part in speech:
        inside = [min(turn.end, part.end) - max(turn.start, part.start) for turn in turns]
        assert sum(seconds for seconds in inside if seconds > 0) == pytest.approx(part.duration)
    pauses = [other.start - one.end for one, other in itertools.pairwise(speech)]
    bridged = sum(turn.duration for turn in turns) - sum(part.duration for part in speech)
    assert bridged <= sum(pause for pause in pauses if pause < 0.3) + 1e-6


def test_two_speakers_on_the_telephone(backend, vad, shared_data):
    audio = ArrayAudio([decode(shared_data / "two_speakers" / "sample.flac")])
    speech = vad.speech(audio, 0)
    turns = backend.diarize(audio, speech, None)
    assert speakers(turns) == {"#1", "#2"}
    assert_covers(turns, speech)
    assert der(reference(shared_data / "two_speakers" / "sample.rttm"), turns, duration=30.0).rate <= 0.05


@pytest.mark.parametrize(("name", "count"), [("syn0", 2), ("syn1", 3), ("syn2", 2)])
def test_readers_in_turn_are_counted(backend, vad, shared_data, name, count):
    folder = shared_data / "concatenated_conversation"
    audio = ArrayAudio([decode(folder / f"{name}.flac")])
    turns = backend.diarize(audio, vad.speech(audio, 0), None)
    assert len(speakers(turns)) == count
    assert der(reference(folder / f"{name}.rttm"), turns, duration=audio.duration).confusion < 1.0


@pytest.mark.slow
def test_one_reader_is_one_speaker_in_59_of_60_utterances(backend, vad, shared_data):
    files = sorted((shared_data / "librispeech_test_other").glob("*/*.flac"))
    assert len(files) == 60
    split = []
    for path in files:
        audio = ArrayAudio([decode(path)])
        speech = vad.speech(audio, 0)
        assert speech, path.name
        if speakers(backend.diarize(audio, speech, None)) != {"#1"}:
            split.append(path.stem)
    assert split in ([], ["1688-142285-0001"])  # 12.6 s; it saves a little more than a speaker costs


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
    assert backend.diarize(dialogue, TURNS, 2) == expected


def test_a_subset_of_the_windows_finds_the_same_speakers(backend, dialogue):
    assert ready(dvector, max_windows=60).diarize(dialogue, TURNS, 2) == backend.diarize(dialogue, TURNS, 2)


def test_a_change_of_speaker_within_speech_is_a_change_of_turn(backend, dialogue):
    joined = [Interval(0.0, 56.0)]
    turns = backend.diarize(dialogue, joined, 2)
    assert_covers(turns, joined)
    # The middle of each pause is a boundary, up to half the pause (0.25 s) and half a hop (0.4 s).
    assert [turn.start for turn in turns[1:]] == pytest.approx([3.25 + 3.5 * index for index in range(15)], abs=0.66)


@pytest.mark.xfail(
    strict=True, reason="three are counted: by the tuning data, another speaker costs less than it takes here"
)
def test_two_readers_in_short_turns_are_counted(backend, dialogue):
    assert len(speakers(backend.diarize(dialogue, TURNS, None))) == 2


def test_a_word_too_short_gets_its_neighbours_speaker(backend, dialogue):
    far = [*TURNS[:8], *(Interval(part.start + 8.0, 3.0) for part in TURNS[8:])]  # no window in 27.5 to 36 s
    speech = sorted([*far, Interval(28.5, 0.2), Interval(35.0, 0.2)], key=lambda part: part.start)
    padded = np.insert(dialogue.read(), 28 * 16_000, np.zeros(8 * 16_000, np.float32))
    turns = {turn.start: turn.speaker for turn in backend.diarize(ArrayAudio([padded]), speech, 2)}
    # The eighth reader before it is "#2"; the ninth, after it, "#1".
    assert (turns[28.5], turns[35.0]) == ("#2", "#1")


def test_a_turn_goes_on_over_a_short_pause(backend, dialogue):
    halved = [Interval(part.start + half, 1.4) for part in TURNS for half in (0.0, 1.6)]  # pauses of 0.2 s within
    expected = [Turn(part.start, 3.0, f"#{1 + index % 2}") for index, part in enumerate(TURNS)]
    assert backend.diarize(dialogue, halved, 2) == expected
    apart = ready(dvector, pause_s=0.1).diarize(dialogue, halved, 2)
    assert [(turn.start, round(turn.duration, 3)) for turn in apart] == [(part.start, 1.4) for part in halved]


def test_one_speaker_on_two_channels_is_one_speaker(backend, dialogue):
    samples = dialogue.read()
    audio = ArrayAudio([samples, 0.5 * samples])
    speech = [Interval(part.start, part.duration, index % 4 // 2) for index, part in enumerate(TURNS)]
    turns = backend.diarize(audio, speech, 2)
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
