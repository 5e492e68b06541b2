# SPDX-License-Identifier: Apache-2.0
"""`speechmill report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option("--no-audio", is_flag=True, help="No playable samples, where audio mustn't travel.")
def command(workspace: Path, no_audio: bool) -> None:
    """Write WORKSPACE/report.html, one file that needs nothing else, and say where it is.

    \b
    speechmill report ./workspace --no-audio
    """
    from speechmill.pipeline.report import write_report
    from speechmill.store.workspace import Workspace

    click.echo(write_report(Workspace.open(workspace).root, audio=not no_audio))
