# SPDX-License-Identifier: Apache-2.0
"""What training reads again and again: features in a temporary file, and passes over them by several threads.

Work is divided into chunks of consecutive utterances, by their lengths alone, and what the chunks give is added up in
their order: sums are the same, to the last bit, whatever the number of threads.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from speechmill.acoustic.features import FeatureConfig, Matrix, static
from speechmill.acoustic.normalise import Adaptation, Moments, normalised
from speechmill.acoustic.types import Example, Ways
from speechmill.core.errors import ItemError

T = TypeVar("T")
_CHUNK_FRAMES = 12_000  # a minute
_READ_AHEAD = 64  # examples whose features may wait to be written


class Recorded(Struct, frozen=True):
    """An utterance whose features are in the file."""

    key: str
    speaker: str
    ways: Ways
    start: int  # frame in the file
    num_frames: int


class Corpus:
    """Utterances with their features. Close it, and the file is gone."""

    def __init__(self, config: FeatureConfig, threads: int) -> None:
        self.config = config
        self.threads = threads or available()
        self.utterances: list[Recorded] = []
        self.left_out: list[str] = []  # "reason: key"
        self.average = Moments(config.num_static).normalisation()
        self._speakers: dict[str, Adaptation] = {}
        # Closed by `close`; without buffer, for another thread's would be of no use.
        self._file = tempfile.TemporaryFile(prefix="speechmill-", buffering=0)  # noqa: SIM115
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._file.close()

    def fill(self, examples: Sequence[Example], progress: Callable[[float], None]) -> None:
        """Read examples and keep their features; what can't be read is named in `left_out`."""
        moments: dict[str, Moments] = {}
        position = 0
        for begin in range(0, len(examples), _READ_AHEAD):
            batch = examples[begin : begin + _READ_AHEAD]
            for example, found in zip(batch, self._pool.map(self._read, batch), strict=True):
                if isinstance(found, ItemError):
                    self.left_out.append(f"{found.reason}: {example.key}")
                    continue
                self._write(found.tobytes())
                speaker = f"speaker {example.speaker}" if example.speaker else f"utterance {example.key}"
                self.utterances.append(Recorded(example.key, speaker, example.ways, position, len(found)))
                moments.setdefault(speaker, Moments(self.config.num_static)).add(found)
                position += len(found)
            progress(min(1.0, (begin + len(batch)) / len(examples)))
        self._normalise(moments)

    def _write(self, content: bytes) -> None:
        """Write all: a file without buffer may take a part. Raises OSError where the disk is full."""
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _read(self, example: Example) -> Matrix | ItemError:
        try:
            return static(example.read(), self.config)
        except ItemError as error:
            return error

    def _normalise(self, moments: dict[str, Moments]) -> None:
        everyone = Moments(self.config.num_static)
        for one in moments.values():
            everyone.merge(one)
        self.average = everyone.normalisation()
        for speaker, one in moments.items():
            one.add_prior(self.average)
            self._speakers[speaker] = one.normalisation()

    @property
    def num_speakers(self) -> int:
        return len(self._speakers)

    def transform(self, transforms: Mapping[str, NDArray[np.float32] | None]) -> None:
        """Give speakers their transforms."""
        for speaker, one in transforms.items():
            self._speakers[speaker] = replace(self._speakers[speaker], transform=one)

    @property
    def num_frames(self) -> int:
        return sum(one.num_frames for one in self.utterances)

    def static(self, utterance: Recorded) -> Matrix:
        """Return (frames, num_static) as they were extracted."""
        width = self.config.num_static
        with self._lock:
            self._file.seek(utterance.start * width * 4)
            content = self._file.read(utterance.num_frames * width * 4)
        return np.frombuffer(content, np.float32).reshape(-1, width)

    def features(self, utterance: Recorded) -> Matrix:
        """Return (frames, num_dimensions), normalised by speaker."""
        return normalised(self.static(utterance), self._speakers[utterance.speaker], self.config)

    def each(self, work: Callable[[range], T]) -> Iterator[T]:
        """Yield what `work` makes of each chunk, a range of utterances, in order."""
        return self._pool.map(work, _chunks(one.num_frames for one in self.utterances))


def _chunks(lengths: Iterable[int]) -> list[range]:
    chunks, start, total, last = [], 0, 0, 0
    for last, length in enumerate(lengths, start=1):
        total += length
        if total >= _CHUNK_FRAMES:
            chunks.append(range(start, last))
            start, total = last, 0
    return [*chunks, range(start, last)] if start < last else chunks


def available() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
