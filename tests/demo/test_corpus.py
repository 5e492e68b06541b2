# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from speechmill.core.errors import AudioError, FormatError
from speechmill.core.types import Turn
from speechmill.demo.corpus import RATE, TrueWord, Truth, make, perform, read_truth, turns_of
from speechmill.demo.script import SCRIPTS
from speechmill.formats import captions
from speechmill.formats.audio import probe, read_audio
from speechmill.measures.wer import tokens
from speechmill.pipeline.spec import load
from speechmill.sources import local

Made = tuple[Path, Truth]


def test_made_twice_it_is_the_same_to_the_byte(made: Made, tmp_path: Path) -> None:
    folder, truth = made
    again = tmp_path / "corpus"
    assert make(again) == truth
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 12
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name
    curated = sorted(path.relative_to(folder.parent) for path in folder.parent.glob("curated/*/*"))
    assert len(curated) == 2 * 144
    assert all((folder.parent / path).read_bytes() == (tmp_path / path).read_bytes() for path in curated)


def test_the_truth_can_be_read_again(made: Made) -> None:
    assert read_truth(made[0]) == made[1]


def test_no_truth_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"truth\.json"):
        read_truth(tmp_path)


@pytest.mark.usefixtures("espeak")
def test_speech_is_where_the_truth_says_and_nowhere_else() -> None:
    performances = perform(SCRIPTS)
    assert len(performances) == 3
    for performance in performances:
        turns = turns_of(performance.words)
        inside = np.zeros(len(performance.samples), dtype=bool)
        for turn in turns:
            inside[round(turn.start * RATE) : round(turn.end * RATE)] = True
        energy = np.square(performance.samples, dtype=np.float64)
        assert energy[inside].sum() / energy.sum() > 0.9999
        assert 10 * np.log10(energy[inside].mean()) == pytest.approx(-26, abs=0.2)
        for turn in turns:  # the first and the last 100 ms of a turn are heard
            first, last = round(turn.start * RATE), round(turn.end * RATE)
            assert energy[first : first + RATE // 10].mean() > 1e-5
            assert energy[last - RATE // 10 : last].mean() > 1e-5


def test_every_word_is_heard_at_its_time_in_the_files(made: Made) -> None:
    folder, truth = made
    num_words = 0
    for true in truth.recordings:
        if not true.words:
            continue
        samples, sampling_rate = read_audio(folder / true.file)
        for word in true.words:
            heard = samples[0, round(word.start * sampling_rate) : round(word.end * sampling_rate)]
            assert np.sqrt(np.mean(np.square(heard))) > 0.01, word
            num_words += 1
    assert num_words == 263


def test_words_are_in_order_and_are_those_of_the_text(made: Made) -> None:
    for true in made[1].recordings:
        assert [token for word in true.words for token in tokens(word.symbol)] == tokens(true.text)
        for before, after in itertools.pairwise(true.words):
            assert before.end <= after.start + 1e-9
        if true.words:
            assert true.words[-1].end < true.duration
            assert min(word.duration for word in true.words) > 0.05


def test_two_speakers_take_turns(made: Made) -> None:
    talk, read, vietnamese, *others = made[1].recordings
    assert {turn.speaker for turn in talk.turns} == {"Thomas", "Anna"}
    assert {turn.speaker for turn in read.turns} == {"Edward"}
    assert {turn.speaker for turn in vietnamese.turns} == {"Lan", "Minh"}
    assert not any(other.turns or other.speech or other.text for other in others)


def test_it_lasts_two_to_three_minutes(made: Made) -> None:
    durations = {true.file: true.duration for true in made[1].recordings}
    assert 120 < sum(durations.values()) < 180
    assert durations["english_read.flac"] < 20
    assert durations["nhac.mp3"] == 10


def test_durations_are_those_of_the_files(made: Made) -> None:
    folder, truth = made
    for true in truth.recordings:
        if not true.broken:
            samples, sampling_rate = read_audio(folder / true.file)
            # AAC ends in whole frames of 1,024 samples.
            assert samples.shape[1] / sampling_rate == pytest.approx(true.duration, abs=1024 / RATE)


def test_the_broken_files_are_broken(made: Made) -> None:
    folder, truth = made
    broken = [true.file for true in truth.recordings if true.broken]
    assert broken == ["hong.m4a", "empty.wav"]
    for file in broken:
        with pytest.raises(AudioError):
            probe(folder / file)


def test_captions_name_the_speakers_and_surround_their_words(made: Made) -> None:
    folder, truth = made
    cues = captions.read(folder / "tieng_viet.vtt")
    vietnamese = next(true for true in truth.recordings if true.stem == "tieng_viet")
    assert [cue.speaker for cue in cues] == ["Lan", "Minh"] * 4
    assert tokens(" ".join(cue.text or "" for cue in cues)) == tokens(vietnamese.text)
    for word in vietnamese.words:
        around = [cue for cue in cues if (cue.start or 0) <= word.start and word.end <= _end(cue.start, cue.duration)]
        assert [cue.speaker for cue in around] == [word.speaker]


def _end(start: float | None, duration: float | None) -> float:
    return (start or 0.0) + (duration or 0.0)


def test_the_pipeline_finds_every_recording_and_its_metadata(made: Made) -> None:
    folder, truth = made
    sources = list(local.Backend(local.Config(path="."), folder).discover())
    assert sorted(Path(source.uri).name for source in sources) == sorted(true.file for true in truth.recordings)
    talk = next(source for source in sources if source.id.startswith("english_talk"))
    assert (talk.language, talk.num_speakers, talk.sidecars) == ("en", 2, ())
    assert talk.rights is not None
    assert talk.rights.state == "public-domain"


def test_the_corpus_file_can_be_loaded(made: Made) -> None:
    corpus = load(made[0] / "corpus.yaml")
    assert corpus.name == "speechmill-demo"
    assert corpus.store == (made[0].parent / "workspace").resolve()


def test_the_aligner_is_trained_on_other_readers_and_sentences(made: Made) -> None:
    folder, truth = made
    config = load(folder / "corpus.yaml").align.config
    assert Path(config.train_on).resolve() == (folder.parent / "curated").resolve()
    texts = {path.read_text(encoding="utf-8").strip() for path in folder.parent.glob("curated/*/*.lab")}
    assert len(texts) == 72
    assert not any(text in true.text for text in texts for true in truth.recordings)
    readers = {path.name for path in (folder.parent / "curated").iterdir()}
    assert readers == {"en_Mark", "en_Fay", "vi_Sơn", "vi_Hoa"}
    seconds = sum(probe(path).duration or 0.0 for path in folder.parent.glob("curated/*/*.flac"))
    assert 360 < seconds < 540


def test_turns_bridge_short_pauses_of_one_speaker_only() -> None:
    words = [
        TrueWord("a", 0.0, 0.5, "Lan"),
        TrueWord("b", 0.8, 0.2, "Lan"),
        TrueWord("c", 1.4, 0.1, "Lan"),
        TrueWord("d", 1.6, 0.4, "Minh"),
    ]
    assert turns_of(words) == (Turn(0.0, 1.0, "Lan"), Turn(1.4, 0.1, "Lan"), Turn(1.6, 0.4, "Minh"))
