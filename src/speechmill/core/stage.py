# SPDX-License-Identifier: Apache-2.0
"""The contract of a stage: items in, patches out; and what a backend is given.

A stage is a column writer. It names the columns it reads and writes; the graph follows from
those names, the fingerprint from name, version, configuration, models and upstream stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import AudioError
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Failed, Source

Samples = NDArray[np.float32]


class Audio(Protocol):
    """Canonical audio, read lazily: a ten-hour recording is never in memory as a whole."""

    @property
    def num_channels(self) -> int: ...

    @property
    def duration(self) -> float:
        """Seconds."""
        ...

    def read(
        self,
        start: float = 0.0,
        duration: float | None = None,
        *,
        channel: int = 0,
        sampling_rate: int = WORKING_HZ,
    ) -> Samples:
        """Return (num_samples,) float32 in [-1, 1]; clipped to the recording, None means to its end.

        sampling_rate: 16,000 or 24,000 Hz.
        """
        ...


class Resources(Struct, frozen=True):
    """What one item of a stage asks of a machine."""

    cpu: float = 1.0
    memory_mb: int = 1024
    gpu: float = 0.0
    timeout_s: float = 300.0  # for a recording of no length, ...
    timeout_per_audio_s: float = 5.0  # ... and this much more for each second of audio
    retries: int = 1  # after a dead worker, a timeout or another transient failure
    cost: float = 0.01  # CPU seconds per second of audio on one core, for estimates


class Context(Struct, frozen=True):
    """What a stage or backend gets when a worker opens it."""

    workspace: Path
    model_path: Callable[[str], Path]  # name of a model card -> folder with its files
    device: str = "cpu"  # what the backend is to use: cpu, cuda, cuda:1, triton://host:port; never "auto"
    made: Path | None = None  # folder of the model that was made from the corpus, for a backend that trains one


class Item(Struct, frozen=True):
    """One recording as a stage sees it: its source, the columns the stage reads, lazy audio."""

    source: Source
    columns: Mapping[str, Any]
    audio: Audio | None = None

    @property
    def key(self) -> str:
        return self.source.key

    def opened(self) -> Audio:
        """Return the audio. Raises AudioError where the item came without."""
        if self.audio is None:
            raise AudioError("no-audio", f"{self.source.uri} was handed on without its audio", permanent=False)
        return self.audio


class Patch(Struct, frozen=True):
    """What a stage wrote for one item: column name -> value of the column's type."""

    columns: dict[str, Any]


class Stage(Protocol):
    """A column writer. `process` is pure: same length, same order, nothing depends on the batch."""

    name: ClassVar[str]
    version: ClassVar[str]
    scope: ClassVar[Literal["recording", "corpus"]]

    @property
    def reads(self) -> tuple[str, ...]: ...

    @property
    def writes(self) -> tuple[str, ...]: ...

    @property
    def resources(self) -> Resources: ...

    def open(self, context: Context) -> None:
        """Load models; once per worker process."""
        ...

    def process(self, items: Sequence[Item]) -> Sequence[Patch | Failed]: ...

    def close(self) -> None: ...
