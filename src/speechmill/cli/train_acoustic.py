# SPDX-License-Identifier: Apache-2.0
"""`speechmill train-acoustic`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speechmill.cli.align import check_installed, layout_options, trained, usable
from speechmill.cli.output import StageBar, check_writable, print_json, shown

if TYPE_CHECKING:
    from speechmill.acoustic.model import AcousticModel


@click.command("train-acoustic")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("lexicon")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@layout_options
@click.option("--tonal", is_flag=True, help="With pitch, for languages with tones.")
@click.option("--max-hours", type=click.FloatRange(min=0.01), help="Train on no more of the corpus, drawn by --seed.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--licence", default="", help="For the model's card: under which its speech may be used.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def command(
    corpus: Path,
    lexicon: str,
    model: Path,
    language: str | None,
    speakers: str,
    tiers: tuple[str, ...],
    g2p: str | None,
    tonal: bool,
    max_hours: float | None,
    seed: int,
    licence: str,
    threads: int | None,
    as_json: bool,
) -> int:
    """Train an acoustic model on CORPUS and LEXICON, a file or the name of a backend, and write it to MODEL.

    \b
    speechmill train-acoustic ./corpus lexicon.dict model.npz
    """
    check_installed()
    from speechmill.acoustic.model import save
    from speechmill.acoustic.train import Options
    from speechmill.alignment import lexica
    from speechmill.alignment.corpus import Layout, find

    found = usable(find(corpus, Layout(speakers, tiers)), str(corpus))
    check_writable(model.parent)
    with StageBar() as bar:
        prepared = lexica.prepare(found, lexica.source(lexicon, g2p, language), language)
        given: dict[str, Any] = {} if max_hours is None else {"max_hours": max_hours}
        options = Options(
            seed=seed, tonal=tonal, language=language or "", licence=licence, name=corpus.resolve().name, **given
        )
        made = trained(found, prepared, options, threads or 0, bar)
        save(made, model)
    print_card(made, model, as_json)
    return 0


def print_card(model: AcousticModel, path: Path, as_json: bool) -> None:
    """Print what a model was made of, and where it is."""
    card = model.card
    if as_json:
        print_json({"path": str(path), "digest": model.digest, "card": card})
        return
    click.echo(
        f"{card.hours:.2f} h of speech, {card.utterances} utterances, {card.speakers} speakers, "
        f"{len(card.phones)} phones"
    )
    if card.left_out:
        click.echo(f"left out {len(card.left_out)} or more: {', '.join(card.left_out[:5])}")
    click.echo(f"written  {shown(path)}")
