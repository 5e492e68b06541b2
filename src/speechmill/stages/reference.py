# SPDX-License-Identifier: Apache-2.0
"""The clean recording that lies beside a noisy one, for metrics that compare the two.

It goes the way of every original, so both have the same delay, rate and mix.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from speechmill.core.errors import AudioError, Unscorable
from speechmill.core.stage import Audio, Samples
from speechmill.core.types import Source
from speechmill.formats.audio import make_canonical


class Reference:
    """A source's reference, decoded when it is first read and gone with the `with` block."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._audio: Audio | None = None
        self._why: str | None = None  # decoding failed
        self._stack = contextlib.ExitStack()

    def read(self, start: float, duration: float, channel: int) -> Samples:
        """Return (num_samples,) at 16 kHz, fewer where it ends sooner.

        Raises Unscorable: "no-reference", "reference-<what is wrong with it>".
        """
        if self._source.reference is None:
            raise Unscorable("no-reference")
        if self._audio is None:
            self._audio = self._open(Path(self._source.reference))
        if channel >= self._audio.num_channels:
            raise Unscorable("reference-has-no-such-channel", f"{channel} of {self._audio.num_channels}")
        return self._audio.read(start, duration, channel=channel)

    def _open(self, path: Path) -> Audio:
        channels: Literal["mix", "each"] = "each" if self._source.channels == "each" else "mix"
        if self._why is not None:
            raise Unscorable(f"reference-{self._why}", str(path))
        try:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="speechmill-"))
            _canonical, audio = make_canonical(path, Path(folder), "reference", channels)
        except AudioError as error:
            self._why = error.reason
            raise Unscorable(f"reference-{error.reason}", error.detail) from error
        return self._stack.enter_context(audio)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
