# SPDX-License-Identifier: Apache-2.0
"""What Kaldi checks of a data folder, said in Python.

From egs/wsj/s5/utils/validate_data_dir.sh (called with --no-feats) and validate_text.pl of kaldi-asr/kaldi, commit
00393f5bb1734ffb73252322c7cfb82bdbad0b28: their rules, none of their code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ILLEGAL = ("<s>", "</s>", "#0")  # as whole words of `text`
# What Perl's \s has beyond blank, tab and line end.
WHITE = re.compile("[\r\x0b\x0c\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


def problems(folder: Path) -> list[str]:
    """List what Kaldi would complain of."""
    for name in ("utt2spk", "spk2utt", "text", "wav.scp"):
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            return [f"{name}: missing or empty"]
    return [*_speakers(folder), *_text(folder), *_audio(folder), *_columns(folder)]


def rows(path: Path) -> list[list[str]]:
    """Split lines at blanks and tabs only, as awk does."""
    return [re.split(r"[ \t]+", line.strip(" \t")) for line in path.read_bytes().decode().split("\n")[:-1]]


def _keys(path: Path) -> list[str]:
    return [row[0] for row in rows(path)]


def _sorted(path: Path) -> Iterator[str]:
    keys = [key.encode() for key in _keys(path)]
    if not path.read_bytes().endswith(b"\n"):
        yield f"{path.name}: no newline at its end"
    if keys != sorted(set(keys)):
        yield f"{path.name}: not sorted, or not unique"


def _speakers(folder: Path) -> Iterator[str]:
    utterances = rows(folder / "utt2spk")
    if any(len(row) != 2 for row in utterances):
        yield "utt2spk: not two fields"
        return
    yield from _sorted(folder / "utt2spk")
    # sort -k2: by what follows the first field, then by the whole line
    if utterances != sorted(utterances, key=lambda row: (row[1].encode(), row[0].encode())):
        yield "utt2spk: not in the order of speakers"
    yield from _sorted(folder / "spk2utt")
    if [[name, speaker] for speaker, *names in rows(folder / "spk2utt") for name in names] != utterances:
        yield "spk2utt: not the inverse of utt2spk"


def _text(folder: Path) -> Iterator[str]:
    yield from _sorted(folder / "text")
    whole = (folder / "text").read_bytes().decode("utf-8")
    if WHITE.search(whole):
        yield "text: white space other than blanks and tabs"
    for symbol in ILLEGAL:
        if re.search(rf"(?<!\w){re.escape(symbol)}(?!\w)", whole):
            yield f"text: {symbol}"
    if _keys(folder / "text") != _keys(folder / "utt2spk"):
        yield "text: other utterances than utt2spk"


def _audio(folder: Path) -> Iterator[str]:
    yield from _sorted(folder / "wav.scp")
    if re.search(r"^\S+\s+~", (folder / "wav.scp").read_text(), re.MULTILINE):
        yield "wav.scp: a tilde"
    expected = _keys(folder / "utt2spk")
    if (folder / "segments").is_file():
        yield from _sorted(folder / "segments")
        found = rows(folder / "segments")
        if any(len(row) != 4 or float(row[3]) <= float(row[2]) for row in found):
            yield "segments: a bad line"
        if [row[0] for row in found] != expected:
            yield "segments: other utterances than utt2spk"
        expected = sorted({row[1] for row in found}, key=str.encode)
    for name in ("wav.scp", "reco2dur"):
        if (folder / name).is_file() and _keys(folder / name) != expected:
            yield f"{name}: other recordings than are spoken of"


def _columns(folder: Path) -> Iterator[str]:
    for name in ("utt2lang", "utt2dur"):
        if (folder / name).is_file():
            yield from _sorted(folder / name)
            if _keys(folder / name) != _keys(folder / "utt2spk"):
                yield f"{name}: other utterances than utt2spk"
    for name in ("utt2dur", "reco2dur"):
        if (folder / name).is_file():
            yield from _sorted(folder / name)
            if any(len(row) != 2 or not float(row[1]) > 0 for row in rows(folder / name)):
                yield f"{name}: a bad line"
