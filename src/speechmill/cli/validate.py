# SPDX-License-Identifier: Apache-2.0
"""`speechmill validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from speechmill.cli.align import check_installed, layout_options
from speechmill.cli.output import print_json

if TYPE_CHECKING:
    from speechmill.alignment.validate import Validation


@click.command("validate")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("lexicon", required=False)
@layout_options
@click.option("--no-audio", is_flag=True, help="Look at files and texts alone; decode nothing.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    corpus: Path,
    lexicon: str | None,
    language: str | None,
    speakers: str,
    tiers: tuple[str, ...],
    g2p: str | None,
    no_audio: bool,
    threads: int | None,
    as_json: bool,
) -> int:
    """Say what will go wrong when CORPUS is aligned with LEXICON, before hours are spent.

    Without LEXICON letters are taken for phones. Status 1 where something will go wrong.

    \b
    speechmill validate ./corpus lexicon.dict
    """
    check_installed()
    from speechmill.alignment import lexica
    from speechmill.alignment.corpus import Layout, find
    from speechmill.alignment.validate import validate

    found = find(corpus, Layout(speakers, tiers))
    prepared = lexica.prepare(found, lexica.source(lexicon, g2p, language), language)
    checked = validate(found, prepared, listen=not no_audio, threads=threads or 0)
    if as_json:
        print_json(checked)
    else:
        _print(checked)
    return 1 if checked.wrong or not found.recordings else 0


def _print(checked: Validation) -> None:
    rates = ", ".join(f"{count} of {rate} Hz" for rate, count in checked.sampling_rates_hz.items())
    click.echo(
        f"{checked.utterances} utterances in {checked.recordings} files ({rates or 'none'}), {checked.hours:.2f} h, "
        f"{checked.speakers} speakers, {checked.tokens} words, {checked.words} different, of {checked.phones} phones"
    )
    for finding in checked.findings:
        examples = "; ".join(finding.examples)
        more = "; ..." if finding.count > len(finding.examples) else ""
        click.echo(f"{finding.level:<8} {finding.check}: {finding.count} {finding.what}: {examples}{more}")
    if not checked.findings:
        click.echo("nothing is wrong")
