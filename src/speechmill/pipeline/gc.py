# SPDX-License-Identifier: Apache-2.0
"""What a workspace no longer needs: results of other settings, replaced parts, left-overs of crashes."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from speechmill.core.errors import WorkspaceError
from speechmill.core.files import TEMPORARY
from speechmill.core.types import Canonical
from speechmill.pipeline.plan import Plan
from speechmill.pipeline.refilter import read_index
from speechmill.pipeline.training import read_plan
from speechmill.pipeline.versions import Shelf
from speechmill.store import made
from speechmill.store.ledger import Ledger
from speechmill.store.workspace import Workspace

# Of so many of the newest versions the segments stay, for `dataset diff`: a table for each, about as large as the
# dataset. That is two working weeks of a run a day; of all older ones the manifests stay.
KEEP_VERSIONS = 10


def collect(workspace: Workspace, keep_versions: int = KEEP_VERSIONS) -> list[Path]:
    """Return what may go, given the newest run's plan. The newest run's own results all stay.

    keep_versions: of how many of the newest versions of the dataset tables and decisions stay.
    """
    run = workspace.latest_run()
    if run is None:
        return workspace.temporary_files()
    plan = read_plan(run)
    ledger = Ledger(workspace.root)
    used = {node.folder for node in plan.nodes}
    doomed = [folder for folder in sorted(ledger.root.glob("*")) if folder.name not in used]
    doomed += [path for path in ledger.replaced() if path.parent.parent not in doomed]
    doomed += _unused_tables(workspace, keep_versions)
    doomed += _unused_audio(workspace, ledger, plan)
    mine = plan.pins.values()  # another run may have pinned newer ones since this was planned
    doomed += [model for model in made.unused(workspace.models) if model.name not in mine]
    doomed += workspace.temporary_files()
    doomed += sorted(workspace.root.glob("stages/*/*/*.corrupt"))
    return list(dict.fromkeys(doomed))


def delete(doomed: list[Path]) -> None:
    """Delete files and folders; one that is gone already is fine."""
    for path in doomed:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file, or of everything in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _unused_tables(workspace: Workspace, keep_versions: int) -> list[Path]:
    try:
        index = read_index(workspace)
    except WorkspaceError:
        return []
    kept = {index.table, index.decisions}
    for version in Shelf(workspace).all()[-keep_versions:] if keep_versions else []:
        kept |= {version.manifest.table, version.manifest.decisions}
    there = [*workspace.tables.glob("*.parquet"), *workspace.decisions.glob("*.parquet")]
    return sorted(
        path for path in there if path.stem.partition("-")[2] not in kept and not path.name.startswith(TEMPORARY)
    )


def _unused_audio(workspace: Workspace, ledger: Ledger, plan: Plan) -> list[Path]:
    """Canonical audio that no result of the plan's normalise stage names."""
    column = ledger.table(plan.nodes[0].folder, ["audio"])["audio"].to_pylist()
    kept = {workspace.root / path for row in column for path in msgspec.convert(row, Canonical).paths}
    there = [path for path in workspace.recordings.rglob("*.flac") if not path.name.startswith(TEMPORARY)]
    return sorted(path for path in there if path not in kept)
