# SPDX-License-Identifier: Apache-2.0
"""Audio that the replica's sites serve: files of a folder, or one generated tone. Read and made with PyAV."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
from msgspec import Struct

TYPES = {
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".webm": "audio/webm",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
}
TEXT = "Ngày xưa có một người làm vườn trồng cây khế bên bờ giếng và mỗi sáng chim đến ăn quả"


class Cue(Struct, frozen=True):
    """A line of captions."""

    start: float  # seconds
    duration: float
    text: str


class Clip(Struct, frozen=True):
    """One recording."""

    name: str
    content: bytes
    extension: str  # with its dot
    duration: float  # seconds
    text: str
    cues: tuple[Cue, ...]

    @property
    def content_type(self) -> str:
        return TYPES[self.extension]

    def variant(self, mark: str) -> bytes:
        """Return the file with `mark` in a box that players skip, where it is MP4; else as it is."""
        if self.extension not in (".m4a", ".mp4"):
            return self.content
        box = mark.encode()
        return self.content + (8 + len(box)).to_bytes(4, "big") + b"free" + box


class Library:
    """Clips, in the order of their names; asked for more than there are, it starts again."""

    def __init__(self, folder: Path | None = None) -> None:
        files = sorted(path for path in folder.iterdir() if path.suffix in TYPES) if folder else []
        if folder and not files:
            raise FileNotFoundError(f"{folder}: no audio file ({', '.join(TYPES)})")
        self.clips = [read_clip(path) for path in files] or [make_clip("tone", tone(20.0), TEXT)]

    def clip(self, index: int) -> Clip:
        """Return a clip for any number."""
        return self.clips[index % len(self.clips)]


def read_clip(path: Path) -> Clip:
    """Read an audio file and the text beside it, `.vtt` before `.txt`."""
    clip = make_clip(path.stem, path.read_bytes(), "", path.suffix)
    if (captions := path.with_suffix(".vtt")).exists():
        cues = read_vtt(captions.read_text(encoding="utf-8"))
        return Clip(clip.name, clip.content, clip.extension, clip.duration, " ".join(cue.text for cue in cues), cues)
    text = path.with_suffix(".txt")
    words = " ".join(text.read_text(encoding="utf-8").split()) if text.exists() else TEXT
    return Clip(clip.name, clip.content, clip.extension, clip.duration, words, spread(words, clip.duration))


def make_clip(name: str, content: bytes, text: str, extension: str = ".m4a") -> Clip:
    """Wrap a file's content; the text is spread evenly over its duration."""
    with av.open(io.BytesIO(content)) as container:
        duration = (container.duration or 0) / av.time_base
    return Clip(name, content, extension, duration, text, spread(text, duration))


def spread(text: str, duration: float, words_in_cue: int = 8) -> tuple[Cue, ...]:
    """Cut a text into cues of some words that fill a duration evenly."""
    words = text.split()
    step = duration / max(1, len(words))
    return tuple(
        Cue(i * step, len(words[i : i + words_in_cue]) * step, " ".join(words[i : i + words_in_cue]))
        for i in range(0, len(words), words_in_cue)
    )


def read_vtt(content: str) -> tuple[Cue, ...]:
    """Read cues of plain WebVTT: blocks with a line of times and lines of text."""
    cues = []
    for block in content.replace("\r\n", "\n").split("\n\n"):
        lines = block.strip().split("\n")
        timing = next((i for i, line in enumerate(lines) if "-->" in line), None)
        if timing is not None:
            start, _, end = lines[timing].partition("-->")
            first = _seconds(start)
            cues.append(Cue(first, _seconds(end.split()[0]) - first, " ".join(lines[timing + 1 :])))
    return tuple(cues)


def _seconds(timestamp: str) -> float:
    seconds = 0.0
    for part in timestamp.strip().split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def tone(seconds: float, sampling_rate: int = 44_100) -> bytes:
    """Make an M4A file with a wavering tone."""
    time = np.arange(int(seconds * sampling_rate)) / sampling_rate
    wave = 0.3 * np.sin(2 * np.pi * 220 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=sampling_rate, layout="mono")
        stream.bit_rate = 64_000
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024].astype("f4"), "fltp", "mono")
            frame.sample_rate, frame.pts = sampling_rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
