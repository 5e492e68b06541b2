# SPDX-License-Identifier: Apache-2.0
"""`speechmill explain`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("explain")
@click.argument("name", metavar="SEGMENT")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
def command(name: str, workspace: Path) -> None:
    """Tell everything that happened to SEGMENT (or to a recording), and why it was kept or dropped.

    \b
    speechmill explain talk-3f9a2c-0-0012340-0015320 ./workspace
    """
    from speechmill.pipeline.explain import explain

    click.echo("\n".join(explain(workspace, name)))
