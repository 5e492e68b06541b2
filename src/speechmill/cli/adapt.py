# SPDX-License-Identifier: Apache-2.0
"""`speechmill adapt`."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.cli.align import check_installed, layout_options, usable
from speechmill.cli.output import StageBar, check_writable
from speechmill.cli.train_acoustic import print_card


@click.command("adapt")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("lexicon")
@click.argument("out_model", type=click.Path(path_type=Path, dir_okay=False))
@layout_options
@click.option("--threads", type=click.IntRange(min=1), help="Default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def command(
    model: Path,
    corpus: Path,
    lexicon: str,
    out_model: Path,
    language: str | None,
    speakers: str,
    tiers: tuple[str, ...],
    g2p: str | None,
    threads: int | None,
    as_json: bool,
) -> int:
    """Move MODEL towards the speech of CORPUS: its means, by how much of each phone is heard. Writes OUT_MODEL.

    \b
    speechmill adapt model.npz ./corpus lexicon.dict adapted.npz
    """
    check_installed()
    from speechmill.acoustic.adapt import adapted_model
    from speechmill.acoustic.model import load, save
    from speechmill.alignment import lexica
    from speechmill.alignment.audio import AudioCache
    from speechmill.alignment.corpus import Layout, find
    from speechmill.alignment.run import check, learnable, usable_cores

    found = usable(find(corpus, Layout(speakers, tiers)), str(corpus))
    check_writable(out_model.parent)
    old = load(model)
    with StageBar() as bar, AudioCache((threads or usable_cores()) + 1) as cache:
        prepared = lexica.prepare(found, lexica.source(lexicon, g2p, language), language)
        check(old, prepared)
        bar("adapting", 0.0)
        made = adapted_model(old, prepared.lexicon, learnable(found, prepared, cache), threads=threads or 0)
        save(made, out_model)
    print_card(made, out_model, as_json)
    return 0
