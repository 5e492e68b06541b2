# SPDX-License-Identifier: Apache-2.0
"""`speechmill models`."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.cli.output import print_table


@click.group("models")
def command() -> None:
    """List, pull and show the weights that backends use: pinned, hashed, with their licences.

    \b
    speechmill models list
    speechmill models pull dnsmos
    """


@command.command("list")
def list_() -> None:
    """List every model card and whether its files are here.

    \b
    speechmill models list
    """
    from speechmill import models

    rows = [
        (name, "yes" if models.is_present(name) else "no", card.licence, f"{card.size / 2**20:.1f}", card.purpose)
        for name, card in sorted(models.cards().items())
    ]
    print_table("", ("model", "here", "licence", "MB", "for"), rows)


@command.command("pull")
@click.argument("names", nargs=-1, required=True)
@click.option("--wheels", type=click.Path(path_type=Path, exists=True), help="A folder of wheels to take them from.")
def pull(names: tuple[str, ...], wheels: Path | None) -> None:
    """Fetch NAMES into the model cache.

    Hashes are checked, and nothing is installed. Without a network, --wheels names a folder to take them from.

    \b
    speechmill models pull silero-vad-v6.2 dnsmos dvector
    """
    from speechmill import models

    for name in names:
        click.echo(f"{name}  {models.pull(name, wheel_folder=wheels)}")


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show a model's card.

    \b
    speechmill models show dnsmos
    """
    import msgspec

    from speechmill import models

    for field, value in msgspec.to_builtins(models.card(name)).items():
        click.echo(f"{field:<14} {value}")


@command.command("path")
@click.argument("name")
def path(name: str) -> None:
    """Print the folder with a model's files.

    \b
    speechmill models path silero-vad-v6.2
    """
    from speechmill import models

    click.echo(models.path(name))
