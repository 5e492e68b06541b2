# SPDX-License-Identifier: Apache-2.0
"""What a version was made of: `manifest.json`, and the columns of `recordings.parquet` beside it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from speechmill.pipeline.dataset_options import Deduplicate, Speakers, Splits
from speechmill.pipeline.filter import Loss
from speechmill.store.made import Made

MANIFEST = "manifest.json"
RECORDINGS = "recordings.parquet"


class UsedModel(Struct, frozen=True):
    """Weights or tables behind a backend, as the plan had them."""

    name: str
    digest: str
    title: str = ""
    licence: str = ""
    source: str = ""


class Used(Struct, frozen=True):
    """A backend of a stage, as the plan had it."""

    family: str
    backend: str
    version: str
    options: dict[str, Any] = {}
    when: str | None = None
    models: tuple[UsedModel, ...] = ()


class Step(Struct, frozen=True):
    """A stage that made the dataset."""

    name: str
    fingerprint: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    version: str = ""
    used: tuple[Used, ...] = ()
    trainer: str | None = None
    model: str | None = None  # id of the model made from the corpus that it used


class Planned(Struct, frozen=True):
    """What a version needs to know of a run's plan.json. `plan` itself would import every stage."""

    corpus: dict[str, Any] = {}
    nodes: tuple[Step, ...] = ()
    versions: dict[str, str] = {}
    settings: dict[str, Any] = {}


class File(Struct, frozen=True):
    """A file of the dataset."""

    sha256: str
    bytes: int


class Set(Struct, frozen=True):
    """Things that are only counted, and told apart from another set of them."""

    count: int = 0
    digest: str = ""


class Tally(Struct, frozen=True):
    """An amount of kept segments."""

    segments: int
    hours: float


class Counts(Struct, frozen=True):
    """How much there is."""

    recordings: int
    recordings_kept: int  # with at least one kept segment
    segments: int
    hours: float  # of segments
    kept: int
    kept_hours: float
    splits: dict[str, Tally]
    languages: dict[str, Tally]  # "": unknown
    losses: tuple[Loss, ...]  # by reason


class Purged(Struct, frozen=True):
    """That recordings were taken out of a version, and everything they were known by."""

    certificate: str
    recordings: int


class Manifest(Struct, frozen=True):
    """What a version of the dataset was made of."""

    number: int
    fingerprint: str  # of the dataset: table, decisions and how speakers are named
    created: str  # UTC, ISO 8601
    run: str
    table: str  # fingerprints
    decisions: str
    counts: Counts
    files: dict[str, File]  # path in the workspace -> what it was
    corpus: dict[str, Any]  # as written, settings included
    settings: dict[str, Any]
    filter: Any
    rules: tuple[str, ...]
    scores: tuple[str, ...]
    deduplicate: Deduplicate | None
    splits: Splits | None
    speakers: Speakers
    steps: tuple[Step, ...]
    made: tuple[Made, ...]  # models made from the corpus that it used
    versions: dict[str, str]  # of libraries, when the run was planned
    speechmill: str  # that wrote this
    corrections: Set
    takedowns: Set
    purged: tuple[Purged, ...] = ()


class Stretch(Struct, frozen=True):
    """Where a person corrected a recording."""

    id: str
    start: float
    duration: float
    channel: int = 0


class RecordingFact(Struct, frozen=True):
    """A row of `recordings.parquet`."""

    id: str
    key: str
    sha256: str
    duration: float
    transcript: str | None
    failed_stage: str | None
    reason: str | None
    kept: int
    kept_s: float
    corrections: tuple[Stretch, ...] = ()
