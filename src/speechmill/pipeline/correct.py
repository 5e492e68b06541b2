# SPDX-License-Identifier: Apache-2.0
"""Corrections that come back: what people changed in files, compared with the dataset and put into the log.

What agrees with the dataset is no correction, so a whole TextGrid may come back for one word that was wrong.
They take effect with the next run; `stages.corrections` applies them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct, structs

from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.timebase import on_millisecond, tick
from speechmill.core.types import Correction, Recording, Segment, Word
from speechmill.formats.textgrid import in_order
from speechmill.pipeline.correction_files import Said, read
from speechmill.store import corrections
from speechmill.store.corrections import Entry
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace
from speechmill.text.characters import composed
from speechmill.text.tokens import tokens

SAME_S = 0.002  # boundaries nearer than this are the same: files round them to a millisecond
PAUSE_S = 0.5  # words where no segment was: a longer pause parts utterances


class Imported(Struct):
    """What came of one file."""

    file: str
    corrections: int = 0
    unchanged: int = 0  # utterances and segments that agree with the dataset
    notes: list[str] = []


class _Known(Struct):
    """A recording of the dataset, with its segments."""

    recording: Recording
    segments: list[Segment]
    waiting: list[Correction]  # in the log, and perhaps not yet in the dataset

    def is_overruled(self, segment: Segment) -> bool:
        """Tell whether a correction that no run has applied yet will change a segment: what agrees with it counts."""
        return any(
            _same_place(one, segment)
            and bool(one.text)
            and (one.text != segment.text or _moved(one.words, segment.words))
            for one in self.waiting
        )


def import_files(
    root: Path, files: Sequence[Path], *, who: str, recording: str | None = None, tier: str | None = None
) -> list[Imported]:
    """Read files and log what they correct. Raises ConfigError, FormatError: then nothing is logged.

    recording: id or file name of the recording they are of; None: the files' own names tell, or columns in them.
    """
    read_of = [(path, *read(path, tier)) for path in files]
    recordings = list(Dataset(Workspace.open(root).root).recordings().values())
    rows = [
        (path, [(said, _recording(path, said, recordings, recording, media)) for said in found])
        for path, found, media in read_of
    ]
    return _log(root, rows, who)


def import_said(root: Path, label: Path, said: Sequence[Said], *, who: str) -> Imported:
    """Log what is said of segments by their ids, as if it were read from a file of that name.

    Raises FormatError where the dataset has no such segment: then nothing is logged.
    """
    recordings = list(Dataset(Workspace.open(root).root).recordings().values())
    rows = [(one, _recording(label, one, recordings, None, ())) for one in said]
    (imported,) = _log(root, [(label, rows)], who)
    return imported


def _log(root: Path, rows: Sequence[tuple[Path, Sequence[tuple[Said, Recording]]]], who: str) -> list[Imported]:
    """Compare what files say with the dataset, and log what differs; all of it or nothing."""
    dataset = Dataset(Workspace.open(root).root)
    standing = corrections.standing(corrections.log(Workspace.open(root).corrections))
    wanted = {of.id: _Known(of, [], _waiting(of, standing)) for _path, row in rows for _said, of in row}
    for segment in dataset.segments(kept=False):
        if segment.recording_id in wanted:
            wanted[segment.recording_id].segments.append(segment)
    results, entries = [], []
    there = {entry.correction.id for entry in standing if entry.correction is not None}
    for path, row in rows:
        imported, made = _import(path, [(said, wanted[of.id]) for said, of in row], who, there)
        results.append(imported)
        entries += made
    if entries:
        corrections.append(Workspace.open(root).corrections, entries)
    return results


def _waiting(of: Recording, standing: Iterable[Entry]) -> list[Correction]:
    return [one.correction for one in standing if one.correction is not None and one.sha256 == of.sha256]


def drop(root: Path, ids: Sequence[str], *, who: str) -> None:
    """Let corrections no longer count. Raises ConfigError where one isn't there."""
    folder = Workspace.open(root).corrections
    there = {one.correction.id for one in corrections.standing(corrections.log(folder)) if one.correction}
    missing = [name for name in ids if name not in there]
    if missing:
        raise ConfigError(f"no correction {', '.join(missing)}; see: speechmill corrections list --workspace {root}")
    corrections.append(folder, [Entry(corrections.now(), who, dropped=name) for name in ids])


def _import(
    path: Path, rows: Sequence[tuple[Said, _Known]], who: str, there: Collection[str]
) -> tuple[Imported, list[Entry]]:
    """Return what came of a file, and its lines of the log. there: ids of corrections that count already."""
    imported = Imported(str(path), notes=[])
    entries = []
    for said, of in rows:
        for found in _compared(path, said, of, imported):
            placed = corrections.named(of.recording.sha256, found)
            if placed.id in there:
                imported.unchanged += 1
                continue
            entries.append(Entry(corrections.now(), who, str(path), of.recording.sha256, of.recording.id, placed))
    imported.corrections = len(entries)
    return imported, entries


def _recording(
    path: Path, said: Said, recordings: Sequence[Recording], asked: str | None, media: Sequence[str]
) -> Recording:
    """Find the recording that is meant: by a segment, by name, by the file's name, by its media."""
    if said.segment:
        name = said.segment.rsplit("-", 3)[0]  # before channel, start and end
        for one in recordings:
            if one.id == name:
                return one
        raise FormatError(f"{path}:{said.line}: the dataset has no segment {said.segment!r}")
    names = [asked or said.recording] if asked or said.recording else [path.stem, *media]
    for name in names:
        base = os.path.basename(name)
        found = [one for one in recordings if one.id in (base, os.path.splitext(base)[0])]
        found = found or [one for one in recordings if base == os.path.basename(one.uri)]
        found = found or [one for one in recordings if os.path.splitext(base)[0] == _stem(one)]
        if len({one.sha256 for one in found}) == 1:
            return found[0]
        if found:
            ids = ", ".join(one.id for one in found)
            raise ConfigError(f"{path}: {name!r} may be any of {ids}; say which with --recording")
    raise ConfigError(f"{path}: the dataset has no recording {', '.join(map(repr, names))}; name it with --recording")


def _stem(recording: Recording) -> str:
    return os.path.splitext(os.path.basename(recording.uri))[0]


def _compared(path: Path, said: Said, of: _Known, imported: Imported) -> Iterator[Correction]:
    if said.end > of.recording.duration + 0.1:
        raise FormatError(
            f"{path}: something ends at {said.end:.3f} s; the recording {of.recording.id} lasts "
            f"{of.recording.duration:.3f} s"
        )
    said = structs.replace(said, speaker=_local(said.speaker, of.recording))
    if said.segment:
        segment = next((one for one in of.segments if one.id == said.segment), None)
        if segment is None:
            raise FormatError(f"{path}:{said.line}: the dataset has no segment {said.segment!r}")
        said = structs.replace(said, start=segment.start, end=segment.end, channel=segment.channel)
    is_loose = bool(said.words) and said.text is None
    found: Iterable[Correction | None] = _loose(said, of) if is_loose else [_utterance(said, of, imported)]
    for one in found:
        if one is None:
            imported.unchanged += 1
        else:
            yield one


def _local(speaker: str | None, recording: Recording) -> str | None:
    """Take the recording's id off a speaker that was only told apart inside it."""
    if speaker and speaker.startswith(f"{recording.id}#"):
        return speaker.removeprefix(recording.id)
    return speaker


def _utterance(said: Said, of: _Known, imported: Imported) -> Correction | None:
    """Compare an utterance with the dataset; None where they agree."""
    segment = next((one for one in of.segments if _same_place(said, one)), None)
    start, duration = on_millisecond(said.start), on_millisecond(said.end - said.start)
    channel = said.channel if said.channel is not None else segment.channel if segment else 0
    text = " ".join(composed(said.text).split()) if said.text else None
    agrees = segment is not None and segment.text == text and not _moved(said.words, segment.words)
    if text is None or (agrees and segment is not None and not of.is_overruled(segment)):
        current = _local(segment.speaker, of.recording) if segment else None
        if said.speaker is None or said.speaker == current:
            return None
        return Correction("", start, duration, channel, speaker=said.speaker)
    words = said.words
    if words and [word.symbol for word in words] != [token.symbol for token in tokens(text)]:
        imported.notes.append(f"{start:.3f} s: its words don't spell {text[:40]!r}; it will be aligned anew")
        words = ()
    elif segment is not None and segment.text != text and not _moved(words, segment.words):
        words = ()
    return Correction("", start, duration, channel, text, said.speaker, _ticked(words), _ticked(said.phones, words))


def _same_place(said: Said | Correction, segment: Segment) -> bool:
    near = abs(said.start - segment.start) < SAME_S and abs(said.end - segment.end) < SAME_S
    return near and said.channel in (None, segment.channel)


def _moved(words: Sequence[Word], known: Sequence[Word]) -> bool:
    """Tell whether words are others than the known ones, or elsewhere. No words say nothing."""
    if not words:
        return False
    if " ".join(word.symbol for word in words) != " ".join(word.symbol for word in known):
        return True
    expected = in_order(known, max(word.end for word in known) + 1.0)  # as they stand in a tier
    if len(expected) != len(words):
        return False
    pairs = zip(words, expected, strict=True)
    return any(abs(a.start - b.start) > SAME_S or abs(a.end - b.end) > SAME_S for a, b in pairs)


def _ticked(symbols: Sequence[Word], beside: Sequence[Word] | None = None) -> tuple[Word, ...]:
    """Round times; phones only where there are words beside them."""
    if beside is not None and not beside:
        return ()
    return tuple(Word(one.symbol, tick(one.start), tick(one.duration)) for one in symbols)


def _loose(said: Said, of: _Known) -> Iterator[Correction | None]:
    """Compare words that lie in no utterance with the segments they lie in; what lies in none is a new one."""
    places: dict[str, list[Word]] = {}
    for word in said.words:
        places.setdefault(_around(word, said, of), []).append(word)
    for segment in of.segments:
        words = places.pop(segment.id, None)
        if words:
            yield _reworded(said, segment, words, of)
    for run in _runs([word for words in places.values() for word in words]):
        start, end = on_millisecond(run[0].start), on_millisecond(run[-1].end)
        text = composed(" ".join(word.symbol for word in run))
        phones = [one for one in said.phones if start <= one.start + one.duration / 2 < end]
        channel = said.channel or 0
        duration = on_millisecond(end - start)
        yield Correction("", start, duration, channel, text, said.speaker, _ticked(run), _ticked(phones))


def _around(word: Word, said: Said, of: _Known) -> str:
    """Return the id of the segment that a word lies in, its speaker's where there are several; "": none."""
    middle = word.start + word.duration / 2
    there = [one for one in of.segments if one.start <= middle < one.end and said.channel in (None, one.channel)]
    mine = [one for one in there if _local(one.speaker, of.recording) == said.speaker]
    return next((one.id for one in (*mine, *there)), "")


def _reworded(said: Said, segment: Segment, words: Sequence[Word], of: _Known) -> Correction | None:
    current = _local(segment.speaker, of.recording)
    speaker = said.speaker if said.speaker != current else None
    symbols = " ".join(word.symbol for word in words)
    if not _moved(words, segment.words) and not of.is_overruled(segment):
        return Correction("", segment.start, segment.duration, segment.channel, speaker=speaker) if speaker else None
    same = symbols == " ".join(word.symbol for word in segment.words)
    text = segment.text if same and segment.text else composed(symbols)
    phones = [one for one in said.phones if segment.start <= one.start + one.duration / 2 < segment.end]
    place = (segment.start, segment.duration, segment.channel)
    return Correction("", *place, text, speaker or current, _ticked(words), _ticked(phones))


def _runs(words: Sequence[Word]) -> Iterator[list[Word]]:
    run: list[Word] = []
    for word in sorted(words, key=lambda one: one.start):
        if run and word.start - run[-1].end >= PAUSE_S:
            yield run
            run = []
        run.append(word)
    if run:
        yield run
