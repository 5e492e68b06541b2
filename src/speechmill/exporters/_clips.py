# SPDX-License-Identifier: Apache-2.0
"""The audio of segments as the bytes of small files: FLAC, WAV or Opus, mono, cut at the sample.

A recording is held open while its segments are cut out of it, and its frames are found once:

    with clips_of(dataset, recording, segments) as cut:
        for segment in segments:
            content = cut.file(segment, "flac")
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from speechmill.core.errors import AudioError, LostAudio
from speechmill.core.paths import inside
from speechmill.core.timebase import to_samples
from speechmill.core.types import Recording, Segment
from speechmill.exporters._kept import SAMPLING_RATE, channel_of
from speechmill.store.dataset import Dataset

if TYPE_CHECKING:  # loads libav, which an exporter without audio does without
    from speechmill.formats.flac_cut import FlacCutter
    from speechmill.formats.samples import Pcm16

Container = Literal["flac", "wav", "opus"]  # opus: a tenth of the space, and not what was recorded


class Clips:
    """Cuts segments out of one recording. Raises LostAudio where its canonical audio is gone or broken."""

    def __init__(self, dataset: Dataset, recording: Recording, segments: Sequence[Segment] = ()) -> None:
        self._root = dataset.root
        self._recording = recording
        self._segments = segments
        self._open: dict[str, FlacCutter] = {}  # by their path in the workspace
        self._prepared: set[str] = set()

    def close(self) -> None:
        """Close the recording's files."""
        for cutter in self._open.values():
            cutter.close()
        self._open.clear()

    def file(self, segment: Segment, container: Container) -> bytes:
        """Return a segment as a file of that kind: equal samples, equal bytes.

        Of FLAC and WAV the samples are those of the recording; of Opus only their number is.
        """
        if container == "flac":
            return self.flac(segment)
        return self.wav(segment) if container == "wav" else self.opus(segment)

    def flac(self, segment: Segment) -> bytes:
        cutter, span = self._cutter(segment), self.span(segment)
        try:
            named = self._named(segment)
            if named not in self._prepared:
                self._prepared.add(named)
                cutter.prepare(list(self._spans(named, cutter.info.num_samples)))
            return cutter.flac(*span)
        except AudioError as error:
            raise LostAudio(cutter.path, error.reason) from error

    def _spans(self, named: str, num_samples: int) -> Iterator[tuple[int, int]]:
        """Yield the spans of all segments that are in a file."""
        for segment in self._segments:
            start, stop = _span(segment, num_samples)
            if start < stop and self._named(segment) == named:
                yield start, stop

    def wav(self, segment: Segment) -> bytes:
        return encode(self.samples(segment), "wav")

    def opus(self, segment: Segment) -> bytes:
        return encode(self.samples(segment), "opus")

    def samples(self, segment: Segment) -> Pcm16:
        """Return (num_samples,) int16 at 24 kHz."""
        cutter, span = self._cutter(segment), self.span(segment)
        try:
            return cutter.pcm(*span)
        except AudioError as error:
            raise LostAudio(cutter.path, error.reason) from error

    def num_samples(self, segment: Segment) -> int:
        """Return how many samples a segment's file has, at 24 kHz."""
        start, stop = self.span(segment)
        return stop - start

    def span(self, segment: Segment) -> tuple[int, int]:
        """Return a segment's first sample and the one after its last. Raises AudioError where it has none."""
        cutter = self._cutter(segment)
        start, stop = _span(segment, cutter.info.num_samples)
        if stop <= start:
            raise AudioError("no-samples", f"segment {segment.id} begins behind the end of {cutter.path}")
        return start, stop

    def _cutter(self, segment: Segment) -> FlacCutter:
        """Return the open file of a segment's channel."""
        named = self._named(segment)
        if (there := self._open.get(named)) is not None:
            return there
        from speechmill.formats.flac_cut import FlacCutter

        # A table may be somebody else's, and name any file.
        inside(self._root, named, f"{self._root}: {self._recording.id}")
        try:
            opened = self._open[named] = FlacCutter(self._root / named)
        except AudioError as error:
            raise LostAudio(self._root / named, error.reason) from error
        return opened

    def _named(self, segment: Segment) -> str:
        return self._recording.audio[channel_of(self._recording, segment)]


def _span(segment: Segment, num_samples: int) -> tuple[int, int]:
    """Return the first sample of a segment and the one after its last; empty where it begins behind the end."""
    start = max(0, to_samples(segment.start, SAMPLING_RATE))
    return start, min(to_samples(segment.start + segment.duration, SAMPLING_RATE), num_samples)


@contextlib.contextmanager
def clips_of(dataset: Dataset, recording: Recording, segments: Sequence[Segment] = ()) -> Iterator[Clips]:
    """Yield what cuts segments out of a recording; of those that are named here FLAC is cut in half the time."""
    clips = Clips(dataset, recording, segments)
    try:
        yield clips
    finally:
        clips.close()


def encode(samples: NDArray[Any], container: Container) -> bytes:
    """Encode (num_samples,) int16, or float32 in [-1, 1], at 24 kHz. FLAC and WAV give int16 back as it was."""
    from speechmill.formats.flac import encode_flac
    from speechmill.formats.opus import encode_opus
    from speechmill.formats.samples import to_pcm16
    from speechmill.formats.wav import wav_of

    if container == "flac":
        return encode_flac(samples, SAMPLING_RATE)
    return (wav_of if container == "wav" else encode_opus)(to_pcm16(samples), SAMPLING_RATE)
