# SPDX-License-Identifier: Apache-2.0
"""Silero VAD for many recordings at once: the encoder over all their windows, the LSTM with a row for each.

The encoder sees one window at a time, so windows of all requests are one batch. The LSTM goes through them in step;
a request that has fewer windows leaves when it is at its end, so that what it remembers is its own. Runs in the
server's Python: numpy and onnxruntime only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]  # name -> array
SLICE = 256  # windows encoded at once: what they need stays in a core's cache


class Network:
    """`encoder.onnx` and `decoder.onnx`: the graph before its LSTM, and from there on."""

    def __init__(self, folder: Path, open_session: Callable[[Path], Any]) -> None:
        self._encoder = open_session(folder / "encoder.onnx")
        self._decoder = open_session(folder / "decoder.onnx")
        self._encoded = self._encoder.get_outputs()[0].name

    def run(self, feeds: list[Arrays]) -> list[Arrays]:
        """Return each request's outputs, in order.

        A request: `input` (1, num_windows, 576) and what was remembered, `h` and `c` (1, 1, 1, 128).
        """
        order = sorted(range(len(feeds)), key=lambda index: -feeds[index]["input"].shape[1])
        answers = dict(zip(order, self._in_step([feeds[index] for index in order]), strict=True))
        return [answers[index] for index in range(len(feeds))]

    def _in_step(self, feeds: list[Arrays]) -> list[Arrays]:
        """Work on requests side by side, longest first."""
        lengths = [feed["input"].shape[1] for feed in feeds]
        encoded = np.split(self._encode(np.concatenate([feed["input"][0] for feed in feeds])), np.cumsum(lengths)[:-1])
        hidden, cell = (np.concatenate([feed[name][0] for feed in feeds], axis=1) for name in ("h", "c"))
        speech: list[list[Any]] = [[np.zeros(0, np.float32)] for _ in feeds]
        start = 0
        for here in range(len(feeds), 0, -1):
            end = lengths[here - 1]  # of the shortest that is still here
            if end > start:
                steps = np.concatenate([one[start:end] for one in encoded[:here]], axis=1)
                given = {self._encoded: steps, "h": hidden[:, :here], "c": cell[:, :here]}
                found, hidden[:, :here], cell[:, :here] = self._decoder.run(["speech_probs", "hn", "cn"], given)
                for parts, row in zip(speech, found.reshape(here, -1), strict=False):
                    parts.append(row)
            start = end
        return [
            {
                "speech_probs": np.concatenate(parts)[None],
                "hn": hidden[None, :, index : index + 1],
                "cn": cell[None, :, index : index + 1],
            }
            for index, parts in enumerate(speech)
        ]

    def _encode(self, windows: Any) -> Any:
        """(num_windows, 576) -> (num_windows, 1, 128)."""
        starts = range(0, max(len(windows), 1), SLICE)
        return np.concatenate([self._encoder.run(None, {"input": windows[i : i + SLICE]})[0] for i in starts])
