# SPDX-License-Identifier: Apache-2.0
"""Exports that the target is in: shards without it stay, the rest is deleted and then written anew from what is left.

Where that can't be done (a format that the corpus file doesn't name, audio that is gone), the export is deleted.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from msgspec import structs

from speechmill.core.errors import SpeechmillError
from speechmill.core.registry import Choice
from speechmill.pipeline.export.marker import EXPORT_MARKER, read_marker, write_marker
from speechmill.pipeline.purge.scan import Wanted, files, traces
from speechmill.pipeline.purge.scrub import Touched
from speechmill.store.workspace import Workspace


def shrink(workspace: Workspace, ids: Collection[str], wanted: Wanted, touched: Touched) -> list[str]:
    """Take everything out of exports that isn't of shards without the target. Returns the formats that it was in."""
    found = []
    for folder in sorted(workspace.exports.glob("*")):
        before = files(folder) if folder.is_dir() else [folder]
        if not _has(workspace, before, wanted):
            continue
        found.append(folder.name)
        if folder.is_dir() and read_marker(folder) is not None:
            _without(folder, ids)
        left = files(folder) if folder.is_dir() else [folder]
        if _has(workspace, left, wanted):
            _delete(folder)
        touched.add("export files", "deleted", len(before) - len(files(folder)) if folder.is_dir() else len(before))
    return found


def _has(workspace: Workspace, paths: Sequence[Path], wanted: Wanted) -> bool:
    return any(traces(path, path.relative_to(workspace.root).as_posix(), wanted) for path in paths)


def _without(folder: Path, ids: Collection[str]) -> None:
    """Leave shards in which none of these recordings is, and a marker by which the next export finds them."""
    marker = read_marker(folder)
    if marker is None:
        return
    shards = tuple(shard for shard in marker.shards if not set(shard.recordings) & set(ids))
    empty = structs.replace(marker, fingerprint="", table="", decisions="", shards=shards, files=())
    write_marker(folder, structs.replace(empty, segments=sum(shard.segments for shard in shards)))
    stays = {EXPORT_MARKER, *(file.path for shard in shards for file in shard.files)}
    for path in files(folder):
        if path.relative_to(folder).as_posix() not in stays:
            path.unlink()


def rebuild(workspace: Workspace, names: Collection[str], note: Callable[[str], None], touched: Touched) -> None:
    """Write what is left of these formats anew; one that can't be is deleted."""
    from speechmill.pipeline.finish import export
    from speechmill.pipeline.refilter import read_index

    choices = _choices(workspace)
    for name in names:
        folder = workspace.exports / name
        if not folder.exists():
            touched.add("exports", "deleted")
            continue
        try:
            if name not in choices:
                raise SpeechmillError("the corpus file doesn't name it, and so its options aren't known")
            export(workspace, choices[name], read_index(workspace))
            touched.add("exports", "rewritten")
        except SpeechmillError as error:
            note(f"export {name} is deleted, for it can't be written anew: {error}")
            _delete(folder)
            touched.add("exports", "deleted")


def _choices(workspace: Workspace) -> dict[str, Choice]:
    from speechmill.pipeline.training import read_plan

    run = workspace.latest_run()
    try:
        return {one.backend: one for one in read_plan(run).resolved().export} if run is not None else {}
    except SpeechmillError:
        return {}


def _delete(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
