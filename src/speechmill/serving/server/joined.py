# SPDX-License-Identifier: Apache-2.0
"""A network whose rows don't know of each other: rows of many requests go through it as one batch.

Only requests whose rows have one shape are joined; none is padded, for a zero beside a spectrum is sound to a
convolution. Runs in the server's Python: numpy and onnxruntime only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]  # name -> array


class Network:
    """`model.onnx`, with the rows of a batch on the first axis of every input and output."""

    def __init__(self, folder: Path, open_session: Callable[[Path], Any]) -> None:
        self._session = open_session(folder / "model.onnx")
        self._outputs = [one.name for one in self._session.get_outputs()]

    def run(self, feeds: list[Arrays]) -> list[Arrays]:
        """Return each request's outputs, in order."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for index, feed in enumerate(feeds):
            alike.setdefault(tuple(array.shape[1:] for array in feed.values()), []).append(index)
        answers: dict[int, Arrays] = {}
        for members in alike.values():
            answers.update(zip(members, self._together([feeds[index] for index in members]), strict=True))
        return [answers[index] for index in range(len(feeds))]

    def _together(self, feeds: list[Arrays]) -> list[Arrays]:
        joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
        ends = np.cumsum([len(next(iter(feed.values()))) for feed in feeds])[:-1]
        parts = [np.split(output, ends) for output in self._session.run(self._outputs, joined)]
        return [dict(zip(self._outputs, each, strict=True)) for each in zip(*parts, strict=True)]
