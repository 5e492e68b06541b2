# SPDX-License-Identifier: Apache-2.0
"""What verdicts say of the dataset they were drawn from; edits become corrections.

The automation level is the share of recordings that came into the dataset, with something kept, and of which the log of
corrections says nothing. Every recording is known, so its interval isn't of this dataset but of what the same way of
working would give with as many others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.pipeline import correct
from speechmill.pipeline.correction_files import Said
from speechmill.pipeline.filter import drop_codes
from speechmill.pipeline.refilter import read_index
from speechmill.pipeline.sample.drawing import Drawn, Sample, remembered
from speechmill.pipeline.sample.estimates import Estimate, Judged, estimate, wilson
from speechmill.pipeline.sample.verdicts import FAULTS, Verdict, check_of, read
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store import corrections
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace


class Share(Struct, frozen=True):
    """A share with its interval, and of how many."""

    share: float
    low: float
    high: float
    number: int


class Conclusion(Struct, frozen=True):
    """What came of verdicts."""

    sample: str
    of: str  # kept | dropped
    population: int  # segments of the dataset that it was drawn from
    covered: int  # of these, in strata of which at least one was judged: what the estimates are of
    drawn: int
    judged: int
    is_current: bool  # whether the dataset is still the one it was drawn from
    precision: Estimate  # share of segments without any fault
    faults: dict[str, Estimate]
    strata: dict[str, Estimate]  # precision of each stratum that was judged
    automation: Share | None  # None: the dataset has no recordings
    corrections: int  # edits that went into the log now
    notes: tuple[str, ...] = ()


def conclude(workspace: Workspace, path: Path, *, who: str) -> Conclusion:
    """Estimate from a file of verdicts, then log its edits. Raises FormatError: then nothing is logged."""
    found = read(path)
    sample = _sample(workspace, path, found.sample)
    check_of(path, found, {one.id for one in sample.segments})
    index = read_index(workspace)
    # The log says of which sample an edit is: judging a sample doesn't change what is said of its dataset.
    mark = f"(sample {sample.id})"
    automation = _automation(workspace, mark)
    imported = _correct(workspace, Path(f"{path} {mark}"), found.verdicts, who)
    strata = _by_stratum(sample, found.verdicts)
    precision = estimate([_judged(sample, name, of, lambda one: not one.faults) for name, of in strata.items()])
    if precision is None:
        raise FormatError(f"{path}: it holds no verdict")
    faults = {fault: _rate(sample, strata, fault) for fault in FAULTS}
    alone = {name: estimate([_judged(sample, name, of, lambda one: not one.faults)]) for name, of in strata.items()}
    return Conclusion(
        sample.id,
        sample.of,
        sample.population,
        sum(part.population for part in sample.strata if strata[part.name]),
        len(sample.segments),
        len(found.verdicts),
        (index.table, index.decisions) == (sample.table, sample.decisions),
        precision,
        faults,
        {name: one for name, one in alone.items() if one is not None},
        automation,
        imported.corrections,
        tuple(imported.notes),
    )


def _sample(workspace: Workspace, path: Path, name: str) -> Sample:
    if not name:
        raise FormatError(f"{path}:2: it doesn't say of which sample it is; the column sample is empty")
    return remembered(workspace, name)


def _by_stratum(sample: Sample, verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Return the verdicts of each stratum, also of those that have none."""
    of: dict[str, Drawn] = {one.id: one for one in sample.segments}
    found: dict[str, list[Verdict]] = {part.name: [] for part in sample.strata}
    for verdict in verdicts:
        found[of[verdict.segment].stratum].append(verdict)
    return found


def _judged(sample: Sample, name: str, verdicts: Sequence[Verdict], asked: Callable[[Verdict], bool]) -> Judged:
    population = next(part.population for part in sample.strata if part.name == name)
    return Judged(population, len(verdicts), sum(map(asked, verdicts)))


def _rate(sample: Sample, strata: dict[str, list[Verdict]], fault: str) -> Estimate:
    found = estimate([_judged(sample, name, of, lambda one: fault in one.faults) for name, of in strata.items()])
    if found is None:
        raise ValueError("no verdict to estimate from")
    return found


def _correct(workspace: Workspace, label: Path, verdicts: Sequence[Verdict], who: str) -> correct.Imported:
    """Log the edits; what agrees with the dataset is none."""
    said = [
        Said(0.0, 0.0, one.text, one.speaker, segment=one.segment, line=one.line)
        for one in verdicts
        if one.text or one.speaker
    ]
    return correct.import_said(workspace.root, label, said, who=who) if said else correct.Imported(str(label))


def _automation(workspace: Workspace, mark: str) -> Share | None:
    """Return the share of recordings with something kept that no person has touched, whatever became of that.

    mark: how files of the log end that are of this sample.
    """
    columns = SegmentColumns(workspace.dataset / "segments.parquet")
    counts, _codes, _rules = drop_codes(columns.drops())
    coded = columns.coded("recording_id")
    kept = {coded.values[code] for code in np.unique(coded.codes[counts == 0]).tolist()}
    sha256 = {one.id: one.sha256 for one in Dataset(workspace.root).recordings().values() if one.id in kept}
    log = corrections.log(workspace.corrections)
    touched = {entry.sha256 for entry in log if entry.correction is not None and not entry.file.endswith(mark)}
    if not sha256:
        return None
    share = sum(audio not in touched for audio in sha256.values()) / len(sha256)
    return Share(share, *wilson(share, len(sha256)), len(sha256))
