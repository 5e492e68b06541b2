# SPDX-License-Identifier: Apache-2.0
"""Kaldi data folders, train/, dev/ and test/, as Kaldi, ESPnet and `lhotse kaldi import` read them.

Each has wav.scp, text, utt2spk, spk2utt, utt2dur, reco2dur and utt2lang, sorted by bytes and otherwise as Kaldi's
utils/validate_data_dir.sh wants them. An utterance's id is its speaker's and "-" and the segment's: with "-" before any
character of a speaker's id, files are in the order of speakers too. An unknown speaker is an utterance's alone, as
Kaldi's guide to data preparation advises. An unknown language is "und".

By default wav.scp has a clip for each utterance, as LibriSpeech's, AISHELL's and Common Voice's recipes make them: they
hold nothing that a filter left out, and WAV needs no other program. `layout: segments` has whole recordings and a
`segments` file, as recipes for long recordings do (Switchboard, TED-LIUM, GigaSpeech): far fewer files, and the audio
around an utterance is there. `audio: flac` takes half the disk; Kaldi reads it through the `flac` command.
Paths in wav.scp are relative to the export's folder: work there, or put the folder's path before them.

Kaldi has no utterances without text: segments without are left out. Its own symbols <s>, </s> and #0 are taken out of
texts. counts.json says how many segments that concerns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Literal

import regex
from msgspec import Struct

from speechmill.core.errors import AudioError
from speechmill.core.stage import Context
from speechmill.core.timebase import on_millisecond
from speechmill.core.types import Recording, Segment
from speechmill.exporters import PARTS, About, Row, Shard, Written
from speechmill.exporters._clips import Clips, clips_of
from speechmill.exporters._counts import Counts, write_counts
from speechmill.exporters._kept import SAMPLING_RATE, channel_of, language_of
from speechmill.exporters._lines import merged, part, parts, splits_of
from speechmill.exporters._names import one_line, safe_name
from speechmill.exporters._whole_audio import copy_whole
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()
UNIT = "recording"
USAGE = """\
from pathlib import Path

from lhotse.kaldi import load_kaldi_data_dir

recordings, supervisions, _ = load_kaldi_data_dir(Path("train"), sampling_rate=24_000)
# Kaldi: utils/validate_data_dir.sh --no-feats train
# Paths in wav.scp are relative to this folder: work here, or put its path before them.
"""
_SYMBOL = regex.compile(r"</?s>|#0\b")  # validate_data_dir.sh refuses texts that hold them


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    layout: Literal["clips", "segments"] = "clips"  # segments: whole recordings, and where utterances are in them
    audio: Literal["wav", "flac"] = "wav"  # flac is read through a pipe: `flac -c -d -s FILE |`


class _Utterance(Struct, frozen=True, array_like=True):
    """A line that a shard leaves; tabs part its fields, and come before any character of an id."""

    id: str
    speaker: str
    recording: str  # of wav.scp
    start: str
    end: str
    duration: str
    language: str
    audio: str  # path in the export
    whole: str  # duration of what wav.scp names
    text: str


class Backend:
    """Writes a data folder for each split, audio/, and counts.json."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> Counts:
        """Write the audio of a shard, and its utterances, sorted."""
        found = []
        without = changed = 0
        for row in shard.rows():
            whole = self._whole(shard.dataset, row, folder) if self._config.layout == "segments" else {}
            with clips_of(shard.dataset, row.recording, row.segments) as cut:
                for segment in row.segments:
                    plain = one_line(segment.text)
                    text = one_line(_SYMBOL.sub(lambda match: "# 0" if match[0] == "#0" else " ", plain))
                    changed += text != plain
                    if not text:
                        without += 1
                    elif whole:
                        found.append(_in_recording(row.recording, segment, text, whole))
                    else:
                        found.append(self._clipped(cut, row.recording, segment, text, folder))
        lines = sorted("\t".join(_fields(one)).encode() + b"\n" for one in found)
        part(folder, shard.name, "utterances").write_bytes(b"".join(lines))
        return Counts(without_text=without, text_changed=changed)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Write each split's files in one walk over its utterances. A split without any has no folder."""
        for split, written in splits_of(shards).items():
            lines = merged(parts(folder, written, "utterances"), folder / PARTS / "merging")
            _write_folder(folder / split, map(_parsed, lines), self._config)
        write_counts(folder, shards)

    def _clipped(self, cut: Clips, recording: Recording, segment: Segment, text: str, folder: Path) -> _Utterance:
        """Write a segment's clip; return its line."""
        path = f"audio/{recording.id}/{segment.id}.{self._config.audio}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(cut.file(segment, self._config.audio))
        duration = _seconds(cut.num_samples(segment) / SAMPLING_RATE)
        name, speaker = _ids(segment)
        language = language_of(recording, segment) or "und"
        return _Utterance(name, speaker, name, _seconds(0.0), duration, duration, language, path, duration, text)

    def _whole(self, dataset: Dataset, row: Row, folder: Path) -> dict[int, tuple[str, float]]:
        """Copy the channels that have segments. Returns channel -> (path, seconds)."""
        found = {}
        for channel in sorted({channel_of(row.recording, segment) for segment in row.segments}):
            path = f"audio/{row.recording.id}.{channel}.{self._config.audio}"
            (folder / "audio").mkdir(exist_ok=True)
            found[channel] = (path, copy_whole(dataset.root / row.recording.audio[channel], folder / path))
        return found


def _ids(segment: Segment) -> tuple[str, str]:
    """Return ids of the utterance and of its speaker."""
    speaker = safe_name(segment.speaker or segment.id)
    return f"{speaker}-{segment.id}", speaker


def _in_recording(recording: Recording, segment: Segment, text: str, whole: dict[int, tuple[str, float]]) -> _Utterance:
    channel = channel_of(recording, segment)
    path, seconds = whole[channel]
    # Rounding to whole milliseconds may put a segment's end just behind the last sample.
    end = min(segment.end, seconds)
    if on_millisecond(end - segment.start) <= 0:
        raise AudioError("no-samples", f"segment {segment.id} begins behind the end of {path}")
    name, speaker = _ids(segment)
    times = (_seconds(segment.start), _seconds(end), _seconds(end - segment.start))
    language = language_of(recording, segment) or "und"
    return _Utterance(name, speaker, f"{recording.id}.{channel}", *times, language, path, _seconds(seconds), text)


def _seconds(seconds: float) -> str:
    """Write seconds exactly enough to get the sample back."""
    return f"{seconds:.6f}"


def _fields(one: _Utterance) -> tuple[str, ...]:
    return tuple(getattr(one, name) for name in one.__struct_fields__)


def _parsed(line: bytes) -> _Utterance:
    return _Utterance(*line.decode().rstrip("\n").split("\t"))


def _write_folder(folder: Path, utterances: Iterable[_Utterance], config: Config) -> None:
    """Write the files of a split from its utterances, which are sorted by id, and so by speaker."""
    recordings: dict[str, tuple[str, str]] = {}
    speaker = None
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}
        for one in utterances:
            if speaker is None:
                files = _opened(folder, config, stack)
            for name, value in _values(one).items():
                if name in files:
                    files[name].write(f"{one.id} {value}\n")
            parted = "" if speaker is None else "\n"
            files["spk2utt"].write(f" {one.id}" if one.speaker == speaker else f"{parted}{one.speaker} {one.id}")
            speaker = one.speaker
            if config.layout == "segments":
                recordings[one.recording] = (one.audio, one.whole)
            else:
                _write_recording(files, one.id, one.audio, one.whole)
        if speaker is not None:
            files["spk2utt"].write("\n")
        for name, (audio, seconds) in sorted(recordings.items()):
            _write_recording(files, name, audio, seconds)


def _opened(folder: Path, config: Config, stack: ExitStack) -> dict[str, IO[str]]:
    folder.mkdir(exist_ok=True)
    names = ["text", "utt2spk", "spk2utt", "utt2dur", "utt2lang", "wav.scp", "reco2dur"]
    names += ["segments"] if config.layout == "segments" else []
    return {name: stack.enter_context((folder / name).open("w", encoding="utf-8", newline="\n")) for name in names}


def _values(one: _Utterance) -> dict[str, Any]:
    return {
        "text": one.text,
        "utt2spk": one.speaker,
        "utt2dur": one.duration,
        "utt2lang": one.language,
        "segments": f"{one.recording} {one.start} {one.end}",
    }


def _write_recording(files: dict[str, IO[str]], name: str, audio: str, seconds: str) -> None:
    read = f"flac -c -d -s {audio} |" if audio.endswith(".flac") else audio
    files["wav.scp"].write(f"{name} {read}\n")
    files["reco2dur"].write(f"{name} {seconds}\n")
