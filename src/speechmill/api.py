# SPDX-License-Identifier: Apache-2.0
"""The Python interface: what the command line does, as functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speechmill.core.errors import ConfigError
from speechmill.engines.local import LocalEngine
from speechmill.pipeline import run as pipeline
from speechmill.pipeline import spec
from speechmill.pipeline.events import Summary
from speechmill.pipeline.record import Observer
from speechmill.pipeline.refilter import Index, materialise, read_index, refilter
from speechmill.pipeline.run import Options
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace


def corpus_of(
    source: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, settings: Mapping[str, Any] | None = None
) -> spec.Corpus:
    """Return the corpus of a corpus file, or of a folder or file of audio.

    out: the workspace. settings: dotted field -> value, as in {"vad.threshold": 0.6}. Raises ConfigError.
    """
    path = Path(source)
    if not path.exists():
        raise ConfigError(f"{path} does not exist; name a corpus file (.yaml), or a folder or file of audio")
    if path.is_file() and path.suffix.lower() in (".yaml", ".yml"):
        corpus = spec.load(path, settings)
    else:
        raw = {"name": path.resolve().stem, "sources": [{"local": {"path": str(path.resolve())}}]}
        corpus = spec.resolve(spec.with_overrides(raw, settings or {}), Path.cwd())
    return pipeline.with_store(corpus, Path(out)) if out is not None else corpus


def run(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    memory_mb: int | None = None,
    options: Options | None = None,
    observer: Observer | None = None,
) -> Summary:
    """Make the dataset of a corpus file or a folder of audio; going on where an earlier call was cut off.

    workers: processes, None for one per core; memory_mb: the most that each may take. The workers are spawned,
    so a script calls this under `if __name__ == "__main__":`. Raises ConfigError or WorkspaceError where it
    can't run; what fails in single recordings is in the Summary.
    """
    corpus = corpus_of(source, out, settings)
    return pipeline.run(corpus, LocalEngine(workers, memory_mb), options, observer)


def open(workspace: str | os.PathLike[str]) -> Dataset:
    """Open a finished dataset. Raises WorkspaceError where there is none."""
    Workspace.open(Path(workspace))
    return Dataset(Path(workspace))


def filter(workspace: str | os.PathLike[str], rules: Any) -> Index:
    """Decide anew which segments are kept, and write the dataset; no stage runs.

    rules: as `filter:` in a corpus file: a preset, a list of expressions, or both in a mapping. Raises ConfigError.
    """
    place = Workspace.open(Path(workspace))
    with place.held():
        current = read_index(place)
        index, _worked = refilter(place, current.run, current.table, rules, current.scores)
        materialise(place, index)
    return index
