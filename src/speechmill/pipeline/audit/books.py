# SPDX-License-Identifier: Apache-2.0
"""Checks of what refers to what: dataset to table and decisions, ledger to plan, versions, splits, open purges."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechmill.core.errors import FormatError, SpeechmillError
from speechmill.core.files import sha256_file
from speechmill.core.groups import in_groups
from speechmill.core.types import Source
from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.audit.findings import Check, Sheet
from speechmill.pipeline.audit.remembered import check_assigned, check_contents, compare_rows
from speechmill.pipeline.corrected import renamed
from speechmill.pipeline.landmarks_table import COLUMN as LANDMARKS
from speechmill.pipeline.plan import Node
from speechmill.pipeline.purge.certificate import journal_path
from speechmill.pipeline.refilter import Index
from speechmill.pipeline.training import read_plan
from speechmill.store import corrections
from speechmill.store.denied import FOLDER, read_denied
from speechmill.store.ledger import Ledger, State
from speechmill.store.parts import STATUS
from speechmill.store.pseudonyms import KEY, pseudonyms
from speechmill.store.workspace import Workspace

if TYPE_CHECKING:
    from speechmill.pipeline.versions.shelf import Version

_STAGE = re.compile(r"[a-z0-9_.]+-[0-9a-f]{16}")
_FROZEN = ("plan.json", "sources.parquet", "shards.parquet")  # of a run
FINISHED = (0, 1)  # exit statuses of a run that came to its end


def check_dataset(workspace: Workspace, index: Index) -> Check:
    """The dataset is the table that its index names, with the decisions that it names beside it."""
    sheet = Sheet("dataset")
    segments, decisions = index.segments_path(workspace), index.decisions_path(workspace)
    for path in (segments, decisions, index.recordings_path(workspace)):
        if not path.exists():
            sheet.add(path.relative_to(workspace.root).as_posix(), "the dataset's index names it, and it is gone")
    landmarks = workspace.tables / f"landmarks-{index.table}.parquet"
    if not landmarks.exists() and _makes_landmarks(workspace, index):
        gone = "gone, and with it what copies of audio are known by; run the corpus again"
        sheet.add(landmarks.relative_to(workspace.root).as_posix(), gone)
    if any(not path.exists() for path in (segments, decisions, index.recordings_path(workspace))):
        return sheet.done()
    own = _columns(workspace.dataset / "segments.parquet", ["id", "drops", "duplicate_of", "split"])
    for name, path in (("table", segments), ("decisions", decisions)):
        other = _columns(path, ["id"])
        if not own["id"].equals(other["id"]):
            sheet.add("dataset/segments.parquet", f"its segments are not those of the {name}, {path.name}")
    decided = _columns(decisions, ["id", "drops", "duplicate_of", "split"])
    for column in ("drops", "duplicate_of", "split"):
        if own["id"].equals(decided["id"]) and own[column].to_pylist() != decided[column].to_pylist():
            sheet.add("dataset/segments.parquet", f"{column} is not what {decisions.name} says")
    if own["id"].equals(_columns(segments, ["id"])["id"]):
        compare_rows(sheet, workspace.dataset / "segments.parquet", segments)
    recordings = _columns(workspace.dataset / "recordings.parquet", ["id"])
    if not recordings["id"].equals(_columns(index.recordings_path(workspace), ["id"])["id"]):
        sheet.add("dataset/recordings.parquet", "its recordings are not those of the table")
    else:
        compare_rows(sheet, workspace.dataset / "recordings.parquet", index.recordings_path(workspace))
    check_contents(sheet, workspace.dataset)
    sheet.saw(own.num_rows)
    return sheet.done()


def _makes_landmarks(workspace: Workspace, index: Index) -> bool:
    run = workspace.runs / index.run
    return (run / "plan.json").exists() and any(LANDMARKS in node.writes for node in read_plan(run).nodes)


def _columns(path: Path, names: list[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=names).combine_chunks()
    except pa.ArrowInvalid as error:
        raise FormatError(f"{path}: not readable as Parquet: {error}") from error


def check_duplicates_of(workspace: Workspace) -> Check:
    """Whoever is dropped in the place of another names one that is there."""
    sheet = Sheet("duplicate-of")
    segments = _columns(workspace.dataset / "segments.parquet", ["id", "duplicate_of"])
    known = pa.concat_arrays(
        [one.cast(pa.string()) for one in segments["id"].chunks]
        + _columns(workspace.dataset / "recordings.parquet", ["id"])["id"].chunks
    )
    named = segments["duplicate_of"]
    lost = pc.and_(pc.is_valid(named), pc.invert(pc.is_in(named, known)))
    sheet.saw(segments.num_rows - named.null_count)
    for row in np.flatnonzero(lost.to_numpy()):
        sheet.add(segments["id"][int(row)].as_py(), f"a duplicate of {named[int(row)].as_py()!r}, which is not there")
    return sheet.done()


def check_parts(workspace: Workspace) -> Check:
    """Every part of the ledger can be read, and lies where its stage's do."""
    sheet, columns = Sheet("ledger-parts"), _columns_of_stages(workspace)
    for path in sorted((workspace.root / "stages").glob("*/*/*")):
        name = path.relative_to(workspace.root).as_posix()
        if path.name.startswith("."):
            continue
        sheet.saw()
        if not _STAGE.fullmatch(path.parts[-3]):
            sheet.add(name, f"{path.parts[-3]!r} is no name of a stage and its fingerprint")
        if path.suffix == ".corrupt":
            sheet.add(name, "set aside, because it can't be read; run the corpus again, then: speechmill gc")
        elif path.suffix != ".parquet":
            sheet.add(name, "no part of a ledger")
        elif problem := _part(path, columns.get(path.parts[-3])):
            sheet.add(name, problem)
    return sheet.done()


def _columns_of_stages(workspace: Workspace) -> dict[str, set[str]]:
    """Return what the stages of the newest run write, by their folders; nothing where its plan is lost."""
    run = workspace.latest_run()
    try:
        nodes = read_plan(run).nodes if run is not None else ()
    except (SpeechmillError, OSError):
        return {}  # a finding of its own
    return {node.folder: {*node.writes, *STATUS} for node in nodes}


def _part(path: Path, columns: set[str] | None) -> str | None:
    try:
        table = read_parquet(path)
    except SpeechmillError as error:
        return str(error)
    if missing := [name for name in STATUS if name not in table.column_names]:
        return f"it has no column {missing[0]!r}"
    if pc.any(pc.invert(pc.match_substring_regex(table["key"], "^[0-9a-f]{64}$"))).as_py():
        return "a key in it is none"
    if columns is not None and (strange := sorted(set(table.column_names) - columns)):
        return f"it has the column {strange[0]!r}, which another stage writes"
    return None


def check_results(workspace: Workspace, index: Index) -> Check:
    """Of the newest run, if it came to its end, every recording has all results or a failure that says why not.

    Not where a part is broken, which `ledger-parts` says: the ledger would set it aside, and nothing is altered here.
    """
    sheet = Sheet("ledger-results")
    made = workspace.runs / index.run  # people may delete old runs as a whole
    for lost in (name for name in _FROZEN if made.exists() and not (made / name).exists()):
        sheet.add(f"runs/{index.run}/{lost}", "gone; the dataset was made by this run")
    if sheet.wrong:
        return sheet.done()
    if check_parts(workspace).wrong:
        return sheet.done()
    run = workspace.latest_run()
    if run is None or not _ended(run / "summary.json"):
        return sheet.done()
    plan = read_plan(run)
    with pq.ParquetFile(run / "shards.parquet") as file:
        keys = set(file.read(columns=["key"])["key"].to_pylist())
    for group in in_groups(_sources(run / "sources.parquet", keys)):
        ledger = Ledger(workspace.root, renamed(plan.nodes, group))
        mine = {source.key for source in group}
        states = {node.name: ledger.states(node.folder, mine) for node in plan.nodes}
        for source in group:
            sheet.saw()
            if lacking := _lacking(source, plan.nodes, states):
                sheet.add(source.id, f"no result of {', '.join(lacking)}, and no failure")
    return sheet.done()


def _ended(path: Path) -> bool:
    from speechmill.pipeline.events import read_summary

    try:
        summary = read_summary(path.parent)
    except (OSError, msgspec.MsgspecError):
        return False
    return summary is not None and summary.exit_status in FINISHED


def _sources(path: Path, keys: set[str]) -> list[Source]:
    from speechmill.formats.manifest import read_rows

    return [one for one in read_rows(path, Source) if one.key in keys and one.alias_of is None]


def _lacking(source: Source, nodes: tuple[Node, ...], states: dict[str, dict[str, State]]) -> list[str]:
    """Return the stages without a result that nothing excuses: no stage before them failed."""
    lost: set[str] = set()  # columns that a failure cost
    lacking = []
    for node in nodes:
        state = states[node.name].get(source.key)
        if state is not None and state.ok:
            continue
        if state is None and not lost.intersection(node.reads):
            lacking.append(node.name)
        lost.update(node.writes)
    return lacking


def check_versions(workspace: Workspace, index: Index) -> Check:
    """Versions can be read; the newest is of the dataset that is there, whose files are those that it names."""
    from speechmill.pipeline.versions.record import fingerprint
    from speechmill.pipeline.versions.shelf import Shelf

    sheet, newest = Sheet("versions"), None
    try:
        for newest in Shelf(workspace).all():
            sheet.saw()
            place = newest.folder.relative_to(workspace.root).as_posix()
            if newest.manifest.fingerprint != newest.folder.name.partition("-")[2]:
                sheet.add(place, f"its manifest is of {newest.manifest.fingerprint}")
            ids = set(newest.facts()["id"].to_pylist())
            if newest.has_rows and ids != set(_columns(newest.recordings, ["id"])["id"].to_pylist()):
                sheet.add(place, "its recordings are not those of the table that it names")
    except (SpeechmillError, FormatError) as error:
        sheet.add("versions", str(error))
        return sheet.done()
    if newest is None or newest.manifest.fingerprint != fingerprint(index):
        return sheet.done()  # of an older dataset: it is written when a command finds it
    purged = msgspec.json.decode((newest.folder / "manifest.json").read_bytes()).get("purged")
    for name, file in newest.manifest.files.items() if not purged else ():
        path = workspace.root / name
        if not path.exists() or sha256_file(path) != file.sha256:
            sheet.add(name, f"version {newest.manifest.number} was recorded with another content of it")
    _card(sheet, workspace, newest)
    return sheet.done()


def _card(sheet: Sheet, workspace: Workspace, version: Version) -> None:
    """The dataset's card is there, and of its newest version. The README is written last."""
    from speechmill.pipeline.card.write import CROISSANT, README

    card, described = workspace.dataset / README, workspace.dataset / CROISSANT
    if not card.exists() and not described.exists():
        return  # cut off before: the next command writes it
    for path in (card, described):
        if not path.exists():
            sheet.add(f"dataset/{path.name}", "gone; the next run writes it")
    if card.exists() and described.exists() and version.manifest.fingerprint.encode() in card.read_bytes():
        try:
            found = msgspec.json.decode(described.read_bytes(), type=dict[str, Any])
            if "@type" not in found:
                sheet.add(f"dataset/{CROISSANT}", "broken: it describes nothing")
        except msgspec.DecodeError as error:
            sheet.add(f"dataset/{CROISSANT}", f"broken: {error}")
    elif card.exists() and described.exists():
        sheet.add(f"dataset/{README}", f"not of version {version.manifest.number}; delete it: the next run writes it")


def check_splits(workspace: Workspace, index: Index) -> Check:
    """Nothing is in two splits, and what is of which is remembered."""
    from speechmill.pipeline.leaks import find_leaks

    sheet = Sheet("splits")
    if not check_assigned(sheet, workspace, asked=index.splits is not None):
        return sheet.done()
    for leak in find_leaks(workspace):
        sheet.add(leak.ids[0] if leak.ids else leak.name, str(leak))
    return sheet.done()


def check_corrections(workspace: Workspace) -> Check:
    """Every line of the log of corrections can be read."""
    sheet = Sheet("corrections")
    sheet.saw(len(corrections.log(workspace.corrections)))
    return sheet.done()


def check_purges(workspace: Workspace) -> Check:
    """No purge was cut off, and what was purged before is still known: without that it comes back."""
    sheet = Sheet("purges")
    for place, read in ((f"{FOLDER}/denied.json", read_denied), (KEY.as_posix(), pseudonyms)):
        if (workspace.root / place).exists():
            try:
                read(workspace.root)
            except SpeechmillError as error:
                sheet.add(place, str(error))
    sheet.saw(sum(1 for _path in (workspace.root / "purges").glob("*.json")))
    path = journal_path(workspace)
    if path.exists():
        place = path.relative_to(workspace.root).as_posix()
        sheet.add(place, "a purge was cut off; any call of speechmill purge finishes it")
    return sheet.done()
