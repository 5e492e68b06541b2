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
@click.option("--workers", type=click.IntRange(min=1), help="Processes that write; default: one per core.")
@click.option("--fresh", is_flag=True, help="Pack all shards anew, and give their numbers again.")
@click.option("--to", metavar="ADDRESS", help="Then send it: s3://bucket/prefix, or a folder.")
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Versions that stay where it is sent; default: all."
)
def command(
    workspace: Path,
    formats: tuple[str, ...],
    settings: tuple[str, ...],
    workers: int | None,
    fresh: bool,
    to: str | None,
    keep: int | None,
) -> None:
    """Write the kept segments of WORKSPACE as FORMAT, below WORKSPACE/exports.

    What is unchanged since the export before stays as it is; new recordings go into new shards. What was cut off
    goes on where it ended.

    \b
    speechmill export ./workspace huggingface textgrid
    speechmill export ./workspace webdataset --set audio=opus --to s3://bucket/datasets
    speechmill list exporters
    """
    from speechmill.core.errors import ConfigError
    from speechmill.core.registry import require
    from speechmill.engines.local import usable_cores
    from speechmill.pipeline.finish import export
    from speechmill.pipeline.refilter import honour_takedowns
    from speechmill.pipeline.spec import choice
    from speechmill.store.workspace import Workspace

    if keep is not None and to is None:
        raise ConfigError("--keep is of what --to sends; give both")
    place = Workspace.open(workspace)
    options = parse_settings(settings)
    with place.held():
        index = honour_takedowns(place)
        for name in formats:
            asked = choice("exporters", {name: options}, f"export.{name}", base=Path.cwd())
            require("exporters", name)
            done = export(place, asked, index, workers=workers or usable_cores(), fresh=fresh)
            click.echo(f"{place.exports / name}  {'written' if done.processed else 'is up to date'}")
            if to is not None:
                _send(place.exports / name, to, keep)


def _send(folder: Path, to: str, keep: int | None) -> None:
    from speechmill.pipeline.export.upload import upload

    sent = upload(folder, to, keep=keep)
    click.echo(f"{sent.address}  {sent.sent} files sent, {sent.copied} copied, {sent.there} there already")
