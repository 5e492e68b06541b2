# SPDX-License-Identifier: Apache-2.0
"""The demo corpus: a two-speaker podcast in English and Vietnamese, of which everything is known.

About two and a half minutes of synthesised speech, music, noise and silence, and two files that no program
can decode. `truth.json` beside it says when who said which word, to the sample of the synthesiser. What the aligner
is trained on is no part of it: see `curated`.
It shows the pipeline and checks it; synthetic voices say nothing about accuracy on people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import write_bytes
from speechmill.core.stage import Samples
from speechmill.core.timebase import on_millisecond, tick, to_samples, to_seconds
from speechmill.core.types import Interval, Turn, Utterance, Word
from speechmill.demo import curated
from speechmill.demo.espeak import Line, Spoken, speak
from speechmill.demo.script import JINGLE_S, READ, SCRIPTS, TALK, VIETNAMESE, Script, Voice
from speechmill.demo.sound import at_level, music, pink_noise, write_lossy

RATE = 22_050  # espeak-ng's
MUSIC_RATE = 44_100
SILENCE_RATE = 16_000
SEED = 20_260_101
SPEECH_DBFS = -26.0  # the nominal level of ITU-T P.56
MUSIC_DBFS = -26.0
JINGLE_AT_S = 0.5
TAIL_S = 1.0
MUSIC_S = 10.0
SILENCE_S = 5.0
KEPT_OF_BROKEN = 0.6  # a download that stopped: the index at the file's end is missing
MAX_PAUSE_S = 0.3  # shorter silences count as speech, as in NIST's rich transcription evaluations
CAPTION_MARGIN_S = 0.1  # people set captions a little wide
TRUTH = "truth.json"
CORPUS = "corpus.yaml"


class TrueWord(Struct, frozen=True):
    """A word, when it was said, in seconds, and by whom."""

    symbol: str
    start: float
    duration: float
    speaker: str

    @property
    def end(self) -> float:
        return self.start + self.duration

    @property
    def word(self) -> Word:
        return Word(self.symbol, self.start, self.duration)


class TrueRecording(Struct, frozen=True):
    """What is true of one file. Without speech: no words, turns or text. `broken`: nothing can be decoded."""

    file: str
    duration: float = 0.0
    language: str | None = None
    text: str = ""
    words: tuple[TrueWord, ...] = ()
    speech: tuple[Interval, ...] = ()
    turns: tuple[Turn, ...] = ()
    broken: bool = False

    @property
    def stem(self) -> str:
        return Path(self.file).stem


class Truth(Struct, frozen=True):
    """What is true of the corpus."""

    recordings: tuple[TrueRecording, ...]


class Performance(Struct, frozen=True):
    """A script as it was spoken: the clean speech, (num_samples,) float32 at RATE, and its words in order."""

    samples: Samples
    words: tuple[TrueWord, ...]
    parts: tuple[Utterance, ...]  # first to last word of each part


def make(folder: Path) -> Truth:
    """Write the corpus into a folder: audio, transcripts, recordings.tsv, corpus.yaml and truth.json.

    And, into `curated` beside it, what the corpus file trains the aligner on. The same bytes each time on one
    machine. Raises MissingDependency where espeakng-loader is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curated.write(folder.parent / curated.CURATED)
    performances = perform(SCRIPTS)
    talk, read, vietnamese = performances
    recordings = (
        _write_talk(folder, talk),
        _write_read(folder, read),
        _write_vietnamese(folder, vietnamese),
        _write_music(folder),
        _write_silence(folder),
        *_write_broken(folder),
    )
    truth = Truth(recordings)
    write_bytes(folder / "recordings.tsv", _table(recordings).encode())
    write_bytes(folder / CORPUS, _CORPUS_FILE.encode())
    write_bytes(folder / TRUTH, msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n")
    return truth


def read_truth(folder: Path) -> Truth:
    """Read what `make` wrote. Raises FormatError."""
    path = folder / TRUTH
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except (OSError, msgspec.MsgspecError) as error:
        raise FormatError(f"{path}: not the truth of a demo corpus ({error})") from error


def perform(scripts: Sequence[Script]) -> list[Performance]:
    """Speak all scripts; pauses between the parts are drawn from a fixed seed."""
    spoken = iter(speak([_line(part.voice, part.text) for script in scripts for part in script.parts]))
    return [_perform(script, list(islice(spoken, len(script.parts)))) for script in scripts]


def _line(voice: Voice, text: str) -> Line:
    return Line(text, voice.espeak, voice.words_per_minute, voice.pitch, voice.pitch_range)


def _perform(script: Script, spoken: Sequence[Spoken]) -> Performance:
    random = _random(script.stem, "pauses")
    played: list[tuple[int, Samples]] = []
    words: list[TrueWord] = []
    parts: list[Utterance] = []
    at = to_samples(script.lead_s, RATE)
    for part, one in zip(script.parts, spoken, strict=True):
        samples, said = _play(one, part.voice, at)
        played.append((at, samples))
        words += said
        parts.append(_utterance(part.text, script.language, said))
        at = to_samples(said[-1].end + random.uniform(*script.pause_s), RATE)
    total = np.zeros(to_samples(words[-1].end + TAIL_S, RATE), np.float32)
    for first, samples in played:
        total[first : first + len(samples)] += samples
    return Performance(total, tuple(words), tuple(parts))


def _play(spoken: Spoken, voice: Voice, at: int) -> tuple[Samples, list[TrueWord]]:
    """Return a line at the demo's level and rate, and its words as they lie from sample `at` on."""
    samples = spoken.samples
    if spoken.sampling_rate * voice.speed != RATE:
        import soxr

        samples = soxr.resample(samples, spoken.sampling_rate * voice.speed, RATE, quality="VHQ")
    offset = at / RATE
    words = []
    for word in spoken.words:
        start, end = tick(offset + word.start / voice.speed), tick(offset + word.end / voice.speed)
        words.append(TrueWord(word.symbol, start, tick(end - start), voice.name))
    return at_level(samples, SPEECH_DBFS), words


def _utterance(text: str, language: str, words: Sequence[TrueWord]) -> Utterance:
    start, end = words[0].start, words[-1].end
    return Utterance(text, start, tick(end - start), speaker=words[0].speaker, language=language)


def turns_of(words: Iterable[TrueWord]) -> tuple[Turn, ...]:
    """Join the words of one speaker across pauses of up to MAX_PAUSE_S."""
    turns: list[Turn] = []
    for word in words:
        last = turns[-1] if turns else None
        if last is not None and last.speaker == word.speaker and tick(word.start - last.end) <= MAX_PAUSE_S:
            turns[-1] = Turn(last.start, tick(word.end - last.start), word.speaker)
        else:
            turns.append(Turn(word.start, word.duration, word.speaker))
    return tuple(turns)


def _truth(file: str, script: Script, performance: Performance) -> TrueRecording:
    turns = turns_of(performance.words)
    return TrueRecording(
        file,
        to_seconds(len(performance.samples), RATE),
        script.language,
        " ".join(part.text for part in script.parts),
        performance.words,
        tuple(Interval(turn.start, turn.duration) for turn in turns),
        turns,
    )


def _random(*names: str) -> np.random.Generator:
    """One stream of random numbers per purpose, so that adding one changes no other."""
    return np.random.default_rng([SEED, *"/".join(names).encode()])


def _in_a_room(script: Script, performance: Performance) -> Samples:
    noise = pink_noise(len(performance.samples), _random(script.stem, "noise"))
    return performance.samples + at_level(noise, SPEECH_DBFS - script.snr_db)


def _write_talk(folder: Path, talk: Performance) -> TrueRecording:
    from speechmill.formats.audio import write_flac

    file = f"{TALK.stem}.flac"
    mixed = _in_a_room(TALK, talk)
    first = to_samples(JINGLE_AT_S, RATE)
    jingle = at_level(music(JINGLE_S, RATE), MUSIC_DBFS)
    mixed[first : first + len(jingle)] += jingle
    write_flac(folder / file, mixed, RATE)
    return _truth(file, TALK, talk)


def _write_read(folder: Path, read: Performance) -> TrueRecording:
    from speechmill.formats.audio import write_flac

    file = f"{READ.stem}.flac"
    write_flac(folder / file, _in_a_room(READ, read), RATE)
    truth = _truth(file, READ, read)
    write_bytes(folder / f"{READ.stem}.txt", f"{truth.text}\n".encode())
    return truth


def _write_vietnamese(folder: Path, vietnamese: Performance) -> TrueRecording:
    from speechmill.formats import captions

    file = f"{VIETNAMESE.stem}.m4a"
    write_lossy(folder / file, _in_a_room(VIETNAMESE, vietnamese)[np.newaxis], RATE)
    captions.write(folder / f"{VIETNAMESE.stem}.vtt", [_caption(part) for part in vietnamese.parts])
    return _truth(file, VIETNAMESE, vietnamese)


def _caption(part: Utterance) -> Utterance:
    start = on_millisecond((part.start or 0.0) - CAPTION_MARGIN_S)
    duration = on_millisecond((part.duration or 0.0) + 2 * CAPTION_MARGIN_S)
    return msgspec.structs.replace(part, start=start, duration=duration)


def _write_music(folder: Path) -> TrueRecording:
    left = at_level(music(MUSIC_S, MUSIC_RATE), MUSIC_DBFS)
    right = np.roll(left, to_samples(0.012, MUSIC_RATE))  # as if heard from one side
    write_lossy(folder / "nhac.mp3", np.stack([left, right]), MUSIC_RATE)
    return TrueRecording("nhac.mp3", MUSIC_S)


def _write_silence(folder: Path) -> TrueRecording:
    from speechmill.formats.audio import write_wav

    write_wav(folder / "im_lang.wav", np.zeros(to_samples(SILENCE_S, SILENCE_RATE), np.int16), SILENCE_RATE)
    return TrueRecording("im_lang.wav", SILENCE_S)


def _write_broken(folder: Path) -> tuple[TrueRecording, ...]:
    whole = (folder / f"{VIETNAMESE.stem}.m4a").read_bytes()
    write_bytes(folder / "hong.m4a", whole[: int(len(whole) * KEPT_OF_BROKEN)])
    write_bytes(folder / "empty.wav", b"")
    return TrueRecording("hong.m4a", broken=True), TrueRecording("empty.wav", broken=True)


def _table(recordings: Iterable[TrueRecording]) -> str:
    """Return recordings.tsv: what a person who made the recordings would know of them."""
    lines = ["path\tlanguage\tnum_speakers\tlicence\tattribution"]
    for one in recordings:
        speakers = str(len({turn.speaker for turn in one.turns}) or "")
        lines.append(f"{one.file}\t{one.language or ''}\t{speakers}\tCC0-1.0\tspeechmill demo, voices by espeak-ng")
    return "\n".join(lines) + "\n"


# No `language`: recordings.tsv says it of each, and one model serves both.
_CORPUS_FILE = """\
name: speechmill-demo
sources:
  - local: {path: .}
transcript: [sidecar, pocketsphinx]
align: {gmm: {train_on: ../curated, lexicon: graphemes}}   # a model of both languages, trained on other readers
filter: {preset: asr-broad, rules: ["dnsmos_ovrl >= 2.5"]}
export: [huggingface, lhotse, nemo, textgrid, rttm]
store: ../workspace
"""
