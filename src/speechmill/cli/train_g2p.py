# SPDX-License-Identifier: Apache-2.0
"""`speechmill train-g2p`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speechmill.cli.output import check_writable, print_json, shown
from speechmill.core.errors import ConfigError

if TYPE_CHECKING:
    from speechmill.g2p.joint import Accuracy


@click.command("train-g2p")
@click.argument("lexicon", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--test-share",
    type=click.FloatRange(0.0, 0.9),
    default=0.2,
    show_default=True,
    help="Of the words, held out to tell how often a new word is right; 0: don't.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which words are held out.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(lexicon: Path, out: Path, test_share: float, seed: int, as_json: bool) -> None:
    """Learn from LEXICON how words are said, and write a G2P model to OUT.

    First it is trained without the words that are held out, to tell how good it is on words it never saw; what is
    written knows all words.

    \b
    speechmill train-g2p lexicon.dict model.npz
    speechmill train-g2p lexicon.dict model.npz --test-share 0.1 --seed 7
    """
    from speechmill.formats import lexicon as formats
    from speechmill.g2p import joint

    if out.suffix != ".npz":
        raise ConfigError(
            f"{out}: a G2P model's name ends in .npz: speechmill train-g2p {lexicon} {out.with_suffix('.npz')}"
        )
    if not lexicon.is_file():
        raise ConfigError(f"no lexicon {lexicon}. Make one with: speechmill lexicon make TEXT -o {lexicon}")
    known = formats.read(lexicon)
    check_writable(out.parent)
    options = joint.Options(seed=seed)
    accuracy = None
    if test_share:
        rest, held_out = joint.split(known, test_share, seed)
        accuracy = joint.evaluate(joint.train(rest, options), held_out)
    model = joint.train(known, options)
    joint.save(model, out)
    if as_json:
        print_json({"path": str(out), "digest": model.digest, "words": model.header.num_words, **_figures(accuracy)})
        return
    if accuracy is not None:
        click.echo(
            f"held out {accuracy.words} words: {100 * accuracy.word_accuracy:.1f} % right, "
            f"phone error rate {100 * accuracy.phone_error_rate:.1f} %"
        )
    click.echo(f"{model.header.num_words} words, {len(model.header.units)} units of letters and phones")
    click.echo(f"written  {shown(out)}")


def _figures(accuracy: Accuracy | None) -> dict[str, Any]:
    if accuracy is None:
        return {"held_out": 0}
    rates = {"word_accuracy": round(accuracy.word_accuracy, 4), "phone_error_rate": round(accuracy.phone_error_rate, 4)}
    return {"held_out": accuracy.words, **rates}
