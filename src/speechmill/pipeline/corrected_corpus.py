# SPDX-License-Identifier: Apache-2.0
"""The segments whose text people wrote, as a folder of audio and texts: to adapt or train a model on."""

from __future__ import annotations

import re
from pathlib import Path

from speechmill.core.errors import ConfigError
from speechmill.core.files import write_bytes
from speechmill.core.timebase import CANONICAL_HZ
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace

_UNSAFE = re.compile(r"[^\w.#-]+")


def write(root: Path, folder: Path) -> int:
    """Write <speaker>/<segment>.flac and .lab of every segment with a corrected text. Returns how many.

    Raises ConfigError where the folder isn't empty, or no segment is corrected yet; LostAudio.
    """
    from speechmill.formats.flac import write_flac

    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; name a new folder")
    dataset = Dataset(Workspace.open(root).root)
    recordings = dataset.recordings()
    count = 0
    for segment in dataset.segments(kept=False):
        if "text" not in segment.corrected or not segment.text:
            continue
        speaker = _UNSAFE.sub("_", segment.speaker or segment.recording_id).lstrip(".") or "_"
        path = folder / speaker / f"{segment.id}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flac(path, dataset.cut(recordings[segment.recording_id], segment), CANONICAL_HZ)
        write_bytes(path.with_suffix(".lab"), f"{segment.text}\n".encode())
        count += 1
    if not count:
        raise ConfigError(f"{root} has no segment with a corrected text; corrections take effect when it is run again")
    return count
