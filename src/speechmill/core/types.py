# SPDX-License-Identifier: Apache-2.0
"""What flows through the pipeline: small frozen structs with the field's names.

Times are seconds on the original file's timeline. Names and meanings follow lhotse
(recording, supervision, alignment item), without lhotse at run time.
"""

from __future__ import annotations

from msgspec import Struct

SPLITS = ("train", "dev", "test")


class Interval(Struct, frozen=True):
    """A stretch of one channel, in seconds."""

    start: float
    duration: float
    channel: int = 0

    @property
    def end(self) -> float:
        return self.start + self.duration


class Word(Struct, frozen=True):
    """A timed symbol: a word or a phone. `score` is a confidence in 0..1, or None."""

    symbol: str
    start: float
    duration: float
    score: float | None = None

    @property
    def end(self) -> float:
        return self.start + self.duration


class Turn(Struct, frozen=True):
    """One speaker's stretch of speech.

    A speaker found inside a recording is local: "#1", "#2". The dataset puts the recording's
    id before it, so that a result depends on a recording's content and not on its name.
    """

    start: float
    duration: float
    speaker: str
    channel: int = 0

    @property
    def end(self) -> float:
        return self.start + self.duration


class Utterance(Struct, frozen=True):
    """Text with what is known of its place: a transcript's entry, and later a segment.

    `start` and `duration` are None where a transcript has no times (a plain .txt).
    """

    text: str | None
    start: float | None = None
    duration: float | None = None
    channel: int = 0
    speaker: str | None = None
    language: str | None = None
    overlap: float = 0.0  # share of the duration in which somebody else speaks too, 0..1
    words: tuple[Word, ...] = ()


class Transcript(Struct, frozen=True):
    """What was said in a recording, and which backend says so. No utterances: nothing was said."""

    backend: str
    utterances: tuple[Utterance, ...] = ()
    warnings: tuple[str, ...] = ()  # what was left out of it, and by which rule


class Alignment(Struct, frozen=True):
    """Words and phones of one segment; times on the timeline of the recording."""

    words: tuple[Word, ...] = ()
    phones: tuple[Word, ...] = ()
    score: float | None = None  # how sure it is as a whole, 0..1
    doubts: tuple[str, ...] = ()  # reasons to doubt it, without details


class Rights(Struct, frozen=True):
    """What may be done with a recording, and how we know."""

    licence: str | None = None
    state: str = "unstated"  # cc-by | public-domain | standard | unstated | failed
    evidence: str | None = None
    attribution: str | None = None
    consent: str | None = None
    title: str | None = None
    author: str | None = None
    url: str | None = None  # the page that it came from
    seen: str | None = None  # ISO date on which the licence was read there


class Canonical(Struct, frozen=True):
    """The canonical audio of a recording and what was measured while it was made."""

    paths: tuple[str, ...]  # one 24 kHz mono FLAC per channel kept (or one mix), relative to the workspace
    duration: float  # seconds of the original's timeline
    sampling_rate: int  # of the original, Hz
    channels: int  # of the original
    codec: str
    loudness_lufs: float | None = None  # integrated, EBU R 128; None in silence
    peak_dbfs: float | None = None  # sample peak; None in digital silence
    truncated: bool = False  # the container promised more than could be decoded
    warnings: tuple[str, ...] = ()


class Correction(Struct, frozen=True):
    """What a person says of a stretch of a recording. It outranks whatever models say of it.

    With a text it is a segment, in the place of those that models found there. With words, these are its boundaries
    and nothing is aligned. With neither, it names the speaker of the segments there.
    """

    id: str
    start: float
    duration: float
    channel: int = 0
    text: str | None = None
    speaker: str | None = None  # "#1": one that was told apart inside the recording
    words: tuple[Word, ...] = ()
    phones: tuple[Word, ...] = ()

    @property
    def end(self) -> float:
        return self.start + self.duration


class Stamp(Struct, frozen=True):
    """How a file looked when it was hashed: by this a change under a run is noticed."""

    size: int
    mtime_ns: int


class Source(Struct, frozen=True):
    """One row of a batch manifest: an audio file and everything known before it is decoded."""

    id: str  # stem and short hash of the path in its source; safe as a file name
    uri: str
    key: str = ""  # hash of source bytes, sidecar bytes and the metadata below; "" where hashing failed
    sha256: str = ""
    size: int = 0
    sidecars: tuple[str, ...] = ()  # URIs of transcript files beside the audio, best first
    text: str | None = None  # from a transcripts.tsv
    language: str | None = None
    speaker: str | None = None
    num_speakers: int | None = None
    channels: str | None = None  # mix | each
    rights: Rights | None = None
    date: str | None = None
    origin: str = "local"  # name of the source backend
    alias_of: str | None = None  # id of an earlier source with the same key
    stamps: tuple[Stamp, ...] = ()  # of `files`, in their order
    error: str | None = None  # why it could not even be read; its key is then a hash of the URI
    reference: str | None = None  # URI of the same recording without noise, on the same timeline, for PESQ and STOI
    corrections: tuple[Correction, ...] = ()  # of its audio, whatever file holds it; not in `key`
    blob: str | None = None  # of a crawled original that isn't on this disk: its address; `uri` is where it is put

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that a result depends on: audio, sidecars, reference."""
        return (self.uri, *self.sidecars, *([self.reference] if self.reference else []))


class Recording(Struct, frozen=True):
    """One audio file as the dataset shows it."""

    id: str
    uri: str
    sha256: str
    duration: float
    sampling_rate: int
    channels: int
    audio: tuple[str, ...]
    language: str | None = None
    speaker: str | None = None
    num_speakers: int | None = None
    rights: Rights | None = None
    origin: str = "local"
    loudness_lufs: float | None = None


class Drop(Struct, frozen=True):
    """Why a filter left a segment out. `value` is None where the value was missing."""

    rule: str
    value: float | None = None
    threshold: float | None = None


class Segment(Struct, frozen=True):
    """A labelled interval of a recording (lhotse: supervision). Never deleted, only dropped with reasons."""

    id: str  # recording id, channel, start and end in ms
    recording_id: str
    start: float
    duration: float
    channel: int = 0
    text: str | None = None
    language: str | None = None
    speaker: str | None = None
    overlap: float = 0.0
    words: tuple[Word, ...] = ()
    phones: tuple[Word, ...] = ()
    scores: dict[str, float | None] = {}  # None: could not be computed; the reason stands in `gaps`
    gaps: dict[str, str] = {}  # column or stage -> why it has no value
    corrected: tuple[str, ...] = ()  # what a person set: "text", "words", "speaker"
    drops: tuple[Drop, ...] = ()
    duplicate_of: str | None = None  # id of the segment or recording that is kept in its place
    split: str | None = None  # train | dev | test; None: it is dropped

    @property
    def end(self) -> float:
        return self.start + self.duration


class Failed(Struct, frozen=True):
    """A result too: why a stage has nothing for an item."""

    key: str
    stage: str
    reason: str  # a short kebab-case class: "no-audio-stream", "timeout", "worker-died"
    detail: str = ""
    permanent: bool = False
