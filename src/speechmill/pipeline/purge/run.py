# SPDX-License-Identifier: Apache-2.0
"""A purge from the first look to the certificate. Cut off anywhere, the next call finishes it.

First what is denied from now on, then everything that isn't needed to know the target; that is searched for its names,
texts and audio while those are known. Then results, audio and tables, by name. In the end all is searched again.
"""

from __future__ import annotations

import importlib.metadata
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.core.files import write_bytes
from speechmill.pipeline.purge import certificate as papers
from speechmill.pipeline.purge import marks as known_by
from speechmill.pipeline.purge.certificate import Asked, Certificate, Journal, Model
from speechmill.pipeline.purge.crawled import check_known, is_elsewhere, purge_items
from speechmill.pipeline.purge.exports import rebuild, shrink
from speechmill.pipeline.purge.pages import write_pages
from speechmill.pipeline.purge.places import kind_of, tells
from speechmill.pipeline.purge.plan import Planned, models_of, versions_of
from speechmill.pipeline.purge.scan import Trace, Wanted, files, scan, traces
from speechmill.pipeline.purge.scrub import Touched, scrub, scrub_run
from speechmill.pipeline.purge.target import resolve
from speechmill.store.contents import FILE as CONTENTS
from speechmill.store.contents import write_contents
from speechmill.store.denied import deny, item_name
from speechmill.store.workspace import Workspace

Note = Callable[[str], None]
OPEN = ("lock", "joined", "workspace.json")  # never of anybody


class TracesLeft(WorkspaceError):
    """Something was found after all. The purge is not through: its journal stays."""


class Purged(Struct, frozen=True):
    """What came of it. `salt` proves that the certificate is of the target, and is kept nowhere else."""

    certificate: Certificate
    salt: str
    path: str


def plan(workspace: Workspace, asked: str) -> Planned:
    """Say what a purge would do; nothing is written. Raises ConfigError where the target is nothing here."""
    target = resolve(workspace, asked)
    marks = known_by.marks(workspace, target)
    found = scan(workspace.root, marks.everything, OPEN)
    return Planned.of(workspace, target, [trace.path for trace in found])


def finish(workspace: Workspace, note: Note) -> Purged | None:
    """Go on with a purge that was cut off; None where there is none. The workspace must be held alone."""
    journal = papers.read_journal(workspace)
    return _purge(workspace, journal, note) if journal is not None else None


def purge(workspace: Workspace, asked: str, by: Asked, note: Note, *, models: bool = False) -> Purged:
    """Purge a recording, a speaker or an address. The workspace must be held, alone.

    Raises ConfigError where the target is nothing here, or who and why would name it; TracesLeft.
    """
    target = resolve(workspace, asked)
    marks = known_by.marks(workspace, target)
    for option, value in (("--by", by.who), ("--reason", by.reason)):
        names = (*target.speakers, *target.ids, asked)
        if any(name in value for name in names) or marks.everything.needles.first(value.encode()):
            raise ConfigError(f"{option} names the target, and the certificate must not; say it without the name")
    check_known(workspace, any(one.origin != "local" for one in target.recordings))
    journal = Journal(
        certificate=f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(4)}",
        salt=secrets.token_hex(32),
        target=target,
        asked=by,
        models=models,
        versions=versions_of(workspace, target),
        made=models_of(workspace, target),
    )
    papers.write_journal(workspace, journal)
    return _purge(workspace, journal, note)


def _purge(workspace: Workspace, journal: Journal, note: Note) -> Purged:
    target, root = journal.target, workspace.root
    marks = known_by.marks(workspace, target)
    denied = {one.sha256 for one in target.recordings}
    denied |= {item_name(one.id) for one in target.recordings if one.origin != "local"}
    deny(root, journal.certificate, denied)
    touched = Touched(journal.touched)
    for path in workspace.temporary_files():
        _remove(path, "temporary files", touched)
    if (found := purge_items(workspace, target.ids, [one.sha256 for one in target.recordings]))[0]:
        note(f"{found[0]} items taken out of the catalog, {found[1]} objects out of the store")
        touched.add("catalog items", "deleted", found[0])
    exports = shrink(workspace, target.ids, marks.everything, touched)
    _loose(workspace, marks.everything, touched)
    journal = structs.replace(journal, touched=touched.counts, exports=tuple(sorted({*journal.exports, *exports})))
    papers.write_journal(workspace, journal)
    skip = {path.relative_to(root).as_posix() for path in files(root) if tells(path.relative_to(root))}
    _check(workspace, scan(root, marks.everything, {*OPEN, _journal_name(workspace), *skip}))
    _rows(workspace, marks.names, touched)
    if journal.models:
        for model in journal.made:
            if model.trained != "no":
                _remove(workspace.models / model.id, "models", touched)
        _unpin(workspace, [model.id for model in journal.made if model.trained != "no"])
    if (workspace.dataset / "segments.parquet").exists():
        write_contents(workspace.dataset)
        rebuild(workspace, journal.exports, note, touched)
    _mark_versions(workspace, journal)
    write_pages(workspace, note)
    searched = files(root)
    _check(workspace, scan(root, marks.everything, {*OPEN, _journal_name(workspace)}))
    done = _certificate(workspace, journal, touched, marks.counts, len(searched))
    path = papers.write_certificate(workspace, done)
    _check(workspace, scan(root / "purges", marks.everything))
    papers.journal_path(workspace).unlink()
    return Purged(done, journal.salt, path.relative_to(root).as_posix())


def _journal_name(workspace: Workspace) -> str:
    return papers.journal_path(workspace).relative_to(workspace.root).as_posix()


def _loose(workspace: Workspace, wanted: Wanted, touched: Touched) -> None:
    """Take the target out of everything but results, audio and tables."""
    for path in files(workspace.root):
        place = path.relative_to(workspace.root)
        name = place.as_posix()
        if tells(place) or name in OPEN or name == _journal_name(workspace) or place.parts[0] == "models":
            continue
        if name == f"dataset/{CONTENTS}":  # counts the rows of a table that changes
            path.unlink()
            continue
        found = traces(path, name, wanted)
        if "name" in found:
            _remove(path, kind_of(place), touched)
        elif found:
            touched.add(kind_of(place), scrub(path, wanted))


def _rows(workspace: Workspace, names: Wanted, touched: Touched) -> None:
    """Take the target out of results, audio and tables; what names it first goes last."""
    root = workspace.root
    found = [path for path in files(root) if tells(path.relative_to(root))]
    for path in sorted(found, key=lambda path: (_turn(path.relative_to(root)), path)):
        place = path.relative_to(root)
        if not path.exists() or not (where := traces(path, place.as_posix(), names)):
            continue
        if "name" in where:
            _remove(path, kind_of(place), touched)
        elif place.parts[0] == "runs":
            scrub_run(path.parent, names)
            touched.add(kind_of(place), "rewritten")
        else:
            touched.add(kind_of(place), scrub(path, names))


def _turn(place: Path) -> int:
    """In which order: audio before results, what tells ids and addresses after all else."""
    order = ("recordings", "stages", "decisions", "dataset", "tables", "crawl", "runs")
    return order.index(place.parts[0])


def _remove(path: Path, kind: str, touched: Touched) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    else:
        return
    touched.add(kind, "deleted")


def _unpin(workspace: Workspace, gone: list[str]) -> None:
    """Let no trainer use a model that is gone: the next run makes another."""
    path = workspace.models / "pins.json"
    if path.exists():
        pins = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        left = {trainer: model for trainer, model in pins.items() if model not in gone}
        write_bytes(path, msgspec.json.format(msgspec.json.encode(left), indent=2))


def _mark_versions(workspace: Workspace, journal: Journal) -> None:
    """Note in each version that it was in how many recordings a certificate took out of it."""
    for folder in sorted(workspace.versions.glob("[0-9]*-*")):
        path = folder / "manifest.json"
        if int(folder.name.partition("-")[0]) in journal.versions and path.exists():
            manifest = msgspec.json.decode(path.read_bytes())
            before = [one for one in manifest.get("purged", ()) if one["certificate"] != journal.certificate]
            note = {"certificate": journal.certificate, "recordings": len(journal.target.ids)}
            content = msgspec.json.encode({**manifest, "purged": [*before, note]})
            write_bytes(path, msgspec.json.format(content, indent=2))


def _check(workspace: Workspace, found: list[Trace]) -> None:
    if found:
        places = "; ".join(f"{trace.path} ({trace.what})" for trace in found[:10])
        raise TracesLeft(
            f"{workspace.root}: the purge is not through, {len(found)} traces are left: {places}. Delete these files, "
            "or see what holds them, and call purge again: it goes on where it was"
        )


def _certificate(
    workspace: Workspace, journal: Journal, touched: Touched, counts: dict[str, int], scanned: int
) -> Certificate:
    target = journal.target
    made = tuple(
        structs.replace(model, deleted=True) if journal.models and model.trained != "no" else model
        for model in journal.made
    )
    return Certificate(
        id=journal.certificate,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        who=journal.asked.who,
        reason=journal.asked.reason,
        kind=target.kind,
        target=papers.salted(journal.salt, target.asked),
        recordings=len(target.ids),
        rewritten=dict(sorted(touched.counts.get("rewritten", {}).items())),
        deleted=dict(sorted(touched.counts.get("deleted", {}).items())),
        versions=journal.versions,
        exports=journal.exports,
        models=made,
        looked_for=counts,
        scanned=scanned,
        found=0,
        beyond=beyond(workspace, journal),
        speechmill=importlib.metadata.version("speechmill"),
    )


def beyond(workspace: Workspace, journal: Journal) -> tuple[str, ...]:
    """Say what no purge of a workspace reaches."""
    found = ["copies of the workspace: backups, snapshots, other machines, what a disk keeps of deleted files"]
    if any(one.origin == "local" for one in journal.target.recordings):
        found.append("originals in your own folders: they are yours; runs of this workspace leave them out")
    if any(one.origin != "local" for one in journal.target.recordings) and is_elsewhere(workspace):
        found.append("what servers keep of deleted rows and objects: logs, backups, older versions in a bucket")
    if journal.exports:
        found.append("exports that were uploaded or copied from here")
    if any(model.trained != "no" for model in journal.made) and not journal.models:
        found.append("models trained on it, listed above: they stay unless --models is given")
    found.append("lossy or resampled copies of its audio that bear none of its names")
    return tuple(found)


__all__ = ["Asked", "Model", "Purged", "TracesLeft", "finish", "plan", "purge"]
