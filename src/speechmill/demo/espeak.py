# SPDX-License-Identifier: Apache-2.0
"""Speech with exact word and phone times, from espeak-ng's synthesis events.

espeak-ng is GPL and comes from PyPI's `espeakng-loader` (the extra `demo`). It is loaded only in a
process of its own: the same text spoken twice in one process differs by some samples, because the
synthesiser carries state from one call to the next, so a fresh process is what makes lists repeatable.
This is an oracle for demonstrations and tests, not a text-to-speech backend.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import MissingDependency, SpeechmillError
from speechmill.core.timebase import tick, to_seconds
from speechmill.core.types import Word

SEED = 1  # of the breath noise in some voices

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_PHONE_EVENTS_IN_IPA = 1 | 2
_UTF8 = 1
_FROM_FIRST_CHARACTER = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_END_OF_LIST, _WORD, _PHONE = 0, 1, 7

_WRITTEN_WORD = re.compile(r"\w+(?:['’-]\w+)*")


class Line(Struct, frozen=True):
    """What one voice says."""

    text: str
    voice: str  # an espeak-ng voice and variant: "en-us+f2", "vi+m1"
    words_per_minute: int = 150
    pitch: int = 50  # 0..100
    pitch_range: int = 50  # 0..100; lower is more monotonous


class Spoken(Struct, frozen=True):
    """A line as it was spoken. Times are seconds from the first sample."""

    pcm: bytes  # int16, native byte order, mono
    sampling_rate: int
    words: tuple[Word, ...]
    phones: tuple[Word, ...]  # IPA

    @property
    def samples(self) -> NDArray[np.float32]:
        """(num_samples,) float32 in [-1, 1]."""
        return np.frombuffer(self.pcm, np.int16).astype(np.float32) / np.float32(32768)


class Event(Struct, frozen=True):
    """A word or phone event of the synthesiser: where in the text and at which sample."""

    kind: int
    position: int  # characters (not bytes) before the word
    length: int  # characters
    sample: int
    phone: str = ""  # "" is a pause


def speak(lines: Sequence[Line]) -> list[Spoken]:
    """Speak lines, in order, in a fresh process; the same list gives the same samples.

    Raises MissingDependency where espeakng-loader is absent, SpeechmillError where a voice doesn't exist or
    where espeak-ng runs words together, so that they have no times of their own ("in the" is one word to it).
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise MissingDependency("the demo's voices need espeak-ng: pip install 'speechmill[demo]'")
    done = subprocess.run(
        [sys.executable, "-m", "speechmill.demo.espeak"], input=msgspec.msgpack.encode(list(lines)), capture_output=True
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise SpeechmillError(f"espeak-ng could not speak: {reason[-1]}")
    return msgspec.msgpack.decode(done.stdout, type=list[Spoken])


def word_times(text: str, events: Sequence[Event], num_samples: int, sampling_rate: int) -> tuple[Word, ...]:
    """Turn events into words, checked against the text's own words.

    A word begins at its event, except after a pause: there the event precedes a short silence and the first
    phone's event is the true onset. It ends with its last phone, so a pause before the next word is nobody's.
    """
    groups = _by_word(events)
    positions = {word.position for word, _ in groups}
    written = list(_WRITTEN_WORD.finditer(text))
    joined = [word.group() for word in written if word.start() not in positions]
    if joined or len(written) != len(groups):
        raise SpeechmillError(f"espeak-ng runs {', '.join(joined)!r} together with its neighbour: rephrase {text!r}")
    return tuple(
        _timed(word.group(), phones[0][1], phones[-1][2], sampling_rate)
        for word, phones in zip(written, _phone_groups(events, num_samples), strict=True)
    )


def phone_times(events: Sequence[Event], num_samples: int, sampling_rate: int) -> tuple[Word, ...]:
    """Turn events into phones, without pauses."""
    groups = _phone_groups(events, num_samples)
    return tuple(_timed(*phone, sampling_rate) for phones in groups for phone in phones if phone[2] > phone[1])


def _timed(symbol: str, start: int, end: int, sampling_rate: int) -> Word:
    from_s, to_s = to_seconds(start, sampling_rate), to_seconds(end, sampling_rate)
    return Word(symbol, from_s, tick(to_s - from_s))


def _by_word(events: Sequence[Event]) -> list[tuple[Event, list[int]]]:
    """Return each word event with the indices of its phone events, pauses left out."""
    groups: list[tuple[Event, list[int]]] = []
    for index, event in enumerate(events):
        if event.kind == _WORD:
            groups.append((event, []))
        elif event.phone and groups:
            groups[-1][1].append(index)
    return [group for group in groups if group[1]]


def _phone_groups(events: Sequence[Event], num_samples: int) -> list[list[tuple[str, int, int]]]:
    """Return (phone, first sample, sample after the last) for each word."""
    grouped = []
    last_end = -1
    for word, indices in _by_word(events):
        phones = [(events[index].phone, events[index].sample, _next(events, index, num_samples)) for index in indices]
        if word.sample == last_end:  # no pause before it: what precedes the first event is a closure or a transition
            phones[0] = (phones[0][0], word.sample, phones[0][2])
        last_end = phones[-1][2]
        grouped.append(phones)
    return grouped


def _next(events: Sequence[Event], index: int, num_samples: int) -> int:
    return events[index + 1].sample if index + 1 < len(events) else num_samples


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _RawEvent(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_RawEvent))


class Synthesiser:
    """espeak-ng in this process. Use `speak`, which gives it a process of its own."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sampling_rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONE_EVENTS_IN_IPA))
        if self.sampling_rate <= 0:
            raise SpeechmillError(f"espeak-ng does not start with the data in {data.decode()}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
        self._pcm: list[NDArray[np.int16]] = []
        self._events: list[Event] = []
        self._callback = _CALLBACK(self._receive)  # kept: ctypes frees what nobody holds
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if count > 0:
            self._pcm.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _END_OF_LIST:
            raw = events[index]
            index += 1
            if raw.type in (_WORD, _PHONE):
                # A phone of eight bytes has no terminating zero; one of more is cut, perhaps inside a character.
                phone = bytes(raw.id.string).decode(errors="ignore") if raw.type == _PHONE else ""
                self._events.append(Event(raw.type, raw.text_position - 1, raw.length, raw.sample, phone))
        return 0

    def say(self, line: Line) -> Spoken:
        """Speak one line."""
        self._pcm, self._events = [], []
        if self._library.espeak_SetVoiceByName(line.voice.encode()):
            raise SpeechmillError(f"espeak-ng has no voice {line.voice!r}")
        for parameter, value in ((_RATE, line.words_per_minute), (_PITCH, line.pitch), (_RANGE, line.pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        raw = line.text.encode()
        self._library.espeak_Synth(raw, len(raw) + 1, 0, _FROM_FIRST_CHARACTER, 0, _UTF8, None, None)
        pcm = np.concatenate(self._pcm) if self._pcm else np.zeros(0, np.int16)
        times = (self._events, len(pcm), self.sampling_rate)
        return Spoken(pcm.tobytes(), self.sampling_rate, word_times(line.text, *times), phone_times(*times))


def _serve() -> None:
    """Read lines from stdin, write what was spoken to stdout; both as msgpack."""
    lines = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[Line])
    synthesiser = Synthesiser()
    try:
        spoken = [synthesiser.say(line) for line in lines]
    except SpeechmillError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.msgpack.encode(spoken))


if __name__ == "__main__":
    _serve()
