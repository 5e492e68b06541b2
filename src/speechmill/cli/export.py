# SPDX-License-Identifier: Apache-2.0
"""`speechmill export`."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.cli.output import parse_settings


@click.command("export")
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("formats", nargs=-1, required=True, metavar="FORMAT...")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="An option of the format.")
def command(workspace: Path, formats: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Write the kept segments of WORKSPACE as FORMAT, below WORKSPACE/exports.

    \b
    speechmill export ./workspace huggingface textgrid
    speechmill list exporters
    """
    from speechmill.core.registry import require
    from speechmill.pipeline.finish import export
    from speechmill.pipeline.refilter import honour_takedowns
    from speechmill.pipeline.spec import choice
    from speechmill.store.workspace import Workspace

    place = Workspace.open(workspace)
    options = parse_settings(settings)
    with place.held():
        index = honour_takedowns(place)
        for name in formats:
            asked = choice("exporters", {name: options}, f"export.{name}", base=Path.cwd())
            require("exporters", name)
            done = export(place, asked, index)
            click.echo(f"{place.exports / name}  {'written' if done.processed else 'is up to date'}")
