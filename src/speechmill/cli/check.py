# SPDX-License-Identifier: Apache-2.0
"""`speechmill check`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option("--audio", default="all", show_default=True, help="Whose audio is decoded: all, none, or so many by lot.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
def command(workspace: Path, audio: str, as_json: bool) -> int:
    """Find what is wrong in WORKSPACE: times, words, texts, audio, duplicates, ledger, splits, versions, exports.

    Exits with 1 where anything fails, and shows a table of what. Nothing is altered.

    \b
    speechmill check ./workspace
    speechmill check ./workspace --audio 100
    """
    from speechmill.cli.output import print_json, print_table
    from speechmill.core.errors import ConfigError
    from speechmill.pipeline.audit import audit
    from speechmill.store.workspace import Workspace

    if audio not in ("all", "none") and not audio.isdecimal():
        raise ConfigError(f"--audio {audio}: all, none, or a number of recordings")
    limit = None if audio == "all" else 0 if audio == "none" else int(audio)
    place = Workspace.open(workspace)
    with place.held():  # what a run is writing is not wrong, only unfinished
        done = audit(place, limit)
    failed = [one for one in done if one.findings]
    if as_json:
        print_json({"checks": done, "failed": len(failed)})
        return int(bool(failed))
    print_table("", ("check", "looked at", "wrong"), [(one.name, one.looked_at, one.wrong) for one in done])
    for one in failed:
        print_table(one.name, ("where", "what"), [(finding.where, finding.what) for finding in one.findings])
    click.echo(f"{len(done)} checks, {len(failed)} failed" if failed else f"{len(done)} checks passed")
    return int(bool(failed))
