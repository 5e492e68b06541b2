# SPDX-License-Identifier: Apache-2.0
"""`speechmill gc`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("gc")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option(
    "--keep-versions", type=click.IntRange(min=0), metavar="N", help="Keep the rows of the newest N versions (10)."
)
@click.option("--dry-run", is_flag=True, help="Say what would go; delete nothing.")
def command(workspace: Path, keep_versions: int | None, dry_run: bool) -> None:
    """Delete what the newest run of WORKSPACE doesn't use: results of other settings, replaced parts, left-overs.

    Originals, exports, run summaries and the dataset stay, and so do the manifests of all its versions. Of older
    versions' rows nothing is left to compare then; all else that is deleted can be made again.

    \b
    speechmill gc ./workspace --dry-run
    """
    from speechmill.pipeline.gc import KEEP_VERSIONS, collect, size_of
    from speechmill.store.workspace import Workspace

    place = Workspace.open(workspace)
    with place.held(), place.joined(alone=True):
        doomed = collect(place, KEEP_VERSIONS if keep_versions is None else keep_versions)
        total = sum(size_of(path) for path in doomed)
        for path in doomed:
            click.echo(path.relative_to(place.root))
        click.echo(f"{len(doomed)} things, {total / 1e6:.1f} MB {'would go' if dry_run else 'deleted'}")
        if not dry_run:
            from speechmill.pipeline.gc import delete

            delete(doomed)
